"use strict";
/* A tree of encoders as a drawing: the leaves down the right side, the distance at which they meet along the top. */

const Dendrogram = (() => {
  const [ROW, PLOT, LABEL, TOP, FOOT, EDGE] = [18, 530, 300, 34, 8, 12];
  const LONGEST = 36; // letters of a name
  const MOST_TICKS = 8;
  const DEEPEST = 1e4; // of the axis: from the largest distance to what is drawn as 0

  /** The drawing. `tree`: as Tree.restricted returns it, with a leaf at least. `cut`: {below, above, label}, heights.
   *  `look(i)`: of an encoder, `told(i)`: what is read out beside its name, `selected`: an encoder or -1, `pick(i)`. */
  function draw(atlas, tree, { cut, look, told, selected, pick }) {
    const order = Tree.order(tree);
    const size = { width: PLOT + LABEL + EDGE, height: TOP + ROW * order.length + FOOT };
    const along = scale(tree.height);
    const row = new Float64Array(tree.leaves.length + tree.left.length);
    order.forEach((leaf, k) => (row[leaf] = TOP + ROW * (k + 0.5)));
    return Dom.svg(
      "svg",
      {
        class: "dendrogram",
        viewBox: `0 0 ${size.width} ${size.height}`,
        role: "group",
        "aria-label": `Tree of ${Words.counted(order.length, "encoder")}`,
      },
      axis(along, size.height),
      Dom.svg("path", { class: "branches", d: branches(tree, row, along), "aria-hidden": "true" }),
      cutLine(cut, along, size.height),
      leaves(atlas, tree, order, { look, told, selected, pick }, row),
    );
  }

  /** Distances to the drawing, on a log scale; what is below the floor, 0 too, is drawn at the floor. */
  function scale(heights) {
    const positive = heights.filter((height) => height > 0);
    const top = positive.length ? Math.max(...positive) * 1.06 : 1;
    const floor = positive.length ? Math.max(Math.min(...positive) / 1.5, top / DEEPEST) : 0.1;
    const at = (height) => {
      const share = Math.log(Math.min(top, Math.max(floor, height)) / floor) / Math.log(top / floor);
      return EDGE + (1 - share) * (PLOT - EDGE);
    };
    return { at, top, floor };
  }

  function ticks({ top, floor }) {
    const all = [];
    for (let power = Math.floor(Math.log10(floor)); power <= Math.ceil(Math.log10(top)); power += 1) {
      for (const step of [1, 2, 5]) all.push({ value: Number(`${step}e${power}`), step });
    }
    const within = all.filter(({ value }) => value > floor * 1.15 && value < top);
    const few = within.length > MOST_TICKS ? within.filter(({ step }) => step === 1) : within;
    return few.map(({ value }) => value);
  }

  function axis(along, height) {
    const tick = (value, text) => [
      Dom.svg("line", { class: "grid", x1: along.at(value), x2: along.at(value), y1: TOP - 6, y2: height }),
      Dom.svg("text", { x: along.at(value), y: TOP - 12, "text-anchor": "middle" }, text),
    ];
    return Dom.svg(
      "g",
      { class: "axis", "aria-hidden": "true" },
      ticks(along).map((value) => tick(value, Words.number(value))),
      tick(along.floor, "0"),
    );
  }

  function branches(tree, row, along) {
    const count = tree.leaves.length;
    const height = (node) => (node < count ? 0 : tree.height[node - count]);
    return tree.height
      .map((top, j) => {
        const [a, b] = [tree.left[j], tree.right[j]];
        row[count + j] = (row[a] + row[b]) / 2;
        const [x, xa, xb] = [along.at(top), along.at(height(a)), along.at(height(b))].map((value) => value.toFixed(1));
        return `M${xa} ${row[a]}H${x}V${row[b]}H${xb}`;
      })
      .join("");
  }

  /** In the middle, on the axis, of the heights between which the cut lies; at an end where that is not drawn. */
  function cutLine({ below, above, label }, along, height) {
    const [low, high] = [Math.max(below, along.floor), Math.min(above, along.top)];
    const between = low < high ? Math.sqrt(low * high) : low;
    const x = along.at(below >= along.top ? along.top : above <= along.floor ? along.floor : between);
    return Dom.svg(
      "g",
      { class: "cut" },
      Dom.svg("line", { x1: x, x2: x, y1: TOP - 20, y2: height }),
      Dom.svg("text", { x: x < PLOT / 2 ? x + 4 : x - 4, y: 11, "text-anchor": x < PLOT / 2 ? "start" : "end" }, label),
    );
  }

  /* ---- leaves: one tab stop; arrows walk, Enter takes */

  function leaves(atlas, tree, order, { look, told, selected, pick }, row) {
    const start = Math.max(
      0,
      order.findIndex((leaf) => tree.leaves[leaf] === selected),
    );
    const group = Dom.svg(
      "g",
      { role: "listbox", "aria-label": "Encoders of the tree, in its order" },
      order.map((leaf, k) => {
        const i = tree.leaves[leaf];
        return Dom.svg(
          "g",
          {
            class: i === selected ? "leaf selected" : "leaf",
            role: "option",
            tabindex: k === start ? 0 : -1,
            "aria-selected": String(i === selected),
            "aria-label": `${atlas.name[i]}, ${told(i)}`,
            dataset: { focus: `leaf ${i}`, encoder: i },
            onclick: () => pick(i),
          },
          Dom.svg("title", {}, atlas.name[i]),
          Dom.svg("rect", { class: "hit", x: PLOT + 2, y: row[leaf] - ROW / 2, width: LABEL + EDGE - 4, height: ROW }),
          mark(look(i), PLOT + 11, row[leaf]),
          Dom.svg("text", { x: PLOT + 21, y: row[leaf] + 4 }, isolated(shortened(atlas.name[i]))),
        );
      }),
    );
    group.addEventListener("keydown", (event) => walk(event, group, pick));
    return group;
  }

  function walk(event, group, pick) {
    const all = [...group.children];
    const at = all.indexOf(document.activeElement);
    if (at < 0) return;
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1, PageDown: at + 10, PageUp: at - 10 }[
      event.key
    ];
    if (event.key === "Enter" || event.key === " ") pick(Number(all[at].dataset.encoder));
    else if (to === undefined) return;
    else {
      const next = all[Math.max(0, Math.min(all.length - 1, to))];
      all[at].setAttribute("tabindex", -1);
      next.setAttribute("tabindex", 0);
      next.focus();
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    event.preventDefault();
  }

  const shortened = (name) => {
    const letters = [...name];
    return letters.length > LONGEST ? `${letters.slice(0, 19).join("")}…${letters.slice(-15).join("")}` : name;
  };
  const isolated = (text) => `\u2068${text}\u2069`; // as <bdi>, which a drawing lacks

  function mark({ colour, shape, hollow }, x, y) {
    const style = { fill: hollow ? "none" : colour, stroke: colour, "stroke-width": 1.3, "aria-hidden": "true" };
    if (shape === "circle") return Dom.svg("circle", { cx: x, cy: y, r: 4.5, ...style });
    if (shape === "square") return Dom.svg("rect", { x: x - 4, y: y - 4, width: 8, height: 8, ...style });
    const d = {
      triangle: `M${x} ${y - 5}l5 9h-10z`,
      inverted: `M${x} ${y + 5}l5 -9h-10z`,
      diamond: `M${x} ${y - 5.5}l5 5.5l-5 5.5l-5 -5.5z`,
    }[shape];
    return Dom.svg("path", { d, ...style });
  }

  return { draw };
})();

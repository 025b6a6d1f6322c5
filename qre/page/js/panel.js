"use strict";
/* The selected encoder: what it is, its scores, and who is near it in the space of the features; and the pins. */

const Panel = (() => {
  const MODEL = /^[\w.-]+\/[\w.-]+$/; // of a page on the hub
  const APART = ["description", "model", "warnings"]; // shown on lines of their own
  const FEW = { attributes: 14, geometry: 6, scores: 12, copies: 8 }; // that are not folded
  const BAR = 300; // pixels of a score's drawing
  const open = new Set(); // what has been unfolded
  let atlas, root;

  function mount(given, data) {
    [root, atlas] = [given, data];
    root.tabIndex = -1;
    Compare.mount(atlas);
  }

  function render(changed) {
    Compare.render(changed);
    if (!["encoder", "pin", "cut", "theme", "all"].some((part) => changed.has(part))) return;
    const { encoder, pin } = State.now;
    const held = root.contains(document.activeElement);
    root.hidden = !encoder && !pin.length;
    if (root.hidden) {
      root.replaceChildren();
      if (held) Dom.byId(`tab-${State.now.view}`).focus();
      return;
    }
    const i = atlas.find(encoder);
    Dom.replace(root, encoder ? (i >= 0 ? about(i) : unknown(encoder)) : null, pin.length ? pins() : null);
    if (held && !root.contains(document.activeElement)) root.focus();
    if (changed.has("encoder") && !changed.has("all")) show();
  }

  /** Bring the panel into view: where it stands below the map it is out of sight. */
  function show() {
    root.scrollTop = 0;
    if (State.now.encoder && matchMedia("(max-width: 820px)").matches) {
      root.scrollIntoView({ block: "start", behavior: Dom.still() ? "auto" : "smooth" });
    }
  }

  const button = (focus, onclick, ...label) =>
    Dom.el("button", { type: "button", dataset: { focus: `panel ${focus}` }, onclick }, ...label);

  function unknown(name) {
    return [Dom.el("p", {}, "No encoder of this map is called ", Dom.name(name), "."), closing()];
  }

  const closing = () => button("close", () => State.set({ encoder: "" }), "Close");

  function about(i) {
    const name = atlas.name[i];
    const pinned = State.now.pin.includes(name);
    return [
      Dom.el("h2", { class: "title" }, Dom.name(name)),
      what(i),
      Dom.el(
        "div",
        { class: "row" },
        Dom.el(
          "button",
          { type: "button", dataset: { focus: "panel pin" }, "aria-pressed": String(pinned), onclick: () => pin(name) },
          pinned ? "Unpin" : "Pin to compare",
        ),
        button("copy", copyAddress, "Copy the address of this view"),
        closing(),
      ),
      warnings(i),
      scores(i),
      near(i),
      copies(i),
      cluster(i),
      columns(i, "Measures"),
      columns(i, "Geometry", FEW.geometry),
      columns(i, "Attributes"),
    ];
  }

  /** The description, how to load it, and a link to the hub where the model is of it. */
  function what(i) {
    const model = atlas.column("model")?.value(i) ?? "";
    const description = atlas.column("description")?.value(i);
    return [
      description ? Dom.el("p", {}, Dom.name(description)) : null,
      model && MODEL.test(model)
        ? Dom.el(
            "p",
            {},
            Dom.el(
              "a",
              { href: `https://huggingface.co/${model}`, rel: "noopener noreferrer", target: "_blank" },
              Dom.name(model),
              " on the Hugging Face Hub",
            ),
          )
        : model
          ? Dom.el("p", {}, "Model: ", Dom.name(model))
          : null,
      atlas.loading[i] ? loading(atlas.loading[i]) : null,
    ];
  }

  function loading(lines) {
    return Dom.el(
      "details",
      { class: "loading" },
      Dom.el("summary", {}, "Load it in Python"),
      Dom.el("pre", { tabindex: "0", role: "region", "aria-label": "Python" }, Dom.el("code", {}, lines)),
    );
  }

  function warnings(i) {
    const told = atlas.column("warnings")?.value(i);
    return told ? Dom.el("p", { class: "warning" }, Dom.el("strong", {}, "Warning: "), Dom.name(told)) : null;
  }

  function pin(name) {
    if (!State.now.pin.includes(name) && State.now.pin.length >= State.MOST_PINS) {
      Dom.byId("full")?.remove();
      root
        .querySelector(".row")
        .after(
          Dom.el(
            "p",
            { id: "full", class: "warning" },
            `${State.MOST_PINS} encoders are pinned already: unpin one first.`,
          ),
        );
    }
    State.pin(name);
  }

  /** The address to the clipboard; where that is not allowed, as a text to copy by hand. */
  async function copyAddress() {
    try {
      await navigator.clipboard.writeText(location.href);
      Dom.announce("address copied");
      root.querySelector('[data-focus="panel copy"]').textContent = "Address copied";
    } catch {
      const field = Dom.el("input", {
        type: "text",
        readonly: true,
        "aria-label": "Address of this view",
        value: location.href,
      });
      Dom.byId("address")?.remove();
      root.querySelector(".row").after(Dom.el("p", { id: "address" }, field));
      field.select();
    }
  }

  /* ---- scores */

  function scores(i) {
    const known = atlas.tasks.filter((task) => !Number.isNaN(task.value[i]));
    if (!known.length)
      return atlas.tasks.length ? [Dom.el("h3", {}, "Scores"), Dom.el("p", {}, "None is known.")] : null;
    known.sort((a, b) => Number(b.id in State.now.rank) - Number(a.id in State.now.rank));
    const score = (task) => Ties.scoreOf([task], { [task.id]: 1 }, i);
    const axis = ScoreBar.axis(known.map(score), BAR);
    const line = (task) => {
      const { rank, among } = place(task, i);
      return Dom.el(
        "li",
        {},
        Dom.el("div", { class: "score-line" }, Dom.name(task.id), Dom.el("span", { class: "soft" }, task.basis(i))),
        ScoreBar.draw(score(task), axis),
        Dom.el(
          "div",
          { class: "score-line" },
          Words.interval(task.value[i], task.low[i], task.high[i]),
          Dom.el("span", { class: "soft" }, `place ${Words.many(rank)} of ${Words.many(among)}`),
        ),
      );
    };
    return [
      Dom.el("h3", {}, "Scores"),
      Dom.el("ul", { class: "scores" }, known.slice(0, FEW.scores).map(line)),
      folded("scores", `${Words.counted(known.length - FEW.scores, "more score")}`, known.length > FEW.scores, () =>
        Dom.el("ul", { class: "scores" }, known.slice(FEW.scores).map(line)),
      ),
      Dom.el(
        "p",
        { class: "soft" },
        `All on one axis, ${Words.score(axis.low)} to ${Words.score(axis.high)}. In brackets the ` +
          `interval: 95 % where measured, ${Math.round(100 * atlas.coverage)} % where predicted. The place is among ` +
          "all with a score, predicted ones too.",
      ),
    ];
  }

  /** Where an encoder stands in a task: rank among all that have a score of it, equal ones alike. */
  function place(task, i) {
    let [above, among] = [0, 0];
    for (const value of task.value) {
      if (Number.isNaN(value)) continue;
      among += 1;
      if (value > task.value[i]) above += 1;
    }
    return { rank: above + 1, among };
  }

  /** What is unfolded when asked for, and stays so. */
  function folded(key, label, wanted, build) {
    if (!wanted) return null;
    const box = Dom.el(
      "details",
      { open: open.has(key) },
      Dom.el("summary", { dataset: { focus: `panel ${key}` } }, label),
    );
    const fill = () => box.children.length === 1 && box.append(build());
    if (open.has(key)) fill();
    box.addEventListener("toggle", () => {
      if (box.open) fill();
      if (box.isConnected) open[box.open ? "add" : "delete"](key);
    });
    return box;
  }

  /* ---- who is near */

  const other = (i, ...beside) => Dom.el("li", {}, Names.link(atlas.name[i], `panel encoder ${i}`), beside);

  function near(i) {
    const all = atlas.neighbours(i);
    const apart = all.filter((one) => !one.copy);
    const left = all.length - apart.length;
    return [
      Dom.el("h3", {}, "Nearest by their features"),
      apart.length
        ? Dom.el(
            "ol",
            { class: "near", "aria-label": "Nearest by their features" },
            apart.map(({ index, distance }) =>
              other(index, Dom.el("span", { class: "count" }, Words.number(distance))),
            ),
          )
        : null,
      left
        ? Dom.el(
            "p",
            {},
            `Of its ${all.length} nearest, ${left} ` +
              `${left === 1 ? "is a near-copy" : "are near-copies"}: see below.`,
          )
        : null,
      Dom.el(
        "p",
        { class: "soft" },
        `Distances (${atlas.metric}) between all features. Near on the drawn map is not the same.`,
      ),
    ];
  }

  function copies(i) {
    const all = atlas.copies(i);
    if (!all.length) return null;
    const far = new Map(atlas.neighbours(i).map((one) => [one.index, one.distance]));
    all.sort((a, b) => (far.get(a) ?? Infinity) - (far.get(b) ?? Infinity) || a - b);
    const list = (some) =>
      Dom.el(
        "ul",
        { class: "near", "aria-label": "Near-copies" },
        some.map((j) => other(j, Dom.el("span", { class: "count" }, far.has(j) ? Words.number(far.get(j)) : ""))),
      );
    return [
      Dom.el("h3", {}, `Near-copies (${Words.many(all.length)})`),
      Dom.el("p", { class: "soft" }, "They differ by a transform only: same model, layer and pooling."),
      list(all.slice(0, FEW.copies)),
      folded(
        "copies",
        Words.counted(all.length - FEW.copies, "more near-copy", "more near-copies"),
        all.length > FEW.copies,
        () => list(all.slice(FEW.copies)),
      ),
    ];
  }

  function cluster(i) {
    if (!atlas.tree) return null;
    const cut = Tree.cut(atlas, State.now.cut ?? atlas.tree.cut);
    const k = cut.of[i];
    return [
      Dom.el("h3", {}, "Cluster"),
      k < 0
        ? Dom.el("p", {}, `Not in the tree, which holds ${Words.many(atlas.tree.leaves.length)} encoders.`)
        : Dom.el(
            "p",
            {},
            button("cluster", () => Clusters.filterTo(k + 1), `${cut.names[k]}`),
            ` of ${cut.clusters.length}, with ${Words.counted(cut.clusters[k].length, "encoder")}`,
          ),
    ];
  }

  function columns(i, title, few = FEW.attributes) {
    const all = [...atlas.columns.values()].filter((one) => one.group === title && !APART.includes(one.id));
    const known = all.filter((column) => column.value(i) !== null);
    const unknown = all.filter((column) => column.value(i) === null);
    if (!known.length) return null;
    const list = (some) =>
      Dom.el(
        "dl",
        {},
        some.map((column) =>
          Dom.el(
            "div",
            {},
            Dom.el("dt", { title: column.about || null }, Dom.name(column.label)),
            Dom.el("dd", {}, Dom.name(Words.value(column, i))),
          ),
        ),
      );
    return [
      Dom.el("h3", {}, title),
      list(known.slice(0, few)),
      folded(title, Words.counted(known.length - few, "more", "more"), known.length > few, () =>
        list(known.slice(few)),
      ),
      unknown.length
        ? folded(`${title} not known`, `${Words.many(unknown.length)} not known`, true, () =>
            Dom.el(
              "p",
              { class: "soft" },
              unknown.flatMap((column, k) => [k ? ", " : "", Dom.name(column.label)]),
            ),
          )
        : null,
    ];
  }

  /* ---- pins */

  function pins() {
    const { pin: names } = State.now;
    return Dom.el(
      "section",
      { class: "pins", "aria-label": "Pinned encoders" },
      Dom.el("h3", {}, `Pinned: ${names.length} of ${State.MOST_PINS}`),
      Dom.el(
        "ul",
        { class: "near" },
        names.map((name) =>
          Dom.el(
            "li",
            {},
            Names.link(name, `panel pinned ${name}`),
            Dom.el(
              "button",
              {
                type: "button",
                class: "small",
                dataset: { focus: `panel unpin ${name}` },
                "aria-label": `Unpin ${name}`,
                onclick: () => State.pin(name),
              },
              "✕",
            ),
          ),
        ),
      ),
      Dom.el(
        "div",
        { class: "row" },
        Dom.el(
          "button",
          {
            type: "button",
            id: "compare-open",
            dataset: { focus: "panel compare" },
            disabled: names.filter((name) => atlas.find(name) >= 0).length < 2,
            onclick: () => State.set({ compare: "yes" }),
          },
          "Compare side by side",
        ),
        button("unpin all", () => State.set({ pin: [] }), "Unpin all"),
      ),
    );
  }

  return { mount, render };
})();

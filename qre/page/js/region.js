"use strict";
/* A region of the map: drawn as a lasso, or all that is in view; who is in it, and what they have in common. */

const Region = (() => {
  const MOST = 8; // lines of each kind that are told
  let atlas, box;
  let [mode, drawing] = [false, null];

  function mount(root, given) {
    atlas = given;
    box = Dom.el("section", {
      id: "region",
      class: "floating",
      tabindex: "-1",
      "aria-label": "Region of the map",
      hidden: true,
    });
    root.append(box);
  }

  const lassoing = () => mode;

  /** Lasso mode: the next drag surrounds a region. */
  function toggle(on = !mode) {
    mode = on;
    Controls.render();
    Dom.byId("map").classList.toggle("lassoing", mode);
    Dom.announce(mode ? "Lasso: drag around encoders" : "Lasso off");
  }

  /** What the pointer has drawn so far, in the map's coordinates. */
  function draw(points, finished) {
    drawing = finished ? null : points;
    if (!finished) {
      Scatter.redraw(false);
      return;
    }
    if (mode) toggle(false);
    take(points.length ? Polygon.simplified(points) : []);
  }

  function takeView() {
    const { camera } = Scatter;
    const [left, top] = camera.toMap(0, 0);
    const [right, bottom] = camera.toMap(camera.width, camera.height);
    take([left, top, right, top, right, bottom, left, bottom]);
    box.focus();
  }

  function take(corners) {
    if (!Polygon.sound(corners)) {
      Dom.announce("No region: drag around encoders");
      Scatter.redraw(false);
      return;
    }
    State.set({ region: corners.map((value) => Number(value.toPrecision(6))) });
    Dom.announce(`${Words.counted(members().length, "encoder")} in the region`);
  }

  const corners = () => (Polygon.sound(State.now.region) ? State.now.region : null);

  /** The shown encoders in the region. */
  function members() {
    const [holds, shown, found] = [Polygon.holder(corners() ?? []), Filters.shown(atlas), []];
    for (let i = 0; i < atlas.count; i += 1) if (shown[i] && holds(atlas.x[i], atlas.y[i])) found.push(i);
    return found;
  }

  /** Draw the region, and the line that is being drawn. */
  function paint(pen, camera, ink) {
    const points = drawing ?? pairs(corners() ?? []);
    if (points.length < 2) return;
    pen.beginPath();
    points.forEach(([x, y], k) => pen[k ? "lineTo" : "moveTo"](...camera.toScreen(x, y)));
    if (!drawing) pen.closePath();
    pen.globalAlpha = 0.12;
    pen.fillStyle = ink("--accent");
    pen.fill();
    pen.globalAlpha = 1;
    pen.strokeStyle = ink("--accent");
    pen.lineWidth = 1.5;
    pen.setLineDash([6, 4]);
    pen.stroke();
    pen.setLineDash([]);
  }

  const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, k) => [flat[2 * k], flat[2 * k + 1]]);

  function render(changed) {
    if (State.now.view !== "map") return;
    if (!["region", "view", "find", "filters", "rank", "cut", "all"].some((part) => changed.has(part))) return;
    if (changed.has("region")) Scatter.redraw(false);
    const held = box.contains(document.activeElement);
    box.hidden = !corners();
    if (box.hidden) {
      box.replaceChildren();
      if (held) Dom.byId("map").focus();
      return;
    }
    box.classList.toggle("right", onTheLeft());
    const found = members();
    Dom.replace(box, ...heading(found), found.length ? facts(found) : null);
    if (held && !box.contains(document.activeElement)) box.focus();
  }

  /** Whether the region lies in the left half of the map: what is said of it then goes to the right. */
  function onTheLeft() {
    const across = pairs(corners()).map(([x, y]) => Scatter.camera.toScreen(x, y)[0]);
    return Math.min(...across) + Math.max(...across) < Scatter.camera.width;
  }

  function heading(found) {
    const button = (name, label, onclick, disabled = false) =>
      Dom.el("button", { type: "button", dataset: { focus: `region ${name}` }, disabled, onclick }, label);
    return [
      Dom.el("h2", {}, `${Words.counted(found.length, "encoder")} in the region`),
      Dom.el(
        "div",
        { class: "row" },
        button("filter", "Filter to these", filter, !found.length),
        button("csv", "CSV", () => save(found), !found.length),
        button("close", "Close", () => State.set({ region: null })),
      ),
    ];
  }

  function save(found) {
    Dom.download("region.csv", Dom.csv(TableCsv.rows(atlas, { rows: found, ranking: null })));
  }

  /** The region becomes a filter. */
  function filter() {
    State.set({ filters: { ...State.now.filters, region: [corners().join(",")] }, region: null, page: null });
  }

  function facts(found) {
    const [shown, inside] = [Filters.shown(atlas), new Uint8Array(atlas.count)];
    for (const i of found) inside[i] = 1;
    const outside = shown.reduce((sum, one) => sum + one, 0) - found.length;
    if (!outside) return Dom.el("p", {}, "All shown encoders are in it: there are no others to compare them with.");
    if (found.length < RegionFacts.FEWEST) return names(found);
    const { told, tested } = RegionFacts.levels(atlas, inside, shown);
    const numbers = RegionFacts.numbers(atlas, inside, shown);
    return [
      Dom.el("h3", {}, `In common, against the ${Words.many(outside)} others shown`),
      told.length
        ? Dom.el("ul", { class: "facts" }, told.slice(0, MOST).map(levelInWords))
        : Dom.el("p", {}, "No attribute is more frequent here than chance can make it."),
      told.length > MOST ? Dom.el("p", {}, `and ${Words.counted(told.length - MOST, "more attribute value")}`) : null,
      numbers.length
        ? [
            Dom.el("h3", {}, "Numbers that differ"),
            Dom.el("ul", { class: "facts" }, numbers.slice(0, MOST).map(numberInWords)),
          ]
        : null,
      Dom.el(
        "p",
        { class: "soft" },
        `${Words.counted(tested, "attribute value")} tested (Fisher's exact test, ` +
          `Holm's correction, below ${RegionFacts.LEVEL}). Near-copies count one by one, so take p as an order.`,
      ),
      names(found),
    ];
  }

  const share = (part, whole) =>
    whole ? `${((100 * part) / whole).toFixed(part * 200 < whole ? 1 : 0)}\u00a0%` : "none";
  const power = (p) => p.toExponential(0).replace("e-", "·10⁻").replace(/\d+$/, raised);
  const chance = (p) => `p = ${p < 0.001 ? power(p) : p.toFixed(3)}`;
  const raised = (digits) => digits.replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);

  function levelInWords({ column, level, found, inside, having, all, p }) {
    return Dom.el(
      "li",
      {},
      Dom.name(column.label),
      ": ",
      Dom.el("strong", {}, Dom.name(level)),
      ` – ${Words.many(found)} of ${Words.many(inside)} here (${share(found, inside)}), ` +
        `${share(having - found, all - inside)} of the others; `,
      Dom.el("span", { class: "soft" }, p === 0 ? "p < 10⁻³⁰⁰" : chance(p)),
    );
  }

  function numberInWords({ column, inside, outside, effect }) {
    const unit = column.unit ? ` ${column.unit}` : "";
    const wins = Math.round(50 * (1 + Math.abs(effect)));
    return Dom.el(
      "li",
      {},
      Dom.name(column.label),
      ": ",
      Dom.el("strong", {}, effect > 0 ? "larger" : "smaller"),
      ` – median ${Words.number(inside)}${unit} here, ${Words.number(outside)}${unit} outside; `,
      Dom.el(
        "span",
        { class: "soft" },
        `in ${wins} of 100 pairs (rank-biserial ${effect.toFixed(2).replace("-", "−")})`,
      ),
    );
  }

  function names(found) {
    const MOST_NAMES = 12;
    return [
      Dom.el("h3", {}, "Who"),
      Dom.el(
        "ul",
        { class: "names" },
        found
          .slice(0, MOST_NAMES)
          .map((i) =>
            Dom.el(
              "li",
              {},
              Dom.el(
                "button",
                { type: "button", class: "link", dataset: { focus: `region ${i}` }, onclick: () => Scatter.pick(i) },
                Dom.name(atlas.name[i]),
              ),
            ),
          ),
      ),
      found.length > MOST_NAMES
        ? Dom.el("p", {}, `and ${Words.many(found.length - MOST_NAMES)} more: the CSV has all`)
        : null,
    ];
  }

  return { mount, render, toggle, takeView, paint, draw, lassoing };
})();

"use strict";
/* The trade-off: a score against what an encoder costs, and the encoders that no other beats in both. */

const TradeOff = (() => {
  const AGAINST = [
    // id, whether smaller is better, what encoders without it lack
    { id: "parameters", smaller: true, lack: "number of parameters" },
    { id: "dimension", smaller: true, lack: "dimension" },
    { id: "sentences_per_second", smaller: false, lack: "measured speed" },
  ];
  const RADIUS = { small: 2.6, large: 5.5 }; // of many and of few points
  const SPANS = 30; // largest over smallest from which an axis is logarithmic
  const PARTS = ["find", "filters", "rank", "against", "colour", "cut", "encoder", "pin", "view", "theme", "all"];
  let atlas, picker, against, kinds, axes, left, list;

  function mount(root, given) {
    atlas = given;
    kinds = AGAINST.filter(({ id }) => atlas.column(id)?.kind === "number");
    if (!atlas.tasks.length || !kinds.length) {
      root.append(
        Dom.el(
          "p",
          {},
          atlas.tasks.length
            ? "This map knows neither parameters nor dimension nor speed of its encoders to weigh scores against."
            : "This map has no scores: add a task to its config to weigh them against size and speed.",
        ),
      );
      return;
    }
    picker = RankPicker.make(atlas);
    against = Dom.el(
      "select",
      { id: "against", onchange: () => State.set({ against: against.value }) },
      kinds.map(({ id }) => Dom.el("option", { value: id }, atlas.column(id).label)),
    );
    axes = Dom.el("p", { class: "hint" });
    left = Dom.el("p", { class: "hint", id: "not-drawn" });
    list = Dom.el("div", { class: "scroller", tabindex: "0", role: "region", "aria-label": "The front, scrolls" });
    root.append(Dom.el("div", { class: "controls" }, picker.root, Dom.el("label", {}, "Against ", against)), axes);
    TradeOffPlot.mount(root, atlas);
    root.append(left, list);
  }

  function render(changed) {
    if (!kinds?.length || !picker || State.now.view !== "tradeoff" || !PARTS.some((part) => changed.has(part))) return;
    picker.render();
    const kind = kinds.find(({ id }) => id === State.now.against) ?? kinds[0];
    against.value = kind.id;
    const points = pointsOf(kind);
    const score = points.ranking;
    Dom.replace(
      axes,
      "Upwards: ",
      Dom.name(score.label),
      " (",
      Dom.name(score.tasks.length === 1 ? Words.metric(score.tasks[0].metric) : Ranking.tasksOf(score)),
      `). ${kind.smaller ? "Smaller and better is to the left" : "Faster and better is to the right"} and up. `,
      "Colours: ",
      Dom.name(Colour.now(atlas).label),
      ", as on the map; hollow: predicted.",
      kind.id === "sentences_per_second" ? timedOn() : null,
    );
    Dom.replace(left, leftOut(points, kind));
    const [all, best] = [Words.counted(points.rows.length, "encoder"), Words.many(points.front.length)];
    const label = `${score.label} against ${atlas.column(kind.id).label}`;
    TradeOffPlot.show(points, `${label}: ${all}, ${best} of them on the front`);
    Dom.replace(list, frontTable(points, kind));
  }

  /** Speeds of different machines do not compare. */
  function timedOn() {
    const devices = atlas.run.devices ?? [];
    if (!devices.length) return null;
    const several = devices.length > 1 ? ": compare those of one only." : ".";
    return [" Speeds were measured on ", Dom.name(devices.join(", ")), several];
  }

  /** What is drawn: rows (encoders), x(i), y(i), the front (indices of encoders, the best in x first), both axes, how
   *  many were left out and why. */
  function pointsOf(kind) {
    const ranking = Ranking.now(atlas);
    const column = atlas.column(kind.id);
    const shown = Filters.shown(atlas);
    const [rows, drawn, lacking] = [[], new Uint8Array(atlas.count), { size: 0, score: 0 }];
    const y = (i) => ranking.scores[i].value;
    for (let i = 0; i < atlas.count; i += 1) {
      if (!shown[i]) continue;
      if (Number.isNaN(column.number(i))) lacking.size += 1;
      else if (Number.isNaN(y(i))) lacking.score += 1;
      else {
        rows.push(i);
        drawn[i] = 1;
      }
    }
    const [xs, ys] = [rows.map(column.number), rows.map(y)];
    const [least, most] = xs.reduce(([low, high], x) => [Math.min(low, x), Math.max(high, x)], [Infinity, -Infinity]);
    const scheme = Colour.now(atlas);
    const log = least > 0 && most / least >= SPANS;
    return {
      ranking,
      rows,
      drawn,
      lacking,
      x: column.number,
      y,
      smaller: kind.smaller,
      front: Front.of(xs, ys, kind.smaller).map((at) => rows[at]),
      across: Front.axis(xs, log),
      up: Front.axis(ys, false),
      radius: Math.max(RADIUS.small, Math.min(RADIUS.large, 60 / Math.sqrt(rows.length || 1))),
      look: scheme.look,
      predicted: (i) => ranking.scores[i].basis === "predicted",
      title: `${column.label}${column.unit ? `, ${column.unit}` : ""}${log ? " (log scale)" : ""}`,
      facts: (i) => [
        ["score", told(ranking.scores[i])],
        [column.label, Words.value(column, i)],
      ],
    };
  }

  const told = ({ value, low, high, basis }) => `${Words.interval(value, low, high)} ${basis}`;

  /** Who is not drawn, and why. */
  function leftOut({ lacking, rows }, kind) {
    const found = [];
    if (lacking.size) found.push(`${Words.counted(lacking.size, "encoder")} without a known ${kind.lack}`);
    if (lacking.score) found.push(`${Words.counted(lacking.score, "encoder")} without this score`);
    if (found.length) return `${found.join(" and ")} ${lacking.size + lacking.score === 1 ? "is" : "are"} not drawn.`;
    return rows.length ? "All encoders that are shown are drawn." : "No encoder passes the filters.";
  }

  /** The front as a table: what the line says, to be read. */
  function frontTable(points, kind) {
    const column = atlas.column(kind.id);
    const head = (label, number = false) => Dom.el("th", { scope: "col", class: number ? "number" : "" }, label);
    const axis = ScoreBar.axis(points.front.map((i) => points.ranking.scores[i]));
    const row = (i) => {
      const [name, score] = [atlas.name[i], points.ranking.scores[i]];
      return Dom.el(
        "tr",
        { class: State.now.encoder === name ? "selected" : "" },
        Dom.el("th", { scope: "row", class: "name" }, TableRows.nameOf(name, "front")),
        Dom.el("td", { class: "number" }, Words.value(column, i)),
        Dom.el("td", { class: "scored" }, ScoreBar.draw(score, axis), " ", ScoreBar.inWords(score)),
      );
    };
    const better = kind.smaller ? "as small and as good, and better in one" : "as fast and as good, and better in one";
    return Dom.el(
      "table",
      { class: "encoders", id: "front" },
      Dom.el(
        "caption",
        {},
        `The front: ${Words.counted(points.front.length, "encoder")}; `,
        `no other that is drawn is ${better}. Where intervals overlap, a step may be chance.`,
      ),
      Dom.el("thead", {}, Dom.el("tr", {}, head("Name"), head(column.label, true), head("Score"))),
      Dom.el("tbody", {}, points.front.map(row)),
    );
  }

  return { mount, render };
})();

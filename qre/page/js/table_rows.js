"use strict";
/* The rows and heads of the table. */

const TableRows = (() => {
  const FEW_LACKING = 3; // tasks without a value that are named

  /** The heads, each a button that sorts. */
  function heads(columns, list) {
    const { id: by, down } = TableOrder.sorting(list.ranking);
    const head = (id, label, beside = null, kind = "", about = "") =>
      Dom.el(
        "th",
        {
          scope: "col",
          class: kind,
          title: about || null,
          "aria-sort": by === id ? (down ? "descending" : "ascending") : "none",
        },
        Dom.el(
          "button",
          { type: "button", dataset: { focus: `sort ${id}` }, onclick: () => sort(id, label, list.ranking) },
          Dom.name(label),
          Dom.el("span", { class: "arrow", "aria-hidden": "true" }, by === id ? (down ? "▼" : "▲") : ""),
        ),
        beside,
      );
    return Dom.el(
      "tr",
      {},
      list.ranking ? head("rank", "Rank", null, "number") : null,
      head("name", "Name", null, "name"),
      Dom.el("th", { scope: "col" }, "Pin"),
      list.ranking ? head("score", "Score", axisOf(list.axis)) : null,
      columns.map((column) =>
        head(
          column.id,
          column.label,
          column.unit ? Dom.el("small", {}, column.unit) : null,
          column.numeric ? "number" : "",
          column.about,
        ),
      ),
    );
  }

  function axisOf({ low, high }) {
    if (!Number.isFinite(low)) return null;
    return Dom.el(
      "span",
      { class: "axis" },
      [low, high].map((end) => Dom.el("span", {}, Words.score(end))),
    );
  }

  function sort(id, label, ranking) {
    const next = TableOrder.next(id, ranking);
    State.set({ sort: next, page: null });
    Dom.announce(`sorted by ${label}, ${next.startsWith("-") ? "descending" : "ascending"}`);
  }

  function row(atlas, i, columns, list) {
    const name = atlas.name[i];
    const copies = list.copies(i);
    return Dom.el(
      "tr",
      { class: State.now.encoder === name ? "selected" : "" },
      list.ranking ? rankCell(list.places.rank[i], list.places.shared && list.places.tied[i]) : null,
      Dom.el(
        "th",
        { scope: "row", class: "name" },
        nameOf(name, "row"),
        copies ? Dom.el("small", {}, `and ${Words.counted(copies, "near-copy", "near-copies")}`) : null,
      ),
      Dom.el("td", {}, pinOf(name)),
      list.ranking ? scoreCell(list, i) : null,
      columns.map((column) => Dom.el("td", { class: column.numeric ? "number" : "" }, column.cell(i))),
    );
  }

  /** A name that selects its encoder, or leaves it. */
  function nameOf(name, where) {
    const chosen = State.now.encoder === name;
    return Names.link(name, `${where} ${name}`, {
      "aria-current": chosen ? "true" : null,
      onclick: () => State.set({ encoder: chosen ? "" : name }),
    });
  }

  function pinOf(name) {
    const pinned = State.now.pin.includes(name);
    return Dom.el(
      "button",
      {
        type: "button",
        class: "pin",
        "aria-pressed": String(pinned),
        "aria-label": `Pin ${name}`,
        dataset: { focus: `pin ${name}` },
        onclick: () => State.pin(name),
      },
      pinned ? "Pinned" : "Pin",
    );
  }

  function rankCell(rank, tied) {
    return Dom.el(
      "td",
      { class: "number" },
      rank ? Words.many(rank) : "–",
      tied
        ? [
            Dom.el("span", { "aria-hidden": "true", title: "tied with the best" }, " ≈"),
            Dom.el("span", { class: "unseen" }, " tied with the best"),
          ]
        : null,
    );
  }

  function scoreCell({ ranking, axis }, i) {
    const score = ranking.scores[i];
    if (Number.isNaN(score.value)) {
      const lacking = Ranking.lacking(ranking, i);
      const more = lacking.length - FEW_LACKING;
      return Dom.el(
        "td",
        { class: "soft" },
        "no score on ",
        Dom.name(lacking.slice(0, FEW_LACKING).join(", ")),
        more > 0 ? ` and ${Words.many(more)} more` : null,
      );
    }
    return Dom.el("td", { class: "scored" }, ScoreBar.draw(score, axis), " ", ScoreBar.inWords(score));
  }

  return { heads, row, nameOf };
})();

"use strict";
/* The table of encoders: what the map shows, for reading, sorting and ranking. */

const Table = (() => {
  const ROWS = 100; // on a page
  const PARTS = ["find", "filters", "rank", "sort", "page", "show", "fold", "cut", "encoder", "pin", "view", "all"];
  let atlas, picker, chooser, fold, notes, caption, head, body, pagers, box;

  function mount(root, given) {
    atlas = given;
    picker = RankPicker.make(atlas);
    chooser = columnChooser();
    fold = Dom.el("input", {
      type: "checkbox",
      id: "fold",
      onchange: () => State.set({ fold: fold.checked, page: null }),
    });
    notes = Dom.el("div", { id: "table-notes" });
    caption = Dom.el("caption");
    [head, body] = [Dom.el("thead"), Dom.el("tbody")];
    const region = { class: "scroller", tabindex: "0", role: "region", "aria-label": "Table of encoders, scrolls" };
    box = Dom.el("div", region, Dom.el("table", { class: "encoders" }, caption, head, body));
    pagers = [Pager.make(), Pager.make()];
    const save = () => TableCsv.save(atlas, TableOrder.list(atlas));
    root.append(
      Dom.el(
        "div",
        { class: "controls" },
        atlas.tasks.length ? picker.root : null,
        chooser.root,
        Dom.el("label", {}, fold, " Fold near-copies"),
        Dom.el("button", { type: "button", id: "csv", onclick: save }, "CSV of these rows"),
      ),
      notes,
      pagers[0].root,
      box,
      pagers[1].root,
    );
  }

  /** Which columns are shown. */
  function columnChooser() {
    const current = () => TableColumns.shown(atlas, Ranking.now(atlas)).map((column) => column.id);
    const list = Checklist.make("Columns", (id, on) =>
      State.set({ show: on ? [...current(), id] : current().filter((one) => one !== id) }),
    );
    const title = Dom.el("span");
    const usual = Dom.el("button", { type: "button", onclick: () => State.set({ show: [] }) }, "The usual ones");
    const root = Drop.make(title, () => render(), list.root, usual);
    function render() {
      const shown = new Set(current());
      Dom.replace(title, `Columns (${Words.many(shown.size)})`);
      const option = ({ id, label, group }) => ({ value: id, label, note: group, on: shown.has(id) });
      if (root.open) list.update(TableColumns.all(atlas).map(option));
      usual.hidden = State.now.show.length === 0;
    }
    return { root, render };
  }

  function render(changed) {
    if (State.now.view !== "table" || !PARTS.some((part) => changed.has(part))) return;
    picker.render();
    chooser.render();
    fold.checked = State.now.fold;
    const list = { ...TableOrder.list(atlas) };
    const pages = Math.max(1, Math.ceil(list.rows.length / ROWS));
    const page = Math.min(pages, Math.max(1, State.now.page ?? 1));
    const from = (page - 1) * ROWS;
    const rows = list.rows.slice(from, from + ROWS);
    if (list.ranking) list.axis = ScoreBar.axis(rows.map((i) => list.ranking.scores[i]));
    const columns = TableColumns.shown(atlas, list.ranking);
    Dom.replace(caption, captionOf(list, from, rows.length));
    Dom.replace(head, TableRows.heads(columns, list));
    Dom.replace(
      body,
      rows.map((i) => TableRows.row(atlas, i, columns, list)),
    );
    Dom.replace(notes, list.ranking ? notesOf(list) : noScores());
    for (const pager of pagers) pager.render(page, pages);
    if (changed.has("page") || changed.has("sort")) box.scrollTop = 0;
  }

  function captionOf({ rows, ranking }, from, many) {
    const listed = rows.length
      ? `${Words.many(from + 1)} to ${Words.many(from + many)} of ${Words.counted(rows.length, "encoder")}`
      : "No encoder passes the filters";
    const folded = State.now.fold ? ", near-copies folded into the best of them" : "";
    return [listed, folded, ranking ? [", by ", Dom.name(ranking.label)] : null];
  }

  const noScores = () => Dom.el("p", { class: "hint" }, "This map has no scores: its config names no tasks.");

  /** What the ranks and marks say, for how many. */
  function notesOf({ rows, ranking, places }) {
    let [tied, lacking] = [0, 0];
    for (const i of rows) {
      tied += places.tied[i];
      lacking += places.rank[i] ? 0 : 1;
    }
    const found =
      tied > 1
        ? `${Words.counted(tied, "encoder")} of these cannot be told from the best (≈). `
        : tied === 1
          ? "No other of these is tied with the best. "
          : rows.length > lacking
            ? "The best has no interval: nothing is known of ties. "
            : "";
    const tasks = Ranking.tasksOf(ranking);
    const last = lacking ? `${Words.counted(lacking, "encoder")} without all of these scores come last. ` : "";
    return [
      Dom.el(
        "p",
        {},
        "Ranked by ",
        Dom.name(ranking.label),
        tasks ? [" (", Dom.name(tasks), ")"] : null,
        `. ${found}${last}`,
      ),
      ScoreBar.key(),
      Dom.el(
        "details",
        {},
        Dom.el("summary", {}, "What ties and intervals are"),
        Dom.el("p", {}, Ties.TEST),
        Dom.el("p", {}, Ranking.explained(atlas)),
      ),
    ];
  }

  return { mount, render };
})();

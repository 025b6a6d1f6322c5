"use strict";
/* The rows of the table as CSV, with all that is known of the encoders. */

const TableCsv = (() => {
  /** Rows of cells, the heads first: all rows of the list, on all pages. */
  function rows(atlas, { rows: encoders, ranking, places }) {
    const columns = [...atlas.columns.values()];
    const ranked = ["rank", "score", "low", "high", "basis", "tied_with_the_best"];
    const heads = [
      "name",
      ...(ranking ? ranked : []),
      ...columns.map((column) => column.id),
      ...atlas.tasks.flatMap((task) => ["", " low", " high", " basis"].map((part) => task.id + part)),
    ];
    return [
      heads,
      ...encoders.map((i) => [
        atlas.name[i],
        ...(ranking ? place(ranking.scores[i], places.rank[i], places.tied[i]) : []),
        ...columns.map((column) => cell(column.value(i))),
        ...atlas.tasks.flatMap((task) => [task.value[i], task.low[i], task.high[i], task.basis(i)]),
      ]),
    ];
  }

  const place = ({ value, low, high, basis }, rank, tied) => [rank || null, value, low, high, basis, tied ? "yes" : ""];

  const cell = (value) => (Array.isArray(value) ? value.join("; ") : value);

  /** Hand the file over. */
  function save(atlas, list) {
    Dom.download("encoders.csv", Dom.csv(rows(atlas, list)));
    Dom.announce(`CSV of ${Words.counted(list.rows.length, "encoder")} made`);
  }

  return { rows, save };
})();

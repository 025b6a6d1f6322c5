"use strict";
/* The columns of the table: what can be shown, what each sorts by, and what stands in its cells. */

const TableColumns = (() => {
  const USUAL = ["parameters", "dimension", "family", "model_max_tokens", "licence", "qre"];
  const MOST_RANKED = 4; // of the tasks that are ranked by, each with a column of its own
  const keys = new Map();

  /** Everything that can be a column: id, label, group, about, numeric, cell(i), number(i) or text(i) to sort by. */
  function all(atlas) {
    const columns = [...atlas.columns.values()].map((column) => ({
      id: column.id,
      label: column.label,
      unit: column.unit,
      group: column.group,
      about: column.about,
      numeric: column.kind === "number",
      cell: (i) => plain(column, i),
      number: column.number,
      text: (i) => String(column.value(i) ?? ""),
    }));
    const tasks = atlas.tasks.map((task) => ({
      id: Filters.TASK + task.id,
      label: task.id,
      unit: "",
      about: "",
      group: "Scores",
      numeric: true,
      cell: (i) => scored(task, i),
      number: (i) => task.value[i],
    }));
    return [...columns, ...tasks];
  }

  /** The columns that are shown now. */
  function shown(atlas, ranking) {
    const wanted = new Set(State.now.show.length ? State.now.show : usual(atlas, ranking));
    return all(atlas).filter((column) => wanted.has(column.id));
  }

  function usual(atlas, ranking) {
    const several = ranking !== null && ranking.tasks.length > 1 && ranking.tasks.length <= MOST_RANKED;
    const tasks = several ? ranking.tasks : [];
    return [...USUAL.filter((id) => atlas.column(id)), ...tasks.map((task) => Filters.TASK + task.id)];
  }

  function plain(column, i) {
    const value = column.value(i);
    if (value === null || Number.isNaN(value)) return missing();
    return column.kind === "number" ? Words.number(value) : Dom.name(Words.value(column, i));
  }

  const missing = () => [
    Dom.el("span", { "aria-hidden": "true", class: "soft" }, "–"),
    Dom.el("span", { class: "unseen" }, "not known"),
  ];

  function scored(task, i) {
    if (Number.isNaN(task.value[i])) return missing();
    const basis = task.basis(i);
    return Dom.el(
      "span",
      { class: `score ${basis}` },
      Words.interval(task.value[i], task.low[i], task.high[i]),
      basis === "measured" ? null : ` ${basis}`,
    );
  }

  /** The order of encoders by a column's value: a number for each, NaN where it is not known. */
  function keyOf(atlas, id) {
    if (!keys.has(id)) {
      const column = id === "name" ? { text: (i) => atlas.name[i] } : all(atlas).find((one) => one.id === id);
      const each = (read) => Array.from({ length: atlas.count }, (_, i) => read(i));
      const key = () => (column.numeric ? Float64Array.from(each(column.number)) : ordered(each(column.text)));
      keys.set(id, column ? key() : null);
    }
    return keys.get(id);
  }

  /** Places of texts in their order, without regard to case; NaN for an empty one. */
  function ordered(texts) {
    const lower = texts.map((text) => text.toLowerCase());
    const order = [...new Set(lower)].sort();
    const place = new Map(order.map((text, at) => [text, at]));
    return Float64Array.from(lower, (text) => (text === "" ? NaN : place.get(text)));
  }

  return { all, shown, keyOf };
})();

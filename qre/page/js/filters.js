"use strict";
/* Which encoders are shown: by words, categories, ranges and the basis of their scores. Map, table and trade-off ask
   here. */

const Filters = (() => {
  const RANGE = /^(-?[\d.]*(?:e[+-]?\d+)?)\.\.(-?[\d.]*(?:e[+-]?\d+)?)$/i;
  const MISSING = "(not known)"; // as a value of a category
  let mask = null;
  let key = null;

  /** lo and hi of a range such as 1e6..1e8, ..512 or 0.5..; null where it is none. */
  function range(text) {
    const found = RANGE.exec(text ?? "");
    if (!found || (found[1] === "" && found[2] === "")) return null;
    const [low, high] = [found[1] === "" ? -Infinity : Number(found[1]), found[2] === "" ? Infinity : Number(found[2])];
    return Number.isNaN(low) || Number.isNaN(high) ? null : { low, high };
  }

  /** 1 for each encoder that is shown, Uint8Array of all. */
  function shown(atlas) {
    const wanted = JSON.stringify([State.now.find, State.now.filters, State.now.rank]);
    if (wanted === key) return mask;
    key = wanted;
    mask = new Uint8Array(atlas.count).fill(1);
    for (const test of tests(atlas)) for (let i = 0; i < mask.length; i += 1) if (mask[i] && !test(i)) mask[i] = 0;
    return mask;
  }

  function tests(atlas) {
    const found = Object.entries(State.now.filters).map(([id, values]) => testOf(atlas, id, values));
    const words = State.now.find.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) found.push((i) => words.every((word) => textOf(atlas, i).includes(word)));
    return found.filter(Boolean);
  }

  function testOf(atlas, id, values) {
    if (id === "basis") return basisTest(atlas, values);
    const column = atlas.column(id);
    if (!column) return null;
    if (column.kind === "number") {
      const wanted = range(values[0]);
      return wanted && ((i) => column.number(i) >= wanted.low && column.number(i) <= wanted.high);
    }
    if (column.kind === "text") return (i) => (column.value(i) ?? "").toLowerCase().includes(values[0].toLowerCase());
    const codes = new Set(values.map((value) => column.levels.indexOf(value)).filter((code) => code >= 0));
    const missing = values.includes(MISSING);
    return (i) => (column.codes(i).length ? column.codes(i).some((code) => codes.has(code)) : missing);
  }

  /** Encoders with a score of this basis on a task that is ranked by, or on any. */
  function basisTest(atlas, values) {
    const ranked = atlas.tasks.filter((task) => task.id in State.now.rank);
    const tasks = ranked.length ? ranked : atlas.tasks;
    return (i) => tasks.some((task) => values.includes(task.basis(i)));
  }

  let texts = null;

  /** Name, family, model and description of an encoder in lower case, to be searched. */
  function textOf(atlas, i) {
    texts ??= new Array(atlas.count);
    texts[i] ??= [atlas.name[i], ...["family", "model", "description"].map((id) => atlas.column(id)?.value(i) ?? "")]
      .join("\n")
      .toLowerCase();
    return texts[i];
  }

  const count = (atlas) => shown(atlas).reduce((sum, one) => sum + one, 0);

  return { shown, count, range, textOf, MISSING };
})();

"use strict";
/* Which encoders are shown: by words, categories, ranges and the basis of their scores. Map, table and trade-off ask
   here. */

const Filters = (() => {
  const MISSING = "(not known)"; // as a value of a category
  const TASK = "task:"; // in front of the name of a task, among the ids of columns
  const REGION = "region";
  let mask = null;
  let key = null;

  /** low and high of a range such as 1e6..1e8, ..512 or 110M..; null where it is none. */
  function range(text) {
    const [from, to, ...more] = ends(text);
    if (to === undefined || more.length || (from === "" && to === "")) return null;
    const [low, high] = [from === "" ? -Infinity : Words.read(from), to === "" ? Infinity : Words.read(to)];
    return low <= high ? { low, high } : null;
  }

  /** Both ends of a range as they were written. */
  const ends = (text) => (text ?? "").split("..").map((end) => end.trim());

  /** What can be filtered by an id: label, kind and unit, levels and codes(i), number(i), value(i); null where this
   *  atlas has no such thing. `inWords` of a level, where it is not its own name; `unlisted`: nothing to choose
   *  from. */
  function field(atlas, id) {
    if (id === "basis") return basisField(atlas);
    if (id === "cluster") return atlas.tree && clusterField(atlas);
    if (id === REGION) return regionField(atlas, State.now.filters[REGION]?.[0] ?? "");
    if (!id.startsWith(TASK)) return atlas.column(id);
    const task = atlas.task(id.slice(TASK.length));
    return task && { id, label: task.id, kind: "number", unit: "", number: (i) => task.value[i] };
  }

  /** All that decides who is shown, as a text: where it is the same, so are they. */
  const said = () => JSON.stringify([State.now.find, State.now.filters, State.now.rank, State.now.cut]);

  /** 1 for each encoder that is shown, Uint8Array of all. */
  function shown(atlas) {
    const wanted = said();
    if (wanted === key) return mask;
    key = wanted;
    mask = passing(atlas, tests(atlas));
    return mask;
  }

  /** As `shown`, as if there were no filter of one id: to count what it could choose from. */
  function without(atlas, id) {
    return id in State.now.filters ? passing(atlas, tests(atlas, id)) : shown(atlas);
  }

  function passing(atlas, wanted) {
    const found = new Uint8Array(atlas.count).fill(1);
    for (const test of wanted) for (let i = 0; i < found.length; i += 1) if (found[i] && !test(i)) found[i] = 0;
    return found;
  }

  function tests(atlas, but = null) {
    const filters = Object.entries(State.now.filters).filter(([id]) => id !== but);
    const found = filters.map(([id, values]) => testOf(field(atlas, id), values));
    const words = State.now.find.toLowerCase().split(/\s+/).filter(Boolean);
    if (words.length) found.push((i) => words.every((word) => textOf(atlas, i).includes(word)));
    return found.filter(Boolean);
  }

  function testOf(column, values) {
    if (!column) return null;
    if (column.kind === "number") {
      const wanted = range(values[0]);
      return wanted && ((i) => column.number(i) >= wanted.low && column.number(i) <= wanted.high);
    }
    if (column.kind === "text") return (i) => (column.value(i) ?? "").toLowerCase().includes(values[0].toLowerCase());
    const codes = new Set(values.map((value) => column.levels.indexOf(value)).filter((code) => code >= 0));
    const missing = values.includes(MISSING);
    return (i) => {
      const own = column.codes(i);
      return own.length ? own.some((code) => codes.has(code)) : missing;
    };
  }

  function clusterField(atlas) {
    const { names, of } = Tree.cut(atlas, State.now.cut ?? atlas.tree.cut);
    const codes = (i) => (of[i] < 0 ? [] : [of[i]]);
    return { id: "cluster", label: "Cluster", kind: "category", levels: names, codes };
  }

  /** Inside a polygon on the map, written as x,y,x,y,… */
  function regionField(atlas, text) {
    const corners = text.split(",").map(Number);
    if (!Polygon.sound(corners) || !corners.every(Number.isFinite)) return null;
    const holds = Polygon.holder(corners);
    return {
      id: REGION,
      label: "Region",
      kind: "category",
      levels: [text],
      unlisted: true,
      inWords: () => "as drawn on the map",
      codes: (i) => (holds(atlas.x[i], atlas.y[i]) ? [0] : []),
    };
  }

  let bases = { key: null, codes: null };
  const BASIS_CODES = [0, 1, 2, 3, 4, 5, 6, 7].map((bits) => [0, 1, 2].filter((code) => bits & (1 << code)));

  /** Of which bases an encoder has scores: on the tasks that are ranked by, or on any. */
  function basisField(atlas) {
    const ranked = atlas.tasks.filter((task) => task.id in State.now.rank);
    const tasks = ranked.length ? ranked : atlas.tasks;
    const wanted = ranked.map((task) => task.id).join("\n");
    if (bases.key !== wanted) {
      const bits = new Uint8Array(atlas.count);
      for (const task of tasks) {
        for (let i = 0; i < bits.length; i += 1) if (task.basisCode(i) >= 0) bits[i] |= 1 << task.basisCode(i);
      }
      bases = { key: wanted, codes: bits };
    }
    const { codes } = bases;
    return {
      id: "basis",
      label: ranked.length ? "Basis of scores ranked by" : "Basis of scores",
      kind: "list",
      levels: Data.BASES,
      codes: (i) => BASIS_CODES[codes[i]],
    };
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

  /** Make ready to search, before somebody types. */
  function warm(atlas) {
    for (let i = 0; i < atlas.count; i += 1) textOf(atlas, i);
  }

  const count = (atlas) => shown(atlas).reduce((sum, one) => sum + one, 0);

  /** One filter's value as people read it, after the name of what is filtered. */
  function inWords(column, value) {
    if (!column) return "not in this map";
    if (column.inWords) return column.inWords(value);
    if (column.kind === "text") return `has “${value}”`;
    if (column.kind !== "number") return value;
    const wanted = range(value);
    if (!wanted) return `“${value}” is no range`;
    const { low, high } = wanted;
    if (high === Infinity) return `at least ${Words.number(low)}`;
    return low === -Infinity ? `at most ${Words.number(high)}` : `${Words.number(low)} to ${Words.number(high)}`;
  }

  return { said, shown, without, count, ends, field, inWords, textOf, warm, MISSING, TASK };
})();

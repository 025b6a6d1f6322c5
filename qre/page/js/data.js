"use strict";
/* The data of the page, as contract.py describes it, unpacked and checked. */

const Data = (() => {
  const SCHEMA = 2;
  const BASES = ["measured", "imported", "predicted"];
  const GROUPS = ["Attributes", "Measures", "Geometry"]; // of columns

  /** Resolves to the atlas; rejects where the file was cut off or is of another version. */
  async function load() {
    const packed = Uint8Array.from(atob(Dom.byId("data").textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const page = JSON.parse(await new Response(stream).text());
    if (page.schema !== SCHEMA) throw new Error(`its data has schema ${page.schema}, its script reads ${SCHEMA}`);
    return atlas(page, JSON.parse(Dom.byId("run").textContent));
  }

  function atlas(page, run) {
    const count = page.name.length;
    const columns = page.columns.map((column) => columnOf(column, count));
    if (run.speed) {
      const speed = {
        id: "sentences_per_second",
        label: "Sentences a second",
        kind: "number",
        unit: "",
        scale: "log",
        group: "Attributes",
        about: "",
        levels: [],
        values: run.speed,
      };
      columns.push(columnOf(speed, count));
    }
    const place = new Map(page.name.map((name, i) => [name, i]));
    return {
      title: page.title,
      count,
      name: page.name,
      loading: page.loading,
      x: floats(page.x, count),
      y: floats(page.y, count),
      columns: new Map(columns.map((column) => [column.id, column])),
      tasks: page.tasks.map((task) => taskOf(task, count)),
      task(id) {
        return this.tasks.find((one) => one.id === id) ?? null;
      },
      column(id) {
        return this.columns.get(id) ?? null;
      },
      find: (name) => place.get(name) ?? -1,
      neighbours: (i) => neighboursOf(page, i),
      copies: (i) => copiesOf(page.same, i),
      isCopy: (i, j) => page.same[i] === page.same[j],
      same: page.same,
      metric: page.metric,
      coverage: page.coverage,
      tree: page.tree,
      about: page.about,
      figures: page.figures,
      run,
    };
  }

  /** Numbers with NaN for what is not known. */
  function floats(values, count) {
    if (values.length !== count) throw new Error(`${values.length} values of ${count} encoders`);
    return Float64Array.from(values, (value) => (value === null ? NaN : value));
  }

  /** id, label, kind, unit, scale, group, about, levels; value(i): a number, a text, a list of texts, or null; codes(i):
   *  indices into the levels; number(i): NaN where not known. */
  function columnOf(column, count) {
    const { values, levels } = column;
    if (values.length !== count) throw new Error(`${column.id}: ${values.length} values of ${count} encoders`);
    const readers = {
      number: (i) => values[i],
      text: (i) => values[i],
      category: (i) => (values[i] < 0 ? null : levels[values[i]]),
      list: (i) => (values[i] === null ? null : values[i].map((code) => levels[code])),
    };
    const codes = {
      category: (i) => (values[i] < 0 ? [] : [values[i]]),
      list: (i) => values[i] ?? [],
    };
    return {
      ...column,
      value: readers[column.kind],
      codes: codes[column.kind] ?? (() => []),
      number: column.kind === "number" ? (i) => values[i] ?? NaN : () => NaN,
    };
  }

  /** id, kind, metric, split, n, and value, low, high (NaN where not known); basis(i): one of BASES, or "";
   *  basisCode(i): its index, or -1. */
  function taskOf(task, count) {
    return {
      ...task,
      value: floats(task.value, count),
      low: floats(task.low, count),
      high: floats(task.high, count),
      basis: (i) => BASES[task.basis[i]] ?? "",
      basisCode: (i) => task.basis[i],
    };
  }

  function neighboursOf(page, i) {
    const k = page.neighbours;
    return Array.from({ length: k }, (_, rank) => {
      const index = page.near[i * k + rank];
      return { index, distance: page.far[i * k + rank], copy: page.same[i] === page.same[index] };
    });
  }

  function copiesOf(same, i) {
    const found = [];
    for (let j = 0; j < same.length; j += 1) if (j !== i && same[j] === same[i]) found.push(j);
    return found;
  }

  return { load, BASES, GROUPS };
})();

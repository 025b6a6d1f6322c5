"use strict";
/* What is shown, as the address says it: everything but the theme lives in the fragment, so that a copied link shows
   the same, and back and forward work. */

const State = (() => {
  const VIEWS = ["map", "table", "tradeoff", "clusters", "about"];
  const MOST_PINS = 4;

  /* Each part: how it stands in the fragment, and how it is read from it; `null` of `read` means: not a value. */
  const text = { write: (value) => (value ? [value] : []), read: (found) => found[0] ?? "" };
  const list = { write: (values) => values, read: (found) => found };
  const count = {
    write: (value) => (value === null ? [] : [String(value)]),
    read: (found) => (/^\d{1,6}$/.test(found[0] ?? "") ? Number(found[0]) : null),
  };
  /** Numbers with commas; `fine` says which are a value. */
  const numbers = (fine) => ({
    write: (values) => (values ? [values.map((value) => Number(value.toPrecision(6))).join(",")] : []),
    read: (found) => {
      const values = (found[0] ?? "").split(",").map(Number);
      return found.length && values.every(Number.isFinite) && fine(values) ? values : null;
    },
  });
  const flag = { write: (value) => (value ? ["yes"] : []), read: (found) => found[0] === "yes" };
  /** task -> weight */
  const HEAVIEST = 1000; // weight of a task
  const WEIGHTED = /^(?:(\d+(?:\.\d+)?)\*)?(.*)$/s;
  const weights = {
    write: (tasks) =>
      Object.entries(tasks).map(([task, weight]) =>
        weight === 1 && WEIGHTED.exec(task)[1] === undefined ? task : `${weight}*${task}`,
      ),
    read: (found) =>
      bare(
        Object.fromEntries(
          found
            .map((one) => WEIGHTED.exec(one))
            .map(([, weight, task]) => [task, weight === undefined ? 1 : Number(weight)])
            .map(([task, weight]) => [task, Math.min(HEAVIEST, Number(weight.toFixed(3)))])
            .filter(([, weight]) => weight > 0),
        ),
      ),
  };
  const PARTS = {
    view: { ...text, read: (found) => (VIEWS.includes(found[0]) ? found[0] : "map") },
    encoder: text, // name of the selected one
    pin: list, // names of up to four to compare
    compare: text, // "yes": the pinned ones side by side
    colour: text, // id of a column, "task:" and a task, or "cluster"
    size: text, // a column of numbers, or "" for all alike
    find: text, // words that the table and the map are filtered by
    rank: weights,
    sort: text, // id of a column of the table, with - in front for the largest first
    show: list, // ids of the columns of the table; none: the usual ones
    fold: flag, // near-copies into the best of them
    page: count, // of the table
    against: text, // what the trade-off shows scores against
    cut: count, // clusters
    chosen: text, // which encoders the tree shows
    at: numbers((values) => values.length === 3 && values[2] > 0), // camera of the map: x, y, zoom
    region: numbers(Polygon.sound), // corners on the map: x, y, x, y, ...
  };
  const FILTER = "f."; // f.family=a&f.family=b, f.parameters=1e6..1e8

  let current = read("");
  const listeners = [];

  /** The same names and values, without those that every object has: a task may be called "constructor". */
  function bare(values) {
    return Object.assign(Object.create(null), values);
  }

  function read(fragment) {
    const given = new URLSearchParams(fragment);
    const state = Object.fromEntries(
      Object.entries(PARTS).map(([name, part]) => [name, part.read(given.getAll(name))]),
    );
    state.pin = [...new Set(state.pin)].slice(0, MOST_PINS);
    state.filters = bare({});
    for (const key of new Set(given.keys())) {
      if (key.startsWith(FILTER)) state.filters[key.slice(FILTER.length)] = given.getAll(key);
    }
    return state;
  }

  function written(state) {
    const given = new URLSearchParams();
    for (const [name, part] of Object.entries(PARTS)) {
      for (const value of part.write(state[name])) if (!(name === "view" && value === "map")) given.append(name, value);
    }
    for (const [column, values] of Object.entries(state.filters)) {
      for (const value of values) given.append(FILTER + column, value);
    }
    return given.toString();
  }

  /** Change parts of the state. A step that people would go back over is pushed; what moves on and on (the camera, a
   *  word that is typed) replaces the last one. */
  function set(patch, how = "push") {
    const next = { ...current, ...patch };
    [next.rank, next.filters] = [bare(next.rank), bare(next.filters)];
    const fragment = written(next);
    if (fragment === written(current)) return;
    write(`#${fragment}`, how);
    take(next);
  }

  /** To the address; a browser may refuse it (many steps within seconds, a page in a frame): what is shown changes all
   *  the same. */
  function write(url, how) {
    try {
      if (how === "push") history.pushState(null, "", url);
      else history.replaceState(null, "", url);
    } catch (error) {
      if (error.name !== "SecurityError") throw error;
    }
  }

  function take(next) {
    const before = current;
    current = next;
    const changed = new Set(
      Object.keys(next).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(next[key])),
    );
    if (changed.size) for (const listener of listeners) listener(changed);
  }

  /** Listen to changes: `listener(changed)`, the names of the parts that changed. */
  function on(listener) {
    listeners.push(listener);
  }

  function begin() {
    current = read(location.hash.slice(1));
    addEventListener("popstate", () => take(read(location.hash.slice(1))));
    addEventListener("hashchange", () => take(read(location.hash.slice(1))));
  }

  function pin(name) {
    const pins = current.pin.includes(name) ? current.pin.filter((one) => one !== name) : [...current.pin, name];
    if (pins.length > MOST_PINS) {
      Dom.announce(`${MOST_PINS} encoders are pinned already: unpin one first`);
      return;
    }
    set({ pin: pins });
  }

  /** Filters of one column; none where `values` is empty. */
  function filter(column, values, how = "push") {
    const filters = bare(current.filters);
    if (values.length) filters[column] = values;
    else delete filters[column];
    set({ filters, page: null }, how);
  }

  return {
    VIEWS,
    MOST_PINS,
    HEAVIEST,
    get now() {
      return current;
    },
    set,
    on,
    begin,
    pin,
    filter,
  };
})();

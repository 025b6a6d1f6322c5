"use strict";
/* Which encoders the table lists, and in which order. */

const TableOrder = (() => {
  const RANKED = ["rank", "score"]; // columns that there are with a ranking only
  let cached = { key: null, list: null };

  /** What the table is sorted by: id and down (largest first). */
  function sorting(ranking) {
    const down = State.now.sort.startsWith("-");
    const id = down ? State.now.sort.slice(1) : State.now.sort;
    if (id === "" || (RANKED.includes(id) && !ranking)) return { id: ranking ? "rank" : "", down: false };
    return { id, down };
  }

  /** The list: rows (encoders in their order), ranking, places (see Ranking) and copies(i), 0 where none is folded. */
  function list(atlas) {
    const key = JSON.stringify([Filters.said(), State.now.sort, State.now.fold]);
    if (key !== cached.key) cached = { key, list: made(atlas) };
    return cached.list;
  }

  function made(atlas) {
    const ranking = Ranking.now(atlas);
    const shown = Filters.shown(atlas);
    const all = Array.from({ length: atlas.count }, (_, i) => i).filter((i) => shown[i]);
    const sorted = inOrder(atlas, all, ranking);
    const { rows, copies } = State.now.fold ? Ranking.fold(atlas, sorted, ranking) : { rows: sorted, copies: () => 0 };
    return { rows, ranking, copies, places: ranking ? Ranking.places(ranking, rows) : null };
  }

  /** Sorted; those without a value come last, whichever way, and those that are equal by name. */
  function inOrder(atlas, rows, ranking) {
    const { id, down } = sorting(ranking);
    const key = RANKED.includes(id)
      ? Float64Array.from(ranking.scores, (score) => score.value)
      : TableColumns.keyOf(atlas, id);
    if (!key) return rows;
    const names = TableColumns.keyOf(atlas, "name");
    const sign = down !== (id === "rank") ? -1 : 1; // the first rank is the largest score
    const known = rows.filter((i) => !Number.isNaN(key[i]));
    const unknown = rows.filter((i) => Number.isNaN(key[i]));
    known.sort((a, b) => sign * (key[a] - key[b]) || names[a] - names[b]);
    return [...known, ...unknown.sort((a, b) => names[a] - names[b])];
  }

  /** The next sort by a column: the other way round where it is sorted by it; a score begins with the best. */
  function next(id, ranking) {
    const now = sorting(ranking);
    if (now.id === id) return now.down ? id : `-${id}`;
    return id === "score" || id.startsWith(Filters.TASK) ? `-${id}` : id;
  }

  return { list, sorting, next };
})();

"use strict";
/* What encoders are ranked by, and how they rank: a task, or the mean over several with weights. */

const Ranking = (() => {
  const cache = new Map();

  /** What is ranked by now: tasks, weights, label, and of each encoder value, low, high and basis in `scores`; null
   *  where there are no tasks. */
  function now(atlas) {
    return by(atlas, State.now.rank) ?? standard(atlas);
  }

  /** What a score is where nobody has said: the mean over the tasks that every encoder has a value on, else the first
   *  task; null without tasks. */
  function standard(atlas) {
    const full = atlas.tasks.filter((task) => !task.value.some(Number.isNaN));
    const tasks = full.length ? full : atlas.tasks.slice(0, 1);
    return by(atlas, Object.fromEntries(tasks.map((task) => [task.id, 1])));
  }

  function by(atlas, weights) {
    const tasks = atlas.tasks.filter((task) => Object.hasOwn(weights, task.id));
    if (!tasks.length) return null;
    const key = JSON.stringify(tasks.map((task) => [task.id, weights[task.id]]));
    if (!cache.has(key)) {
      if (cache.size > 3) cache.clear();
      const scores = Array.from({ length: atlas.count }, (_, i) => Ties.scoreOf(tasks, weights, i));
      cache.set(key, { key, tasks, weights, scores, label: labelOf(tasks, weights) });
    }
    return cache.get(key);
  }

  function labelOf(tasks, weights) {
    if (tasks.length === 1) return tasks[0].id;
    const alike = new Set(tasks.map((task) => weights[task.id])).size === 1;
    return `${alike ? "mean" : "weighted mean"} over ${Words.counted(tasks.length, "task")}`;
  }

  const FEW = 6; // tasks that are named

  /** The tasks of a mean with their weights, in words; "" of one task, whose name says all. */
  function tasksOf({ tasks, weights }) {
    if (tasks.length === 1) return "";
    const told = tasks.slice(0, FEW).map(({ id }) => (weights[id] === 1 ? id : `${id} × ${weights[id]}`));
    return `${told.join(", ")}${tasks.length > FEW ? ` and ${Words.many(tasks.length - FEW)} more` : ""}`;
  }

  /** Tasks of a ranking that an encoder has no value on. */
  const lacking = (ranking, i) => ranking.tasks.filter((task) => Number.isNaN(task.value[i])).map((task) => task.id);

  /** Ranks (1: no other is better; 0 without a value) and whether each is tied with the best, of some encoders;
   *  shared: whether any but the best is. */
  function places(ranking, rows) {
    const scores = rows.map((i) => ranking.scores[i]);
    const values = Float64Array.from(scores, (score) => score.value).sort(); // NaN last
    const known = values.findLastIndex((value) => !Number.isNaN(value)) + 1;
    const [rank, tied] = [new Int32Array(ranking.scores.length), new Uint8Array(ranking.scores.length)];
    const close = Ties.withBest(scores);
    rows.forEach((i, at) => {
      if (!Number.isNaN(scores[at].value)) rank[i] = known - after(values, known, scores[at].value) + 1;
      tied[i] = close[at] ? 1 : 0;
    });
    return { rank, tied, shared: close.filter(Boolean).length > 1 };
  }

  /** How many of the sorted values are no larger than one. */
  function after(values, end, value) {
    let [low, high] = [0, end];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Near-copies folded into the best of them: the rows that stay, in their order, and how many each stands for
   *  beside itself. Without a ranking the first stays. */
  function fold(atlas, rows, ranking) {
    const best = new Map();
    const counts = new Map();
    const value = (i) => {
      const found = ranking ? ranking.scores[i].value : 0;
      return Number.isNaN(found) ? -Infinity : found;
    };
    for (const i of rows) {
      const group = atlas.same[i];
      counts.set(group, (counts.get(group) ?? 0) + 1);
      if (!best.has(group) || value(i) > value(best.get(group))) best.set(group, i);
    }
    return {
      rows: rows.filter((i) => best.get(atlas.same[i]) === i),
      copies: (i) => counts.get(atlas.same[i]) - 1,
    };
  }

  /** What the intervals of the scores are, in sentences. */
  function explained(atlas) {
    return [
      "Intervals: 95 % where measured, from the items of the task; ",
      `${Math.round(100 * atlas.coverage)} % where predicted: `,
      "predicted scores are predictions, nobody has measured them. ",
      "Imported scores were published by others and have no interval here. ",
      "The interval of a mean takes the tasks as independent; a mean with one predicted score is a prediction.",
    ].join("");
  }

  return { now, tasksOf, lacking, places, fold, explained };
})();

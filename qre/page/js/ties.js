"use strict";
/* Which scores can be told apart: the same test as qre/atlas/differences.py. */

const Ties = (() => {
  /** The low end of the interval of a - b from the intervals of both, for independent scores (MOVER, Zou and Donner
   *  2008). */
  const lowOfDifference = (a, b) => a.value - b.value - Math.hypot(a.value - a.low, b.high - b.value);

  /** The score of an encoder on a task, or its mean over several with weights: value, low, high, basis; NaN where a
   *  value is missing. The interval of a mean takes the tasks as independent. */
  function scoreOf(tasks, weights, i) {
    let [sum, below, above, total] = [0, 0, 0, 0];
    let worst = -1; // basis: the mean of a measured and a predicted score is a prediction
    for (const task of tasks) {
      const weight = weights[task.id];
      const value = task.value[i];
      sum += weight * value;
      below += (weight * (value - task.low[i])) ** 2;
      above += (weight * (task.high[i] - value)) ** 2;
      total += weight;
      if (!Number.isNaN(value)) worst = Math.max(worst, task.basisCode(i));
    }
    const value = sum / total;
    const basis = Data.BASES[worst] ?? "";
    return { value, low: value - Math.sqrt(below) / total, high: value + Math.sqrt(above) / total, basis };
  }

  /** Which of the scores cannot be told from the best one; the best itself is among them, none without an interval. */
  function withBest(scores) {
    const best = scores.reduce((found, score) => (score.value > (found?.value ?? -Infinity) ? score : found), null);
    return scores.map(
      (score) => best !== null && Number.isFinite(score.high - score.low) && lowOfDifference(best, score) <= 0,
    );
  }

  const TEST =
    "Tied with the best (≈): the interval of the difference of the two scores contains 0. It is made from the two " +
    "intervals by MOVER (Zou and Donner 2008), for independent scores.";

  return { scoreOf, withBest, TEST };
})();

"use strict";
/* What some encoders have in common against the others: levels that are more frequent among them, numbers that differ.

   A level: Fisher's exact test, one-sided (the hypergeometric tail), over the encoders of which the column is known;
   the p-values of all levels that are tested are adjusted by Holm's method. A number: the rank-biserial correlation,
   2 P(inside > outside) - 1 with ties as a half. */

const RegionFacts = (() => {
  const FEWEST = 3; // encoders inside that have a level
  const LEVEL = 0.05; // of the adjusted p-values
  const EFFECT = 0.3; // of a rank-biserial correlation that is told
  let logs = new Float64Array(1); // log of the factorials

  function logFactorials(most) {
    if (logs.length > most) return logs;
    const grown = new Float64Array(most + 1);
    for (let k = 2; k <= most; k += 1) grown[k] = grown[k - 1] + Math.log(k);
    return (logs = grown);
  }

  /** P(X >= found) where `inside` of `all` encoders are drawn and `having` of all have the level. */
  function tail(found, having, inside, all) {
    const f = logFactorials(all);
    const choose = (n, k) => f[n] - f[k] - f[n - k];
    const fewest = Math.max(found, having + inside - all);
    if (fewest > Math.min(having, inside)) return 0;
    if (fewest <= Math.max(0, having + inside - all)) return 1;
    let term = Math.exp(choose(having, fewest) + choose(all - having, inside - fewest) - choose(all, inside));
    let sum = 0;
    for (let k = fewest; k <= Math.min(having, inside); k += 1) {
      sum += term;
      const next = (term * (having - k) * (inside - k)) / ((k + 1) * (all - having - inside + k + 1));
      if (next < term && next < sum * 1e-17) break;
      term = next;
    }
    return Math.min(1, sum);
  }

  /** Holm's adjustment of rising p-values. */
  function holm(rising) {
    let largest = 0;
    return rising.map((p, k) => (largest = Math.max(largest, Math.min(1, p * (rising.length - k)))));
  }

  /** Levels of all columns that are more frequent inside than can be put down to chance, the surest first: column,
   *  level, found (inside, with it), inside, having (of all, with it), all, p (adjusted). `tested`: of how many.
   *  `inside` and `among`: 1 for each encoder that is inside, and that is compared. */
  function levels(atlas, inside, among) {
    const tests = [];
    for (const column of atlas.columns.values()) {
      if (column.kind !== "category" && column.kind !== "list") continue;
      const [found, having] = [new Int32Array(column.levels.length), new Int32Array(column.levels.length)];
      let [known, knownInside] = [0, 0];
      for (let i = 0; i < atlas.count; i += 1) {
        const codes = among[i] ? column.codes(i) : [];
        if (!codes.length) continue; // not known
        known += 1;
        knownInside += inside[i];
        codes.forEach((code, k) => {
          if (codes.indexOf(code) < k) return; // told twice
          having[code] += 1;
          found[code] += inside[i];
        });
      }
      found.forEach((count, code) => {
        if (count < FEWEST || having[code] === known || knownInside === known) return;
        tests.push({
          column,
          level: column.levels[code],
          found: count,
          inside: knownInside,
          having: having[code],
          all: known,
          p: tail(count, having[code], knownInside, known),
        });
      });
    }
    tests.sort((a, b) => a.p - b.p || b.found - a.found);
    const adjusted = holm(tests.map((test) => test.p));
    const told = tests.map((test, k) => ({ ...test, p: adjusted[k] })).filter((test) => test.p < LEVEL);
    return { told, tested: tests.length };
  }

  const sorted = new Map(); // id of a column -> its encoders by their values, those that are not known left out

  /** Numbers are sorted without a comparison of ours, which is several times as quick; each encoder then goes to the
   *  first free place of its value. */
  function inOrder(atlas, column) {
    if (!sorted.has(column.id)) {
      const [values, known] = [new Float64Array(atlas.count), new Float64Array(atlas.count)];
      let count = 0;
      for (let i = 0; i < values.length; i += 1) {
        values[i] = column.number(i);
        if (!Number.isNaN(values[i])) known[count++] = values[i];
      }
      const rising = known.subarray(0, count).sort();
      const [order, taken] = [new Int32Array(count), new Int32Array(count)];
      for (let i = 0; i < values.length; i += 1) {
        if (Number.isNaN(values[i])) continue;
        const first = firstOf(rising, values[i]);
        order[first + taken[first]] = i;
        taken[first] += 1;
      }
      sorted.set(column.id, { values, order });
    }
    return sorted.get(column.id);
  }

  /** The first place of a value among rising ones, by halving. */
  function firstOf(rising, value) {
    let [low, high] = [0, rising.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (rising[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Numbers that differ between inside and outside, the most different first: column, inside, outside (medians),
   *  known (inside, of which it is known), effect. */
  function numbers(atlas, inside, among) {
    const found = [];
    for (const column of atlas.columns.values()) {
      if (column.kind !== "number") continue;
      const one = compared(inOrder(atlas, column), inside, among);
      if (one.known >= FEWEST && Math.abs(one.effect) >= EFFECT) found.push({ column, ...one });
    }
    return found.sort((a, b) => Math.abs(b.effect) - Math.abs(a.effect));
  }

  function compared({ values, order }, inside, among) {
    const kept = order.filter((i) => among[i] === 1);
    const [within, without] = [[], []];
    let wins = 0; // pairs in which the one inside is larger, ties as a half
    for (let from = 0, to = 0; from < kept.length; from = to) {
      const [below, before] = [without.length, within.length];
      for (to = from; to < kept.length && values[kept[to]] === values[kept[from]]; to += 1) {
        (inside[kept[to]] ? within : without).push(values[kept[to]]);
      }
      wins += (within.length - before) * (below + (without.length - below) / 2);
    }
    const effect = (2 * wins) / (within.length * without.length) - 1;
    return { inside: median(within), outside: median(without), known: within.length, effect: effect || 0 };
  }

  function median(rising) {
    const middle = rising.length >> 1;
    return rising.length % 2 ? rising[middle] : (rising[middle - 1] + rising[middle]) / 2;
  }

  return { levels, numbers, tail, FEWEST, LEVEL };
})();

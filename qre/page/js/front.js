"use strict";
/* The Pareto front of points, and the axes that they stand on. */

const Front = (() => {
  /** Indices of the points that no other beats: none is as good on both sides and better on one. The best in x first.
   *
   *  @param x, y values of the points, all known. @param smaller whether a smaller x is better; of y the larger is. */
  function of(x, y, smaller) {
    const order = Array.from(x, (_, i) => i);
    const sign = smaller ? 1 : -1;
    order.sort((a, b) => sign * (x[a] - x[b]) || y[b] - y[a] || a - b);
    const found = [];
    for (const i of order) {
      const last = found.at(-1);
      if (last === undefined || y[i] > y[last] || (y[i] === y[last] && x[i] === x[last])) found.push(i);
    }
    return found;
  }

  const STEPS = [1, 2, 5, 10];

  const SAME = 1e-9; // of the largest value

  /** An axis over values: low, high, log, ticks, and share(value), 0 at the low end to 1 at the high one. */
  function axis(values, log) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
    const along = log ? Math.log10 : (value) => value;
    const large = Math.max(Math.abs(along(low)), Math.abs(along(high)));
    const apart = along(high) - along(low);
    // what differs by rounding only is equal: ticks between could not be told apart
    const spread = apart > large * SAME ? apart : large * 0.1 || 1;
    const [from, to] = [along(low) - 0.05 * spread, along(high) + 0.05 * spread];
    const ticks = low === high ? [low] : log ? decades(from, to) : even(from, to);
    return { low, high, log, ticks, share: (value) => (along(value) - from) / (to - from) };
  }

  /** Round numbers, about six. */
  function even(from, to) {
    const rough = (to - from) / 6;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = power * STEPS.find((one) => one * power >= rough);
    const found = [];
    for (let k = Math.ceil(from / step); k * step <= to; k += 1) found.push(Number((k * step).toPrecision(12)));
    return found;
  }

  /** Powers of ten, and where they are few 2 and 5 times them; round numbers within less than a decade. */
  function decades(from, to) {
    if (to - from < 0.7) return even(10 ** from, 10 ** to);
    const times = to - from > 3.5 ? [1] : [1, 2, 5];
    const found = [];
    for (let k = Math.floor(from); k <= to; k += 1) {
      for (const one of times) if (Math.log10(one) + k >= from && Math.log10(one) + k <= to) found.push(one * 10 ** k);
    }
    return found;
  }

  return { of, axis };
})();

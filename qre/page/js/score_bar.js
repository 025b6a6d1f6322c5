"use strict";
/* A score and its interval, drawn on an axis that a whole column shares. What a score is shows without colour too: a
   full dot was measured, a ring imported, a dashed line with a diamond predicted. */

const ScoreBar = (() => {
  const WIDTH = 120; // where nothing else is said
  const HEIGHT = 16;
  const EDGE = 6; // pixels free at both ends, for the mark

  /** An axis for some scores: from the lowest low to the highest high; `width` in pixels. */
  function axis(scores, width = WIDTH) {
    let [low, high] = [Infinity, -Infinity];
    for (const { value, low: from, high: to } of scores) {
      if (Number.isNaN(value)) continue;
      low = Math.min(low, Number.isNaN(from) ? value : from);
      high = Math.max(high, Number.isNaN(to) ? value : to);
    }
    return { low, high, width, place: (value) => EDGE + ((width - 2 * EDGE) * (value - low)) / (high - low || 1) };
  }

  function draw(score, { place, width = WIDTH }) {
    const middle = HEIGHT / 2;
    const at = place(score.value);
    const end = (value) => Dom.svg("line", { x1: place(value), x2: place(value), y1: middle - 5, y2: middle + 5 });
    const known = !Number.isNaN(score.high - score.low);
    const size = { width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}` };
    return Dom.svg(
      "svg",
      { class: `bar ${score.basis}`, "aria-hidden": "true", ...size },
      known
        ? [
            Dom.svg("line", {
              x1: place(score.low),
              x2: place(score.high),
              y1: middle,
              y2: middle,
              "stroke-dasharray": score.basis === "predicted" ? "4 3" : null,
            }),
            end(score.low),
            end(score.high),
          ]
        : null,
      score.basis === "predicted"
        ? Dom.svg("path", { d: `M${at - 4} ${middle}l4 -4l4 4l-4 4Z` })
        : Dom.svg("circle", { cx: at, cy: middle, r: 3 }),
    );
  }

  /** Score, interval and basis in words. */
  function inWords({ value, low, high, basis }) {
    return [Dom.el("span", { class: `score ${basis}` }, Words.interval(value, low, high)), ` ${basis}`];
  }

  /** What the marks mean. */
  function key() {
    const { place } = axis([{ value: 0, low: 0, high: 1 }]);
    const example = (basis) => ({ value: 0.5, low: basis === "imported" ? NaN : 0.3, high: 0.7, basis });
    return Dom.el(
      "p",
      { class: "hint marks" },
      Data.BASES.map((basis) => Dom.el("span", {}, draw(example(basis), { place }), basis)),
    );
  }

  return { axis, draw, inWords, key };
})();

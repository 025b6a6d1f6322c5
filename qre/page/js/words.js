"use strict";
/* Numbers and values as people read them. */

const Words = (() => {
  const many = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const powers = new Intl.NumberFormat("en", { notation: "scientific", maximumSignificantDigits: 4 });
  const few = new Intl.NumberFormat("en", { maximumSignificantDigits: 4 });

  /** A number of a column or an axis: 22.7M, 1,024, 0.8203. */
  function number(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "not known";
    if (Math.abs(value) >= 1e15 || (value !== 0 && Math.abs(value) < 1e-6)) return powers.format(value);
    if (Math.abs(value) >= 1e5) return short.format(value);
    return Number.isInteger(value) ? many.format(value) : few.format(value);
  }

  const score = (value) => (Number.isNaN(value) || value === null ? "not known" : value.toFixed(3));

  /** 0.812 [0.790, 0.833] */
  function interval(value, low, high) {
    return Number.isNaN(low) || Number.isNaN(high) ? score(value) : `${score(value)} [${score(low)}, ${score(high)}]`;
  }

  const counted = (count, noun, plural = `${noun}s`) => `${many.format(count)} ${count === 1 ? noun : plural}`;

  const TIMES = { k: 3, m: 6, b: 9, g: 9, t: 12 }; // powers of ten

  /** A number as people write it: 110M, 1.2B, 1e8, 1,000,000, 512; NaN where it is none. */
  function read(text) {
    const plain = text.trim().replace(/^[1-9]\d{0,2}(,\d{3})+(?![\d,])/, (many) => many.replaceAll(",", ""));
    const found = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:\s*([kmbgt])|(e[+-]?\d+))?$/i.exec(plain);
    if (!found) return NaN;
    return Number(found[2] ? `${found[1]}e${TIMES[found[2].toLowerCase()]}` : found[1] + (found[3] ?? ""));
  }

  const METRICS = {
    ndcg_at_10: "nDCG@10",
    v_measure: "V-measure",
    accuracy: "accuracy",
    cosine_spearman: "Spearman of cosines",
    cosine_ap: "average precision of cosines",
    auc: "area under the ROC curve",
  };

  /** A main score of MTEB as docs/scores.md calls it; others by their own name. */
  const metric = (name) => (Object.hasOwn(METRICS, name) ? METRICS[name] : name);

  /** What an encoder has in a column, as text. */
  function value(column, i) {
    const found = column.value(i);
    if (found === null) return "not known";
    if (column.kind === "number") return column.unit ? `${number(found)} ${column.unit}` : number(found);
    return Array.isArray(found) ? found.join(", ") : found;
  }

  return { number, score, interval, counted, value, read, metric, many: (count) => many.format(count) };
})();

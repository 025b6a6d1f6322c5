"use strict";
/* Plain values as text in the manner of YAML, to be read and to be kept as a file. */

const Yaml = (() => {
  const PLAIN = /^(?:[A-Za-z_/]|\.{1,2}\/)[\w ./@+-]*$/; // .5 and .inf are numbers
  const WORDS = /^(?:true|false|null|yes|no|on|off|y|n|~)$/i; // mean something else to YAML

  const HIDDEN = /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g; // breaks a line or its direction

  /** A text on its own as it may stand in YAML: quoted where it must be. */
  const text = (value) => (PLAIN.test(value) && !WORDS.test(value) && !/\s$/.test(value) ? value : quoted(value));
  const quoted = (value) =>
    JSON.stringify(value).replace(HIDDEN, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);

  function scalar(value) {
    if (value === null || value === undefined) return "null";
    if (typeof value === "string") return text(value);
    return Array.isArray(value) ? "[]" : typeof value === "object" ? "{}" : String(value);
  }

  const nested = (value) => value !== null && typeof value === "object" && Object.keys(value).length > 0;

  function lines(value, indent) {
    const space = "  ".repeat(indent);
    if (Array.isArray(value)) {
      return value.flatMap((one) => {
        if (!nested(one)) return [`${space}- ${scalar(one)}`];
        const [first, ...rest] = lines(one, indent + 1);
        return [`${space}- ${first.trimStart()}`, ...rest];
      });
    }
    return Object.entries(value).flatMap(([key, one]) =>
      nested(one) ? [`${space}${text(key)}:`, ...lines(one, indent + 1)] : [`${space}${text(key)}: ${scalar(one)}`],
    );
  }

  const written = (value) => (nested(value) ? `${lines(value, 0).join("\n")}\n` : `${scalar(value)}\n`);

  return { written };
})();

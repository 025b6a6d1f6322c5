"use strict";
/* Elements. Text from the data reaches the page by textContent and attributes only, never as HTML. */

const Dom = (() => {
  /** An element. `props`: attributes; `on…` functions are listeners, `class`, `dataset` as usual; null and false are
   *  left out. Children are elements or text. */
  function el(tag, props = {}, ...children) {
    return fill(document.createElement(tag), props, children);
  }

  const SVG = "http://www.w3.org/2000/svg";

  /** As `el`, for a drawing. */
  function svg(tag, props = {}, ...children) {
    return fill(document.createElementNS(SVG, tag), props, children);
  }

  function fill(node, props, children) {
    for (const [name, value] of Object.entries(props)) {
      if (value === null || value === undefined || value === false) continue;
      if (typeof value === "function") node.addEventListener(name.slice(2), value);
      else if (name === "dataset") Object.assign(node.dataset, value);
      else node.setAttribute(name, value === true ? "" : String(value));
    }
    node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }

  const byId = (id) => document.getElementById(id);

  /** Put other children in the place of all; focus stays on the element with the same data-focus, if there is one. */
  function replace(node, ...children) {
    const held = node.contains(document.activeElement) ? document.activeElement.dataset.focus : undefined;
    node.replaceChildren(
      ...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false),
    );
    if (held !== undefined) node.querySelector(`[data-focus="${CSS.escape(held)}"]`)?.focus();
  }

  /** Tell people who listen to the page what has changed. */
  function announce(text) {
    byId("live").textContent = text;
  }

  /** Hand a text over as a file. */
  function download(name, text, type = "text/csv;charset=utf-8") {
    const url = URL.createObjectURL(new Blob([text], { type }));
    const link = el("a", { href: url, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  const FORMULA = /^'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/; // as in qre/csv_cells.py

  /** Rows of cells as CSV; a text that a spreadsheet would run as a formula is quoted by an apostrophe. */
  function csv(rows) {
    const cell = (value) => {
      if (value === null || value === undefined) return "";
      if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
      const text = FORMULA.test(value) ? `'${value}` : String(value);
      return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    };
    return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  }

  /** A name on one line that cannot change the direction of what stands beside it. */
  function name(text, props = {}) {
    return el("bdi", props, text);
  }

  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

  return { el, svg, byId, replace, announce, download, csv, name, still };
})();

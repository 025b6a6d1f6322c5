"use strict";
/* The fields to filter by: a list of values, a range of numbers, or words in a text. Each has `id`, `root` and
   `render()`. */

const FilterFields = (() => {
  let made = 0;

  function make(atlas, id) {
    const kind = Filters.field(atlas, id).kind;
    return (kind === "number" ? rangeField : kind === "text" ? textField : listField)(atlas, id);
  }

  const chosen = (id) => State.now.filters[id] ?? [];

  /* ---- values of a category */

  function listField(atlas, id) {
    const label = Filters.field(atlas, id).label;
    const list = Checklist.make(label, (value, on) =>
      State.filter(id, on ? [...chosen(id), value] : chosen(id).filter((one) => one !== value)),
    );
    const title = Dom.el("span");
    const open = chosen(id).length > 0 || id === "family";
    const root = Dom.el(
      "details",
      { class: "field", open, ontoggle: () => render() },
      Dom.el("summary", {}, title),
      list.root,
    );

    function render() {
      const many = chosen(id).length;
      Dom.replace(title, Dom.name(Filters.field(atlas, id).label), many ? ` (${Words.many(many)} chosen)` : null);
      if (root.open) list.update(levelsOf(atlas, id));
    }
    return { id, root, render };
  }

  /** Each value with how many encoders have it, of those that all other filters let through. */
  function levelsOf(atlas, id) {
    const column = Filters.field(atlas, id);
    const mask = Filters.without(atlas, id);
    const counts = new Array(column.levels.length).fill(0);
    let [missing, unknown] = [0, false];
    for (let i = 0; i < mask.length; i += 1) {
      const codes = column.codes(i);
      unknown ||= codes.length === 0;
      if (!mask[i]) continue;
      if (codes.length) for (const code of codes) counts[code] += 1;
      else missing += 1;
    }
    const option = (value, many) => ({ value, label: value, note: Words.many(many), on: chosen(id).includes(value) });
    const found = column.levels.map((level, code) => option(level, counts[code]));
    return unknown ? [...found, option(Filters.MISSING, missing)] : found;
  }

  /* ---- a range of numbers */

  function rangeField(atlas, id) {
    const { label, unit, number, about } = Filters.field(atlas, id);
    const fault = Dom.el("p", { id: `fault-${(made += 1)}`, class: "fault", role: "alert", hidden: true });
    const hint = Dom.el("p", { id: `hint-${made}`, class: "hint" }, extent(atlas, number, unit));
    const [from, to] = ["from", "to"].map((word) =>
      Dom.el("input", {
        type: "text",
        autocomplete: "off",
        size: "7",
        "aria-label": `${label}, ${word}`,
        placeholder: word,
        "aria-describedby": `${fault.id} ${hint.id}`,
        onchange: () => take(),
      }),
    );
    const root = Dom.el(
      "fieldset",
      { class: "field range", title: about || null },
      Dom.el("legend", {}, Dom.name(label)),
      Dom.el("div", {}, from, Dom.el("span", { "aria-hidden": "true" }, "–"), to),
      fault,
      hint,
    );

    /** What is wrong with what stands in the two boxes: which box, and words. */
    function problem() {
      for (const input of [from, to]) {
        if (input.value.trim() && Number.isNaN(Words.read(input.value))) {
          return [input, `“${input.value.trim()}” is no number: write 512, 110M, 1.2B or 1e8`];
        }
      }
      const [low, high] = [from, to].map((input) => Words.read(input.value));
      return low > high ? [from, "“from” is larger than “to”"] : null;
    }

    function tell(found) {
      for (const input of [from, to]) input.setAttribute("aria-invalid", String(found?.[0] === input));
      fault.hidden = found === null;
      fault.textContent = found ? `${found[1]}. Nothing is filtered by it.` : "";
    }

    function take() {
      const found = problem();
      const written = `${from.value.trim()}..${to.value.trim()}`;
      const values = found || written === ".." ? [] : [written];
      wrong = found !== null;
      State.filter(id, values);
      tell(found);
    }

    let wrong = false; // what stands in the boxes is no filter, and stays there to be mended

    function render() {
      if (wrong && !chosen(id).length) return;
      wrong = false;
      const [low, high = ""] = chosen(id).length ? Filters.ends(chosen(id)[0]) : [""];
      if (low !== from.value.trim()) from.value = low;
      if (high !== to.value.trim()) to.value = high;
      tell(problem());
    }

    function clear() {
      wrong = false;
      render();
    }
    return { id, root, render, clear };
  }

  function extent(atlas, number, unit) {
    let [low, high, missing] = [Infinity, -Infinity, 0];
    for (let i = 0; i < atlas.count; i += 1) {
      if (Number.isNaN(number(i))) missing += 1;
      else [low, high] = [Math.min(low, number(i)), Math.max(high, number(i))];
    }
    if (missing === atlas.count) return "not known of any encoder";
    const span = low === high ? Words.number(low) : `${Words.number(low)} to ${Words.number(high)}`;
    const known = unit ? `${span} ${unit}` : span;
    return missing ? `${known}; not known of ${Words.many(missing)}, which a range leaves out` : known;
  }

  /* ---- words in a text */

  function textField(atlas, id) {
    const { label } = Filters.field(atlas, id);
    const input = Dom.el("input", {
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      oninput: () => State.filter(id, input.value ? [input.value] : [], "replace"),
    });
    const root = Dom.el("label", { class: "field" }, Dom.name(label), " has ", input);

    function render() {
      const value = chosen(id)[0] ?? "";
      if (input.value !== value) input.value = value;
    }
    return { id, root, render };
  }

  return { make };
})();

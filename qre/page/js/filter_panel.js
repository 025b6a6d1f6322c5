"use strict";
/* The filters: what map, table and trade-off show. */

const FilterPanel = (() => {
  const USUAL = [
    "family",
    "licence",
    "languages",
    "source",
    "model_type",
    "parameters",
    "dimension",
    "model_max_tokens",
    "basis",
  ];
  let atlas, words, told, clear, chips, place, add, fields;

  function mount(root, given) {
    atlas = given;
    fields = new Map();
    told = Dom.el("p", { id: "shown", tabindex: "-1" });
    clear = Dom.el("button", { type: "button", id: "clear-filters", onclick: clearAll }, "Clear all");
    chips = Dom.el("ul", { class: "chips", "aria-label": "Filters that are on" });
    words = Dom.el("input", {
      id: "find",
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "Words in name or family",
      "aria-label": "Words that an encoder has",
      onfocus: () => Filters.warm(atlas),
      oninput: () => State.set({ find: words.value, page: null }, "replace"),
    });
    place = Dom.el("div");
    add = Dom.el("select", { id: "add-filter", onchange: () => added(add.value) });
    root.append(
      Dom.el("h2", {}, "Filters"),
      Dom.el("div", { class: "told" }, told, clear),
      chips,
      words,
      place,
      Dom.el("label", { class: "field" }, "Add a filter ", add),
    );
    for (const id of USUAL) if (usable(id)) put(id);
  }

  function usable(id) {
    if (id === "basis") return atlas.tasks.length > 0;
    const column = Filters.field(atlas, id);
    if (column === null || column.unlisted) return false;
    return column.kind === "number" || column.kind === "text" || column.levels.length > 0;
  }

  function put(id) {
    fields.set(id, FilterFields.make(atlas, id));
    place.append(fields.get(id).root);
  }

  /** Everything that has no field yet, to choose from. */
  function choices() {
    const option = (id, label) => (fields.has(id) || !usable(id) ? null : Dom.el("option", { value: id }, label));
    const columns = [...atlas.columns.values()];
    const group = (label, found) => (found.some(Boolean) ? Dom.el("optgroup", { label }, found) : null);
    return [
      Dom.el("option", { value: "" }, "choose …"),
      Data.GROUPS.map((label) =>
        group(
          label,
          columns.filter((one) => one.group === label).map((one) => option(one.id, one.label)),
        ),
      ),
      group("Clusters", [atlas.tree ? option("cluster", "Cluster") : null]),
      group(
        "Scores",
        atlas.tasks.map((task) => option(Filters.TASK + task.id, task.id)),
      ),
    ];
  }

  function added(id) {
    if (!id) return;
    put(id);
    const field = fields.get(id);
    if (field.root.tagName === "DETAILS") field.root.open = true;
    field.render();
    Dom.replace(add, choices());
    field.root.querySelector("summary, input").focus();
  }

  function clearAll() {
    for (const field of fields.values()) field.clear?.();
    State.set({ find: "", filters: {}, page: null });
    told.focus();
  }

  function render(changed) {
    if (!["find", "filters", "rank", "cut", "all"].some((part) => changed.has(part))) return;
    const missing = Object.keys(State.now.filters).filter((id) => !fields.has(id) && usable(id));
    missing.forEach(put);
    if (missing.length || changed.has("all")) Dom.replace(add, choices());
    if (words.value !== State.now.find) words.value = State.now.find;
    for (const field of fields.values()) field.render();
    const count = Filters.count(atlas);
    told.textContent = `${Words.many(count)} of ${Words.counted(atlas.count, "encoder")} shown`;
    renderChips();
  }

  function renderChips() {
    const chip = (text, off) =>
      Dom.el(
        "li",
        {},
        Dom.el(
          "button",
          {
            type: "button",
            dataset: { focus: `chip ${text}` },
            "aria-label": `Remove the filter ${text}`,
            onclick: () => {
              off();
              if (!chips.contains(document.activeElement)) (chips.querySelector("button") ?? told).focus();
            },
          },
          Dom.name(text, { class: "level" }),
          Dom.el("span", { "aria-hidden": "true" }, "×"),
        ),
      );
    const found = Object.entries(State.now.filters).flatMap(([id, values]) => {
      const column = Filters.field(atlas, id);
      return values.map((value) =>
        chip(`${column?.label ?? id}: ${Filters.inWords(column, value)}`, () =>
          State.filter(
            id,
            values.filter((one) => one !== value),
          ),
        ),
      );
    });
    if (State.now.find) found.unshift(chip(`words: ${State.now.find}`, () => State.set({ find: "", page: null })));
    Dom.replace(chips, found);
    chips.hidden = found.length === 0;
    clear.hidden = found.length === 0;
  }

  return { mount, render };
})();

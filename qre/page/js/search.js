"use strict";
/* Search with suggestions: the map flies to what is taken. A combobox with a list, as WAI-ARIA describes it. */

const Search = (() => {
  const MOST = 12;
  let atlas,
    input,
    list,
    found = [],
    active = -1;

  function mount(root, given) {
    atlas = given;
    input = Dom.el("input", {
      id: "search-words",
      type: "text",
      role: "combobox",
      autocomplete: "off",
      spellcheck: "false",
      placeholder: "Find an encoder",
      "aria-label": "Find an encoder",
      "aria-expanded": "false",
      "aria-controls": "suggestions",
      "aria-autocomplete": "list",
      oninput: suggest,
      onkeydown: key,
      onblur: () => setTimeout(close, 150),
      onfocus: () => input.value && suggest(),
    });
    list = Dom.el("ul", { id: "suggestions", role: "listbox", "aria-label": "Encoders", hidden: true });
    root.append(input, list);
  }

  /** Encoders that have all words; first those whose name begins with the first, then those in whose name it is. */
  function matches(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    if (!words.length) return [];
    const rank = (i) => {
      const name = atlas.name[i].toLowerCase();
      return name.startsWith(words[0]) ? 0 : words.every((word) => name.includes(word)) ? 1 : 2;
    };
    const hits = [];
    for (let i = 0; i < atlas.count; i += 1) {
      const text = Filters.textOf(atlas, i);
      if (words.every((word) => text.includes(word))) hits.push([rank(i), i]);
    }
    return hits.sort((a, b) => a[0] - b[0] || a[1] - b[1]).map(([, i]) => i);
  }

  function suggest() {
    const all = matches(input.value);
    found = all.slice(0, MOST);
    active = -1;
    Dom.replace(
      list,
      found.map((i, k) =>
        Dom.el(
          "li",
          {
            id: `suggestion-${k}`,
            role: "option",
            "aria-selected": "false",
            onpointerdown: (event) => {
              event.preventDefault();
              take(k);
            },
          },
          Dom.name(atlas.name[i]),
          Dom.el("small", {}, Dom.name(atlas.column("family")?.value(i) ?? "")),
        ),
      ),
    );
    const open = found.length > 0;
    list.hidden = !open;
    input.setAttribute("aria-expanded", String(open));
    input.removeAttribute("aria-activedescendant");
    if (input.value.trim()) Dom.announce(open ? `${Words.counted(all.length, "encoder")} found` : "no encoder found");
  }

  function mark(k) {
    active = k;
    [...list.children].forEach((item, at) => item.setAttribute("aria-selected", String(at === k)));
    if (k >= 0) {
      input.setAttribute("aria-activedescendant", `suggestion-${k}`);
      list.children[k].scrollIntoView({ block: "nearest" });
    } else input.removeAttribute("aria-activedescendant");
  }

  function key(event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      if (list.hidden) suggest();
      const step = event.key === "ArrowDown" ? 1 : -1;
      if (found.length) mark((active + step + (active < 0 && step < 0 ? 1 : 0) + found.length) % found.length);
    } else if (event.key === "Enter") {
      if (found.length) take(Math.max(0, active));
    } else if (event.key === "Escape" && (input.value || !list.hidden)) {
      input.value = "";
      close();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  function take(k) {
    const i = found[k];
    close();
    input.value = "";
    State.set({ encoder: atlas.name[i] });
    if (State.now.view === "map") Scatter.fly(i);
    Dom.announce(`${atlas.name[i]} selected`);
  }

  function close() {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  }

  return { mount };
})();

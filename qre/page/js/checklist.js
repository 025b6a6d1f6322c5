"use strict";
/* A list to choose several from: a box to tick for each, and where they are many, words to find some of them. */

const Checklist = (() => {
  const FEW = 12; // options beyond which there is a box for words
  const MOST = 100; // options that are listed at once
  let made = 0;

  /** A list. `toggle(value, on)` is called at each tick.
   *
   *  @returns root, an element; update(options), each {value, label, note, on, beside}: the note stands behind the
   *      label, `beside` is an element behind that, or null. What stays in the list stays the same element, so that
   *      Tab goes on from where it was. */
  function make(name, toggle) {
    const id = `list-${(made += 1)}`;
    let options = [];
    const items = new Map();
    const words = Dom.el("input", {
      type: "text",
      class: "words",
      "aria-label": `Find in ${name}`,
      placeholder: "Find",
      autocomplete: "off",
      spellcheck: "false",
      hidden: true,
      oninput: () => draw(),
    });
    const list = Dom.el("ul", { class: "checklist" });
    const more = Dom.el("p", { class: "hint", hidden: true });
    const root = Dom.el("div", { role: "group", "aria-label": name }, words, list, more);

    function draw() {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fitting = options.filter((one) => wanted.every((word) => one.label.toLowerCase().includes(word)));
      const listed = fitting.filter((one, at) => at < MOST || one.on);
      for (const one of listed) {
        if (!items.has(one.value)) items.set(one.value, itemOf(one, `${id} ${one.value}`, toggle));
        items.get(one.value).put(one);
      }
      const found = listed.map((one) => items.get(one.value).root);
      const same = found.length === list.children.length && found.every((item, at) => item === list.children[at]);
      if (!same) Dom.replace(list, found);
      more.hidden = listed.length === fitting.length && fitting.length > 0;
      const left = fitting.length - listed.length;
      more.textContent = fitting.length ? `and ${Words.many(left)} more: find them by words` : "none";
    }

    function update(given) {
      options = given;
      words.hidden = options.length <= FEW;
      draw();
    }

    return { root, update };
  }

  function itemOf({ value, label }, focus, toggle) {
    const box = Dom.el("input", { type: "checkbox", dataset: { focus }, onchange: () => toggle(value, box.checked) });
    const count = Dom.el("span", { class: "count" });
    const root = Dom.el("li", {}, Dom.el("label", {}, box, Dom.name(label, { class: "level", title: label }), count));
    let last = null;
    return {
      root,
      put({ on, note, beside = null }) {
        box.checked = on;
        count.textContent = note ?? "";
        if (beside === last) return;
        last?.remove();
        if (beside) root.append(beside);
        last = beside;
      },
    };
  }

  return { make };
})();

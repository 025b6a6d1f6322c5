"use strict";
/* From page to page of the table. */

const Pager = (() => {
  const go = (to) => State.set({ page: to === 1 ? null : to });

  /** The controls: root, render(page, pages). */
  function make() {
    let [page, pages] = [1, 1];
    const step = (label, by) =>
      Dom.el(
        "button",
        {
          type: "button",
          onclick: () => {
            if (page + by >= 1 && page + by <= pages) go(page + by);
          },
        },
        label,
      );
    const [before, after] = [step("Previous", -1), step("Next", 1)];
    const field = Dom.el("input", {
      type: "text",
      inputmode: "numeric",
      size: "4",
      autocomplete: "off",
      "aria-label": "Page",
      onchange: () => {
        const wanted = Words.read(field.value);
        const fine = Number.isInteger(wanted) && wanted >= 1 && wanted <= pages;
        field.setAttribute("aria-invalid", String(!fine));
        if (fine) go(wanted);
        else Dom.announce(`a page from 1 to ${pages}`);
      },
    });
    const all = Dom.el("span");
    const root = Dom.el(
      "div",
      { class: "pager", role: "group", "aria-label": "Pages" },
      before,
      Dom.el("span", {}, "Page ", field, " of ", all),
      after,
    );

    function render(...now) {
      [page, pages] = now;
      root.hidden = pages === 1;
      field.value = String(page);
      field.setAttribute("aria-invalid", "false");
      all.textContent = Words.many(pages);
      before.setAttribute("aria-disabled", String(page === 1));
      after.setAttribute("aria-disabled", String(page === pages));
    }

    return { root, render };
  }

  return { make };
})();

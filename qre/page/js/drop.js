"use strict";
/* Controls that open below their title, and close with Escape or a click elsewhere. */

const Drop = (() => {
  const EDGE = 12; // pixels that stay free beside it

  /** A details element; `opened()` is called when it opens. */
  function make(title, opened, ...content) {
    const summary = Dom.el("summary", {}, title);
    const box = Dom.el("div", {}, content);
    const root = Dom.el(
      "details",
      {
        class: "drop",
        ontoggle: () => root.open && show(),
        onkeydown: (event) => {
          if (event.key !== "Escape" || !root.open) return;
          event.preventDefault();
          root.open = false;
          summary.focus();
        },
      },
      summary,
      box,
    );

    /** Open, and not beyond the right edge of its view. */
    function show() {
      opened();
      box.style.left = "-1px";
      const beyond = box.getBoundingClientRect().right + EDGE - root.closest("section").getBoundingClientRect().right;
      if (beyond > 0) box.style.left = `${-1 - beyond}px`;
    }

    document.addEventListener("pointerdown", (event) => {
      if (root.open && !root.contains(event.target)) root.open = false;
    });
    return root;
  }

  return { make };
})();

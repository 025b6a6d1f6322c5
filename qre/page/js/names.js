"use strict";
/* An encoder's name as a button that selects it. */

const Names = (() => {
  /** `focus`: what keeps the focus on it when it is drawn anew; `props` go before what a name has otherwise. */
  function link(name, focus, props = {}) {
    return Dom.el(
      "button",
      {
        type: "button",
        class: "link",
        dataset: { focus },
        onclick: () => State.set({ encoder: name }),
        ...props,
      },
      Dom.name(name),
    );
  }

  return { link };
})();

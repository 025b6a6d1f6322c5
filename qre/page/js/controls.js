"use strict";
/* What the map is coloured and sized by, the lasso, and the way back to all. */

const Controls = (() => {
  let atlas, colour, size, lasso;

  function mount(root, given) {
    atlas = given;
    colour = Dom.el("select", { id: "colour", onchange: () => State.set({ colour: colour.value }) }, grouped(Colour.choices(atlas)));
    size = Dom.el(
      "select",
      { id: "size", onchange: () => State.set({ size: size.value }) },
      Dom.el("option", { value: "" }, "all alike"),
      atlas.column("parameters") ? Dom.el("option", { value: "parameters" }, "parameters") : null,
      grouped(Colour.choices(atlas).filter(({ id }) => Marks.sizes(atlas, id))),
    );
    lasso = Dom.el(
      "button",
      { type: "button", id: "lasso", "aria-pressed": "false", onclick: () => Region.toggle() },
      "Lasso",
    );
    root.append(
      Dom.el(
        "div",
        { class: "controls", role: "group", "aria-label": "The map" },
        Dom.el("label", {}, "Colour ", colour),
        Dom.el("label", {}, "Size ", size),
        lasso,
        Dom.el("button", { type: "button", id: "in-view", onclick: () => Region.takeView() }, "Region: all in view"),
        Dom.el("button", { type: "button", id: "home", onclick: () => Scatter.home() }, "Show all"),
      ),
    );
  }

  function grouped(choices) {
    const groups = new Map();
    for (const one of choices) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
    return [...groups].map(([label, members]) =>
      Dom.el(
        "optgroup",
        { label },
        members.map((one) => Dom.el("option", { value: one.id }, one.label)),
      ),
    );
  }

  function render() {
    colour.value = Colour.now(atlas).id;
    size.value = State.now.size;
    if (size.selectedIndex < 0) size.value = ""; // not a size of this map
    lasso.setAttribute("aria-pressed", String(Region.lassoing()));
  }

  return { mount, render };
})();

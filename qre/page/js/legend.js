"use strict";
/* What the colours mean; a click on a category filters by it. */

const Legend = (() => {
  const MOST = 40; // categories that are listed; a list of thousands is no legend
  let atlas, root;

  function mount(parent, given) {
    atlas = given;
    root = Dom.el("div", { id: "legend", role: "group", "aria-label": "Legend" });
    parent.append(root);
  }

  function render(changed) {
    if (!["colour", "cut", "filters", "theme", "all"].some((part) => changed.has(part))) return;
    const scheme = Colour.now(atlas);
    const about = atlas.column(scheme.id)?.about;
    Dom.replace(
      root,
      Dom.el("h2", {}, Dom.name(scheme.label)),
      about ? Dom.el("p", { class: "soft" }, about) : null,
      scheme.kind === "category" ? categories(scheme) : numbers(scheme),
    );
  }

  function categories(scheme) {
    const column = Filters.field(atlas, scheme.id);
    const chosen = column ? (State.now.filters[scheme.id] ?? []) : [];
    const entry = (level, count, look) =>
      Dom.el(
        "li",
        {},
        Dom.el(
          "button",
          {
            type: "button",
            "aria-pressed": column ? String(chosen.includes(level)) : null,
            disabled: !column,
            dataset: { focus: `legend ${level}` },
            title: level,
            onclick: () =>
              State.filter(
                scheme.id,
                chosen.includes(level) ? chosen.filter((one) => one !== level) : [...chosen, level],
              ),
          },
          Marks.icon(look),
          Dom.name(level, { class: "level" }),
          Dom.el("span", { class: "count" }, Words.many(count)),
        ),
      );
    const order = scheme.levels
      .map((_, code) => code)
      .filter((code) => scheme.counts[code])
      .slice(0, MOST);
    const left = scheme.counts.filter(Boolean).length - order.length;
    return [
      Dom.el(
        "ul",
        {},
        order.map((code) => entry(scheme.levels[code], scheme.counts[code], scheme.looks[code])),
        scheme.unknown ? entry(Filters.MISSING, scheme.unknown, scheme.missing) : null,
      ),
      left > 0 ? Dom.el("p", {}, `and ${Words.many(left)} more: use the filters`) : null,
      chosen.length
        ? Dom.el(
            "button",
            { type: "button", dataset: { focus: "legend all" }, onclick: () => State.filter(scheme.id, []) },
            "Show all",
          )
        : null,
    ];
  }

  function numbers(scheme) {
    if (!Number.isFinite(scheme.low)) return Dom.el("p", {}, "not known of any encoder");
    const ratio = 2;
    const canvas = Dom.el("canvas", {
      class: "scale",
      width: scheme.colours.length * ratio,
      height: 4,
      role: "img",
      "aria-label":
        `colours from ${Words.number(scheme.low)} to ${Words.number(scheme.high)}` +
        `${scheme.scale === "log" ? ", logarithmic" : ""}`,
    });
    const pen = canvas.getContext("2d");
    scheme.colours.forEach((colour, step) => {
      pen.fillStyle = colour;
      pen.fillRect(step * ratio, 0, ratio, 4);
    });
    const task = scheme.id.startsWith("task:");
    return [
      canvas,
      Dom.el(
        "div",
        { class: "ends" },
        Dom.el("span", {}, Words.number(scheme.low)),
        Dom.el("span", {}, scheme.scale === "log" ? "log scale" : ""),
        Dom.el("span", {}, Words.number(scheme.high)),
      ),
      task
        ? Dom.el("p", {}, Marks.icon({ colour: scheme.colours[16], shape: "diamond", hollow: true }), " predicted")
        : null,
      scheme.unknown ? Dom.el("p", {}, Marks.icon(scheme.missing), ` not known: ${Words.many(scheme.unknown)}`) : null,
    ];
  }

  return { mount, render };
})();

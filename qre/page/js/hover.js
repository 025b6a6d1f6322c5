"use strict";
/* The card beside the mark under the pointer. */

const Hover = (() => {
  const FACTS = ["family", "dimension", "parameters", "qre", "effective_rank"];
  const MOST_SCORES = 6;
  let card;

  function mount(root) {
    card = Dom.el("div", { class: "card", role: "presentation", hidden: true });
    root.append(card);
  }

  function facts(atlas, i) {
    return FACTS.map((id) => atlas.column(id))
      .filter((column) => column && column.value(i) !== null)
      .map((column) => [column.label, Words.value(column, i)]);
  }

  /** The scores that there are; those that are ranked by come first. */
  function scores(atlas, i) {
    const known = atlas.tasks.filter((task) => !Number.isNaN(task.value[i]));
    known.sort((a, b) => Number(b.id in State.now.rank) - Number(a.id in State.now.rank));
    return known.map((task) => [task.id, Words.interval(task.value[i], task.low[i], task.high[i]), task.basis(i)]);
  }

  function show(atlas, i, [x, y], camera) {
    const known = scores(atlas, i);
    const rows = [...facts(atlas, i).map(([label, value]) => [label, value, ""]), ...known.slice(0, MOST_SCORES)];
    Dom.replace(
      card,
      Dom.el("strong", {}, Dom.name(atlas.name[i])),
      Dom.el(
        "dl",
        {},
        rows.map(([label, value, basis]) =>
          Dom.el(
            "div",
            {},
            Dom.el("dt", {}, Dom.name(label)),
            Dom.el("dd", { class: basis }, Dom.name(value), basis && basis !== "measured" ? ` (${basis})` : null),
          ),
        ),
      ),
      known.length > MOST_SCORES
        ? Dom.el("p", {}, `and ${Words.counted(known.length - MOST_SCORES, "more score")}`)
        : null,
    );
    card.hidden = false;
    const { offsetWidth: width, offsetHeight: height } = card;
    card.style.left = `${Math.max(4, x + 16 + width > camera.width ? x - 16 - width : x + 16)}px`;
    card.style.top = `${Math.max(4, Math.min(y - 20, camera.height - height - 4))}px`;
  }

  function hide() {
    card.hidden = true;
  }

  /** The card for people who listen. */
  function inWords(atlas, i) {
    return [
      atlas.name[i],
      ...facts(atlas, i).map(([label, value]) => `${label} ${value}`),
      ...scores(atlas, i)
        .slice(0, 3)
        .map(([task, value]) => `${task} ${value}`),
    ].join(", ");
  }

  return { mount, show, hide, inWords };
})();

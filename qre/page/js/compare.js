"use strict";
/* The pinned encoders side by side. */

const Compare = (() => {
  const BAR = 200; // pixels of a score's drawing
  let atlas, dialog;

  function mount(given) {
    atlas = given;
    dialog = Dom.el("dialog", {
      id: "compare",
      "aria-label": "Pinned encoders side by side",
      oncancel: (event) => {
        event.preventDefault();
        close();
      },
      onclose: () => State.now.compare && close(),
      onkeydown: (event) => event.key === "Escape" && event.stopPropagation(),
    });
    document.body.append(dialog);
  }

  const close = () => State.set({ compare: "" });
  const pinned = () => State.now.pin.map(atlas.find).filter((i) => i >= 0);

  function render(changed) {
    if (!["compare", "pin", "cut", "theme", "all"].some((part) => changed.has(part))) return;
    const wanted = Boolean(State.now.compare) && pinned().length > 1;
    if (!wanted) {
      if (dialog.open) dialog.close();
      dialog.replaceChildren();
      if (changed.has("compare") && !changed.has("all")) Dom.byId("compare-open")?.focus();
      return;
    }
    Dom.replace(dialog, content(pinned()));
    if (!dialog.open) dialog.showModal();
    if (!dialog.contains(document.activeElement)) dialog.querySelector("button").focus();
  }

  function content(encoders) {
    return [
      Dom.el(
        "div",
        { class: "row" },
        Dom.el("h2", {}, `${encoders.length} encoders side by side`),
        Dom.el("button", { type: "button", dataset: { focus: "compare csv" }, onclick: () => save(encoders) }, "CSV"),
        Dom.el("button", { type: "button", dataset: { focus: "compare close" }, onclick: close }, "Close"),
      ),
      Dom.el(
        "div",
        { class: "wide", role: "region", tabindex: "0", "aria-label": "Comparison" },
        table(encoders),
        Dom.el(
          "p",
          { class: "soft" },
          "≠: they differ; of a score: from the best of these. ",
          Ties.TEST,
          ` Intervals: 95 % where measured, ${Math.round(100 * atlas.coverage)} % where predicted.`,
        ),
      ),
    ];
  }

  function table(encoders) {
    const head = Dom.el(
      "tr",
      {},
      Dom.el("td", {}),
      encoders.map((i) =>
        Dom.el(
          "th",
          { scope: "col" },
          Dom.name(atlas.name[i]),
          " ",
          Dom.el(
            "button",
            {
              type: "button",
              class: "small",
              "aria-label": `Unpin ${atlas.name[i]}`,
              dataset: { focus: `compare unpin ${i}` },
              onclick: () => State.pin(atlas.name[i]),
            },
            "✕",
          ),
        ),
      ),
    );
    return Dom.el(
      "table",
      {},
      Dom.el("thead", {}, head),
      groups(encoders)
        .filter((group) => group.rows.length)
        .map((group) =>
          Dom.el(
            "tbody",
            {},
            Dom.el(
              "tr",
              {},
              Dom.el("th", { class: "group", colspan: encoders.length + 1, scope: "colgroup" }, group.title),
            ),
            group.rows.map((row) =>
              Dom.el(
                "tr",
                { class: row.differs ? "differs" : "" },
                Dom.el(
                  "th",
                  { scope: "row", title: row.about || null },
                  Dom.name(row.label),
                  row.differs ? [" ≠", Dom.el("span", { class: "unseen" }, " differs")] : null,
                ),
                row.cells.map((cell) => Dom.el("td", {}, cell.drawn ?? null, Dom.name(cell.text))),
              ),
            ),
          ),
        ),
    );
  }

  /** Rows in groups: title, and rows of label, differs and cells {text, drawn, value}. */
  function groups(encoders) {
    const columns = [...atlas.columns.values()];
    return [
      { title: "Scores", rows: scores(encoders) },
      ...Data.GROUPS.map((title) => ({
        title,
        rows: facts(
          encoders,
          columns.filter((column) => column.group === title),
        ),
      })),
      { title: "Distance between features", rows: distances(encoders) },
    ];
  }

  /** What is known of any of them; what differs stands first. What is not known differs from nothing. */
  function facts(encoders, columns) {
    const rows = columns
      .filter((column) => encoders.some((i) => column.value(i) !== null))
      .map((column) => {
        const cells = encoders.map((i) => ({ text: Words.value(column, i) }));
        const known = encoders.filter((i) => column.value(i) !== null).map((i) => JSON.stringify(column.value(i)));
        return { label: column.label, about: column.about, cells, differs: known.some((value) => value !== known[0]) };
      });
    return [...rows.filter((row) => row.differs), ...rows.filter((row) => !row.differs)];
  }

  /** Known where one of two is among the nearest of the other. */
  function distances(encoders) {
    const between = (i, j) =>
      [
        [i, j],
        [j, i],
      ]
        .map(([a, b]) => atlas.neighbours(a).find((one) => one.index === b)?.distance)
        .find((distance) => distance !== undefined);
    return encoders.map((i) => ({
      label: `to ${atlas.name[i]}`,
      differs: false,
      cells: encoders.map((j) => {
        const distance = i === j ? 0 : between(i, j);
        const copy = i !== j && atlas.isCopy(i, j) ? " (near-copy)" : "";
        return {
          text: `${i === j ? "–" : distance === undefined ? "not among the nearest" : Words.number(distance)}${copy}`,
        };
      }),
    }));
  }

  function scores(encoders) {
    const known = atlas.tasks.filter((task) => encoders.some((i) => !Number.isNaN(task.value[i])));
    const scoresOf = (task) => encoders.map((i) => Ties.scoreOf([task], { [task.id]: 1 }, i));
    const axis = ScoreBar.axis(known.flatMap(scoresOf), BAR);
    return known.map((task) => {
      const found = scoresOf(task);
      const ties = Ties.withBest(found);
      const best = Math.max(...found.map((one) => one.value).filter((value) => !Number.isNaN(value)));
      return {
        label: task.id,
        differs: found.some((one, k) => !Number.isNaN(one.value) && one.value < best && !ties[k]),
        cells: found.map((score, k) => {
          const { value, low, high, basis } = score;
          if (Number.isNaN(value)) return { text: "not known" };
          const verdict = value === best ? ", best" : ties[k] ? ", ≈ best" : "";
          return { text: `${Words.interval(value, low, high)} ${basis}${verdict}`, drawn: ScoreBar.draw(score, axis) };
        }),
      };
    });
  }

  function save(encoders) {
    const rows = groups(encoders).flatMap((group) =>
      group.rows.map((row) => [
        group.title,
        row.label,
        row.differs ? "differs" : "",
        ...row.cells.map((cell) => cell.text),
      ]),
    );
    Dom.download("compare.csv", Dom.csv([["part", "what", "", ...encoders.map((i) => atlas.name[i])], ...rows]));
  }

  return { mount, render };
})();

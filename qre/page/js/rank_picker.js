"use strict";
/* What to rank by: one task, all of a kind, or some tasks with weights. In the table and in the trade-off. */

const RankPicker = (() => {
  const OWN = "own"; // a choice of tasks that no entry of the list says
  let made = 0;

  /** The controls: root, render(). */
  function make(atlas) {
    const entries = entriesOf(atlas);
    const entry = (value) => entries.find((one) => one.value === value);
    const chosen = () => choose(entry(select.value));
    const select = Dom.el("select", { class: "rank-by", onchange: chosen }, grouped(entries));
    const list = Checklist.make("Tasks to rank by", toggle);
    const weights = new Map();
    const title = Dom.el("span");
    const details = Drop.make(title, () => render(), list.root);
    const root = Dom.el("div", { class: "rank" }, Dom.el("label", {}, "Rank by ", select), details);

    function render() {
      const own = Object.keys(State.now.rank);
      select.value = entries.find((one) => one.value !== OWN && says(one.rank, State.now.rank))?.value ?? OWN;
      const unknown = own.filter((id) => !atlas.task(id));
      Dom.replace(
        title,
        "Tasks and weights",
        own.length ? ` (${Words.many(own.length)} chosen)` : "",
        unknown.length ? ["; not a task here: ", Dom.name(unknown.join(", "))] : null,
      );
      if (details.open) list.update(atlas.tasks.map((task) => option(task)));
    }

    function option(task) {
      const on = task.id in State.now.rank;
      if (on && !weights.has(task.id)) weights.set(task.id, weightOf(task.id));
      if (on) weights.get(task.id).render();
      return { value: task.id, label: task.id, note: task.kind, on, beside: on ? weights.get(task.id).root : null };
    }

    return { root, render };
  }

  function choose(entry) {
    if (entry && entry.value !== OWN) put(entry.rank);
  }

  const put = (rank) => State.set({ rank, sort: "", page: null });

  function toggle(id, on) {
    const left = Object.entries(State.now.rank).filter(([task]) => task !== id);
    put(Object.fromEntries(on ? [...left, [id, 1]] : left));
  }

  /** A field for the weight of a task: root, render(). */
  function weightOf(id) {
    const fault = Dom.el("span", { id: `weight-${(made += 1)}`, class: "fault", role: "alert" });
    const input = Dom.el("input", {
      type: "text",
      inputmode: "decimal",
      size: "4",
      class: "weight",
      autocomplete: "off",
      "aria-label": `Weight of ${id}`,
      "aria-describedby": fault.id,
      onchange: () => {
        const weight = Number(Words.read(input.value).toFixed(3));
        const fine = weight > 0 && weight <= State.HEAVIEST;
        tell(fine);
        if (fine) put({ ...State.now.rank, [id]: weight });
      },
    });
    function tell(fine) {
      input.setAttribute("aria-invalid", String(!fine));
      fault.textContent = fine ? "" : `a number above 0, up to ${State.HEAVIEST}`;
    }
    function render() {
      if (Words.read(input.value) !== State.now.rank[id]) input.value = String(State.now.rank[id]);
      tell(true);
    }
    return { root: Dom.el("span", { class: "weighs" }, "× ", input, fault), render };
  }

  /** What the list offers: value, label, group, and the tasks with their weights. */
  function entriesOf(atlas) {
    const all = (tasks) => Object.fromEntries(tasks.map((task) => [task.id, 1]));
    const kinds = [...new Set(atlas.tasks.map((task) => task.kind))];
    const means = kinds.map((kind) => [`kind:${kind}`, kind, atlas.tasks.filter((task) => task.kind === kind)]);
    if (kinds.length > 1) means.unshift(["all", "", atlas.tasks]);
    return [
      { value: "", label: "the usual score", group: "", rank: {} },
      { value: OWN, label: "tasks chosen below", group: "", rank: null },
      ...means
        .filter(([, , tasks]) => tasks.length > 1)
        .map(([value, kind, tasks]) => ({
          value,
          label: `all ${kind || "tasks"} (${tasks.length})`,
          group: "Mean over",
          rank: all(tasks),
        })),
      ...atlas.tasks.map((task) => ({
        value: Filters.TASK + task.id,
        label: task.id,
        group: "One task",
        rank: all([task]),
      })),
    ];
  }

  function grouped(entries) {
    const option = (one) => Dom.el("option", { value: one.value }, one.label);
    const groups = [...new Set(entries.map((one) => one.group))].filter(Boolean);
    return [
      ...entries.filter((one) => !one.group).map(option),
      ...groups.map((label) => Dom.el("optgroup", { label }, entries.filter((one) => one.group === label).map(option))),
    ];
  }

  const says = (rank, other) =>
    Object.keys(rank).length === Object.keys(other).length && Object.keys(rank).every((id) => other[id] === rank[id]);

  return { make };
})();

"use strict";
/* What a mark is coloured by: a column, a task or the clusters; colours and shapes that the colour-blind can tell. */

const Colour = (() => {
  /* Okabe and Ito (2008) without yellow and black, and Tol's wine; lighter ones on a dark page. */
  const LIGHT = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#882255"];
  const DARK = ["#4DA3DB", "#F0B840", "#3CC79C", "#E0A0C3", "#F08038", "#8CCBF2", "#C9699C"];
  const SHAPES = ["circle", "triangle", "square", "diamond", "inverted"];
  const MOST = LIGHT.length * SHAPES.length; // levels with a look of their own; the rest are drawn as others
  const STEPS = 32; // of a number's scale
  /* cividis (Nuñez et al. 2018), from low to high. */
  const CIVIDIS = [
    "#00224e",
    "#123570",
    "#3b496c",
    "#575d6d",
    "#707173",
    "#8a8678",
    "#a59c74",
    "#c3b369",
    "#e1cc55",
    "#fee838",
  ];

  const dark = () => document.documentElement.dataset.theme === "dark";
  /** A colour of the page, by the name of its variable in page.css. */
  const ink = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const GREY = () => (dark() ? "#8b949e" : "#8c8c8c");

  /** Everything that encoders can be coloured by: id, label, group. */
  function choices(atlas) {
    const columns = [...atlas.columns.values()].filter((column) => column.kind !== "text");
    return [
      ...Data.GROUPS.flatMap((group) => columns.filter((column) => column.group === group)).map(
        ({ id, label, group }) => ({ id, label, group }),
      ),
      ...(atlas.tree ? [{ id: "cluster", label: "Cluster", group: "Clusters" }] : []),
      ...atlas.tasks.map((task) => ({ id: `task:${task.id}`, label: task.id, group: "Scores" })),
    ];
  }

  /** The family, where it is a choice; else the first. */
  function standard(atlas) {
    const known = choices(atlas);
    return (known.find((one) => one.id === "family") ?? known[0])?.id ?? "";
  }

  /** How the encoders are coloured now: id, label, kind, look(i) -> {colour, shape, hollow}, and for a category levels,
   *  counts and levelOf(i) (-1: not known), for a number low, high and scale. */
  function now(atlas) {
    const known = choices(atlas);
    const id = known.some((one) => one.id === State.now.colour) ? State.now.colour : standard(atlas);
    const key = JSON.stringify([id, id === "cluster" ? State.now.cut : null, dark()]);
    if (key !== cached.key)
      cached = { key, scheme: schemeOf(atlas, id, known.find((one) => one.id === id)?.label ?? "") };
    return cached.scheme;
  }

  let cached = { key: null, scheme: null };

  /** How encoders look by one thing, whatever they are coloured by now; `id` as in `choices`. */
  const by = (atlas, id) => schemeOf(atlas, id, choices(atlas).find((one) => one.id === id)?.label ?? "");

  function schemeOf(atlas, id, label) {
    if (id === "cluster") {
      const clusters = Tree.cut(atlas, State.now.cut ?? atlas.tree.cut);
      return category(id, label, clusters.names, (i) => clusters.of[i], atlas.count);
    }
    const task = id.startsWith("task:") ? atlas.task(id.slice(5)) : null;
    if (task)
      return number(
        id,
        label,
        (i) => task.value[i],
        "linear",
        atlas.count,
        (i) => task.basis(i) === "predicted",
      );
    const column = atlas.column(id);
    if (!column) return category(id, "", [], () => -1, atlas.count);
    if (column.kind === "number") return number(id, label, column.number, column.scale, atlas.count);
    return category(id, label, column.levels, (i) => column.codes(i)[0] ?? -1, atlas.count);
  }

  function category(id, label, levels, levelOf, count) {
    const colours = dark() ? DARK : LIGHT;
    const looks = levels.map((_, code) =>
      code < MOST
        ? { colour: colours[code % colours.length], shape: SHAPES[Math.floor(code / colours.length)], hollow: false }
        : { colour: GREY(), shape: "circle", hollow: false },
    );
    const missing = { colour: GREY(), shape: "circle", hollow: true };
    const counts = new Array(levels.length).fill(0);
    let unknown = 0;
    for (let i = 0; i < count; i += 1) {
      if (levelOf(i) < 0) unknown += 1;
      else counts[levelOf(i)] += 1;
    }
    return {
      id,
      label,
      kind: "category",
      levels,
      counts,
      unknown,
      levelOf,
      looks,
      missing,
      look: (i) => looks[levelOf(i)] ?? missing,
    };
  }

  function number(id, label, valueOf, scale, count, uncertain = () => false) {
    let [low, high, unknown] = [Infinity, -Infinity, 0];
    for (let i = 0; i < count; i += 1) {
      const value = valueOf(i);
      if (Number.isNaN(value)) unknown += 1;
      else [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
    const along = scale === "log" ? Math.log : (value) => value;
    const span = Math.min(Number.MAX_VALUE, along(high) - along(low)) || 1;
    const missing = { colour: GREY(), shape: "circle", hollow: true };
    const colours = Array.from({ length: STEPS }, (_, step) => between(step / (STEPS - 1)));
    const looks = colours.map((colour) => ({ colour, shape: "circle", hollow: false }));
    const guesses = colours.map((colour) => ({ colour, shape: "diamond", hollow: true }));
    const look = (i) => {
      const value = valueOf(i);
      if (Number.isNaN(value)) return missing;
      const share = Math.min(1, (along(value) - along(low)) / span);
      return (uncertain(i) ? guesses : looks)[Math.round(share * (STEPS - 1))];
    };
    return { id, label, kind: "number", low, high, scale, unknown, colours, missing, look };
  }

  /** A colour of the scale, at 0 to 1; on a dark page it begins lighter, so that it can be seen. */
  function between(share) {
    const at = (dark() ? 0.22 + 0.78 * share : share) * (CIVIDIS.length - 1);
    const [from, to] = [CIVIDIS[Math.floor(at)], CIVIDIS[Math.min(CIVIDIS.length - 1, Math.floor(at) + 1)]];
    const part = at - Math.floor(at);
    const channel = (k) => {
      const [a, b] = [from, to].map((colour) => parseInt(colour.slice(1 + 2 * k, 3 + 2 * k), 16));
      return Math.round(a + (b - a) * part);
    };
    return `rgb(${channel(0)}, ${channel(1)}, ${channel(2)})`;
  }

  return { choices, standard, now, by, ink };
})();

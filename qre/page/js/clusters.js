"use strict";
/* The clusters: the tree of some encoders, where it is cut, and the table of the clusters. */

const Clusters = (() => {
  const MOST = { leaves: 100, clusters: 50, families: 4 };
  const CHOICES = {
    downloads: "most downloaded",
    spread: "an even spread over the clusters",
    shown: "shown by the filters",
    pinned: "pinned and selected, and their nearest",
  };
  let atlas, choice, slider, field, drawing, told, table, back;

  function mount(root, given) {
    atlas = given;
    if (!atlas.tree) {
      root.append(Dom.el("p", {}, "This map has no cluster tree. Make it again with this version: qre sweep CONFIG."));
      return;
    }
    root.append(
      controls(),
      (told = Dom.el("p", { class: "soft" })),
      (drawing = Dom.el("div", {
        class: "wide tree",
        role: "region",
        tabindex: "0",
        "aria-label": "Tree of encoders",
      })),
      (back = Dom.el("div", { class: "row" })),
      (table = Dom.el("div", { class: "wide", role: "region", tabindex: "0", "aria-label": "Table of the clusters" })),
    );
  }

  const most = () => Math.min(MOST.clusters, atlas.tree.leaves.length);
  const count = () => Math.max(1, Math.min(atlas.tree.leaves.length, State.now.cut ?? atlas.tree.cut));

  function controls() {
    const choose = () => State.set({ chosen: choice.value === standard() ? "" : choice.value });
    choice = Dom.el(
      "select",
      { id: "chosen", onchange: choose },
      choices().map((id) => Dom.el("option", { value: id }, CHOICES[id])),
    );
    const range = { min: 1, max: most(), step: 1 };
    slider = Dom.el("input", {
      type: "range",
      id: "cut-slider",
      ...range,
      "aria-label": "Number of clusters",
      oninput: () => cutInto(Number(slider.value), "replace"),
    });
    field = Dom.el("input", {
      type: "number",
      id: "cut",
      ...range,
      onchange: () => cutInto(Number(field.value), "push"),
    });
    return Dom.el(
      "div",
      { class: "controls", role: "group", "aria-label": "Clusters" },
      Dom.el("label", {}, "Encoders of the tree: ", choice),
      Dom.el("label", {}, "Clusters ", field),
      slider,
      Dom.el(
        "button",
        { type: "button", id: "cut-standard", onclick: () => State.set({ cut: null }) },
        `As made: ${atlas.tree.cut}`,
      ),
      Dom.el("button", { type: "button", id: "colour-clusters", onclick: colourMap }, "Colour the map by cluster"),
      Dom.el("button", { type: "button", id: "clusters-csv", onclick: save }, "CSV"),
    );
  }

  function cutInto(wanted, how) {
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > most()) {
      field.value = count();
      Dom.announce(`1 to ${most()} clusters`);
      return;
    }
    State.set({ cut: wanted === atlas.tree.cut ? null : wanted }, how);
  }

  function colourMap() {
    State.set({ colour: "cluster", view: "map" });
    Dom.announce("the map is coloured by cluster");
  }

  /* ---- which encoders the tree shows */

  const hasDownloads = () => {
    const column = atlas.column("downloads");
    return Boolean(column) && atlas.tree.leaves.some((i) => !Number.isNaN(column.number(i)));
  };
  const choices = () => Object.keys(CHOICES).filter((id) => id !== "downloads" || hasDownloads());
  const standard = () => choices()[0];
  const chosen = () => (choices().includes(State.now.chosen) ? State.now.chosen : standard());

  /** Encoders of the tree that are drawn, and how many there would be. */
  function shownLeaves() {
    const { leaves } = atlas.tree;
    const found = {
      downloads() {
        const downloads = atlas.column("downloads");
        return leaves
          .filter((i) => !Number.isNaN(downloads.number(i)))
          .sort((a, b) => downloads.number(b) - downloads.number(a));
      },
      shown() {
        const shown = Filters.shown(atlas);
        return leaves.filter((i) => shown[i]);
      },
      pinned() {
        const own = [State.now.encoder, ...State.now.pin].map(atlas.find).filter((i) => i >= 0);
        const near = own.flatMap((i) => atlas.neighbours(i).map((one) => one.index));
        const inTree = new Set(leaves);
        return [...new Set([...own, ...near])].filter((i) => inTree.has(i));
      },
      spread: () => spread(leaves),
    }[chosen()]();
    return { leaves: found.slice(0, MOST.leaves), all: found.length };
  }

  /** As many of each of the atlas's own clusters as can be, evenly among its encoders. */
  function spread(leaves) {
    if (leaves.length <= MOST.leaves) return leaves;
    const { clusters } = Tree.cut(atlas, atlas.tree.cut);
    const quota = clusters.map(() => 0);
    for (let left = MOST.leaves; left > 0;) {
      for (let k = 0; k < clusters.length && left > 0; k += 1) {
        if (quota[k] < clusters[k].length) {
          quota[k] += 1;
          left -= 1;
        }
      }
    }
    return clusters.flatMap((members, k) =>
      Array.from({ length: quota[k] }, (_, at) => members[Math.floor((at * members.length) / quota[k])]),
    );
  }

  /* ---- what is shown */

  function render(changed) {
    if (!atlas.tree || State.now.view !== "clusters") return;
    const parts = ["view", "cut", "chosen", "encoder", "pin", "filters", "find", "rank", "theme", "all"];
    if (!parts.some((part) => changed.has(part))) return;
    choice.value = chosen();
    slider.value = field.value = count();
    slider.setAttribute("aria-valuetext", Words.counted(count(), "cluster"));
    drawTree();
    const cut = Tree.cut(atlas, count());
    Dom.replace(table, tableOf(cut));
    const filtered = State.now.filters.cluster;
    Dom.replace(
      back,
      filtered
        ? [
            Dom.el("span", {}, `Shown everywhere: ${filtered.join(", ")} only.`),
            Dom.el(
              "button",
              { type: "button", dataset: { focus: "cluster all" }, onclick: () => State.filter("cluster", []) },
              "Show all",
            ),
          ]
        : null,
    );
    if (changed.has("cut") && !changed.has("all")) Dom.announce(Words.counted(count(), "cluster"));
  }

  function drawTree() {
    const { leaves, all } = shownLeaves();
    const whole = atlas.tree.leaves.length;
    told.textContent =
      `Average linkage on the distances of the map (${atlas.metric}): two encoders meet at the mean distance of ` +
      "the clusters that merge there, on a log axis with 0 at its end. " +
      `Drawn: ${Words.many(leaves.length)}${all > leaves.length ? ` of ${Words.many(all)}` : ""} ` +
      `(${CHOICES[chosen()]}); ` +
      `the distances are those of the whole tree of ${Words.counted(whole, "encoder")}` +
      `${whole < atlas.count ? ` of the ${Words.many(atlas.count)} on the map` : ""}.`;
    if (!leaves.length) {
      Dom.replace(
        drawing,
        Dom.el(
          "p",
          {},
          chosen() === "pinned"
            ? "Pin or select an encoder first."
            : "No encoder of the tree is shown: change the filters, or choose others above.",
        ),
      );
      return;
    }
    const cut = Tree.cut(atlas, count());
    const scheme = Colour.by(atlas, Colour.standard(atlas));
    Dom.replace(
      drawing,
      Dendrogram.draw(atlas, Tree.restricted(atlas, leaves), {
        cut: { ...Tree.cutHeight(atlas, count()), label: `cut: ${Words.counted(count(), "cluster")}` },
        look: scheme.look,
        told: (i) => [scheme.levels?.[scheme.levelOf(i)], cut.names[cut.of[i]]].filter(Boolean).join(", "),
        selected: atlas.find(State.now.encoder),
        pick: (i) => State.set({ encoder: atlas.name[i] }),
      }),
      legend(scheme, leaves),
    );
  }

  function legend(scheme, leaves) {
    if (scheme.kind !== "category") return null;
    const codes = [...new Set(leaves.map(scheme.levelOf))].sort((a, b) => a - b);
    return Dom.el(
      "ul",
      { class: "key", "aria-label": scheme.label },
      codes.map((code) =>
        Dom.el(
          "li",
          {},
          Marks.icon(scheme.looks[code] ?? scheme.missing),
          Dom.name(scheme.levels[code] ?? Filters.MISSING),
        ),
      ),
    );
  }

  function tableOf(cut) {
    const central = Tree.central(atlas, cut);
    const own = cut.clusters.length === atlas.tree.cut && atlas.tree.central.length;
    return Dom.el(
      "table",
      { id: "cluster-table" },
      Dom.el(
        "caption",
        {},
        `${Words.counted(cut.clusters.length, "cluster")}. Central: `,
        own
          ? "the encoder with the least distance to all others of its cluster."
          : "the encoder that is most often among the nearest of the others of its cluster.",
      ),
      Dom.el(
        "thead",
        {},
        Dom.el(
          "tr",
          {},
          ["Cluster", "Encoders", "Families", "Central encoder"].map((title, k) =>
            Dom.el("th", { scope: "col", class: k === 1 ? "number" : null }, title),
          ),
        ),
      ),
      Dom.el(
        "tbody",
        {},
        cut.clusters.map((members, k) =>
          Dom.el(
            "tr",
            {},
            Dom.el(
              "th",
              { scope: "row" },
              Dom.el(
                "button",
                {
                  type: "button",
                  "aria-label": `Show cluster ${k + 1} on the map`,
                  dataset: { focus: `cluster ${k}` },
                  onclick: () => filterTo(k + 1),
                },
                String(k + 1),
              ),
            ),
            Dom.el("td", { class: "number" }, Words.many(members.length)),
            Dom.el("td", {}, families(members)),
            Dom.el("td", {}, Names.link(atlas.name[central[k]], `central ${k}`)),
          ),
        ),
      ),
    );
  }

  /** "BERT 12, E5 3 and 4 more families" */
  function families(members) {
    const column = atlas.column("family");
    if (!column) return null;
    const counts = new Map();
    for (const i of members) counts.set(column.value(i), (counts.get(column.value(i)) ?? 0) + 1);
    const order = [...counts].sort((a, b) => b[1] - a[1]);
    const left = order.length - MOST.families;
    return [
      order
        .slice(0, MOST.families)
        .flatMap(([family, times], k) => [k ? ", " : "", Dom.name(family ?? Filters.MISSING), ` ${Words.many(times)}`]),
      left > 0 ? ` and ${Words.counted(left, "more family", "more families")}` : null,
    ];
  }

  /** Show one cluster only, on the map; the cut goes along, so that the address keeps its meaning. */
  function filterTo(number) {
    State.set({
      view: "map",
      cut: count(),
      filters: { ...State.now.filters, cluster: [`Cluster ${number}`] },
      page: null,
    });
  }

  function save() {
    const cut = Tree.cut(atlas, count());
    const central = new Set(Tree.central(atlas, cut));
    const family = atlas.column("family");
    const rows = atlas.name.map((name, i) =>
      cut.of[i] < 0
        ? [name, family?.value(i), "", "", ""]
        : [name, family?.value(i), cut.of[i] + 1, cut.clusters[cut.of[i]].length, central.has(i) ? "true" : "false"],
    );
    Dom.download("clusters.csv", Dom.csv([["name", "family", "cluster", "size", "central"], ...rows]));
  }

  return { mount, render, filterTo };
})();

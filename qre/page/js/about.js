"use strict";
/* How the map was made, how good it is, and how to make it again. */

const About = (() => {
  const BIBTEX = `@misc{zhang2026mapofencoders,
  title         = {Map of Encoders: Mapping Sentence Encoders using Quantum Relative Entropy},
  author        = {Zhang and Bollegala},
  eprint        = {2602.08740},
  archivePrefix = {arXiv},
  year          = {2026}
}
`;
  const READING = [
    "Near means: the two encoders spread the sentences over their dimensions in a similar way.",
    "It does not mean that they are equally good: a static encoder can lie beside a random projection of the same " +
      "dimension.",
    "Use the map to find alternatives to an encoder, and the scores to choose; axes, scale and the width of gaps " +
      "mean nothing.",
  ];
  let atlas, root, built;

  function mount(given, data) {
    [root, atlas] = [given, data];
  }

  /** Built when it is first looked at: the figures are large. */
  function render() {
    if (built || State.now.view !== "about") return;
    built = true;
    const parts = [origin, reading, quality, notes, failures, figures, sentences, settings, again, rights];
    root.append(
      Dom.el(
        "div",
        { class: "about" },
        parts.map((build) => build(atlas.about, atlas.run)),
      ),
    );
  }

  const part = (title, ...children) => Dom.el("section", {}, Dom.el("h2", {}, title), children);
  const list = (items, props = {}) =>
    Dom.el(
      "ul",
      props,
      items.map((item) => Dom.el("li", {}, item)),
    );
  const known = ([, value]) => value !== null && value !== undefined && value !== "";
  const facts = (pairs) =>
    Dom.el(
      "dl",
      {},
      pairs
        .filter(known)
        .map(([label, value]) =>
          Dom.el("div", {}, Dom.el("dt", {}, Dom.name(label)), Dom.el("dd", {}, Dom.name(value))),
        ),
    );
  const code = (label, text) =>
    Dom.el("pre", { tabindex: "0", role: "region", "aria-label": label }, Dom.el("code", {}, text));
  const percent = (value) => `${Math.round(100 * value)} %`;
  const has = (value) => typeof value === "number" && Number.isFinite(value);

  /** A text that can be copied. */
  function copied(label, text) {
    const button = Dom.el(
      "button",
      {
        type: "button",
        onclick: async () => {
          try {
            await navigator.clipboard.writeText(text);
            button.textContent = "Copied";
            Dom.announce(`${label} copied`);
          } catch {
            getSelection().selectAllChildren(block);
          }
        },
      },
      `Copy: ${label}`,
    );
    const block = code(label, text);
    return [block, button];
  }

  function origin(about, run) {
    const head = about.headline ?? {};
    return part(
      "This map",
      facts([
        ["Name", atlas.title],
        ["Made", typeof run.made === "string" ? run.made.replace("T", " ").replace("+00:00", " UTC") : null],
        [
          "Encoders",
          Words.many(atlas.count) +
            (has(head.families) ? ` of ${Words.counted(head.families, "family", "families")}` : ""),
        ],
        ["Sentences", has(about.sentences?.count) ? Words.many(about.sentences.count) : null],
        ["Tasks with scores", Words.many(atlas.tasks.length)],
        ["Identity", about.identity],
        ["Devices", (run.devices ?? []).filter((one) => one !== "None").join(", ")],
        ...spent(run.spent),
      ]),
    );
  }

  function spent(told) {
    if (!told) return [];
    const kinds = Object.entries(told.by_type ?? {})
      .filter(([, hours]) => has(hours))
      .map(([kind, hours]) => `${kind} ${hours.toFixed(2)}`);
    const without = (told.without_price ?? []).join(", ");
    return [
      [
        "GPU hours",
        has(told.gpu_hours) ? `${told.gpu_hours.toFixed(2)}${kinds.length ? ` (${kinds.join(", ")})` : ""}` : null,
      ],
      [
        "Cost",
        has(told.cost)
          ? `${told.cost.toFixed(told.cost > 0 && told.cost < 0.1 ? 4 : 2)}${has(told.budget) ? ` of a budget of ${told.budget.toFixed(2)}` : ""}, ` +
            "at the prices of the config"
          : null,
      ],
      ["Tokens of endpoints", has(told.tokens) ? told.tokens.toLocaleString("en") : null],
      ["Without a price", without],
    ];
  }

  function reading() {
    return part("How to read it", Dom.el("p", {}, READING.join(" ")));
  }

  /* ---- how good it is: the words of report.md */

  function quality({ headline: head = {}, new_kinds_by_chance: chance }) {
    const family = (words, suffix) =>
      has(head[`family_share${suffix}`]) && has(head[`family_chance${suffix}`])
        ? `${words} ${percent(head[`family_share${suffix}`])} are of its own family ` +
          `(at random ${percent(head[`family_chance${suffix}`])}` +
          `${has(head[`family_p${suffix}`]) ? `, p = ${Number(head[`family_p${suffix}`].toPrecision(1))}` : ""}).`
        : null;
    const told = [
      family(`Of each encoder's ${head.neighbours} nearest neighbours,`, ""),
      family("Not counting near-copies of itself,", "_other_parents"),
      has(head.trustworthiness)
        ? `Trustworthiness of the drawing: ${head.trustworthiness.toFixed(3)} (1 = neighbours on the map ` +
          "are neighbours in the data)."
        : null,
      ...predictions(head),
      chance
        ? "Predictions for a new kind of model cannot be relied on here; measure it: " +
          "qre place MODEL --atlas CONFIG --measure"
        : null,
    ].filter(Boolean);
    return told.length ? part("How good it is", list(told)) : null;
  }

  function predictions(head) {
    if (!has(head.spearman_ours)) return ["Scores are not predicted on this map, or it was not measured how well."];
    const range =
      has(head.spearman_ours_low) && has(head.spearman_ours_high)
        ? ` [${head.spearman_ours_low.toFixed(2)}, ${head.spearman_ours_high.toFixed(2)}] over repeats`
        : "";
    const by = has(head.spearman_ours_chance)
      ? `; 95 % of random predictions stay below ${head.spearman_ours_chance.toFixed(2)}`
      : "";
    const coverage = (name, words) =>
      has(head[name]) && has(head[`${name}_nominal`])
        ? `${words}: intervals that should hold ${percent(head[`${name}_nominal`])} of the true scores held ` +
          `${percent(head[name])}` +
          `${has(head[`${name}_width`]) ? `; their median width is ${head[`${name}_width`].toFixed(3)}` : ""}.`
        : null;
    return [
      `Predicted scores of an encoder of a known kind (grouped folds): mean Spearman correlation with the true ` +
        `scores ` +
        `${head.spearman_ours.toFixed(2)}${range}${by}; ` +
        `${Words.counted(head.predicted_tasks ?? atlas.tasks.length, "task")}.`,
      has(head.spearman_ours_kinds)
        ? "Of an encoder of a new kind (each kind left out in turn): " +
          `${head.spearman_ours_kinds.toFixed(2)}` +
          `${has(head.kinds) ? `, over ${Words.counted(head.kinds, "kind")}` : ""}.`
        : "How well encoders of a new kind are predicted was not measured.",
      coverage("coverage", "Known kinds"),
      coverage("coverage_kinds", "New kinds"),
    ];
  }

  function notes(about) {
    return about.notes?.length ? part("Notes", list(about.notes.map((note) => Dom.name(note)))) : null;
  }

  function failures(about) {
    const failed = about.failures ?? [];
    if (!failed.length) return part("What failed", Dom.el("p", {}, "No encoder failed."));
    return part(
      `What failed (${failed.length})`,
      Dom.el(
        "p",
        {},
        "These encoders are not on the map. The same command tries again what may pass: qre sweep CONFIG. " +
          "What is permanent needs a change first: of the encoder in the config, of its files, or of the memory it " +
          "is given; or leave it out.",
      ),
      Dom.el(
        "div",
        { class: "wide", role: "region", tabindex: "0", "aria-label": "What failed" },
        Dom.el(
          "table",
          {},
          Dom.el(
            "thead",
            {},
            Dom.el(
              "tr",
              {},
              ["Encoder", "Reason", "Kind"].map((title) => Dom.el("th", { scope: "col" }, title)),
            ),
          ),
          Dom.el(
            "tbody",
            {},
            failed.map((one) =>
              Dom.el(
                "tr",
                {},
                Dom.el("th", { scope: "row" }, Dom.name(String(one.encoder ?? one.key ?? ""))),
                Dom.el("td", {}, Dom.name(String(one.message ?? one.exception ?? ""))),
                Dom.el("td", {}, Dom.name(String(one.kind ?? ""))),
              ),
            ),
          ),
        ),
      ),
    );
  }

  /** SVG only ever as an image: nothing in it can run. */
  function figures() {
    if (!atlas.figures.length) return null;
    return part(
      "Figures",
      atlas.figures.map((figure) =>
        Dom.el(
          "figure",
          {},
          figure.svg === null
            ? Dom.el("p", {}, `Too large for this page: ${figure.id}.png and .svg lie in the folder of the map.`)
            : Dom.el("img", {
                alt: figure.title,
                loading: "lazy",
                src: URL.createObjectURL(new Blob([figure.svg], { type: "image/svg+xml" })),
              }),
          Dom.el("figcaption", {}, Dom.name(figure.title)),
        ),
      ),
    );
  }

  function sentences({ sentences: told }) {
    if (!told) return null;
    return part(
      "The sentences",
      Dom.el(
        "p",
        {},
        `${Words.counted(told.count, "sentence")}, fingerprint `,
        Dom.el("code", {}, String(told.fingerprint ?? "not known")),
      ),
      told.first?.length
        ? [
            Dom.el("p", {}, `The first ${told.first.length}:`),
            Dom.el(
              "ol",
              {},
              told.first.map((one) => Dom.el("li", {}, Dom.name(one))),
            ),
          ]
        : null,
    );
  }

  function settings(about) {
    const told = { features: about.features, atlas: about.atlas, encode: about.encode, prediction: about.prediction };
    const all = Object.fromEntries(Object.entries(told).filter(([, value]) => value));
    return part(
      "Settings and versions",
      facts([
        ["Metric of the distances", atlas.metric],
        ["Perturbation", about.features?.perturbation],
        ["ε", has(about.features?.epsilon) ? String(about.features.epsilon) : null],
        ["Perplexity", has(about.atlas?.perplexity) ? String(about.atlas.perplexity) : null],
        ["Seed of the map", has(about.atlas?.seed) ? String(about.atlas.seed) : null],
        ["Seed of the predictions", has(about.prediction?.seed) ? String(about.prediction.seed) : null],
        ...Object.entries(about.versions ?? {}).map(([name, version]) => [name, String(version)]),
      ]),
      Dom.el("details", {}, Dom.el("summary", {}, "All settings"), code("All settings", Yaml.written(all))),
    );
  }

  function again(about) {
    const versions = Object.entries(about.versions ?? {});
    const own = versions.find(([name]) => name === "encoder-map")?.[1];
    const pins = versions
      .filter(([name, version]) => name !== "encoder-map" && /^[\w.-]+$/.test(name) && /^[\w.!+-]+$/.test(version))
      .map(([name, version]) => `${name}==${version.replace(/\+.*$/, "")}`);
    const commands = [
      `# in a checkout of encoder-map${/^[\w.!+-]+$/.test(own ?? "") ? ` ${own}` : ""}, with the config as map.yaml`,
      "pip install --editable .",
      ...(pins.length ? [`pip install ${pins.join(" ")}`] : []),
      "qre plan map.yaml",
      "qre sweep map.yaml",
    ];
    return part(
      "Make it again",
      copied("the commands", `${commands.join("\n")}\n`),
      about.config
        ? [
            Dom.el("h3", {}, "The config"),
            copied("the config", typeof about.config === "string" ? about.config : Yaml.written(about.config)),
          ]
        : Dom.el("p", {}, "The config is not in this page: it lies with whoever made the map."),
    );
  }

  function rights() {
    return part(
      "Licence and citation",
      Dom.el(
        "p",
        {},
        "The program is under Apache-2.0. Models and sentences have licences of their own. The method is that of " +
          "Zhang and Bollegala, Map of Encoders (",
        Dom.el(
          "a",
          { href: "https://arxiv.org/abs/2602.08740", rel: "noopener noreferrer", target: "_blank" },
          "arXiv 2602.08740",
        ),
        ").",
      ),
      copied("the citation", BIBTEX),
    );
  }

  return { mount, render };
})();

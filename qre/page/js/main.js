"use strict";
/* Puts the page together. Every part has mount(root, atlas) and render(changed); `changed` are names of State's parts,
   or "all", "theme". */

const Main = (() => {
  const TITLES = { map: "Map", table: "Table", tradeoff: "Trade-off", clusters: "Clusters", about: "How it was made" };
  const THEMES = ["light", "dark"];
  let atlas;

  function mount() {
    const map = Dom.byId("view-map");
    Controls.mount(map, atlas);
    const ground = Dom.el("div", { class: "ground" });
    map.append(ground);
    Scatter.mount(ground, atlas);
    Hover.mount(ground);
    Legend.mount(ground, atlas);
    Region.mount(ground, atlas);
    Search.mount(Dom.byId("search"), atlas);
    FilterPanel.mount(Dom.byId("filters"), atlas);
    Table.mount(Dom.byId("view-table"), atlas);
    TradeOff.mount(Dom.byId("view-tradeoff"), atlas);
    Clusters.mount(Dom.byId("view-clusters"), atlas);
    About.mount(Dom.byId("view-about"), atlas);
    Panel.mount(Dom.byId("panel"), atlas);
    Keys.mount(atlas);
    Dom.byId("skip").addEventListener("click", skip);
    tabs();
    themes();
    drawer();
  }

  const PARTS = () => [Scatter, Controls, Legend, Region, FilterPanel, Table, TradeOff, Clusters, About, Panel];

  function render(changed) {
    for (const view of State.VIEWS) {
      Dom.byId(`view-${view}`).hidden = view !== State.now.view;
      const tab = Dom.byId(`tab-${view}`);
      tab.setAttribute("aria-selected", String(view === State.now.view));
      tab.tabIndex = view === State.now.view ? 0 : -1;
    }
    if (changed.has("view")) showTab();
    for (const part of PARTS()) part.render(changed);
    if (changed.has("filters") || changed.has("find")) {
      Dom.announce(`${Words.counted(Filters.count(atlas), "encoder")} of ${Words.many(atlas.count)} shown`);
    }
  }

  /** Where not all tabs fit beside one another, the chosen one is in view. */
  function showTab() {
    const [row, tab] = [Dom.byId("views"), Dom.byId(`tab-${State.now.view}`)];
    row.scrollLeft = tab.offsetLeft + tab.offsetWidth / 2 - row.offsetLeft - row.clientWidth / 2;
  }

  function tabs() {
    const root = Dom.byId("views");
    root.append(
      ...State.VIEWS.map((view) => {
        Dom.byId(`view-${view}`).setAttribute("aria-labelledby", `tab-${view}`);
        return Dom.el(
          "button",
          {
            type: "button",
            role: "tab",
            id: `tab-${view}`,
            "aria-controls": `view-${view}`,
            onclick: () => State.set({ view }),
          },
          TITLES[view],
        );
      }),
    );
    root.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = State.VIEWS.at((State.VIEWS.indexOf(State.now.view) + step) % State.VIEWS.length);
      State.set({ view: next });
      Dom.byId(`tab-${next}`).focus();
    });
  }

  /** To the table, with all else that the address says. */
  function skip(event) {
    event.preventDefault();
    State.set({ view: "table" });
    Dom.byId("view-table").focus();
  }

  /** Light or dark as the machine has it, until somebody asks for the other. */
  function themes() {
    const asked = matchMedia("(prefers-color-scheme: dark)");
    const button = Dom.byId("theme");
    const put = (theme) => {
      document.documentElement.dataset.theme = theme;
      button.textContent = theme === "dark" ? "Light" : "Dark";
      button.setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} colours`);
    };
    put(asked.matches ? "dark" : "light");
    const change = (theme) => {
      put(theme);
      render(new Set(["theme"]));
    };
    button.addEventListener("click", () =>
      change(THEMES.find((one) => one !== document.documentElement.dataset.theme)),
    );
    asked.addEventListener("change", () => change(asked.matches ? "dark" : "light"));
    let shown; // on the screen, while the page is printed: paper is white
    addEventListener("beforeprint", () => {
      shown = document.documentElement.dataset.theme;
      change("light");
    });
    addEventListener("afterprint", () => change(shown));
  }

  /** The filters: beside the views where there is room, a drawer where there is not. */
  function drawer() {
    const [button, panel] = [Dom.byId("filters-toggle"), Dom.byId("filters")];
    const put = (open) => {
      panel.classList.toggle("open", open);
      button.setAttribute("aria-expanded", String(open));
      if (open) panel.scrollIntoView({ block: "nearest" }); // people may be far down the page
    };
    button.addEventListener("click", () => put(!panel.classList.contains("open")));
    panel.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      put(false);
      button.focus();
    });
  }

  function fail(error) {
    const box = Dom.byId("trouble");
    box.hidden = false;
    box.textContent =
      typeof DecompressionStream === "undefined"
        ? "This browser is too old for this page: it needs one of 2023 or newer."
        : `This page cannot be shown: ${error.message}. The file may have been cut off; copy it again, or make it ` +
          `with qre report.`;
  }

  async function begin() {
    try {
      atlas = await Data.load();
      State.begin();
      mount();
      State.on(render);
      render(new Set(["all", ...Object.keys(State.now)]));
      document.documentElement.dataset.ready = "yes";
    } catch (error) {
      fail(error);
    }
  }

  begin();
  return {};
})();

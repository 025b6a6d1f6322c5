"use strict";
/* The map by keyboard: arrows walk from encoder to encoder, Enter selects, Escape leaves. */

const Keys = (() => {
  const ARROWS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  const ASIDE = 2.5; // how much worse a pixel aside is than one ahead
  const TYPED = "textarea, select, input:not([type=checkbox], [type=range])"; // where a key is text, not a command
  let atlas;

  function mount(given) {
    atlas = given;
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.defaultPrevented) leave();
      if (event.key === "/" && !event.target.matches(TYPED)) {
        event.preventDefault();
        Dom.byId("search-words").focus();
      }
    });
  }

  /** Escape: first what is drawn, then what is selected. */
  function leave() {
    if (State.now.region) State.set({ region: null });
    else if (State.now.encoder) {
      const name = State.now.encoder;
      State.set({ encoder: "" });
      Dom.announce(`${name} left`);
    }
  }

  function onMap(event) {
    const { camera } = Scatter;
    if (event.key in ARROWS) walk(ARROWS[event.key]);
    else if (event.key === "Enter" || event.key === " ") {
      if (Scatter.hovered >= 0) Scatter.pick(Scatter.hovered);
    } else if (event.key === "+" || event.key === "=") zoom(1.4);
    else if (event.key === "-") zoom(1 / 1.4);
    else if (event.key === "0") {
      Scatter.home();
    } else if (event.key === "Escape" && Scatter.hovered >= 0 && !State.now.encoder && !State.now.region)
      Scatter.hover(-1);
    else return;
    event.preventDefault();
    if (event.key === "Escape") event.stopPropagation();
  }

  function zoom(factor) {
    const kept = Scatter.hovered;
    Scatter.camera.zoomAt(factor, Scatter.camera.width / 2, Scatter.camera.height / 2);
    Scatter.moved();
    Scatter.hover(kept);
  }

  /** To the nearest shown encoder in a direction; from the selected one, or from the middle. */
  function walk([dx, dy]) {
    const { camera } = Scatter;
    const from = Scatter.hovered >= 0 ? Scatter.hovered : atlas.find(State.now.encoder);
    const [x, y] = from >= 0 ? [atlas.x[from], atlas.y[from]] : [camera.x, camera.y];
    let [best, least] = [-1, Infinity];
    for (let i = 0; i < atlas.count; i += 1) {
      if (i === from || !Scatter.isShown(i)) continue;
      const ahead = (atlas.x[i] - x) * dx + (atlas.y[i] - y) * dy;
      const aside = Math.abs((atlas.x[i] - x) * dy) + Math.abs((atlas.y[i] - y) * dx);
      const far = ahead + ASIDE * aside;
      if (far < least && (ahead > 0 || from < 0)) [best, least] = [i, far];
    }
    if (best < 0) return;
    follow(best);
    Scatter.hover(best);
    Dom.announce(Hover.inWords(atlas, best));
  }

  /** Keep what the keys walk to in view. */
  function follow(i) {
    const { camera } = Scatter;
    const [px, py] = camera.toScreen(atlas.x[i], atlas.y[i]);
    if (px > 30 && py > 30 && px < camera.width - 30 && py < camera.height - 30) return;
    [camera.x, camera.y] = [atlas.x[i], atlas.y[i]];
    Scatter.moved();
  }

  return { mount, onMap };
})();

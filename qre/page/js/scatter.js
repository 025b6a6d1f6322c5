"use strict";
/* The map: a canvas of marks, and one above it for what changes under the pointer. */

const Scatter = (() => {
  const NEAR = 14; // pixels from a mark at which the pointer takes it
  const CELLS = 64; // of the grid over the map, a side
  const MOST_LABELS = 40;
  const LONGEST_LABEL = 32; // letters
  const REST = 250; // ms without a move
  let atlas, box, below, above, camera, radii, grid, picture;
  let hovered = -1;
  let dirty = { below: false, above: false };
  let [flying, resting] = [null, 0];

  function mount(root, given) {
    atlas = given;
    below = Dom.el("canvas", { "aria-hidden": "true" });
    above = Dom.el("canvas", { id: "map", tabindex: "0", role: "application", "aria-describedby": "map-help" });
    const help = Dom.el(
      "p",
      { id: "map-help", class: "unseen" },
      "Arrow keys walk to the next encoder in that direction, Enter selects it, Escape leaves it. ",
      "Plus and minus zoom, 0 shows all. The table has the same encoders.",
    );
    box = Dom.el("div", { class: "canvas" }, below, above, help);
    root.append(box);
    camera = Camera.over(atlas.x, atlas.y);
    camera.take(State.now.at);
    radii = Marks.radii(atlas);
    grid = gridOf();
    Pointer.attach(above, { camera, moved, hover, pick, lasso: Region.draw, lassoing: Region.lassoing });
    above.addEventListener("keydown", Keys.onMap);
    above.addEventListener("blur", () => hover(-1));
    new ResizeObserver(resize).observe(box);
    resize();
  }

  function resize() {
    const ratio = devicePixelRatio || 1;
    const { width, height } = box.getBoundingClientRect();
    if (!width || !height) return;
    [camera.width, camera.height] = [width, height];
    for (const canvas of [below, above]) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    picture = Marks.picture(below);
    redraw();
  }

  /** Draw anew with the next frame. */
  function redraw(all = true) {
    if (!dirty.below && !dirty.above) requestAnimationFrame(frame);
    dirty = { below: dirty.below || all, above: true };
  }

  function frame() {
    const { below: all } = dirty;
    dirty = { below: false, above: false };
    if (!picture) return; // the view has no room yet
    if (all) drawMarks();
    drawAbove();
  }

  function cleared(canvas) {
    const pen = canvas.getContext("2d");
    const ratio = canvas.width / camera.width;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, camera.width, camera.height);
    return pen;
  }

  const { ink } = Colour;

  function drawMarks() {
    const [shown, scheme, edge, pale] = [
      Filters.shown(atlas),
      Colour.now(atlas),
      ink("--page"),
      Marks.pixelOf(ink("--pale")),
    ];
    const ratio = below.width / camera.width;
    const scale = camera.scale() * ratio;
    const [left, top] = [below.width / 2 - camera.x * scale, below.height / 2 + camera.y * scale];
    picture.clear();
    for (let i = 0; i < atlas.count; i += 1) {
      if (!shown[i]) picture.dot(pale, left + atlas.x[i] * scale, top - atlas.y[i] * scale);
    }
    for (let i = 0; i < atlas.count; i += 1) {
      if (!shown[i]) continue;
      const [x, y] = [left + atlas.x[i] * scale, top - atlas.y[i] * scale];
      if (x < -40 || y < -40 || x > below.width + 40 || y > below.height + 40) continue;
      picture.stamp(Marks.sprite(scheme.look(i), radii[i], ratio, edge), x, y);
    }
    picture.show();
  }

  function drawAbove() {
    const pen = cleared(above);
    Region.paint(pen, camera, ink);
    const selected = atlas.find(State.now.encoder);
    if (selected >= 0) drawNeighbours(pen, selected);
    const pins = State.now.pin.map(atlas.find).filter((i) => i >= 0);
    const placed = [];
    if (selected >= 0) ring(pen, selected, ink("--ink"), 2.5);
    for (const i of pins) ring(pen, i, ink("--pin"), 2.5);
    if (hovered >= 0) ring(pen, hovered, ink("--ink"), 1.5);
    for (const i of new Set([hovered, selected, ...pins])) if (i >= 0) label(pen, i, placed, true);
    for (const i of worthNaming()) label(pen, i, placed, false);
  }

  function drawNeighbours(pen, i) {
    const [x, y] = camera.toScreen(atlas.x[i], atlas.y[i]);
    pen.font = "11px system-ui, sans-serif";
    for (const { index, distance, copy } of atlas.neighbours(i)) {
      const [nx, ny] = camera.toScreen(atlas.x[index], atlas.y[index]);
      pen.strokeStyle = ink(copy ? "--copy" : "--line");
      pen.setLineDash(copy ? [4, 3] : []);
      pen.lineWidth = 1.4;
      pen.beginPath();
      pen.moveTo(x, y);
      pen.lineTo(nx, ny);
      pen.stroke();
      if (Math.hypot(nx - x, ny - y) > 46) written(pen, Words.number(distance), (x + nx) / 2, (y + ny) / 2);
    }
    pen.setLineDash([]);
  }

  function ring(pen, i, colour, width) {
    const [x, y] = camera.toScreen(atlas.x[i], atlas.y[i]);
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    Marks.path(pen, "circle", x, y, radii[i] + 3);
    pen.stroke();
  }

  function written(pen, text, x, y) {
    pen.lineWidth = 3;
    pen.strokeStyle = ink("--page");
    pen.strokeText(text, x, y);
    pen.fillStyle = ink("--ink");
    pen.fillText(text, x, y);
  }

  /** A name beside its mark, or above or below it, unless it would cover another; a name that `must` be does. */
  function label(pen, i, placed, must) {
    const [x, y] = camera.toScreen(atlas.x[i], atlas.y[i]);
    pen.font = `${must ? "600 " : ""}12px system-ui, sans-serif`;
    const letters = [...atlas.name[i]];
    const text =
      letters.length > LONGEST_LABEL
        ? `${letters.slice(0, 16).join("")}…${letters.slice(-14).join("")}`
        : atlas.name[i];
    const width = pen.measureText(text).width;
    const [aside, over] = [radii[i] + 5, radii[i] + 13];
    const rooms = [
      [x + aside, y],
      [x - aside - width, y],
      [x - width / 2, y - over],
      [x - width / 2, y + over],
    ].map(([left, middle]) => [left - 2, middle - 9, left + width + 2, middle + 9]);
    const inside = rooms.filter(
      (room) => room[0] >= 0 && room[1] >= 0 && room[2] <= camera.width && room[3] <= camera.height,
    );
    const apart = (a, b) => a[0] >= b[2] || b[0] >= a[2] || a[1] >= b[3] || b[1] >= a[3];
    const free = (room) => placed.every((other) => apart(room, other));
    const room = inside.find(free) ?? (must ? (inside[0] ?? rooms[0]) : null);
    if (!room) return;
    placed.push(room);
    written(pen, text, room[0] + 2, room[1] + 13);
  }

  /** Encoders that are named without being asked for: those in view, where they are few. */
  function worthNaming() {
    const shown = Filters.shown(atlas);
    const found = [];
    for (let i = 0; i < atlas.count && found.length <= MOST_LABELS; i += 1) {
      if (!shown[i]) continue;
      const [x, y] = camera.toScreen(atlas.x[i], atlas.y[i]);
      if (x > 0 && y > 0 && x < camera.width && y < camera.height) found.push(i);
    }
    return found.length <= MOST_LABELS ? found : [];
  }

  /* ---- who is where */

  function gridOf() {
    const [left, right] = Camera.ends(atlas.x);
    const [bottom, top] = Camera.ends(atlas.y);
    const cell = Math.max((right - left) / CELLS, (top - bottom) / CELLS, 1e-9);
    const cells = new Map();
    for (let i = 0; i < atlas.count; i += 1) {
      const key = Math.floor((atlas.x[i] - left) / cell) * 4096 + Math.floor((atlas.y[i] - bottom) / cell);
      if (!cells.has(key)) cells.set(key, []);
      cells.get(key).push(i);
    }
    return { left, bottom, cell, cells };
  }

  /** The shown encoder nearest to a pixel, within reach; -1 where there is none. */
  function nearest(px, py, reach = NEAR) {
    const [x, y] = camera.toMap(px, py);
    const around = reach / camera.scale();
    const shown = Filters.shown(atlas);
    let [best, least] = [-1, around];
    const from = (value, low) => Math.floor((value - around - low) / grid.cell);
    const to = (value, low) => Math.floor((value + around - low) / grid.cell);
    for (let cx = Math.max(0, from(x, grid.left)); cx <= Math.min(CELLS, to(x, grid.left)); cx += 1) {
      for (let cy = Math.max(0, from(y, grid.bottom)); cy <= Math.min(CELLS, to(y, grid.bottom)); cy += 1) {
        for (const i of grid.cells.get(cx * 4096 + cy) ?? []) {
          const distance = Math.hypot(atlas.x[i] - x, atlas.y[i] - y);
          if (shown[i] && distance <= least) [best, least] = [i, distance];
        }
      }
    }
    return best;
  }

  /* ---- what people do */

  /** The camera has moved; the address follows when it rests: browsers slow down pages that write it all the time. */
  function moved() {
    flying = null;
    hovered = -1;
    Hover.hide();
    redraw();
    rest();
  }

  function rest() {
    clearTimeout(resting);
    resting = setTimeout(() => State.set({ at: camera.written() }, "replace"), REST);
  }

  function home() {
    camera.take(null);
    moved();
  }

  /** The pointer is at a pixel, or a key has walked to an encoder. */
  function hover(i) {
    if (i === hovered) return;
    hovered = i;
    if (i < 0) Hover.hide();
    else Hover.show(atlas, i, camera.toScreen(atlas.x[i], atlas.y[i]), camera);
    above.style.cursor = i < 0 ? "" : "pointer";
    redraw(false);
  }

  function pick(i) {
    State.set({ encoder: i < 0 ? "" : atlas.name[i] });
  }

  /** Bring an encoder into the middle, near enough to see who is around it. */
  function fly(i) {
    const target = { x: atlas.x[i], y: atlas.y[i], zoom: Math.max(camera.zoom, 3) };
    const from = { x: camera.x, y: camera.y, zoom: camera.zoom };
    const begun = performance.now();
    const run = (flying = (now) => {
      const share = Dom.still() ? 1 : Math.min(1, Math.max(0, (now - begun) / 450));
      const eased = 1 - (1 - share) ** 3;
      for (const part of ["x", "y", "zoom"]) camera[part] = from[part] + (target[part] - from[part]) * eased;
      redraw();
      if (share < 1 && flying === run) requestAnimationFrame(run);
      else if (flying === run) rest();
    });
    run(begun);
  }

  function render(changed) {
    if (changed.has("size")) radii = Marks.radii(atlas);
    if (changed.has("at") && JSON.stringify(camera.written()) !== JSON.stringify(State.now.at))
      camera.take(State.now.at);
    const all = ["find", "filters", "colour", "size", "cut", "at", "rank", "view", "theme"].some((part) =>
      changed.has(part),
    );
    above.setAttribute("aria-label", `Map of ${Words.counted(Filters.count(atlas), "encoder")}`);
    if (State.now.view === "map") redraw(all); // else when it is seen again
  }

  const isShown = (i) => Boolean(Filters.shown(atlas)[i]);

  return {
    mount,
    render,
    redraw,
    nearest,
    hover,
    pick,
    fly,
    moved,
    home,
    isShown,
    get hovered() {
      return hovered;
    },
    get camera() {
      return camera;
    },
  };
})();

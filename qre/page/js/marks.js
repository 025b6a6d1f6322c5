"use strict";
/* The marks of encoders, drawn once each and then copied: that is what makes twenty thousand of them quick. */

const Marks = (() => {
  const RADIUS = { small: 2.2, large: 5.5 }; // CSS pixels, of many and of few encoders
  const sprites = new Map();

  /** Radius for so many encoders, all alike. */
  const radiusFor = (count) => Math.max(RADIUS.small, Math.min(RADIUS.large, 26 / Math.sqrt(Math.max(1, count / 10))));

  /** Radius of each encoder: by the parameters' square root of a square root, smaller where they are not known. */
  function radii(atlas) {
    const base = radiusFor(atlas.count);
    const column = State.now.size === "parameters" ? atlas.column("parameters") : null;
    const found = new Float32Array(atlas.count).fill(base);
    if (column) {
      for (let i = 0; i < found.length; i += 1) {
        const value = column.number(i);
        const times = Number.isNaN(value) || value <= 0 ? 0.7 : Math.min(3, Math.max(0.7, (value / 1e8) ** 0.25));
        found[i] = Math.round(base * times * 4) / 4; // few sizes, few sprites
      }
    }
    return found;
  }

  /** A small picture of a mark, with `half`: pixels from its edge to its middle. */
  function sprite({ colour, shape, hollow }, radius, ratio, edge) {
    const key = `${colour}|${shape}|${hollow}|${radius}|${ratio}|${edge}`;
    let found = sprites.get(key);
    if (!found) {
      if (sprites.size > 4000) sprites.clear();
      const half = radius + 1.5;
      const side = Math.ceil(2 * half * ratio);
      const canvas = document.createElement("canvas");
      canvas.width = canvas.height = side;
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      path(pen, shape, side / ratio / 2, side / ratio / 2, hollow ? radius - 0.5 : radius);
      if (hollow) {
        pen.lineWidth = 1.3;
        pen.strokeStyle = colour;
      } else {
        pen.fillStyle = colour;
        pen.fill();
        pen.lineWidth = 0.7;
        pen.strokeStyle = edge;
      }
      pen.stroke();
      found = { canvas, side: side / ratio, half: side / ratio / 2 };
      sprites.set(key, found);
    }
    return found;
  }

  function path(pen, shape, x, y, r) {
    pen.beginPath();
    if (shape === "circle") pen.arc(x, y, r, 0, 2 * Math.PI);
    else if (shape === "square") pen.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r);
    else {
      const corners = {
        triangle: [[0, -1.15], [1.05, 0.75], [-1.05, 0.75]],
        inverted: [[0, 1.15], [1.05, -0.75], [-1.05, -0.75]],
        diamond: [[0, -1.25], [1.1, 0], [0, 1.25], [-1.1, 0]],
      }[shape];
      corners.forEach(([dx, dy], k) => pen[k ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
      pen.closePath();
    }
  }

  /** The mark as a drawing of its own, for legends. */
  function icon({ colour, shape, hollow }) {
    const canvas = document.createElement("canvas");
    const ratio = Math.max(2, devicePixelRatio);
    canvas.width = canvas.height = 16 * ratio;
    canvas.className = "icon";
    canvas.setAttribute("aria-hidden", "true");
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    path(pen, shape, 8, 8, 5);
    pen.fillStyle = pen.strokeStyle = colour;
    pen.lineWidth = 1.5;
    if (hollow) pen.stroke();
    else pen.fill();
    return canvas;
  }

  return { radii, sprite, icon, path };
})();

"use strict";
/* The marks of encoders: each look is drawn once, and its pixels are then copied into one picture. That is what makes
   twenty thousand of them quick where no GPU helps. */

const Marks = (() => {
  const RADIUS = { small: 2.2, large: 5.5 }; // CSS pixels, of many and of few encoders
  const sprites = new Map();

  /** Radius for so many encoders, all alike. */
  const radiusFor = (count) => Math.max(RADIUS.small, Math.min(RADIUS.large, 26 / Math.sqrt(Math.max(1, count / 10))));

  /** Whether encoders can be sized by a column that is computed from the embedding. */
  function sizes(atlas, id) {
    const column = atlas.column(id);
    return column !== null && column.kind === "number" && column.group !== "Attributes";
  }

  /** Radius of each encoder: by the parameters' square root of a square root, or from the smallest of a measure to the
   *  largest; smaller where it is not known. */
  function radii(atlas) {
    const base = radiusFor(atlas.count);
    const found = new Float32Array(atlas.count).fill(base);
    const times = timesOf(atlas);
    if (times) for (let i = 0; i < found.length; i += 1) found[i] = Math.round(base * times(i) * 4) / 4; // few sizes, few sprites
    return found;
  }

  /** How much larger than usual each encoder is; null where all are alike. */
  function timesOf(atlas) {
    const column = atlas.column(State.now.size);
    if (column?.id === "parameters") {
      return (i) => Math.min(3, Math.max(0.7, (Math.max(column.number(i), 0) / 1e8) ** 0.25)) || 0.7;
    }
    if (!sizes(atlas, State.now.size)) return null;
    const along = column.scale === "log" ? Math.log : (value) => value;
    let [low, high] = [Infinity, -Infinity];
    for (let i = 0; i < atlas.count; i += 1) {
      const value = column.number(i);
      if (!Number.isNaN(value)) [low, high] = [Math.min(low, value), Math.max(high, value)];
    }
    const span = along(high) - along(low) || 1;
    return (i) => 0.8 + (1.7 * (along(column.number(i)) - along(low))) / span || 0.7;
  }

  /** The pixels of a mark: side, and pixels as 32-bit numbers, row by row. */
  function sprite({ colour, shape, hollow }, radius, ratio, edge) {
    const key = `${colour}|${shape}|${hollow}|${radius}|${ratio}|${edge}`;
    let found = sprites.get(key);
    if (!found) {
      if (sprites.size > 4000) sprites.clear();
      const side = Math.ceil(2 * (radius + 1.5) * ratio);
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
      found = { side, pixels: new Uint32Array(pen.getImageData(0, 0, side, side).data.buffer) };
      sprites.set(key, found);
    }
    return found;
  }

  /** A picture that marks are put into, and that is then shown on a canvas; of the canvas's own pixels. */
  function picture(canvas) {
    const { width, height } = canvas;
    const image = new ImageData(width, height);
    const pixels = new Uint32Array(image.data.buffer);

    /** A mark with its middle at (x, y). */
    const stamp = (mark, x, y) => {
      const { side } = mark;
      const [left, top] = [Math.round(x - side / 2), Math.round(y - side / 2)];
      const [right, bottom] = [Math.min(width, left + side), Math.min(height, top + side)];
      for (let py = Math.max(0, top); py < bottom; py += 1) {
        let from = (py - top) * side + Math.max(0, -left);
        for (let at = py * width + Math.max(0, left); at < py * width + right; at += 1, from += 1) {
          const pixel = mark.pixels[from];
          if (pixel === 0) continue;
          pixels[at] = pixel >>> 24 === 255 || pixels[at] === 0 ? pixel : over(pixel, pixels[at]);
        }
      }
    };
    /** A square of 2 x 2 pixels. */
    const dot = (colour, x, y) => {
      const [px, py] = [Math.round(x), Math.round(y)];
      if (px < 0 || py < 0 || px + 1 >= width || py + 1 >= height) return;
      const at = py * width + px;
      pixels[at] = pixels[at + 1] = pixels[at + width] = pixels[at + width + 1] = colour;
    };
    return { stamp, dot, clear: () => pixels.fill(0), show: () => canvas.getContext("2d").putImageData(image, 0, 0) };
  }

  /** One half-transparent pixel over another, both 0xAABBGGRR. */
  function over(a, b) {
    const above = a >>> 24;
    const below = ((b >>> 24) * (255 - above)) / 255;
    const alpha = above + below;
    const channel = (shift) => Math.round((((a >>> shift) & 255) * above + ((b >>> shift) & 255) * below) / alpha);
    return ((Math.round(alpha) << 24) | (channel(16) << 16) | (channel(8) << 8) | channel(0)) >>> 0;
  }

  /** #rrggbb as a pixel. */
  function pixelOf(colour) {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
    return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
  }

  function path(pen, shape, x, y, r) {
    pen.beginPath();
    if (shape === "circle") pen.arc(x, y, r, 0, 2 * Math.PI);
    else if (shape === "square") pen.rect(x - 0.88 * r, y - 0.88 * r, 1.76 * r, 1.76 * r);
    else {
      const corners = {
        triangle: [
          [0, -1.15],
          [1.05, 0.75],
          [-1.05, 0.75],
        ],
        inverted: [
          [0, 1.15],
          [1.05, -0.75],
          [-1.05, -0.75],
        ],
        diamond: [
          [0, -1.25],
          [1.1, 0],
          [0, 1.25],
          [-1.1, 0],
        ],
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

  return { radii, sizes, sprite, picture, pixelOf, icon, path };
})();

"use strict";
/* From places on the map to pixels, and back. */

const Camera = (() => {
  const MARGIN = 0.06; // of the shorter side, free around all encoders
  const MOST_ZOOM = 400;

  /** A camera over points x, y. `zoom` 1 shows all of them; x and y is the place in the middle. */
  function over(xs, ys) {
    const [left, right] = ends(xs);
    const [bottom, top] = ends(ys);
    const home = { x: (left + right) / 2, y: (bottom + top) / 2, zoom: 1 };
    const camera = { ...home, width: 1, height: 1, home };

    const fit = () => {
      const room = 1 - 2 * MARGIN;
      return room * Math.min(camera.width / (right - left || 1), camera.height / (top - bottom || 1));
    };
    camera.scale = () => fit() * camera.zoom;
    camera.toScreen = (x, y) => [
      camera.width / 2 + (x - camera.x) * camera.scale(),
      camera.height / 2 - (y - camera.y) * camera.scale(),
    ];
    camera.toMap = (px, py) => [
      camera.x + (px - camera.width / 2) / camera.scale(),
      camera.y - (py - camera.height / 2) / camera.scale(),
    ];
    camera.move = (dx, dy) => {
      camera.x -= dx / camera.scale();
      camera.y += dy / camera.scale();
    };
    /** Zoom by a factor, with the place under a pixel staying there. */
    camera.zoomAt = (factor, px, py) => {
      const [x, y] = camera.toMap(px, py);
      camera.zoom = Math.min(MOST_ZOOM, Math.max(0.5, camera.zoom * factor));
      const [nx, ny] = camera.toMap(px, py);
      camera.x += x - nx;
      camera.y += y - ny;
    };
    /** As the address has it; null at home. */
    camera.written = () =>
      camera.zoom === 1 && camera.x === home.x && camera.y === home.y ? null : [camera.x, camera.y, camera.zoom];
    camera.take = (at) =>
      Object.assign(camera, at ? { x: at[0], y: at[1], zoom: Math.min(MOST_ZOOM, Math.max(0.5, at[2])) } : home);
    return camera;
  }

  /** The smallest and the largest. */
  function ends(values) {
    let [low, high] = [Infinity, -Infinity];
    for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
    return [low, high];
  }

  return { over, ends };
})();

"use strict";
/* Polygons on the map, as lists of corners x, y, x, y, … in the map's coordinates. */

const Polygon = (() => {
  const MOST = 40; // corners of one that is drawn by hand
  const LONGEST = 400; // numbers of one that is read from an address

  /** Whether a list of numbers is a polygon. */
  const sound = (corners) =>
    Array.isArray(corners) && corners.length >= 6 && corners.length % 2 === 0 && corners.length <= LONGEST;

  /** The polygon of points [[x, y], …] that were drawn, with as few corners as its shape needs, MOST at most. */
  function simplified(points) {
    let spread = 0;
    for (const [x, y] of points) spread = Math.max(spread, Math.abs(x - points[0][0]), Math.abs(y - points[0][1]));
    let [kept, tolerance] = [points, spread / 400];
    do {
      kept = reduced(points, tolerance);
      tolerance *= 1.5;
    } while (kept.length > MOST);
    return kept.flat();
  }

  /** Ramer, Douglas and Peucker: points that lie within `tolerance` of a line between others are left out. */
  function reduced(points, tolerance) {
    const keep = new Uint8Array(points.length);
    keep[0] = keep[points.length - 1] = 1;
    const spans = [[0, points.length - 1]];
    while (spans.length) {
      const [from, to] = spans.pop();
      let [farthest, least] = [-1, tolerance];
      for (let k = from + 1; k < to; k += 1) {
        const off = away(points[k], points[from], points[to]);
        if (off > least) [farthest, least] = [k, off];
      }
      if (farthest < 0) continue;
      keep[farthest] = 1;
      spans.push([from, farthest], [farthest, to]);
    }
    return points.filter((_, k) => keep[k]);
  }

  /** Distance of a point from the line between two. */
  function away([x, y], [ax, ay], [bx, by]) {
    const length = Math.hypot(bx - ax, by - ay);
    if (length === 0) return Math.hypot(x - ax, y - ay);
    return Math.abs((bx - ax) * (ay - y) - (ax - x) * (by - ay)) / length;
  }

  /** A test of places: whether the polygon goes around x, y (non-zero winding, as a canvas fills it): what a line
   *  surrounds twice is inside too. */
  function holder(corners) {
    let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
    for (let k = 0; k < corners.length; k += 2) {
      [left, right] = [Math.min(left, corners[k]), Math.max(right, corners[k])];
      [bottom, top] = [Math.min(bottom, corners[k + 1]), Math.max(top, corners[k + 1])];
    }
    return (x, y) => {
      if (x < left || x > right || y < bottom || y > top) return false;
      let turns = 0;
      for (let k = 0, j = corners.length - 2; k < corners.length; j = k, k += 2) {
        const [x1, y1, x2, y2] = [corners[k], corners[k + 1], corners[j], corners[j + 1]];
        if (y1 > y !== y2 > y && x < ((x2 - x1) * (y - y1)) / (y2 - y1) + x1) turns += y1 > y ? 1 : -1;
      }
      return turns !== 0;
    };
  }

  return { sound, simplified, holder };
})();

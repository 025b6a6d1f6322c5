"use strict";
/* Mouse, pen and fingers on the map: drag moves, wheel and pinch zoom, a click takes an encoder, a drag with Shift or
   in lasso mode surrounds a region. */

const Pointer = (() => {
  const STILL = 4; // pixels within which a press is a click

  function attach(canvas, { camera, moved, hover, pick, lasso, lassoing }) {
    const held = new Map(); // pointers that are down
    let [travelled, drawing] = [0, null];

    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      canvas.setPointerCapture(event.pointerId);
      held.set(event.pointerId, at(event));
      travelled = 0;
      if (drawing) lasso([], true); // a second finger: it is a pinch now
      drawing = held.size === 1 && (event.shiftKey || lassoing()) ? [camera.toMap(...at(event))] : null;
    });

    canvas.addEventListener("pointermove", (event) => {
      const now = at(event);
      const before = held.get(event.pointerId);
      if (!before) {
        if (event.pointerType !== "touch") hover(Scatter.nearest(...now));
        return;
      }
      travelled += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (drawing) {
        drawing.push(camera.toMap(...now));
        lasso(drawing, false);
      } else if (held.size === 2) {
        pinch(camera, held, event.pointerId, now);
        moved();
      } else if (travelled > STILL) {
        camera.move(now[0] - before[0], now[1] - before[1]);
        moved();
      }
      held.set(event.pointerId, now);
    });

    const release = (event) => {
      const now = held.get(event.pointerId);
      if (!now) return;
      held.delete(event.pointerId);
      if (drawing) {
        if (travelled > STILL) lasso(event.type === "pointerup" ? drawing : [], true);
        drawing = null;
      } else if (event.type === "pointerup" && travelled <= STILL && held.size === 0) {
        pick(Scatter.nearest(...now, event.pointerType === "touch" ? 28 : undefined));
      }
    };
    canvas.addEventListener("pointerup", release);
    canvas.addEventListener("pointercancel", release);
    canvas.addEventListener("pointerleave", () => held.size === 0 && document.activeElement !== canvas && hover(-1));

    canvas.addEventListener(
      "wheel",
      (event) => {
        event.preventDefault();
        const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
        camera.zoomAt(Math.exp(-event.deltaY * lines * 0.0015), ...at(event));
        moved();
      },
      { passive: false },
    );
  }

  /** Two fingers: what was under them stays under them. */
  function pinch(camera, held, id, now) {
    const other = [...held].find(([key]) => key !== id)[1];
    const before = held.get(id);
    const spread = (a) => Math.hypot(a[0] - other[0], a[1] - other[1]) || 1;
    camera.zoomAt(spread(now) / spread(before), other[0], other[1]);
  }

  return { attach };
})();

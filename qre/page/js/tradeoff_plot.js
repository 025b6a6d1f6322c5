"use strict";
/* The picture of the trade-off: points on a canvas, the front as a line of steps, a card beside a point. */

const TradeOffPlot = (() => {
  const PAD = { left: 56, right: 18, top: 12, bottom: 42 };
  const NEAR = 14; // pixels from a point at which the pointer takes it
  let atlas,
    box,
    canvas,
    card,
    ground,
    points = null,
    hovered = -1,
    asked = false,
    size = { width: 0, height: 0 };

  function mount(root, given) {
    atlas = given;
    canvas = Dom.el("canvas", {
      id: "tradeoff",
      tabindex: "0",
      role: "application",
      "aria-describedby": "tradeoff-help",
      onpointermove: (event) => hover(nearest(event)),
      onpointerleave: () => document.activeElement !== canvas && hover(-1),
      onclick: click,
      onkeydown: key,
      onblur: () => hover(-1),
    });
    card = Dom.el("div", { class: "card", role: "presentation", hidden: true });
    const help = Dom.el(
      "p",
      { id: "tradeoff-help", class: "unseen" },
      "Arrow keys walk along the front, Enter selects the encoder. The table below lists the front.",
    );
    box = Dom.el("div", { class: "plot" }, canvas, card, help);
    root.append(box);
    new ResizeObserver(resize).observe(box);
  }

  function resize() {
    const { width, height } = box.getBoundingClientRect();
    if (!width || !height) return;
    const ratio = devicePixelRatio || 1;
    size = { width, height };
    [canvas.width, canvas.height] = [Math.round(width * ratio), Math.round(height * ratio)];
    ground = null;
    redraw();
  }

  /** Show other points: see TradeOff.pointsOf. */
  function show(given, label) {
    points = given;
    ground = null;
    if (hovered >= 0 && !points.rows.includes(hovered)) hover(-1);
    canvas.setAttribute("aria-label", label);
    redraw();
  }

  function redraw() {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      if (points && size.width) draw();
    });
  }

  const { ink } = Colour;
  const across = (value) => PAD.left + points.across.share(value) * (size.width - PAD.left - PAD.right);
  const up = (value) => size.height - PAD.bottom - points.up.share(value) * (size.height - PAD.top - PAD.bottom);
  const at = (i) => [across(points.x(i)), up(points.y(i))];

  /** All points are drawn once; what is under the pointer is drawn on a copy of that. */
  function draw() {
    const pen = canvas.getContext("2d");
    ground ??= drawnGround();
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(ground, 0, 0);
    pen.setTransform(canvas.width / size.width, 0, 0, canvas.height / size.height, 0, 0);
    ring(pen, atlas.find(State.now.encoder), ink("--ink"), 2.5);
    for (const name of State.now.pin) ring(pen, atlas.find(name), ink("--pin"), 2.5);
    ring(pen, hovered, ink("--ink"), 1.5);
  }

  function ring(pen, i, colour, width) {
    if (i < 0 || !points.drawn[i]) return;
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    Marks.path(pen, "circle", ...at(i), points.radius + 3);
    pen.stroke();
  }

  function drawnGround() {
    const found = document.createElement("canvas");
    [found.width, found.height] = [canvas.width, canvas.height];
    const [ratio, edge] = [canvas.width / size.width, ink("--page")];
    const picture = Marks.picture(found);
    for (const i of points.rows) {
      const look = { ...points.look(i), hollow: points.predicted(i) };
      const [x, y] = at(i);
      picture.stamp(Marks.sprite(look, points.radius, ratio, edge), x * ratio, y * ratio);
    }
    picture.show();
    const pen = found.getContext("2d");
    pen.scale(ratio, ratio);
    pen.globalCompositeOperation = "destination-over"; // the axes lie behind the marks
    drawAxes(pen);
    pen.globalCompositeOperation = "source-over";
    drawFront(pen);
    return found;
  }

  function drawAxes(pen) {
    const [right, bottom] = [size.width - PAD.right, size.height - PAD.bottom];
    pen.font = "12px system-ui, sans-serif";
    pen.lineWidth = 1;
    [pen.strokeStyle, pen.fillStyle] = [ink("--rule"), ink("--ink")];
    const line = (...ends) => {
      pen.beginPath();
      pen.moveTo(ends[0], ends[1]);
      pen.lineTo(ends[2], ends[3]);
      pen.stroke();
    };
    [pen.textAlign, pen.textBaseline] = ["right", "middle"];
    if (points.rows.length) {
      for (const tick of points.up.ticks) {
        line(PAD.left, up(tick), right, up(tick));
        pen.fillText(Words.number(tick), PAD.left - 7, up(tick));
      }
      [pen.textAlign, pen.textBaseline] = ["center", "top"];
      let free = -Infinity;
      for (const tick of points.across.ticks) {
        const [x, text] = [across(tick), Words.number(tick)];
        line(x, PAD.top, x, bottom + 4);
        const half = pen.measureText(text).width / 2;
        if (x - half < free) continue;
        pen.fillText(text, x, bottom + 7);
        free = x + half + 8;
      }
    }
    pen.strokeStyle = ink("--soft");
    line(PAD.left, bottom, right, bottom);
    line(PAD.left, PAD.top, PAD.left, bottom);
    pen.textAlign = "right";
    pen.textBaseline = "bottom";
    pen.fillText(points.title, right, size.height - 4);
  }

  /** The best score that can be had at each x: level until the next point of the front, then up. */
  function drawFront(pen) {
    const front = points.front.map(at);
    pen.strokeStyle = ink("--accent");
    pen.lineWidth = 2;
    pen.beginPath();
    front.forEach(([x, y], k) => {
      if (k === 0) pen.moveTo(x, size.height - PAD.bottom);
      else pen.lineTo(x, front[k - 1][1]);
      pen.lineTo(x, y);
    });
    if (front.length) pen.lineTo(points.smaller ? size.width - PAD.right : PAD.left, front.at(-1)[1]);
    pen.stroke();
  }

  /* ---- what people do */

  function nearest(event) {
    if (!points?.rows.length) return -1;
    const frame = canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - frame.left, event.clientY - frame.top];
    let [best, least] = [-1, NEAR];
    for (const i of points.rows) {
      const [x, y] = at(i);
      const distance = Math.hypot(x - px, y - py);
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  }

  function hover(i) {
    if (i === hovered) return;
    hovered = i;
    canvas.style.cursor = i < 0 ? "" : "pointer";
    card.hidden = i < 0;
    if (i >= 0) {
      Dom.replace(
        card,
        Dom.el("strong", {}, Dom.name(atlas.name[i])),
        Dom.el(
          "dl",
          {},
          points
            .facts(i)
            .map(([label, value]) =>
              Dom.el("div", {}, Dom.el("dt", {}, Dom.name(label)), Dom.el("dd", {}, Dom.name(value))),
            ),
        ),
      );
      const [x, y] = at(i);
      card.style.left = `${Math.max(4, x + 16 + card.offsetWidth > size.width ? x - 16 - card.offsetWidth : x + 16)}px`;
      card.style.top = `${Math.max(4, Math.min(y - 20, size.height - card.offsetHeight - 4))}px`;
    }
    redraw();
  }

  /** Fingers hover over nothing before: what they take is shown too. */
  function click(event) {
    hover(nearest(event));
    pick(hovered);
  }

  function pick(i) {
    State.set({ encoder: i < 0 ? "" : atlas.name[i] });
  }

  /** Arrows walk along the front, from left to right as it is drawn. */
  function key(event) {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    const front = points.smaller ? points.front : [...points.front].reverse();
    if (step && front.length) {
      const from = front.indexOf(hovered >= 0 ? hovered : atlas.find(State.now.encoder));
      const to = from < 0 ? (step > 0 ? 0 : front.length - 1) : Math.min(front.length - 1, Math.max(0, from + step));
      hover(front[to]);
      Dom.announce([atlas.name[front[to]], ...points.facts(front[to]).map((fact) => fact.join(" "))].join(", "));
    } else if ((event.key === "Enter" || event.key === " ") && hovered >= 0) pick(hovered);
    else return;
    event.preventDefault();
  }

  return { mount, show };
})();

"""Other ways to draw a map of many points, as pages of their own: what tests/benchmarks/page.py compares the page
with."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

import numpy as np

FAMILIES, RADIUS = 20, 4
LAX = "lax policy"  # plotly needs inline styles, and scattergl unsafe-eval too, or nothing is seen
STYLE = "html,body{margin:0;height:100%}#map{width:1000px;height:700px;display:block}"
READY = "document.documentElement.dataset.ready = 'yes';"
CAMERA = """
const canvas = document.getElementById("map"), pen = canvas.getContext("2d");
canvas.width = 1000; canvas.height = 700;
let at = {x: 500, y: 350, zoom: 3}, drag = null, asked = false;
const ask = () => { if (!asked) { asked = true; requestAnimationFrame(() => { asked = false; draw(); }); } };
canvas.addEventListener("pointerdown", (told) => {
  drag = [told.clientX, told.clientY]; canvas.setPointerCapture(told.pointerId); });
canvas.addEventListener("pointerup", () => { drag = null; });
canvas.addEventListener("pointermove", (told) => {
  if (!drag) return;
  at.x += told.clientX - drag[0]; at.y += told.clientY - drag[1]; drag = [told.clientX, told.clientY]; ask(); });
canvas.addEventListener("wheel", (told) => { told.preventDefault(); at.zoom *= Math.exp(-told.deltaY / 400); ask(); });
const place = (i) => [at.x + at.zoom * points.x[i], at.y + at.zoom * points.y[i]];
const colour = (group) => `hsl(${group * 18} 70% 45%)`;
"""
SPRITES = """
const sprites = Array.from({length: FAMILIES}, (_, group) => {
  const one = document.createElement("canvas"); one.width = one.height = 2 * RADIUS + 2;
  const ink = one.getContext("2d"); ink.fillStyle = colour(group);
  ink.arc(RADIUS + 1, RADIUS + 1, RADIUS, 0, 7); ink.fill(); return one; });
function draw() { pen.clearRect(0, 0, 1000, 700);
  for (let i = 0; i < points.x.length; i += 1) { const [x, y] = place(i);
    if (x < -9 || y < -9 || x > 1009 || y > 709) continue;
    pen.drawImage(sprites[points.group[i]], Math.round(x) - RADIUS - 1, Math.round(y) - RADIUS - 1); } }
"""
ARCS = """
function draw() { pen.clearRect(0, 0, 1000, 700);
  for (let i = 0; i < points.x.length; i += 1) { const [x, y] = place(i);
    if (x < -9 || y < -9 || x > 1009 || y > 709) continue;
    pen.fillStyle = colour(points.group[i]); pen.beginPath(); pen.arc(x, y, RADIUS, 0, 7); pen.fill(); } }
"""
PIXELS = """
const picture = pen.createImageData(1000, 700), pixels = new Uint32Array(picture.data.buffer);
const dots = Array.from({length: FAMILIES}, (_, group) => 0xff000000 | (group * 0x0b1d35 & 0xffffff));
const disc = []; for (let v = -RADIUS; v <= RADIUS; v += 1) for (let u = -RADIUS; u <= RADIUS; u += 1)
  if (u * u + v * v <= RADIUS * RADIUS + 2) disc.push(v * 1000 + u);
function draw() { pixels.fill(0);
  for (let i = 0; i < points.x.length; i += 1) { const [x, y] = place(i);
    if (x < 5 || y < 5 || x > 994 || y > 694) continue;
    const at = Math.round(y) * 1000 + Math.round(x), dot = dots[points.group[i]];
    for (let k = 0; k < disc.length; k += 1) pixels[at + disc[k]] = dot; }
  pen.putImageData(picture, 0, 0); }
"""
PLOTLY = """
Plotly.newPlot("map", [{type: KIND, mode: "markers", x: points.x, y: points.y, text: points.name,
  marker: {size: 2 * RADIUS, color: points.group}}],
  {width: 1000, height: 700, dragmode: "pan", hovermode: "closest"}, {scrollZoom: true}).then(() => { READY });
"""


WAYS = {"canvas, arcs": ARCS, "canvas, sprites": SPRITES, "canvas, pixels": PIXELS}


def alternatives(x: np.ndarray, y: np.ndarray, plotly: Path | None) -> dict[str, bytes]:
    """Pages of points (N,), by what draws them. `plotly`: where its JavaScript lies; None: without it."""
    points = {
        "x": np.round(x, 4).tolist(),
        "y": np.round(y, 4).tolist(),
        "group": (np.arange(len(x)) % FAMILIES).tolist(),
        "name": [f"encoder {i}" for i in range(len(x))],
    }
    given = f"const points = {json.dumps(points)}, RADIUS = {RADIUS}, FAMILIES = {FAMILIES};"
    pages = {
        name: _page('<canvas id="map"></canvas>', given + CAMERA + way + f"draw(); {READY}")
        for name, way in WAYS.items()
    }
    if plotly is not None:
        library = plotly.read_text(encoding="utf-8")
        for kind in ("scattergl", "scatter"):
            call = given + PLOTLY.replace("KIND", json.dumps(kind)).replace("READY", READY)
            pages[f"plotly, {kind}"] = _page('<div id="map"></div>', library, call)
            pages[f"plotly, {kind}, {LAX}"] = _page('<div id="map"></div>', library, call, lax=True)
    return pages


def plotly_script(folder: Path) -> Path | None:
    """plotly.min.js of the package `plotly` that pip installed into a folder; None where there is none."""
    return next(iter(sorted(folder.rglob("plotly.min.js"))), None)


def _page(body: str, *scripts: str, lax: bool = False) -> bytes:
    """Under the policy of the page itself; `lax`: inline styles, and scripts that are made from text, allowed."""
    digests = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    style = "'unsafe-inline'" if lax else f"'sha256-{_sha256(STYLE)}'"
    evaluated = " 'unsafe-eval'" if lax else ""
    policy = f"default-src 'none'; script-src {digests}{evaluated}; style-src {style}; img-src blob: data:"
    tags = "".join(f"<script>{script}</script>" for script in scripts)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>map</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"><style>{STYLE}</style></head>'
        f"<body>{body}{tags}</body></html>"
    ).encode()


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

"""How long an open page takes, and how smoothly it moves: for tests/benchmarks/page.py. Times are in milliseconds, and
those of a headless Chromium without a GPU."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.page.chromium import Visit

SECONDS = 2  # of each movement
READY = """new MutationObserver((_, seen) => {
  if (document.documentElement?.dataset.ready !== "yes") return;
  window.benchReady = performance.now(); seen.disconnect();
}).observe(document, {subtree: true, attributes: true, childList: true});"""
FRAMES = """() => { const at = []; let on = true;
  const step = (time) => { at.push(time); if (on) requestAnimationFrame(step); };
  requestAnimationFrame(step); window.benchStop = () => { on = false; return at; }; }"""
# from a key to the end of the frame in which something inside `inside` has changed and `wanted` is there
ARM = """([inside, wanted]) => { window.benchShown = new Promise((resolve) => {
  let begun = null;
  addEventListener("keydown", (told) => { begun = told.timeStamp; }, {capture: true, once: true});
  const seen = new MutationObserver(() => {
    if (begun === null || !document.querySelector(wanted)) return;
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
  });
  seen.observe(document.querySelector(inside), {subtree: true, childList: true, attributes: true, characterData: true});
  setTimeout(() => resolve(null), 5000); }); }"""
CHANGE = """() => new Promise((resolve) => { const begun = performance.now();
  STATEMENT;
  requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun))); })"""


@dataclass(frozen=True)
class Movement:
    """Frames while something moves: how many a second, the longest in ms, and how long the page's thread worked a
    frame, in ms."""

    rate: float
    longest: float
    work: float


def opened(browser: Any, path: Path, times: int = 5) -> tuple[Visit, float]:
    """The page, open, and the median of the time from navigation until it can be used; each time in a new context."""
    found = []
    for again in range(times):
        visit = Visit(browser, path, intercept=False, before=READY).ready()
        found.append(visit.page.evaluate("window.benchReady"))
        if again < times - 1:
            visit.close()
    return visit, median(found)


def panned(visit: Visit, selector: str) -> Movement:
    """What is pressed in the middle and drawn around in circles."""

    def begin(x: float, y: float, size: float) -> None:
        visit.page.mouse.move(x, y)
        visit.page.mouse.down()

    def step(x: float, y: float, size: float, at: float) -> None:
        visit.page.mouse.move(x + size * math.sin(6 * at), y + size * math.sin(4 * at))

    found = _moved(visit, selector, begin, step)
    visit.page.mouse.up()
    return found


def zoomed(visit: Visit, selector: str) -> Movement:
    """The wheel turned in, and out again, at one place."""

    def begin(x: float, y: float, size: float) -> None:
        visit.page.mouse.move(x + size / 3, y)

    def step(x: float, y: float, size: float, at: float) -> None:
        visit.page.mouse.wheel(0, -60 if at < SECONDS / 2 else 60)
        visit.page.wait_for_timeout(8)  # a wheel is not acknowledged as a move is

    return _moved(visit, selector, begin, step)


def _moved(visit: Visit, selector: str, begin: Callable, step: Callable) -> Movement:
    box = visit.page.locator(selector).first.bounding_box()
    x, y, size = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, min(box["width"], box["height"]) / 4
    begin(x, y, size)
    worked = _metric(visit, "TaskDuration")
    visit.page.evaluate(FRAMES)
    started = time.perf_counter()
    while (at := time.perf_counter() - started) < SECONDS:
        step(x, y, size, at)
    frames = visit.page.evaluate("window.benchStop()")
    apart = [after - before for before, after in zip(frames, frames[1:])]
    work = 1000 * (_metric(visit, "TaskDuration") - worked) / max(1, len(apart))
    return (
        Movement(1000 * len(apart) / (frames[-1] - frames[0]), max(apart), work)
        if apart
        else Movement(0, math.inf, work)
    )


def typed(visit: Visit, field: str, inside: str, option: str, text: str) -> float | None:
    """Median of the time from a key in the search field to the frame with its suggestions, of those that had any; None
    where none had."""
    visit.page.locator(field).first.focus()
    found = []
    for key in text:
        visit.page.evaluate(ARM, [inside, option])
        visit.page.keyboard.press(key)
        found.append(visit.page.evaluate("window.benchShown"))
    known = [value for value in found if value is not None]
    return median(known) if known else None


def changed(visit: Visit, statements: Sequence[str]) -> float:
    """Median of the time from a statement to the end of the frame that shows what it changed."""
    return median(visit.page.evaluate(CHANGE.replace("STATEMENT", one)) for one in statements)


def heap(visit: Visit) -> float:
    """JavaScript's heap after a garbage collection, in MB."""
    visit.context.new_cdp_session(visit.page).send("HeapProfiler.collectGarbage")
    return _metric(visit, "JSHeapUsedSize") / 1e6


def _until(visit: Visit, event: str, inside: str, wanted: str, act: Callable[[], object]) -> float | None:
    visit.page.evaluate(ARM, [event, inside, wanted])
    act()
    return visit.page.evaluate("window.benchShown")


def _median(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


def _metric(visit: Visit, name: str) -> float:
    """One of Chromium's own counters of the page: seconds since the first call, or bytes."""
    if visit.counters is None:
        visit.counters = visit.context.new_cdp_session(visit.page)
        visit.counters.send("Performance.enable")
    return next(one["value"] for one in visit.counters.send("Performance.getMetrics")["metrics"] if one["name"] == name)

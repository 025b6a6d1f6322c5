"""The page of an atlas in a real browser: how large it is, how soon it can be used, how smoothly the map moves.

    python tests/benchmarks/page.py
    python tests/benchmarks/page.py --encoders 20000 --plotly FOLDER   # pip install --target FOLDER plotly

Made atlases of 236, 1,101 and 20,000 encoders x 60 attributes x 68 tasks, in a headless Chromium without a GPU. Frames:
pictures a second while the map is dragged, or zoomed, for 2 s (60 are the most), the longest frame in ms, and
in brackets the ms a frame that the page's own thread works. With --alternatives or --plotly the same for other ways to
draw as many points.
"""

from __future__ import annotations

import argparse
import gzip
import re
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qre.atlas.reader import AtlasFiles  # noqa: E402
from qre.figures.by_attribute import by_attribute_figure  # noqa: E402
from tests.page.alternatives import alternatives, plotly_script  # noqa: E402
from tests.page.chromium import launched, why_not  # noqa: E402
from tests.page.made_atlas import MadeAtlas, made_atlas  # noqa: E402
from tests.page.measured import Movement, changed, heap, opened, panned, typed, zoomed  # noqa: E402

MAP, FIELD, SUGGESTIONS, OPTION = "#map", "#search-words", "#search", "#search [role=option]"
QUERY = "bert-1"
Columns = list[tuple[str, dict[str, str]]]
FILTERS = ("State.filter('family', ['BERT'])", "State.filter('parameters', ['1e7..1e8'])", "State.set({filters: {}})")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoders", type=int, nargs="+", default=[236, 1_101, 20_000])
    parser.add_argument("--attributes", type=int, default=60)
    parser.add_argument("--tasks", type=int, default=68)
    parser.add_argument("--opens", type=int, default=5, help="the time until it can be used is the median of so many")
    parser.add_argument("--alternatives", action="store_true", help="other ways to draw the largest map")
    parser.add_argument("--plotly", type=Path, help="a folder that holds the package plotly, to compare with")
    given = parser.parse_args()
    if why := why_not():
        print(why)
        return 0
    with tempfile.TemporaryDirectory() as folder, launched() as browser:
        print(f"Chromium {browser.version}")
        columns = []
        for count in given.encoders:
            made = made_atlas(count, given.attributes, given.tasks)
            columns.append((f"{count:,}", measured(browser, made, Path(folder) / str(count), given.opens)))
        show("encoders", columns)
        if given.alternatives or given.plotly:
            show(f"{len(made.table):,} points", compared(browser, made, Path(folder), given))
    return 0


def measured(browser: Any, made: MadeAtlas, folder: Path, opens: int) -> dict[str, str]:
    """What the page of an atlas weighs and does, in words."""
    from qre.page.gather import page_of

    drawn = by_attribute_figure(made.table, made.scores)["map_by_attribute.svg"].decode()
    made = replace(made, figures={**made.figures, "map_by_attribute.svg": drawn})  # the largest of the figures
    files = AtlasFiles(made.write(folder))
    began = time.perf_counter()
    content = page_of(files)
    seconds = time.perf_counter() - began
    path = folder / "atlas.html"
    path.write_bytes(content)
    visit, ready = opened(browser, path, opens)
    told = {
        **sizes(content),
        "made in": f"{seconds:.2f} s",
        "usable after": f"{ready:.0f} ms",
        "heap": f"{heap(visit):.0f} MB",
        **moved(visit, MAP),
        "key to suggestions": milliseconds(typed(visit, FIELD, SUGGESTIONS, OPTION, QUERY)),
        "filter": milliseconds(changed(visit, FILTERS * 3)),
        "faults": in_short(visit.faults()),
    }
    visit.close()
    return told


def compared(
    browser: Any, made: MadeAtlas, folder: Path, given: argparse.Namespace
) -> list[tuple[str, dict[str, str]]]:
    """The same of other ways to draw the points of an atlas."""
    script = plotly_script(given.plotly) if given.plotly else None
    if given.plotly and script is None:
        print(f"{given.plotly}: no plotly.min.js there: pip install --target {given.plotly} plotly")
    columns = []
    pages = alternatives(made.table["x"].to_numpy(), made.table["y"].to_numpy(), script)
    for name, content in pages.items():
        path = folder / f"{name}.html"
        path.write_bytes(content)
        visit, ready = opened(browser, path, given.opens)
        told = {
            "file": megabytes(len(content)),
            "compressed": compressed(content),
            "usable after": f"{ready:.0f} ms",
            "heap": f"{heap(visit):.0f} MB",
            **moved(visit, "#map"),
        }
        columns.append((name, {**told, "faults": in_short(visit.faults())}))
        visit.close()
    return columns


def moved(visit: Any, selector: str) -> dict[str, str]:
    return {"dragged": in_words(panned(visit, selector)), "zoomed": in_words(zoomed(visit, selector))}


def sizes(content: bytes) -> dict[str, str]:
    """Of the file, of its parts, and of the whole when it is sent compressed."""
    parts = {"script": 0, "style": 0, "data": 0}
    for tag, kind, body in re.findall(rb"<(script|style)\b([^>]*)>(.*?)</\1>", content, re.DOTALL):
        parts["style" if tag == b"style" else "data" if b"type=" in kind else "script"] += len(body)
    return {
        "file": megabytes(len(content)),
        **{f"  {name}": megabytes(size) for name, size in parts.items()},
        "  compressed": compressed(content),
    }


def megabytes(size: int) -> str:
    return f"{size / 1e6:.3f} MB"


def compressed(content: bytes) -> str:
    return megabytes(len(gzip.compress(content)))


def milliseconds(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} ms"


def in_words(movement: Movement) -> str:
    return f"{movement.rate:.0f}/s, {movement.longest:.0f} ms ({movement.work:.1f})"


def in_short(faults: list[str]) -> str:
    """Each fault once, without addresses and checksums."""
    return "; ".join(dict.fromkeys(re.split(r" directive '|\. Either", fault)[0][:90] for fault in faults)) or "none"


def show(title: str, rows: Columns) -> None:
    """Things to measure beside each other, each with what was measured."""
    table = Table(title, *(name for name, _ in rows))
    for measure in dict.fromkeys(measure for _, told in rows for measure in told):
        table.add_row(measure, *(told.get(measure, "") for _, told in rows))
    Console(width=max(100, 26 * len(rows) + 20)).print(table)


if __name__ == "__main__":
    sys.exit(main())

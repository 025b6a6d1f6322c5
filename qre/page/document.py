"""One HTML file from the page's data: style, script and data are in it, and nothing is fetched.

The Content-Security-Policy names every script and style by its sha256, so that nothing else can run, whatever an
encoder is called; the data is no script.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from qre.page.contract import Page

SCRIPTS = (  # in the order in which they stand on each other
    "dom", "words", "data", "polygon", "state", "names", "filters", "tree", "colour", "ties", "camera",
    "marks", "pointer", "keys", "hover", "legend", "ranking", "rank_picker", "score_bar", "table_columns",
    "table_order", "table_rows", "table_csv", "region_facts", "region", "scatter", "controls", "search",
    "checklist", "drop", "filter_fields", "filter_panel", "pager", "table", "front", "tradeoff_plot", "tradeoff",
    "dendrogram", "clusters", "yaml", "about", "panel", "compare", "main",
)  # fmt: skip
LEVEL = 6  # of gzip: 9 takes four times as long for two percent
RUN_BEGIN, RUN_END = '<script type="application/json" id="run">', "</script><!-- run -->"


def page_bytes(page: Page, run: Mapping[str, Any]) -> bytes:
    """The file.

    Args:
        run: what changes from run to run (the date, speeds, money), plain values; it stands in a block of its own, so
            that the rest is the same for the same map: see `without_run`.
    """
    scripts = [_asset(f"js/{name}.js") for name in SCRIPTS]
    style = _asset("page.css")
    parts = {
        "title": html.escape(page.title),
        "policy": _policy(scripts, style),
        "style": f"<style>{style}</style>",
        "scripts": "\n".join(f"<script>{script}</script>" for script in scripts),
        "data": f'<script type="application/octet-stream" id="data">{_packed(page.plain())}</script>',
        "run": f"{RUN_BEGIN}{_inert(run)}{RUN_END}",
    }
    pieces = _asset("page.html").split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("}}")
        filled += [parts[name], rest]
    return "".join(filled).encode()


def without_run(page: bytes) -> bytes:
    """A page without what changes from run to run."""
    before, _, rest = page.partition(RUN_BEGIN.encode())
    return before + rest.partition(RUN_END.encode())[2]


def _policy(scripts: list[str], style: str) -> str:
    allowed = " ".join(f"'sha256-{_sha256(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'sha256-{_sha256(style)}'; img-src data: blob:; "
        f"base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _packed(data: dict[str, Any]) -> str:
    """JSON, gzip, base64: the same text for the same data."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode("utf-8", "backslashreplace"), LEVEL, mtime=0)).decode()


def _inert(values: Mapping[str, Any]) -> str:
    """JSON in which no tag can begin."""
    return json.dumps(values, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


@cache
def _asset(name: str) -> str:
    return (files("qre.page") / name).read_text(encoding="utf-8")

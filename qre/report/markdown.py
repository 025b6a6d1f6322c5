"""Numbers and names as Markdown."""

from __future__ import annotations

import html
import re

import numpy as np
import pandas as pd


def number(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.3f}"


def percent(value: float | None) -> str:
    return "" if value is None or not np.isfinite(value) else f"{value:.1%}"


def p_value(value: float) -> str:
    return "" if not np.isfinite(value) else f"{value:.3f}" if value >= 0.001 else "< 0.001"


def table_head(*names: str) -> list[str]:
    return [table_row(*names), "|" + "---|" * len(names)]


def table_row(*cells: str | None) -> str:
    return "| " + " | ".join("" if pd.isna(cell) else escaped(str(cell)) for cell in cells) + " |"


def escaped(text: str) -> str:
    """Text of strangers as one line of Markdown that shows it and does nothing else."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    text = re.sub(r"([\\`*\[\]|~#$]|\b_|_\b)", r"\\\1", html.escape(text, quote=False))
    return re.sub(r"^([-+]|\d{1,9}[.)])(?=\s|$)", lambda sign: f"{sign[0][:-1]}\\{sign[0][-1]}", text)  # no list

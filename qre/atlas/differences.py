"""Whether two scores can be told apart, from their intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

ITEMS = {
    "retrieval": ("query", "queries"),
    "sts": ("pair", "pairs"),
    "pairs": ("pair", "pairs"),
    "classification": ("test item", "test items"),
    "clustering": ("document", "documents"),
}


def difference_interval(a: float, a_low: float, a_high: float, b: float, b_low: float, b_high: float):
    """The 95 % interval of a - b from the 95 % intervals of both, (low, high); NaN where one is not known.

    By MOVER (Zou and Donner 2008), for independent scores. Scores on the same items mostly rise and fall together; then
    the interval is wider than it need be, and what it tells apart is apart.
    """
    low = a - b - np.hypot(a - a_low, b_high - b)
    high = a - b + np.hypot(a_high - a, b - b_low)
    return low, high


def like_the_best(cell: pd.DataFrame) -> np.ndarray:
    """Which encoders cannot be told from the best one, (N,) bool; the best itself, and all without an interval, are
    not among them.

    Args:
        cell: value, low, high of N encoders on one task.
    """
    value, low, high = (cell[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
    if not np.isfinite(value).any():
        return np.zeros(len(value), dtype=bool)
    best = int(np.nanargmax(value))
    with np.errstate(invalid="ignore"):
        close = difference_interval(value[best], low[best], high[best], value, low, high)[0] <= 0
    close[best] = False
    return close & np.isfinite(low) & np.isfinite(high)


def noise(cell: pd.DataFrame) -> float:
    """How far behind the best score one is at most that cannot be told from it; NaN where all can. For the argument
    see like_the_best."""
    close = like_the_best(cell)
    value = cell["value"].to_numpy(dtype=np.float64)
    return float(np.nanmax(value) - value[close].min()) if close.any() else float("nan")


def items(kind: str, n: float) -> str:
    """Such as "40 queries"; "" where the number is not known."""
    if not np.isfinite(n):
        return ""
    one, more = ITEMS.get(kind, ("item", "items"))
    return f"{n:,.0f} {one if n == 1 else more}"


def noise_in_words(kind: str, cell: pd.DataFrame) -> str:
    """Such as "40 queries: encoders up to 0.12 behind the best cannot be told from it"; "" where all can. `cell` as of
    like_the_best, with n."""
    least = noise(cell)
    if not np.isfinite(least):
        return ""
    best = cell.iloc[int(np.nanargmax(cell["value"].to_numpy(dtype=np.float64)))]
    told = items(kind, float(best["n"])) if "n" in cell else ""
    return f"{told}{': ' if told else ''}encoders up to {least:.2g} behind the best cannot be told from it"

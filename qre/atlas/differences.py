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
    """Which encoders cannot be told from the best one, (N,) bool: the best itself is among them where its interval is
    known, and none without an interval.

    Args:
        cell: value, low, high of N encoders on one task.
    """
    value, low, high = (cell[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
    if not np.isfinite(value).any():
        return np.zeros(len(value), dtype=bool)
    best = int(np.nanargmax(value))
    with np.errstate(invalid="ignore"):
        close = difference_interval(value[best], low[best], high[best], value, low, high)[0] <= 0
    return close & np.isfinite(low) & np.isfinite(high)


def others_like_the_best(like_best: pd.Series | np.ndarray) -> bool:
    """Whether there is any beside the best itself; for the argument see like_the_best."""
    return int(np.sum(like_best)) > 1


def against_the_best(score: float, low: float, high: float, others: pd.DataFrame) -> dict:
    """How a score stands among others on its task.

    Args:
        low, high: its 95 % interval; NaN where it is not known.
        others: name, value, low, high of the encoders that have a score, the best first.

    Returns:
        rank (1: none is better), of (how many with it), best (the best of the others) and best_score, None without
        others; apart: "better" or "worse" than it, "" where it cannot be told from it, None where that is not known.
    """
    found = {"rank": 1 + int((others["value"] > score).sum()), "of": 1 + len(others)}
    if others.empty:
        return {**found, "best": None, "best_score": None, "apart": None}
    best = others.iloc[0]
    least, most = difference_interval(score, low, high, float(best["value"]), float(best["low"]), float(best["high"]))
    apart = None if not np.isfinite(most - least) else "better" if least > 0 else "worse" if most < 0 else ""
    return {**found, "best": str(best["name"]), "best_score": float(best["value"]), "apart": apart}


def against_in_words(found: dict) -> str:
    """`against_the_best` as people read it: "rank 3 of 25; cannot be told from the best (e5 0.800)"."""
    rank = f"rank {found['rank']:,} of {found['of']:,}"
    if found["best"] is None:
        return f"{rank}; no other encoder has a score"
    best = f"the best of the others ({found['best']} {found['best_score']:.3f})"
    if found["apart"] is None:
        return f"{rank}; an interval is missing, so whether it differs from {best} is not known"
    return f"{rank}; " + (f"{found['apart']} than {best}" if found["apart"] else f"cannot be told from {best}")


def noise(cell: pd.DataFrame) -> float:
    """Differences from the best score that may be chance are smaller than this: than what its interval, and another
    like it, tell apart, and than the smallest that is told apart. NaN where all can be told from it. For the argument
    see like_the_best."""
    close = like_the_best(cell)
    if not others_like_the_best(close):
        return float("nan")
    value, low, high = (cell[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
    best = int(np.nanargmax(value))
    apart = value[~close & np.isfinite(value + low + high)]
    return float(min([np.hypot(value[best] - low[best], high[best] - value[best]), *(value[best] - apart)]))


def items(kind: str, n: float) -> str:
    """Such as "40 queries"; "" where the number is not known."""
    if not np.isfinite(n):
        return ""
    one, more = ITEMS.get(kind, ("item", "items"))
    return f"{n:,.0f} {one if n == 1 else more}"


def noise_in_words(kind: str, cell: pd.DataFrame) -> str:
    """Such as "40 queries: differences under about 0.12 from the best may be chance"; "" where none is. `cell` as of
    like_the_best, with n."""
    least = noise(cell)
    if not np.isfinite(least):
        return ""
    best = cell.iloc[int(np.nanargmax(cell["value"].to_numpy(dtype=np.float64)))]
    told = items(kind, float(best["n"])) if "n" in cell else ""
    return f"{told}{': ' if told else ''}differences under about {least:.2g} from the best may be chance"

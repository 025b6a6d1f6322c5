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
    "word_similarity": ("pair", "pairs"),
    "word_pairs": ("pair", "pairs"),
    "analogies": ("question", "questions"),
}


def difference_interval(a: float, a_low: float, a_high: float, b: float, b_low: float, b_high: float):
    """The 95 % interval of a - b from the 95 % intervals of both, (low, high); NaN where one is not known.

    By MOVER (Zou and Donner 2008), for independent scores. Scores on the same items mostly rise and fall together; then
    the interval is wider than it need be, and what it tells apart is apart.
    """
    low = a - b - np.hypot(a - a_low, b_high - b)
    high = a - b + np.hypot(a_high - a, b - b_low)
    return low, high


def best_row(cell: pd.DataFrame) -> int | None:
    """Row of the best value; None where there is none."""
    value = cell["value"].to_numpy(dtype=np.float64)
    return int(np.nanargmax(value)) if np.isfinite(value).any() else None


def told_apart(low: float, high: float) -> str | None:
    """What the interval of a difference says of the first score: "better" or "worse"; "" where it holds 0, None where
    it is not known."""
    return None if not np.isfinite(high - low) else "better" if low > 0 else "worse" if high < 0 else ""


def like_the_best(cell: pd.DataFrame) -> np.ndarray:
    """Which encoders cannot be told from the best one, (N,) bool: the best itself is among them where its interval is
    known, and none without an interval.

    Args:
        cell: value, low, high of N encoders on one task.
    """
    value, low, high = (cell[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
    if (best := best_row(cell)) is None:
        return np.zeros(len(value), dtype=bool)
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
    told = {"best": str(best["name"]), "best_score": float(best["value"]), "apart": told_apart(least, most)}
    return {**found, **told}


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
    close, best = like_the_best(cell), best_row(cell)
    if best is None or not others_like_the_best(close):
        return float("nan")
    value, low, high = (cell[name].to_numpy(dtype=np.float64) for name in ("value", "low", "high"))
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
    least, best = noise(cell), best_row(cell)
    if best is None or not np.isfinite(least):
        return ""
    told = items(kind, float(cell["n"].iat[best])) if "n" in cell else ""
    return f"{told}{': ' if told else ''}differences under about {least:.2g} from the best may be chance"

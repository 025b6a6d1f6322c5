"""How much of a sweep is done, as one share, and how long the rest will take. No clock in here, and no Ray."""

from __future__ import annotations

TRUSTED_SECONDS = 15.0  # of expected work: the weight of the estimate against what is measured, at the beginning...
TRUSTED_SHARE = 0.05  # ...or this share of all work of the run, whichever is more
RECENT = 0.2  # half of what is known of the speed is forgotten in this share of the run so far, and twice that weight
HELD = 0.25  # a time left that is told counts down as the clock goes, while what is known is within this share of it...
HELD_SECONDS = 10.0  # ...or so near to it
LARGEST = 20.0  # the machine is at most so much slower, or faster, than expected


class Remaining:
    """Blends the expected time of the work that is left with how fast this run has gone so far.

    The time left that is told begins with the estimate, counts down with the clock, and moves only where more is known:
    it neither flickers nor creeps up. What was measured last counts most: the stages of a run are not all equally far
    from what is expected of them, and a machine may be busy for a part of a run.

    Attributes:
        share: of the whole that is done.
        slower: how much longer the work takes now than expected.
    """

    def __init__(self, earlier: float = 0.0):
        """`earlier`: expected seconds of what earlier runs have done."""
        self._earlier = earlier
        self._began = self._before = self._most = 0.0
        self._done = 0.0
        self._trusted = TRUSTED_SECONDS
        self._recent = (0.0, 0.0)  # seconds gone, and expected seconds of what was done in them; old ones count less
        self.slower = 1.0
        self._told: tuple[float, float] | None = None  # (when, seconds left)
        self.share = 0.0

    def update(self, now: float, left: float) -> float:
        """The seconds left, given the expected seconds of all that is left now; also sets `share`, which never
        falls."""
        if self._told is None:
            self._began, self._before, self._most = now, left, left
            self._trusted = max(TRUSTED_SECONDS, TRUSTED_SHARE * left)
            self._recent = self._trusted, self._trusted  # the estimate, as if it had been measured
        self._measure(0.0 if self._told is None else now - self._told[0], now, max(self._before - left, 0.0))
        self._before, self._most = left, max(self._most, self._done + left)
        whole = self._earlier + self._most
        self.share = max(self.share, min(1.0 - left / whole, 1.0) if whole else 1.0)
        self.slower = self._slower()
        known = left * self.slower
        if self._told is not None:
            when, told = self._told
            counted = max(told - (now - when), 0.0)
            if abs(known - counted) <= max(HELD * counted, HELD_SECONDS):
                known = counted
        self._told = now, known
        return known

    def _measure(self, seconds: float, now: float, done: float) -> None:
        """So many seconds have gone by `now`, and so many expected ones of work were done in them."""
        self._done += done
        kept = 0.5 ** (seconds / (2 * self._trusted + RECENT * (now - self._began)))
        self._recent = self._recent[0] * kept + seconds, self._recent[1] * kept + done

    def _slower(self) -> float:
        """How much longer the work takes than expected."""
        seconds, done = self._recent
        return min(max(seconds / max(done, 1e-9), 1 / LARGEST), LARGEST)


def in_words(seconds: float) -> str:
    """A time left as people say it."""
    if seconds < 10:
        return "a few seconds left"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} s left"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min left"
    if seconds < 48 * 3600:
        return f"about {round(seconds / 3600, 1):g} h left"
    return f"about {round(seconds / 86400)} days left"

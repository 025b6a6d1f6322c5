"""Seeded choices whose values stay the same across Python versions."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")

_TRIES = 1_000  # a redraw that fails so often has nothing to find


class Draw:
    """Choices from random.Random.random() alone, the one method whose values Python keeps fixed across versions.

    Every method but `until` uses up exactly one number of the stream; to change how often one is called changes all
    later sentences.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def index(self, n: int) -> int:
        """A whole number from 0 to n - 1."""
        return int(self._random() * n)

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return self._random() < p

    def pick(self, options: Sequence[T]) -> T:
        """One of the options (at least one), all alike."""
        return options[int(self._random() * len(options))]

    def weighted(self, options: Mapping[str, float]) -> str:
        """One of the names (at least one), each as often as its weight says."""
        at = self._random() * sum(options.values())
        for name, weight in options.items():
            at -= weight
            if at < 0:
                return name
        return name  # rounding can leave a last crumb

    def form(self, concept: str) -> str:
        """One of the surface forms of a concept, ``"first form|other form"``."""
        return self.pick(concept.split("|"))

    def noun(self, concept: str) -> tuple[str, bool]:
        """A noun phrase and whether it is plural (marked by a trailing ``+`` in the lexicon)."""
        text = self.form(concept)
        return text.rstrip("+"), text.endswith("+")

    def until(self, draw: Callable[[], T], fits: Callable[[T], bool], wanted: str) -> T:
        """The first drawn value that fits.

        Args:
            draw: makes one value; called at least once and at most _TRIES times.
            fits: whether the value is wanted.
            wanted: what is looked for, for the message.

        Raises:
            RuntimeError: none of _TRIES values fits; the lexicon is too small.
        """
        for _ in range(_TRIES):
            value = draw()
            if fits(value):
                return value
        raise RuntimeError(f"no {wanted} found in {_TRIES} draws; the lexicon is too small")

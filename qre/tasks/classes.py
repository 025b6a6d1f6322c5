"""Labels that look alike are one class: what a file calls `pos`, `pos ` and `pos` with a no-break space was never meant
as two."""

from __future__ import annotations

import re
import unicodedata

WHOLE = re.compile(r"([+-]?[0-9]+)\.0+")
UNSEEN = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff\u00ad"))


def spelt_alike(label: str) -> str:
    """The same text for labels that a reader sees as one: composed (NFC), one blank for any space, nothing unseen, 1
    for 1.0."""
    plain = " ".join(unicodedata.normalize("NFC", label.translate(UNSEEN)).split())
    return match[1] if (match := WHOLE.fullmatch(plain)) else plain


class Spellings:
    """The classes of one task, each under the spelling that came first."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._merged: dict[str, str] = {}

    def one(self, label: str) -> str:
        """The class of a label."""
        first = self._first.setdefault(spelt_alike(label), label)
        if first != label:
            self._merged[label] = first
        return first

    def notes(self) -> list[str]:
        """What was taken as one, and what was not though it differs in case only."""
        notes = [f"label {label!r} is taken as {first!r}" for label, first in self._merged.items()]
        folded: dict[str, list[str]] = {}
        for label in self._first.values():
            folded.setdefault(label.casefold(), []).append(label)
        return notes + [
            f"labels {' and '.join(map(repr, alike))} differ in case only, and are {len(alike)} classes"
            for alike in folded.values()
            if len(alike) > 1
        ]

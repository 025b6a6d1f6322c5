"""Did you mean ...? Names that people may have meant, where what they wrote is none that is known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

LONGEST = 300  # characters of a name that is compared: the comparison takes its square


def near_names(word: object, known: Iterable[str], most: int = 1) -> list[str]:
    """The known names nearest to a word, upper and lower case alike; [] where none is near."""
    by_lower: dict[str, str] = {}
    for name in known:
        by_lower.setdefault(name.casefold(), name)
    word = str(word).strip().casefold()[:LONGEST]
    inside = [
        name
        for lower, name in by_lower.items()
        if len(word) > 2 and (lower.startswith(word) or word.startswith(lower) and len(lower) > 2)
    ]
    near, far = (
        [by_lower[lower] for lower in difflib.get_close_matches(word, by_lower, n=most, cutoff=cutoff)]
        for cutoff in (0.8, 0.6)
    )
    return list(dict.fromkeys([*near, *inside, *far]))[:most]  # a beginning is likelier than a name of similar letters


def did_you_mean(word: object, known: Iterable[str], most: int = 1) -> str:
    """ "; did you mean 'x'?" for what follows a message; "" where no known name is near."""
    near = near_names(word, known, most)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""


def near_or_containing(word: str, known: Iterable[str], most: int = 3) -> str:
    """As did_you_mean, of the names that contain the word, and where none does of those that are near."""
    known = list(known)
    holding = [name for name in known if len(word.strip()) > 1 and word.strip().casefold() in name.casefold()]
    if not holding:
        return did_you_mean(word, known, most)
    more = f" ({len(holding)} names contain {word!r})" if len(holding) > most else ""
    return f"; did you mean {' or '.join(map(repr, holding[:most]))}?{more}"


def unmatched(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """The shell patterns that match none of the names, in their order."""
    names = list(names)
    return [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]


def near_patterns(pattern: str, names: Iterable[str]) -> str:
    """As did_you_mean, for a shell pattern: near names, and near beginnings of names that have a slash."""
    known = dict.fromkeys(names)
    for name in list(known):
        parts = name.split("/")
        known |= {f"{'/'.join(parts[:count])}/*": None for count in range(1, len(parts))}
    wild = [name for name in known if name.endswith("/*")]
    if f"{pattern.rstrip('/').casefold()}/*" in {one.casefold() for one in wild}:  # a beginning that lacks its star
        found = near_names(f"{pattern.rstrip('/')}/*", wild)
    elif "*" not in pattern:
        found = near_names(pattern, [name for name in known if name not in wild], 2) or near_names(
            f"{pattern}/*", wild, 2
        )
    else:
        found = near_names(pattern, wild, 2)
    return f"; did you mean {' or '.join(map(repr, found))}?" if found else ""

"""A deadline as people write it: a moment with its time zone, or so long from when a run begins its work."""

from __future__ import annotations

import re
import time
from datetime import date, datetime

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
FORMS = (
    "a moment with its zone (2026-11-27T08:00+01:00, or with Z), or a duration from when the run begins its work "
    '("12h", "1d12h", "90m")'
)


def checked_deadline(value: object) -> str:
    """A deadline as it was written; a moment that other YAML made a datetime of in one spelling.

    Raises:
        ValueError: it is neither a moment with a zone nor a duration.
    """
    if isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, bool) or not isinstance(value, str) or isinstance(value, date):
        raise ValueError(f"give {FORMS}, in quotes")
    text = value.strip()
    if not DURATION.fullmatch(text.lower().replace(" ", "")):
        _moment(text)
        return text
    if not duration(text):
        raise ValueError("a duration is longer than 0")
    return text


def duration(text: str) -> float | None:
    """Seconds of a duration; None for a moment."""
    words = text.lower().replace(" ", "")
    return (
        sum(float(amount) * UNITS[unit] for amount, unit in re.findall(r"([\d.]+)([smhd])", words))
        if DURATION.fullmatch(words)
        else None
    )


def seconds_left(deadline: str) -> float:
    """Until a deadline, where the run begins now; negative where it has passed."""
    lasts = duration(deadline)
    return lasts if lasts is not None else _moment(deadline).timestamp() - time.time()


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(re.sub(r"\s+(?=[+-]\d\d:?\d\d$)", "", re.sub(r"\s*[zZ]$", "+00:00", text)))
        date_alone = re.fullmatch(r"[\d-]+", text) is not None
    except ValueError:
        date_alone = True
    if date_alone:
        raise ValueError(f"give {FORMS}")
    if moment.tzinfo is None:
        raise ValueError("it has no time zone: end it in Z, or in an offset as +01:00")
    return moment

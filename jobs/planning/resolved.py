"""What a config names, as far as it is read: encoder specs, what is known of each, and why one cannot be had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from jobs.config import Entry
from jobs.mteb.public_scores import PublicScores, no_scores
from jobs.records.ownership import Owner
from qre.encoders.foreseen import Foreseen, Foresight, TooFewSentences
from qre.encoders.hub_problems import REMEDY, printable
from qre.encoders.shape import is_static
from qre.encoders.spec import EncoderSpec, FolderSpec
from qre.sentences import SentenceSet
from qre.store import Failure
from qre.store.folder import content_key
from qre.tasks.task import Task


@dataclass
class Resolved:
    """What a config names.

    Attributes:
        specs: in the order of the config.
        attributes: by encoder name, what is known before it is loaded; they change no number.
        dimensions: of the vectors of each of the specs, as far as they are known.
        tasks: what encoders are scored on, by fingerprint.
        corpora: what transforms are fitted on beside the sentences, by fingerprint.
        public: scores that others measured.
        unresolved: encoders that cannot be had, with the reason.
        unasked: encoders of which nothing is known, because the hub could not be asked from here now. It is no fault of
            theirs.
        lacking: (task, encoder name) -> why ready vectors cannot be scored on it, in words.
        incomplete: why the config names more than was found here: an encoder that was left out or could not be asked
            for.
        notes: what a person should know.
        unknown: encoders of the hub, and queries, that were never looked up; only where the hub is not to be asked.
        owner: the config that this is, where it is to be held against the atlas in the store.
    """

    sentences: SentenceSet
    specs: list[EncoderSpec] = field(default_factory=list)
    attributes: dict[str, dict] = field(default_factory=dict)
    dimensions: list[int | None] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    corpora: dict[str, SentenceSet] = field(default_factory=dict)
    public: PublicScores = field(default_factory=no_scores)
    unresolved: list[Failure] = field(default_factory=list)
    unasked: list[Failure] = field(default_factory=list)
    lacking: dict[tuple[str, str], str] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    owner: Owner | None = None


def add(resolved: Resolved, entry: Entry, spec: EncoderSpec, attributes: dict, foreseen: Foresight) -> None:
    """Add an encoder, or why it is known to fail."""
    try:
        dimension = foreseen.check(spec, attributes)
    except Foreseen as problem:
        reason = "too few sentences" if isinstance(problem, TooFewSentences) else "wrong entry"
        resolved.unresolved.append(failed(entry, spec.name, reason, str(problem), remedy=problem.remedy))
        return
    resolved.specs.append(spec)
    resolved.dimensions.append(dimension)
    if isinstance(spec, FolderSpec):  # its estimate is of the bytes that are there
        attributes = {"modules": attributes["modules"]} if is_static(attributes) else {}
    if attributes:
        resolved.attributes[spec.name] = attributes


def failed(entry: Entry, name: str, reason: str, message: str, transient: bool = False, remedy: str = "") -> Failure:
    return Failure(
        key=key_of(entry),
        encoder=printable(name, 200),
        kind="transient" if transient else "permanent",
        exception=reason,
        message=message,
        remedy=remedy or REMEDY.get(reason, message),
    )


def key_of(entry: Entry) -> str:
    """Under which the failure of an encoder that cannot be had is recorded."""
    return content_key(entry.model_dump(mode="json"))


def abridged(names: Sequence[str], shown: int = 3) -> str:
    """The first names of many, and how many more."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")

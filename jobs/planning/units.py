"""Units, and the passes that they are read off: the pieces of work that a plan consists of."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property

from jobs.config.slots import Slot
from qre.encoders.spec import EncoderSpec, EndpointSpec, ModelSpec
from qre.store.folder import content_key


@dataclass(frozen=True)
class Unit:
    """One encoder on the sentence set."""

    key: str
    parent: str
    spec: EncoderSpec
    # what is known before it is loaded; changes no number
    attributes: dict = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Scoring:
    """Encoders of one pass that lack their score on a task, by its fingerprint."""

    task: str
    units: tuple[Unit, ...]


@dataclass(frozen=True)
class PassWork:
    """One pass to run: what is loaded once, for all the units that are read off it.

    Attributes:
        units: to embed.
        seconds: expected cost on one CPU core, for ordering only.
        slot: what it holds on a node.
        slots: its slots, in the order in which they are asked for; none given: `slot` alone.
        fetched: a node must fetch its snapshot first.
        scorings: what its encoders are scored on.
        corpora: fingerprints of the corpora that it has to embed, since transforms are to be fitted on them.
    """

    key: str
    units: tuple[Unit, ...]
    seconds: float
    slot: Slot = Slot()
    fetched: bool = False
    scorings: tuple[Scoring, ...] = ()
    slots: tuple[Slot, ...] = ()
    corpora: tuple[str, ...] = ()

    @cached_property
    def members(self) -> tuple[Unit, ...]:
        """Every unit that has to do with it, once."""
        return tuple(
            {
                unit.key: unit
                for units in (self.units, *(scoring.units for scoring in self.scorings))
                for unit in units
            }.values()
        )

    @property
    def remote(self) -> EndpointSpec | None:
        """The spec where it is behind an endpoint: what it sends is paid for, and it can be told to pause."""
        spec = self.members[0].spec
        return spec if isinstance(spec, EndpointSpec) else None

    @property
    def pieces(self) -> int:
        """Embeddings and scores to make."""
        return len(self.units) + sum(len(scoring.units) for scoring in self.scorings)

    @property
    def name(self) -> str:
        """What its encoders have in common of their names, and how many there are: "MiniLM (132 readouts)"."""
        first, *others = (unit.spec.name for unit in self.members)
        if not others:
            return first
        common = os.path.commonprefix([one.split("/") for one in (first, *others)])
        if not common:
            return f"{first} and {len(others)} more"
        what = "readouts" if isinstance(self.members[0].spec, ModelSpec) else "encoders"
        return f"{'/'.join(common)} ({len(self.members)} {what})"

    def left(self, told: Collection[str | tuple[str, str]], failed: Collection[str | tuple[str, str]]) -> PassWork:
        """What remains when these pieces have ended: keys of units, and (task, key) of scores. Of units that failed
        there are no scores."""
        scorings = (
            Scoring(
                one.task,
                tuple(unit for unit in one.units if unit.key not in failed and (one.task, unit.key) not in told),
            )
            for one in self.scorings
        )
        return replace(
            self,
            units=tuple(unit for unit in self.units if unit.key not in told),
            scorings=tuple(one for one in scorings if one.units),
        )


def score_key(task: str, unit: str) -> str:
    """The key of a score, for its failures: sha256 (hex)."""
    return content_key({"task": task, "unit": unit})


def measures_key(unit: str) -> str:
    """The key of the measures of a unit, where they are given up: sha256 (hex)."""
    return content_key({"measures": unit})


def corpus_key(pass_key: str, fingerprint: str) -> str:
    """The key of the chunks of a corpus by one pass: sha256 (hex)."""
    return content_key({"pass": pass_key, "corpus": fingerprint})


def corpora_of(units: Iterable[Unit], fits: Collection[str] = ()) -> tuple[str, ...]:
    """The corpora that the transforms of units are fitted on, each once, without those of units whose fit is there."""
    named = (unit.spec.corpus_of_fit for unit in units if unit.key not in fits)
    return tuple(dict.fromkeys(one for one in named if one is not None))

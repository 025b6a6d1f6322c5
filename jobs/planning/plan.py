"""What a sweep has to do: resolved from the config and from what is in the store, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType

from jobs.config import SweepConfig
from jobs.mteb.public_scores import PublicScores, no_scores
from jobs.planning.costs import cpu_seconds, slots_of
from jobs.planning.groups import group_of, kinds_of
from jobs.planning.matrix_columns import GIVEN
from jobs.planning.prompts import score_file
from jobs.planning.resolved import Resolved
from jobs.planning.shard_folders import feature_folders, measures_folder, unmeasured_note
from jobs.planning.units import PassWork, Scoring, Unit, corpora_of, measures_key, score_key
from jobs.records.ownership import Owner
from qre.build.atlas_files import atlas_identity
from qre.encoders.described import is_own_folder, what_it_is
from qre.encoders.passes import parent_key, pass_key, unit_key
from qre.encoders.spec import EncoderSpec, HubSpec, MatrixSpec
from qre.sentences import SentenceSet
from qre.store import Failure, Store
from qre.store.folder import content_key
from qre.tasks.task import Task


@dataclass(frozen=True)
class Plan:
    """What is done and what is to do.

    Attributes:
        units: all of the config, in its order.
        embedded, featured: keys of units whose embedding, or feature row, is in the store.
        measured: keys of units whose measures are in the store.
        lacking: of units whose embedding is there, the folders of shards that they are not in.
        scored: (task, unit key) of scores that are in the store -> the name there; tasks by fingerprint, of this config
            only.
        failures: by unit key or score_key; only those that will not be tried again now.
        passes: to run, longest first.
        atlas_done: the atlas in the store is the one of this config and these features and scores.
        identity: of that atlas.
        public: scores that others measured.
        incomplete: why the config names more encoders than were found here.
        owner, corpora: as in Resolved.
        notes: what a person should know.
    """

    sentences: SentenceSet
    units: tuple[Unit, ...]
    embedded: frozenset[str]
    featured: frozenset[str]
    measured: frozenset[str]
    lacking: dict[str, tuple[str, ...]]
    tasks: Mapping[str, Task]
    scored: Mapping[tuple[str, str], str]
    failures: dict[str, Failure]
    passes: tuple[PassWork, ...]
    atlas_done: bool
    identity: str = ""
    public: PublicScores = field(default_factory=no_scores)
    incomplete: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    owner: Owner | None = None
    corpora: Mapping[str, SentenceSet] = field(default_factory=dict)

    @cached_property
    def to_featurize(self) -> tuple[Unit, ...]:
        """Units whose embedding is there and whose features, or measures, are not."""
        return tuple(unit for unit in self.units if unit.key in self.lacking and unit.key not in self.failures)

    @cached_property
    def on_map(self) -> tuple[Unit, ...]:
        """Units with features: those that the atlas shows."""
        return tuple(unit for unit in self.units if unit.key in self.featured)

    @property
    def scores_wanted(self) -> int:
        """How many scores there are when all is done."""
        return len(self.tasks) * sum(may_be_scored(unit.spec) for unit in self.units)

    def failed(self, unit: Unit) -> bool:
        """A unit, or one of its scores, has failed and will not be tried again now."""
        return not self.failures.keys().isdisjoint((unit.key, *(score_key(task, unit.key) for task in self.tasks)))

    @property
    def done(self) -> bool:
        return not self.passes and not self.to_featurize and self.atlas_done


def make_plan(
    config: SweepConfig,
    store: Store,
    resolved: Resolved,
    retry_failed: bool = False,
    given_up: Mapping[str, Failure] = MappingProxyType({}),
) -> Plan:
    """What is left to do for a config, given the store.

    Args:
        config, store: see there.
        resolved: the sentences, specs and tasks that the config names.
        retry_failed: try encoders again that failed by their own fault.
        given_up: what the machine failed too often in this sweep, by key: not to be tried again now.

    Raises:
        NewerSchema: an artefact that this config needs is of a newer version of this program.
    """
    sentences = resolved.sentences
    units = [
        Unit(
            unit_key(spec, sentences.fingerprint, config.encode),
            parent_key(spec),
            spec,
            resolved.attributes.get(spec.name, {}),
        )
        for spec in resolved.specs
    ]
    units, same = _distinct(units)
    keys = {unit.key for unit in units}
    embedded = frozenset(store.embeddings.keys() & keys)
    held = {folder: store.features.keys(folder, keys) for folder in feature_folders(config, sentences.fingerprint)}
    # of those that are given up, the rows are there and cannot be read
    featured = frozenset(keys.intersection(*held.values()) - given_up.keys())
    unread = {key for key in keys if measures_key(key) in given_up}
    folder = measures_folder(sentences)
    measured = frozenset((keys & store.features.keys(folder, keys)) - unread)
    held[folder] = {*measured, *unread}
    kept = store.scores.pairs() if resolved.tasks else set()
    scored = {
        (key, unit.key): name
        for key, task in resolved.tasks.items()
        for unit in units
        if (key, name := score_file(task, unit)) in kept and score_key(key, unit.key) not in given_up
    }
    unscored = {
        score_key(task, unit.key): (task, unit)
        for task in resolved.tasks
        for unit in units
        if (task, unit.key) not in scored and may_be_scored(unit.spec)
    }
    failures = {
        key: failure
        for key, failure in {**store.failures.read_all((keys - featured) | unscored.keys()), **given_up}.items()
        if (key in keys - featured or key in unscored)
        and (key in given_up or (failure.kind == "permanent" and not retry_failed))
    }
    failures |= _without_vectors(resolved, unscored)
    todo = [unit for unit in units if unit.key not in embedded | featured | failures.keys()]
    to_score = [pair for key, pair in unscored.items() if key not in failures and pair[1].key not in failures]
    failures |= {failure.key: failure for failure in (*resolved.unresolved, *resolved.unasked)}
    shown = [unit for unit in units if unit.key in featured]
    manifest = store.atlases.manifest(config.name)
    plan = Plan(
        sentences=sentences,
        units=tuple(units),
        embedded=embedded,
        featured=featured,
        measured=measured,
        lacking={
            key: lacks
            for key in embedded
            if (lacks := tuple(folder for folder, there in held.items() if key not in there))
        },
        tasks=resolved.tasks,
        scored=scored,
        failures=failures,
        passes=_passes(todo, to_score, resolved, config, store),
        atlas_done=False,
        notes=tuple(resolved.notes + same + unmeasured_note(len(featured - measured - embedded))),
        public=resolved.public,
        incomplete=tuple(dict.fromkeys(resolved.incomplete)),
        owner=resolved.owner,
        corpora=resolved.corpora,
    )
    identity = _identity(config, plan, shown)
    return replace(plan, identity=identity, atlas_done=manifest is not None and manifest.get("identity") == identity)


def _identity(config: SweepConfig, plan: Plan, shown: Sequence[Unit]) -> str:
    """The identity of the atlas of what is done."""
    rows, measures = shown_rows(shown, config), measures_folder(plan.sentences)
    for row, unit in zip(rows, shown, strict=True):
        if isinstance(unit.spec, GIVEN) and unit.attributes:  # a person's, who may change them
            row["attributes"] = unit.attributes
        if unit.key in plan.measured:
            row["measures"] = measures
    prediction = (
        {
            "settings": config.prediction.model_dump(mode="json"),
            "public": plan.public.digest,
            "tasks": {fingerprint: task.name for fingerprint, task in plan.tasks.items()},
            "scored": content_key(sorted((task, name) for (task, _), name in plan.scored.items())),
        }
        if config.tasks
        else None
    )
    return atlas_identity(rows, config.features, config.atlas, plan.sentences.fingerprint, prediction)


def shown_rows(units: Iterable[Unit], config: SweepConfig) -> list[dict]:
    """What the atlas knows of each encoder beside its features: one row (a dict of plain values) a unit."""
    rows, units = [], list(units)
    bases = {
        unit.spec.id: unit.attributes["base_model"]
        for unit in units
        if isinstance(unit.spec, HubSpec) and unit.attributes.get("base_model")
    }
    for unit, kind in zip(units, kinds_of([unit.spec for unit in units], bases), strict=True):
        spec = unit.spec
        layer, pooling = spec.readout or (None, None)
        rows.append(
            {
                "key": unit.key,
                "name": spec.name,
                "family": spec.family,
                "source": spec.source,
                "parent": unit.parent,
                "group": group_of(spec, unit.parent, bases, config.prediction.group_by),
                "kind": kind,
                "layer": None if layer is None else str(layer),  # one column for 6 and "last"
                "pooling": pooling,
                "transforms": ",".join(spec.transforms),
                **what_it_is(spec),
                "own": True if is_own_folder(spec) else None,
            }
        )
    return rows


def _distinct(units: list[Unit]) -> tuple[list[Unit], list[str]]:
    """Each key once; the config may name one encoder twice under two names."""
    first: dict[str, Unit] = {}
    notes = []
    for unit in units:
        if unit.key in first:
            notes.append(f"{unit.spec.name!r} is the same encoder as {first[unit.key].spec.name!r}; it is left out")
        else:
            first[unit.key] = unit
    return list(first.values()), notes


def may_be_scored(spec: EncoderSpec) -> bool:
    """Ready vectors are scored only where those of the tasks' texts are given too."""
    return not (isinstance(spec, MatrixSpec) and spec.texts is None)


def _without_vectors(resolved: Resolved, unscored: Mapping[str, tuple[str, Unit]]) -> dict[str, Failure]:
    """The scores that there cannot be, since texts of the task have no vector; by score_key."""
    found = {}
    for key, (task, unit) in unscored.items():
        why = resolved.lacking.get((task, unit.spec.name))
        if why is not None:
            found[key] = Failure(
                key=key,
                encoder=unit.spec.name,
                kind="permanent",
                exception="texts without vectors",
                message=f"{resolved.tasks[task].name}: {why}",
                remedy="add their vectors to the file of texts:, each text exactly as the task has it",
            )
    return found


def _passes(
    units: list[Unit], to_score: list[tuple[str, Unit]], resolved: Resolved, config: SweepConfig, store: Store
) -> tuple[PassWork, ...]:
    sentences, fits = resolved.sentences, store.fits.keys() if resolved.corpora else set()
    groups: dict[str, tuple[list[Unit], dict[str, list[Unit]]]] = {}

    def group(unit: Unit) -> tuple[list[Unit], dict[str, list[Unit]]]:
        return groups.setdefault(pass_key(unit.spec, sentences.fingerprint, config.encode), ([], {}))

    for unit in units:
        group(unit)[0].append(unit)
    for task, unit in to_score:
        group(unit)[1].setdefault(task, []).append(unit)
    passes = []
    for key, (embed, score) in groups.items():
        work = PassWork(
            key, tuple(embed), 0.0, scorings=tuple(Scoring(task, tuple(own)) for task, own in score.items())
        )
        first, corpora = work.members[0], corpora_of(work.members, fits)
        texts = sum(len(resolved.tasks[task].texts) for task in score) + (len(sentences) if embed else 0)
        texts += sum(len(resolved.corpora[one]) for one in corpora)
        slots = slots_of(first.spec, first.attributes, config)
        passes.append(
            replace(
                work,
                seconds=cpu_seconds(first.spec, first.attributes, texts),
                slot=slots[0],
                slots=slots,
                fetched=isinstance(first.spec, HubSpec),
                corpora=corpora,
            )
        )
    return tuple(sorted(passes, key=lambda work: (-work.seconds, work.key)))

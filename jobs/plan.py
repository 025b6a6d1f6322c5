"""What a sweep has to do: resolved from the config and from what is in the store, and from nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path

from jobs.config import BuiltinSentences, CatalogueEntry, FolderEntry, SweepConfig
from qre.atlas.build import atlas_identity
from qre.encoders.catalogue import catalogue
from qre.encoders.passes import parent_key, pass_key, unit_key
from qre.encoders.spec import ClassicalSpec, EncoderSpec, FolderSpec
from qre.encoders.transformer import default_prompt, folder_revision
from qre.errors import UserError
from qre.sentences import SentenceSet, builtin_set, read_sentences
from qre.store import Failure, Store

FEWEST = 4  # encoders: with fewer there is no map to draw


@dataclass(frozen=True)
class Unit:
    """One encoder on the sentence set."""

    key: str
    parent: str
    spec: EncoderSpec


@dataclass(frozen=True)
class PassWork:
    """One pass to run, for the units that are read off it.

    Attributes:
        seconds: expected cost on one CPU core, for ordering only.
    """

    key: str
    units: tuple[Unit, ...]
    seconds: float


@dataclass(frozen=True)
class Plan:
    """What is done and what is to do.

    Attributes:
        units: all of the config, in its order.
        embedded, featured: keys of units whose embedding, or feature row, is in the store.
        failures: by unit key; only those that will not be tried again now.
        passes: to run, longest first.
        atlas_done: the atlas in the store is the one of this config and these features.
        notes: what a person should know.
    """

    sentences: SentenceSet
    units: tuple[Unit, ...]
    embedded: frozenset[str]
    featured: frozenset[str]
    failures: dict[str, Failure]
    passes: tuple[PassWork, ...]
    atlas_done: bool
    notes: tuple[str, ...] = field(default=())

    @cached_property
    def to_featurize(self) -> tuple[Unit, ...]:
        """Units whose embedding is there and whose features are not."""
        return tuple(
            unit for unit in self.units
            if unit.key in self.embedded and unit.key not in self.featured and unit.key not in self.failures
        )  # fmt: skip

    @cached_property
    def on_map(self) -> tuple[Unit, ...]:
        """Units with features: those that the atlas shows."""
        return tuple(unit for unit in self.units if unit.key in self.featured)

    @property
    def done(self) -> bool:
        return not self.passes and not self.to_featurize and self.atlas_done


def method_folder(config: SweepConfig, fingerprint: str) -> str:
    """The folder of feature shards: one for each method and sentence set."""
    return f"{config.features.name}-{fingerprint[:12]}"


def make_plan(
    config: SweepConfig, store: Store, resolved: Resolved | None = None, retry_failed: bool = False, given_up: Collection[str] = ()
) -> Plan:
    """What is left to do for a config, given the store.

    Args:
        config, store: see there.
        resolved: the sentences and specs, where they are known already.
        retry_failed: try encoders again that failed by their own fault.
        given_up: keys of units that the machine failed too often in this sweep: not to be tried again now.

    Raises:
        UserError: the sentences or an encoder cannot be resolved.
    """
    sentences, specs, notes = resolved or resolve(config)
    units = [Unit(unit_key(spec, sentences.fingerprint, config.encode), parent_key(spec), spec) for spec in specs]
    units, same = _distinct(units)
    keys = {unit.key for unit in units}
    embedded = frozenset(store.embeddings.keys() & keys)
    featured = frozenset(store.features.keys(method_folder(config, sentences.fingerprint)) & keys)
    failures = {
        key: failure for key, failure in store.failures.read_all().items()
        if key in keys - featured and (key in given_up or (failure.kind == "permanent" and not retry_failed))
    }  # fmt: skip
    todo = [unit for unit in units if unit.key not in embedded | featured | failures.keys()]
    shown = [unit for unit in units if unit.key in featured]
    manifest = store.atlases.manifest(config.name)
    identity = atlas_identity(shown_rows(shown), config.features, config.atlas, sentences.fingerprint)
    return Plan(
        sentences=sentences, units=tuple(units), embedded=embedded, featured=featured, failures=failures,
        passes=_passes(todo, sentences, config), notes=tuple(notes + same),
        atlas_done=manifest is not None and manifest["identity"] == identity,
    )  # fmt: skip


def shown_rows(units: Iterable[Unit]) -> list[dict]:
    """What the atlas knows of each encoder beside its features: one row (a dict of plain values) a unit."""
    rows = []
    for unit in units:
        spec = unit.spec
        layer, pooling = spec.readout or (None, None)
        rows.append({
            "key": unit.key, "name": spec.name, "family": spec.family, "source": spec.source, "parent": unit.parent,
            "layer": layer, "pooling": pooling, "transforms": ",".join(spec.transforms),
        })  # fmt: skip
    return rows


Resolved = tuple[SentenceSet, list[EncoderSpec], list[str]]


def resolve(config: SweepConfig) -> Resolved:
    """The sentence set, the specs with their revisions, and notes. Reads sentence files and encoder folders, runs nothing.

    Raises:
        UserError: naming the entry of the config.
    """
    sentences = _sentences(config)
    specs: list[EncoderSpec] = []
    notes = list(sentences.notes)
    for number, entry in enumerate(config.encoders):
        if isinstance(entry, CatalogueEntry):
            listed, missing = catalogue(entry.name)
            matching = [spec for spec in listed if any(fnmatchcase(spec.name, pattern) for pattern in entry.include)]
            if not matching and not missing:
                raise UserError(f"encoders[{number}].include: no encoder of catalogue {entry.name!r} matches {', '.join(entry.include)}")
            specs += matching
            notes += missing
        elif isinstance(entry, FolderEntry):
            specs.append(_folder_spec(entry, number))
        else:
            specs.append(entry)
    names = [spec.name for spec in specs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"encoders: two encoders are named {twice!r}; names are what people read, so give one of them another")
    if len(specs) < FEWEST:
        raise UserError(f"encoders: {len(specs)} in all, and a map needs at least {FEWEST}" + "".join(f"; {note}" for note in notes))
    return sentences, specs, notes


def _sentences(config: SweepConfig) -> SentenceSet:
    wanted = config.sentences
    if isinstance(wanted, BuiltinSentences):
        try:
            return builtin_set(wanted.limit, wanted.seed)
        except ValueError as error:
            raise UserError(f"sentences.limit: {error}") from None
    return read_sentences(wanted.path, wanted.column, wanted.limit, wanted.on_problem)


def _folder_spec(entry: FolderEntry, number: int) -> FolderSpec:
    path = Path(entry.path).expanduser().resolve()
    name = entry.name or path.name
    try:
        revision = folder_revision(path)
    except UserError as error:
        raise UserError(f"encoders[{number}].path: {error}") from None
    values = entry.model_dump()
    values |= {"path": str(path), "name": name, "family": entry.family or name, "revision": revision}
    values["prompt"] = default_prompt(path) if entry.prompt is None else entry.prompt
    return FolderSpec(**values)


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


def _passes(units: list[Unit], sentences: SentenceSet, config: SweepConfig) -> tuple[PassWork, ...]:
    groups: dict[str, list[Unit]] = {}
    for unit in units:
        groups.setdefault(pass_key(unit.spec, sentences.fingerprint, config.encode), []).append(unit)
    passes = [PassWork(key, tuple(group), _seconds(group[0].spec, len(sentences))) for key, group in groups.items()]
    return tuple(sorted(passes, key=lambda work: (-work.seconds, work.key)))


def _seconds(spec: EncoderSpec, n: int) -> float:
    """A rough cost on one CPU core, calibrated on 90 MB of weights at 200 sentences a second; used for the order only."""
    if isinstance(spec, ClassicalSpec):
        return {"hashed": 1e-4, "projection": 3e-4, "sif": 1e-3, "lsa": 1e-3}[spec.kind] * n
    weights = sum(file.stat().st_size for file in Path(spec.path).rglob("*.safetensors"))
    return n / 200 * weights / 90e6

"""What a sweep has to do: resolved from the config and from what is in the store, and from nothing else."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from jobs.config import SweepConfig
from jobs.resolve import Resolved
from jobs.slots import Slot
from qre.atlas.build import atlas_identity
from qre.encoders.cost import GPUS, Estimate, estimate
from qre.encoders.passes import parent_key, pass_key, unit_key
from qre.encoders.spec import ClassicalSpec, EncoderSpec, FolderSpec, HubSpec
from qre.sentences import SentenceSet
from qre.store import Failure, Store


@dataclass(frozen=True)
class Unit:
    """One encoder on the sentence set."""

    key: str
    parent: str
    spec: EncoderSpec
    attributes: dict = field(default_factory=dict, compare=False)  # what is known before it is loaded; changes no number


@dataclass(frozen=True)
class PassWork:
    """One pass to run, for the units that are read off it.

    Attributes:
        seconds: expected cost on one CPU core, for ordering only.
        slot: what it holds on a node.
        fetched: a node must fetch its snapshot first.
    """

    key: str
    units: tuple[Unit, ...]
    seconds: float
    slot: Slot = Slot()
    fetched: bool = False

    @property
    def name(self) -> str:
        """The first encoder's name, and how many more."""
        more = f" (+{len(self.units) - 1})" if len(self.units) > 1 else ""
        return f"{self.units[0].spec.name}{more}"

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
    config: SweepConfig, store: Store, resolved: Resolved, retry_failed: bool = False, given_up: Collection[str] = ()
) -> Plan:
    """What is left to do for a config, given the store.

    Args:
        config, store: see there.
        resolved: the sentences and specs that the config names.
        retry_failed: try encoders again that failed by their own fault.
        given_up: keys of units that the machine failed too often in this sweep: not to be tried again now.
    """
    sentences = resolved.sentences
    units = [
        Unit(unit_key(spec, sentences.fingerprint, config.encode), parent_key(spec), spec, resolved.attributes.get(spec.name, {}))
        for spec in resolved.specs
    ]
    units, same = _distinct(units)
    keys = {unit.key for unit in units}
    embedded = frozenset(store.embeddings.keys() & keys)
    featured = frozenset(store.features.keys(method_folder(config, sentences.fingerprint)) & keys)
    failures = {
        key: failure for key, failure in store.failures.read_all().items()
        if key in keys - featured and (key in given_up or (failure.kind == "permanent" and not retry_failed))
    }  # fmt: skip
    todo = [unit for unit in units if unit.key not in embedded | featured | failures.keys()]
    failures |= {failure.key: failure for failure in resolved.unresolved}
    shown = [unit for unit in units if unit.key in featured]
    manifest = store.atlases.manifest(config.name)
    identity = atlas_identity(shown_rows(shown), config.features, config.atlas, sentences.fingerprint)
    return Plan(
        sentences=sentences, units=tuple(units), embedded=embedded, featured=featured, failures=failures,
        passes=_passes(todo, sentences, config), notes=tuple(resolved.notes + same),
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
    words = sum(len(text.split()) for text in sentences.texts)
    passes = []
    for key, group in groups.items():
        first = group[0]
        slot = _slot(first, words, len(sentences), config)
        passes.append(PassWork(key, tuple(group), _seconds(first.spec, len(sentences)), slot, fetched=isinstance(first.spec, HubSpec)))
    return tuple(sorted(passes, key=lambda work: (-work.seconds, work.key)))


def _seconds(spec: EncoderSpec, n: int) -> float:
    """A rough cost on one CPU core, calibrated on 90 MB of weights at 200 sentences a second; used for the order only."""
    if isinstance(spec, ClassicalSpec):
        return {"hashed": 1e-4, "projection": 3e-4, "sif": 1e-3, "lsa": 1e-3}[spec.kind] * n
    return n / 200 * weight_bytes(spec) / 90e6


def expected_cost(unit: Unit, words: int, n: int, config: SweepConfig) -> Estimate:
    """What a transformer will take, by the model of qre/encoders/cost.py."""
    spec, known = unit.spec, unit.attributes
    budget = spec.token_budget or config.encode.token_budget
    return estimate(known.get("parameters"), weight_bytes(spec), known.get("hidden_size"), spec.dtype, words, n, budget)


def _slot(unit: Unit, words: int, n: int, config: SweepConfig) -> Slot:
    if isinstance(unit.spec, ClassicalSpec):
        return config.cluster.cpu_slot
    return config.cluster.slot(expected_cost(unit, words, n, config).memory / 1e9)


def weight_bytes(spec: FolderSpec | HubSpec) -> int:
    """Bytes of the weights of an encoder."""
    if isinstance(spec, HubSpec):
        return sum(size for name, size in spec.files if name.endswith(".safetensors"))
    return sum(file.stat().st_size for file in Path(spec.path).rglob("*.safetensors"))


def expected_costs(plan: Plan, config: SweepConfig) -> dict:
    """What the transformers that are still to run will cost, summed: plain values, by the model of qre/encoders/cost.py."""
    words = sum(len(text.split()) for text in plan.sentences.texts)
    gpus = {gpu.name: {"fits": 0, "hours": 0.0} for gpu in GPUS}
    total = {"passes": 0, "parameters": 0, "download": 0, "stored": 0, "memory": 0}
    each = []
    for work in plan.passes:
        unit = work.units[0]
        if isinstance(unit.spec, ClassicalSpec):
            continue
        cost = expected_cost(unit, words, len(plan.sentences), config)
        total["passes"] += 1
        total["parameters"] += cost.parameters
        download = sum(size for _, size in unit.spec.files) if isinstance(unit.spec, HubSpec) else 0
        each.append({"name": unit.spec.name, "parameters": cost.parameters, "memory": cost.memory, "download": download, "fits": cost.fits})
        total["download"] += download
        total["stored"] += cost.stored * len(work.units)
        total["memory"] = max(total["memory"], cost.memory)
        for name, seconds in cost.seconds.items():
            gpus[name]["fits"] += 1
            gpus[name]["hours"] += seconds / 3600
    return {**total, "gpus": gpus, "largest": sorted(each, key=lambda row: -row["memory"])[:10], "each": each}

"""What passes are expected to cost: for their order, for the slot that holds them, and for `qre plan`. By the model of qre/encoders/cost.py."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jobs.config import SweepConfig
from jobs.slots import Slot
from qre.encoders.cost import GPUS, Estimate, estimate
from qre.encoders.spec import ClassicalSpec, EncoderSpec, FolderSpec, HubSpec

if TYPE_CHECKING:  # the plan stands on this
    from jobs.planning.plan import PassWork, Plan


def cpu_seconds(spec: EncoderSpec, texts: int) -> float:
    """A rough cost on one CPU core, calibrated on 90 MB of weights at 200 sentences a second; used for the order only."""
    if isinstance(spec, ClassicalSpec):
        return {"hashed": 1e-4, "projection": 3e-4, "sif": 1e-3, "lsa": 1e-3}[spec.kind] * texts
    return texts / 200 * weight_bytes(spec) / 90e6


def expected_cost(spec: FolderSpec | HubSpec, attributes: dict, words: int, n: int, config: SweepConfig) -> Estimate:
    """What a transformer will take for so many words, and for storing n vectors. `attributes` are what is known of it."""
    budget = spec.token_budget or config.encode.token_budget
    return estimate(attributes.get("parameters"), weight_bytes(spec), attributes.get("hidden_size"), spec.dtype, words, n, budget)


def slot_of(spec: EncoderSpec, attributes: dict, config: SweepConfig) -> Slot:
    """The slot that holds an encoder, by its expected memory."""
    if isinstance(spec, ClassicalSpec):
        return config.cluster.cpu_slot
    return config.cluster.slot(expected_cost(spec, attributes, 0, 0, config).memory / 1e9)


def weight_bytes(spec: FolderSpec | HubSpec) -> int:
    """Bytes of the weights of an encoder."""
    if isinstance(spec, HubSpec):
        return sum(size for name, size in spec.files if name.endswith(".safetensors"))
    return sum(file.stat().st_size for file in Path(spec.path).rglob("*.safetensors"))


class Words:
    """How many words each pass of a plan encodes: of the sentences, and of the texts of its tasks."""

    def __init__(self, plan: Plan):
        self._sentences = _words(plan.sentences.texts)
        self._tasks = {fingerprint: _words(task.texts) for fingerprint, task in plan.tasks.items()}

    def of(self, work: PassWork) -> int:
        return (self._sentences if work.units else 0) + sum(self._tasks[scoring.task] for scoring in work.scorings)


def _words(texts: tuple[str, ...]) -> int:
    return sum(len(text.split()) for text in texts)


def expected_costs(plan: Plan, config: SweepConfig) -> dict:
    """What the transformers that are still to run will cost, summed: plain values."""
    words = Words(plan)
    gpus = {gpu.name: {"fits": 0, "hours": 0.0} for gpu in GPUS}
    total = {"passes": 0, "parameters": 0, "download": 0, "stored": 0, "memory": 0}
    each = []
    for work in plan.passes:
        unit = work.members[0]
        if isinstance(unit.spec, ClassicalSpec):
            continue
        cost = expected_cost(unit.spec, unit.attributes, words.of(work), len(plan.sentences), config)
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

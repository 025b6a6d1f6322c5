"""What a plan will cost, for `qre plan`: by the model of qre/encoders/cost.py."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jobs.config import SweepConfig
from jobs.config.prices import ESTIMATED, OTHER, price_of
from jobs.planning.costs import expected_cost, is_transformer, seconds_on
from jobs.planning.paid import expected_tokens
from jobs.planning.plan import Plan
from jobs.planning.units import PassWork
from qre.encoders.cost import GPUS
from qre.encoders.spec import HubSpec, MatrixSpec, ModelSpec, WordsSpec
from qre.store import Store


class Words:
    """How many words each pass of a plan encodes: of the sentences, of its corpora, and of the texts of its tasks."""

    def __init__(self, plan: Plan):
        self.sentences = _words(plan.sentences.texts)
        self.tasks = {fingerprint: _words(task.texts) for fingerprint, task in plan.tasks.items()}
        self.corpora = {fingerprint: _words(corpus.texts) for fingerprint, corpus in plan.corpora.items()}

    def of(self, work: PassWork) -> int:
        own = (self.sentences if work.units else 0) + sum(self.corpora[one] for one in work.corpora)
        return own + sum(self.tasks[scoring.task] for scoring in work.scorings)


@lru_cache(maxsize=128)  # costs, times and limits all ask, and a corpus may be large
def _words(texts: tuple[str, ...]) -> int:
    return sum(len(text.split()) for text in texts)


def expected_costs(plan: Plan, config: SweepConfig, store: Store | None = None) -> dict:
    """What the transformers that are still to run will cost, summed, and how many passes of other encoders there are
    (`static`, `classical`, `matrix`: ready vectors, `words`: word vectors, `endpoint`, whose tokens are in
    `endpoints`); and by slot, where its label names a GPU type, the hours on GPUs of it (of a shared one as if each had
    it alone, since sharing slows it as much): plain values.

    Static encoders look vectors up; they count in what is downloaded and stored, and not as transformers.

    Args:
        store: what it has is sent to no endpoint again.
    """
    words = Words(plan)
    gpus = {gpu.name: {"fits": 0, "hours": 0.0} for gpu in GPUS}
    total = {"passes": 0, "parameters": 0, "download": 0, "stored": 0, "memory": 0}
    total |= {"static": 0, "classical": 0, "matrix": 0, "words": 0, "endpoint": 0}
    each: list[dict[str, Any]] = []
    slots: dict[str, dict[str, Any]] = {}
    for work in plan.passes:
        unit = work.members[0]
        slot = slots.setdefault(work.slot.name, {"passes": 0, "gpu": work.slot.gpu_type, "hours": 0.0})
        slot["passes"] += 1
        if not isinstance(unit.spec, ModelSpec):
            total[unit.spec.source] += 1
            if isinstance(unit.spec, MatrixSpec):  # the store keeps what was given, beside the embeddings
                total["stored"] += 4 * len(plan.sentences) * unit.spec.dimension * (1 + len(work.units))
            elif isinstance(unit.spec, WordsSpec):
                total["stored"] += 4 * len(plan.sentences) * unit.spec.dimension * len(work.units)
            continue
        cost = expected_cost(unit.spec, unit.attributes, words.of(work), len(plan.sentences), config)
        download = sum(size for _, size in unit.spec.fetched) if isinstance(unit.spec, HubSpec) else 0
        if not is_transformer(unit.spec, unit.attributes):
            total["static"] += 1
            total["download"] += download
            total["stored"] += cost.stored * len(work.units)
            continue
        total["passes"] += 1
        total["parameters"] += cost.parameters
        each.append(
            {
                "name": unit.spec.name,
                "parameters": cost.parameters,
                "memory": cost.memory,
                "download": download,
                "fits": cost.fits,
            }
        )
        total["download"] += download
        total["stored"] += cost.stored * len(work.units)
        total["memory"] = max(total["memory"], cost.memory)
        slot["hours"] += work.slot.gpus * seconds_on(cost, slot["gpu"]) / 3600 if slot["gpu"] is not None else 0.0
        for name, seconds in cost.seconds.items():
            gpus[name]["fits"] += 1
            gpus[name]["hours"] += seconds / 3600
    endpoints = expected_tokens(plan, store)
    return {
        **total,
        "endpoints": endpoints,
        "gpus": gpus,
        "slots": slots,
        "largest": sorted(each, key=lambda row: -row["memory"])[:10],
        "each": each,
    }


def with_prices(costs: dict, prices: Mapping[str, float]) -> dict:
    """The same with the price of an hour and the cost on each GPU type (None where it has no price), and the type that
    is cheapest of those that hold the most of the encoders."""
    gpus = {}
    for name, gpu in costs["gpus"].items():
        price = price_of(name, prices)
        gpus[name] = {**gpu, "price": price, "cost": None if price is None else price * gpu["hours"]}
    slots = {}
    for name, slot in costs.get("slots", {}).items():
        price = price_of(slot["gpu"], prices) if slot["gpu"] else None
        slots[name] = {**slot, "price": price, "cost": None if price is None else price * slot["hours"]}
    priced = [name for name, gpu in gpus.items() if gpu["cost"] is not None and gpu["fits"]]
    cheapest = min(priced, key=lambda name: (-gpus[name]["fits"], gpus[name]["cost"]), default=None)
    unknown = sorted(set(prices) - set(ESTIMATED) - {OTHER, "A100"})
    return {**costs, "gpus": gpus, "slots": slots, "cheapest": cheapest, "without_estimate": unknown}

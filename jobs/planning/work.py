"""What a sweep is expected to take: seconds of each piece of its work, on one CPU core or on the GPU that the piece
holds. A stated model, not a measurement.

Measured on one core of a server CPU with AVX-512, one thread, texts of 13 words:

- A transformer: the operations of qre/encoders/cost.py at CORE_FLOPS. The core reached 160 GFLOP/s, counted so; laptops
  reach about half.
- Static and classical encoders: seconds a text, below. LSA and word vectors are fitted first, on the sentence set.
- A score: seconds a text of the task, once the texts are encoded.
- Features: a Gram matrix (2 n d² operations), its eigenvectors (20 d³), and one product a method, at DOUBLE_FLOPS.
- The map: a start, and seconds an encoder; its report, seconds an encoder and a task; the differences of variants,
  seconds a task and an encoder that may be one.
- The folds of the predictions, of N encoders: a start, and N^1.5 times seconds a repeat, and a task and permutation.
  Measured with 40 to 236 encoders, 1 and 6 tasks, 1 and 5 repeats, 0 to 1,000 permutations: within a third.

What was measured in the store before goes before the model: see `measured_factor`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace

from jobs.config import SweepConfig
from jobs.config.slots import Slot
from jobs.planning.costs import cpu_seconds, expected_cost, seconds_on
from jobs.planning.estimates import Words
from jobs.planning.granted import granted_cpus
from jobs.planning.plan import Plan
from jobs.planning.shard_folders import shard_folders
from jobs.planning.units import PassWork, Scoring, Unit, corpora_of
from qre.encoders.cost import PADDING, START_SECONDS, TOKENS_PER_WORD
from qre.encoders.lineage import plainer
from qre.encoders.passes import pass_key
from qre.encoders.spec import (
    ClassicalSpec,
    EncoderSpec,
    EndpointSpec,
    FolderSpec,
    HubSpec,
    MatrixSpec,
    ModelSpec,
    StaticSpec,
    WordsSpec,
)
from qre.store import Store

CORE_FLOPS = 100e9
DOUBLE_FLOPS = 20e9
PIECE_SECONDS = 0.5  # of any pass: to hand it over, and to write what it makes
LOAD_SECONDS = 4.0  # of an encoder with weights
PAIR_WORDS = 13  # of a text that contributions of weights are computed over
STATIC_SECONDS = 4e-5  # a text
CLASSICAL_SECONDS = {"hashed": 5e-5, "projection": 2e-4, "sif": 1e-4, "lsa": 5e-5}  # a text
FIT_SECONDS = {"lsa": 3e-4, "sif": 1e-4}  # a sentence of the set that it is fitted on
# a text
SCORE_SECONDS = {
    "sts": 4e-5,
    "pairs": 3e-5,
    "classification": 1.3e-4,
    "clustering": 1.7e-4,
    "retrieval": 2e-5,
    "word_similarity": 4e-5,
    "word_pairs": 5e-5,
    "analogies": 3e-4,
}
USUAL_DIMENSION = 512
LAYOUT = (2.5, 0.011)  # seconds: a start, and an encoder
REPORT = (2.0, 0.002, 0.15)  # a start, an encoder, and a task
FOLDS = (1.0, 1.0e-3, 6.8e-6)  # a start; times encoders to the power of 1.5: a repeat, and a task and permutation
DIFFERENCE = 0.1  # a task, and an encoder that may be a variant of another one
COMPARED = 0.01  # an encoder and method of the curve over ε
RAY_SECONDS = 8.0  # to start Ray here, and the first processes


@dataclass(frozen=True)
class PassTime:
    """Expected seconds of one pass, by its steps.

    Attributes:
        start: to hand it over and load the encoder.
        embed: to encode the sentences, and the corpora that transforms are fitted on.
        scores: of each scoring: to encode its texts, and to score one encoder.
    """

    start: float
    embed: float
    scores: tuple[tuple[float, float, int], ...]

    @property
    def total(self) -> float:
        return self.start + self.embed + sum(encode + each * count for encode, each, count in self.scores)

    def left(self, loaded: bool, share: float) -> float:
        """What is left where `share` of the texts that it encodes now are encoded."""
        encoding = self.embed or next((encode for encode, _, _ in self.scores), 0.0)
        return self.total - (self.start if loaded else 0.0) - share * encoding


class Times:
    """Expected seconds of the pieces of a plan."""

    def __init__(self, plan: Plan, config: SweepConfig, factor: float | None = None):
        """`factor`: how much slower than the model transformers were here, where that is measured: see
        `measured_factor`."""
        self._plan, self._config, self._factor = plan, config, factor or 1.0
        self._rates: dict[tuple[str, str], float] = {}
        self._words = Words(plan)
        self._methods = len(shard_folders(config, plan.sentences))

    def of(self, work: PassWork) -> PassTime:
        """Of a pass, in its slot."""
        unit, n = work.members[0], len(self._plan.sentences)
        spec = unit.spec
        each = self._encoding(spec, unit.attributes, work.key, work.slot)
        start = PIECE_SECONDS
        if isinstance(spec, MatrixSpec | EndpointSpec | WordsSpec):
            pass  # there is nothing to load
        elif not isinstance(spec, ClassicalSpec):
            start += LOAD_SECONDS
            if isinstance(spec, ModelSpec) and spec.variant is not None:
                texts = spec.variant.sparsify.texts
                start += each(texts, texts * PAIR_WORDS)
        elif spec.kind in FIT_SECONDS and spec.corpus is None:
            start += FIT_SECONDS[spec.kind] * n
        scores = tuple(self._scoring(one, each) for one in work.scorings)
        embed = each(n, self._words.sentences) if work.units else 0.0
        embed += sum(each(len(self._plan.corpora[one]), self._words.corpora[one]) for one in work.corpora)
        return PassTime(start, embed, scores)

    def _scoring(self, one: Scoring, each: Callable[[int, int], float]) -> tuple[float, float, int]:
        task = self._plan.tasks[one.task]
        return (
            each(len(task.texts), self._words.tasks[one.task]),
            SCORE_SECONDS.get(task.kind, 1e-4) * len(task.texts),
            len(one.units),
        )

    def _encoding(self, spec: EncoderSpec, attributes: dict, key: str, slot: Slot) -> Callable[[int, int], float]:
        """Seconds for so many texts of so many words, in the slot of the pass."""
        if isinstance(spec, StaticSpec | MatrixSpec | WordsSpec):
            return lambda texts, words: STATIC_SECONDS * texts
        if isinstance(spec, ClassicalSpec):
            return lambda texts, words: CLASSICAL_SECONDS[spec.kind] * texts
        if isinstance(spec, EndpointSpec):
            return lambda texts, words: cpu_seconds(spec, attributes, texts)
        if (key, slot.name) not in self._rates:
            self._rates[key, slot.name] = self._seconds_a_word(spec, attributes, slot)
        return lambda texts, words: self._rates[key, slot.name] * words

    def _seconds_a_word(self, spec: FolderSpec | HubSpec, attributes: dict, slot: Slot) -> float:
        """Of a transformer in a slot."""
        cost = expected_cost(spec, attributes, 1_000_000, 0, self._config)
        if slot.gpus and cost.seconds:
            return (seconds_on(cost, slot.gpu_type) - START_SECONDS) / 1e6
        return 2.0 * cost.parameters * TOKENS_PER_WORD * PADDING / CORE_FLOPS / slot.cpus * self._factor

    def features(self, units: int) -> float:
        """Of the features of so many encoders."""
        n, d = len(self._plan.sentences), min(USUAL_DIMENSION, len(self._plan.sentences))
        return units * (0.05 + (2.0 * n * d * d * (1 + self._methods) + 20.0 * d**3) / DOUBLE_FLOPS)

    def atlas(self) -> dict[str, float]:
        """Of the stages of the atlas, by the names that the reducer tells."""
        count = max(len(self._plan.units) - len(self._plan.failures), 1)
        variants = sum(next(plainer(unit.spec), None) is not None for unit in self._plan.units)
        stages = {
            "features read": 0.5 + 0.002 * count,
            "differences of variants": DIFFERENCE * variants * len(self._plan.tasks),
            "layout and figures": LAYOUT[0] + LAYOUT[1] * count,
        }
        if self._config.tasks:
            asked, tasks = self._config.prediction, max(len(self._plan.tasks), 1)
            stages["folds of predictions"] = FOLDS[0] + count**1.5 * (
                FOLDS[1] * asked.repeats + FOLDS[2] * tasks * asked.permutations
            )
            stages["methods compared"] = COMPARED * count * len(self._config.prediction.sensitivity)
            stages["report and figures"] = REPORT[0] + REPORT[1] * count + REPORT[2] * tasks
        cpus = self._config.cluster.reduce_cpus
        shared = ("folds of predictions", "differences of variants")  # by several threads
        return {name: seconds / (cpus if name in shared else 1) for name, seconds in stages.items()}


def measured_factor(plan: Plan, config: SweepConfig, store: Store) -> float | None:
    """How much slower than the model the transformers of this store were when they last embedded these sentences on a
    CPU: the median; None where nothing is measured. Less than half a second says nothing of a speed.
    """
    passes = {
        key: work for key, work in _whole_passes(plan, config).items() if isinstance(work.units[0].spec, ModelSpec)
    }
    times, n, ratios = Times(plan, config), len(plan.sentences), []
    for key, speed in store.speeds.read(passes).items():
        work, seconds, sentences = passes[key], speed.get("seconds", 0), speed.get("sentences", 0)
        expected = times.of(replace(work, corpora=())).embed
        if speed.get("device") == "cpu" and seconds > 0.5 and sentences and expected > 0:
            ratios.append(seconds / sentences * n * speed.get("threads", 1) / expected)
    return statistics.median(ratios) if ratios else None


def seconds_done(plan: Plan, config: SweepConfig, factor: float | None) -> float:
    """Expected seconds of what earlier runs have done of a plan, on all cores or GPUs that it may use at once here."""
    times, left = Times(plan, config, factor), {work.key: work for work in plan.passes}
    whole = _whole_passes(plan, config)
    done = 0.0
    for key, work in whole.items():
        slot = left[key].slot if key in left else config.cluster.cpu_slot
        done += max(times.of(replace(work, slot=slot)).total - (times.of(left[key]).total if key in left else 0.0), 0.0)
    return (done + times.features(len(plan.featured))) / side_by_side(config)


def side_by_side(config: SweepConfig) -> int:
    """Passes at once: what the config tells, else the CPUs that this process is granted."""
    settings = config.cluster
    return settings.width_per_slot or max((settings.cpus or granted_cpus()) // settings.cpu_slot.cpus, 1)


def _whole_passes(plan: Plan, config: SweepConfig) -> dict[str, PassWork]:
    """Every pass of the config by its key, as if nothing were done, in the slot of one CPU."""
    units: dict[str, list[Unit]] = {}
    for unit in plan.units:
        units.setdefault(pass_key(unit.spec, plan.sentences.fingerprint, config.encode), []).append(unit)
    return {
        key: PassWork(
            key,
            tuple(own),
            0.0,
            Slot(),
            scorings=tuple(Scoring(task, tuple(own)) for task in plan.tasks),
            corpora=corpora_of(own),
        )
        for key, own in units.items()
    }

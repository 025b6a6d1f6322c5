"""The folders of shards of a sweep, one row an encoder, and what they hold."""

from __future__ import annotations

from jobs.config import SweepConfig
from qre.features import FeatureMethod
from qre.geometry.measured_row import MeasureMethod
from qre.sentences import SentenceSet


def method_folder(config: SweepConfig, fingerprint: str) -> str:
    """The folder of the sweep's own feature shards: one for each method and sentence set."""
    return _folder(config.features, fingerprint)


def feature_folders(config: SweepConfig, fingerprint: str) -> dict[str, FeatureMethod | None]:
    """Folder -> what its shards hold, of those that each encoder of the map is in: the sweep's own features; with tasks
    also what predictions are made of and compared with. None: the spectra."""
    methods = [config.features, *((*config.prediction.also, *config.prediction.sensitivity) if config.tasks else ())]
    return {_folder(method, fingerprint): method for method in methods} | (
        {spectra_folder(fingerprint): None} if config.tasks else {}
    )


def shard_folders(config: SweepConfig, sentences: SentenceSet) -> dict[str, FeatureMethod | MeasureMethod | None]:
    """As feature_folders, with that of the measures, which an encoder of the map may lack."""
    return {measures_folder(sentences): measure_method(sentences), **feature_folders(config, sentences.fingerprint)}


def measure_method(sentences: SentenceSet) -> MeasureMethod:
    """How the measures on a sentence set are made: with its paraphrase groups, if it has them."""
    return MeasureMethod(tuple(sentences.labels.get("group", ())))


def measures_folder(sentences: SentenceSet) -> str:
    """The folder of the measures."""
    return f"{measure_method(sentences).name}-{sentences.fingerprint[:12]}"


def unmeasured_note(count: int) -> list[str]:
    """What is said of encoders whose features are kept and whose embedding is gone, before there were measures."""
    if not count:
        return []
    has = "encoder has" if count == 1 else "encoders have"
    return [
        f"{count:,} {has} no measures of geometry: what they are made of, the embedding, is no longer in the store; "
        f"none is embedded again for them"
    ]


def spectra_folder(fingerprint: str) -> str:
    """The folder of leading eigenvalues and Gram sketches."""
    return f"spectra-{fingerprint[:12]}"


def _folder(method: FeatureMethod, fingerprint: str) -> str:
    return f"{method.name}-{fingerprint[:12]}"

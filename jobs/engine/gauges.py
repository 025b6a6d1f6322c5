"""What a sweep counts for those who watch the cluster: on every node's metrics port as `ray_<name>`, for Prometheus.

The driver counts, from the events that it gets anyway: a worker that dies takes no number with it.
"""

from __future__ import annotations

from ray.util.metrics import Counter, Gauge, Histogram

SECONDS = [0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000, 3000, 10000]


class Metrics:
    """The counters of one sweep. Made after ray.init.

    qre_units_done, qre_units_failed (tag kind: permanent, transient), qre_units_in_flight, qre_attempts_lost (passes
    that the machine failed), qre_scores_done, qre_sentences_embedded, qre_embedding_bytes, qre_phase_seconds (tag
    phase: load, encode, write, featurize, score, reduce). All have the tag sweep.
    """

    def __init__(self, sweep: str):
        tags = {"sweep": sweep}
        self.done = _made(Counter, "qre_units_done", "Encoders whose features are in the store", tags)
        self.failed = _made(Counter, "qre_units_failed", "Encoders that failed", tags, "kind")
        self.in_flight = _made(Gauge, "qre_units_in_flight", "Encoders being embedded", tags)
        self.lost = _made(Counter, "qre_attempts_lost", "Passes that the machine failed and that are tried again", tags)
        self.scores = _made(Counter, "qre_scores_done", "Scores of encoders on tasks that are in the store", tags)
        self.sentences = _made(Counter, "qre_sentences_embedded", "Sentences embedded, all encoders together", tags)
        self.bytes = _made(Counter, "qre_embedding_bytes", "Bytes of embeddings written to the store", tags)
        self.seconds = _made(Histogram, "qre_phase_seconds", "Seconds a phase takes", tags, "phase", boundaries=SECONDS)


def _made(kind, name: str, description: str, tags: dict[str, str], *keys: str, **options):
    metric = kind(name, description, tag_keys=(*tags, *keys), **options)
    metric.set_default_tags(tags)
    return metric

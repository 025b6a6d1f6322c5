"""Whether the model behind an endpoint is the one that answered before: fixed sentences, whose vectors are kept."""

from __future__ import annotations

import numpy as np

from jobs.workers.till import Till
from qre.encoders.endpoint import Endpoint, ModelChanged, TooMuch
from qre.encoders.endpoint_client import Halted
from qre.encoders.endpoint_pass import PROBE
from qre.errors import EncoderError
from qre.store import Store
from qre.store.folder import content_key

# servers do not give the same bits twice: batches and reduced precision move a vector by less than this. A model that
# was trained further, or quantised anew, moves it by more
LEAST_COSINE, MOST_LENGTH = 0.999, 0.01


def probe_key(endpoint: Endpoint) -> str:
    return content_key({"probe": endpoint.spec.model_identity(), "sentences": PROBE})


def check_model(store: Store, endpoint: Endpoint, till: Till) -> None:
    """Ask for the vectors of the probe, and compare them with those that are kept; keep them where none are.

    Raises:
        ModelChanged: the model has changed. What else Endpoint.embed raises is left as it is; HeldBack of the till.
    """
    key, reserved = probe_key(endpoint), till.about(PROBE)
    till.check(reserved)
    try:
        answer = endpoint.embed(PROBE, till.paused)
    except BaseException as error:
        till.settle(PROBE, reserved, None, sent=isinstance(error, Halted) and error.sent)
        if isinstance(error, TooMuch):
            raise EncoderError(f"the server refuses five short sentences: {error}") from None
        raise
    till.settle(PROBE, reserved, answer.tokens)
    kept = store.probes.read(key)
    if kept is None:
        store.probes.write(key, answer.vectors)
    elif why := _changed(kept, answer.vectors):
        as_of = endpoint.spec.as_of
        raise ModelChanged(
            f"the model has changed since {as_of} ({why}): state a new date with as_of, and it is a new encoder beside "
            f"what is kept of the old one"
        )


def _changed(kept: np.ndarray, now: np.ndarray) -> str:
    """How two (5, d) differ beyond rounding, in words; "" where they do not."""
    if kept.shape != now.shape:
        return f"its vectors have {now.shape[1]} dimensions, and had {kept.shape[1]}"
    before, after = (np.linalg.norm(one.astype(np.float64), axis=1) for one in (kept, now))
    products = (kept.astype(np.float64) * now).sum(axis=1)
    cosine = float((products / np.maximum(before * after, 1e-300)).min())
    if cosine < LEAST_COSINE:
        return f"of five probe sentences the vectors have a cosine of {cosine:.4f} with those of then, and not 1"
    if np.abs(after / np.maximum(before, 1e-300) - 1).max() > MOST_LENGTH:
        return "of five probe sentences the vectors have another length than then"
    return ""

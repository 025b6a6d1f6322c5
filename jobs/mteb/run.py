"""Public MTEB scores for the encoders of a sweep: joined from what others measured, and measured here where nobody has.

Nothing here knows of Ray: a sweep calls `run` inside an actor that holds the encoder.
"""

from __future__ import annotations

import importlib.util
import json
import re
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from jobs.mteb.joined import Encoder, join
from qre.encoders.hub_problems import printable
from qre.errors import NonFiniteError, ShapeError, UserError
from qre.store.folder import Folder
from qre.tasks.mteb import META, REPORT, Rule, Scores, official_rules, read_results, rule_of

# where encode_query and encode_document look
SIDES = {"query": ("query",), "document": ("document", "passage", "corpus")}
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+=-]{0,120}")  # of a name that becomes a folder


def missing(
    table: pd.DataFrame, encoders: Iterable[Encoder], tasks: Iterable[str], revisions: Literal["exact", "any"] = "any"
) -> pd.DataFrame:
    """What lacks: one row (encoder, id, revision, task) for each encoder and task without a score; `revisions` as in
    `join`."""
    encoders, tasks = list(encoders), list(dict.fromkeys(tasks))
    joined = join(table, encoders, revisions).table
    have = set(zip(joined.encoder, joined.task, strict=True))
    lacks = [(*encoder, task) for encoder in encoders for task in tasks if (encoder.name, task) not in have]
    return pd.DataFrame(lacks, columns=["encoder", "id", "revision", "task"])


class MtebEncoder:
    """A callable as an encoder for `mteb`: its EncoderProtocol.

    The callable is given texts, and what is put before each where that is not left to it. It is looked up in `prompts`
    as MTEB's own wrapper of sentence-transformers does: by task and side, task, type of the task and side, type, side;
    then as `encode_query` and `encode_document` do; and where nothing is found it is `default`, None for the callable's
    own.
    """

    def __init__(
        self, encode: Callable[..., np.ndarray], meta, prompts: Mapping[str, str], default: str | None, similarity: str
    ):
        self._encode, self.mteb_model_meta, self.prompts, self._default, self._similarity = (
            encode,
            meta,
            prompts,
            default,
            similarity,
        )
        self._known = _known(prompts)

    def prompt_of(self, task_metadata, prompt_type) -> str | None:
        """What is put before the texts of one side of a task."""
        from mteb.models.abs_encoder import get_prompt_name

        if (name := get_prompt_name(self._known, task_metadata, prompt_type)) is not None:
            return self._known[name]
        sides = SIDES[prompt_type.value] if prompt_type else ()
        return next((self.prompts[name] for name in sides if name in self.prompts), self._default)

    def encode(self, inputs, *, task_metadata, hf_split, hf_subset, prompt_type=None, **kwargs) -> np.ndarray:
        """(n, d) float32 for n texts; the batches of `inputs` are joined, as the callable makes better ones (by
        length).

        Raises:
            ShapeError: the callable gave another number of rows, or no matrix.
            NonFiniteError: it gave NaN or Inf.
        """
        texts = [text for batch in inputs for text in batch["text"]]
        prompt = self.prompt_of(task_metadata, prompt_type) if self.prompts else self._default
        vectors = np.asarray(self._encode(texts) if prompt is None else self._encode(texts, prompt), dtype=np.float32)
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ShapeError(f"{len(texts)} texts gave an array of shape {vectors.shape}", self.mteb_model_meta.name)
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))[:10]
        if len(bad):
            raise NonFiniteError(
                f"NaN or Inf in texts of {task_metadata.name}", self.mteb_model_meta.name, tuple(bad.tolist())
            )
        return vectors

    def similarity(self, embeddings1, embeddings2):
        from sentence_transformers import SimilarityFunction

        return SimilarityFunction.to_similarity_fn(self._similarity)(embeddings1, embeddings2)

    def similarity_pairwise(self, embeddings1, embeddings2):
        from sentence_transformers import SimilarityFunction

        return SimilarityFunction.to_similarity_pairwise_fn(self._similarity)(embeddings1, embeddings2)


def _known(prompts: Mapping[str, str]) -> dict[str, str]:
    """The prompts whose names `mteb` knows: of tasks, types of tasks and sides."""
    import logging

    from mteb.models.abs_encoder import AbsEncoder

    logger = logging.getLogger("mteb.models.abs_encoder")
    with warnings.catch_warnings():  # of the others; which prompts there are is recorded
        warnings.simplefilter("ignore")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            return AbsEncoder.validate_task_to_prompt_name(dict(prompts), raise_for_invalid_keys=False)[0] or {}
        finally:
            logger.setLevel(level)


def run(
    encode: Callable[..., np.ndarray],
    name: str,
    revision: str,
    tasks: Collection,
    folder: str | Path,
    prompts: Mapping[str, str] | None = None,
    progress: Callable[[str, int, int], None] = lambda task, done, total: None,
    default: str | None = None,
    similarity: str = "cosine",
) -> Scores:
    """Run MTEB tasks for one encoder; tasks whose result is in the folder already are not run again.

    Results are written by `mteb`'s own form to folder/results/<name>/<revision>/<task>.json, each whole or not at all,
    and read back by the very rules of `read_results`. A task that fails (its data cannot be had, the encoder raises) is
    a row of the report and stops no other.

    Args:
        encode: n texts, and what is put before each where `prompts` or `default` say it, to an (n, d) array.
        name: the id on the hub, or another name of the form [owner/]name.
        revision: its commit, or another name of a revision.
        tasks: names of MTEB tasks (with the splits and subsets of `official_rules`), or task objects of `mteb`, taken
            as they are.
        prompts, default: by task, type of task or side; see MtebEncoder. They are recorded in model_meta.json.
        similarity: how vectors are compared: cosine, dot, euclidean or manhattan.
        progress: told the task that is begun, how many are done, and of how many.

    Raises:
        UserError: mteb is not installed, a task is unknown, the name or revision cannot be a folder, or the folder
            holds results of this encoder with other prompts.
    """
    if importlib.util.find_spec("mteb") is None:
        raise UserError(
            'running MTEB tasks needs mteb, and so Python 3.11 or newer: pip install -e ".[mteb]" in this project\'s '
            "checkout"
        )
    tasks = [task_of(task) if isinstance(task, str) else task for task in tasks]
    told = {prompt: text for prompt, text in (prompts or {}).items() if text}
    encoder = MtebEncoder(encode, _meta(name, revision, told, similarity), prompts or {}, default, similarity)
    place = _place(folder, name, revision)
    _write_meta(place, encoder)
    wanted, rules = {task.metadata.name for task in tasks}, {task.metadata.name: rule_of(task) for task in tasks}
    have, failed = set(read_results(place.root, wanted, rules=rules).table.task), []
    for done, task in enumerate(tasks):
        progress(task.metadata.name, done, len(tasks))
        if task.metadata.name not in have and (why := _evaluate(encoder, task, place)):
            failed.append(("", name, task.metadata.name, why, "no result"))
    scores = read_results(place.root, wanted, rules=rules)
    return Scores(scores.table, pd.concat([scores.report, pd.DataFrame(failed, columns=REPORT)], ignore_index=True))


def task_of(name: str, rule: Rule | None = None):
    """The task object of `mteb` with the splits and subsets of a rule, by default of `official_rules`.

    Raises:
        UserError: there is no such task; with the nearest name.
    """
    import mteb

    rule = rule or official_rules().get(name)
    try:
        return (
            mteb.get_task(name, eval_splits=list(rule.splits), hf_subsets=list(rule.subsets))
            if rule
            else mteb.get_task(name)
        )
    except KeyError as error:
        raise UserError("MTEB task " + error.args[0].removeprefix("KeyError: ")) from None


def _evaluate(encoder: MtebEncoder, task, place: Folder) -> str:
    """Run one task and write its result; "" or why there is none."""
    import mteb

    try:
        with _without_bars():
            result = mteb.evaluate(
                encoder,
                task,
                cache=None,
                co2_tracker=False,
                show_progress_bar=False,
                encode_kwargs={"batch_size": 1024, "show_progress_bar": False},
            )
    except Exception as error:  # of the encoder, the hub or mteb: the other tasks are not touched by it
        return printable(f"{type(error).__name__}: {error}", 500)
    if result.exceptions:
        return printable(result.exceptions[0].exception, 500)
    content = result.task_results[0].model_dump(mode="json")
    place.write(f"{task.metadata.name}.json", json.dumps(content, indent=2).encode())
    return ""


def _meta(name: str, revision: str, prompts: Mapping[str, str], similarity: str):
    from mteb.models import ModelMeta
    from mteb.models.model_meta import ScoringFunction

    compared = {"cosine": ScoringFunction.COSINE, "dot": ScoringFunction.DOT_PRODUCT}.get(similarity)
    told = {"name": name, "revision": revision, "modalities": ["text"], "similarity_fn_name": compared}
    return ModelMeta.create_empty({**told, "experiment_kwargs": {"prompts": dict(prompts)} if prompts else None})


def _place(folder: str | Path, name: str, revision: str) -> Folder:
    parts = name.split("/")
    if len(parts) > 2 or not all(PART.fullmatch(part) for part in [*parts, revision]):
        raise UserError(f"{name!r} at {revision!r} cannot be a folder of results: give [owner/]name and a commit")
    return Folder(Path(folder) / "results" / name.replace("/", "__") / revision)


def _write_meta(place: Folder, encoder: MtebEncoder) -> None:
    """model_meta.json, as `mteb` writes it.

    Raises:
        UserError: there is one, of other prompts: its results would be taken for this encoder's.
    """
    told = encoder.mteb_model_meta.to_dict()
    try:
        known = json.loads(place.read(META)).get("experiment_kwargs")
    except (FileNotFoundError, ValueError, AttributeError):  # none, or none that mteb wrote
        return place.write(META, json.dumps(told, default=str, indent=4).encode())
    if (known or {}).get("prompts", {}) != (told["experiment_kwargs"] or {}).get("prompts", {}):
        raise UserError(f"{place.root}: results of {told['name']} with other prompts are here; give another folder")


@contextmanager
def _without_bars() -> Iterator[None]:
    """No progress bars, also where `mteb` and what it calls have no switch: they would fill the log of a worker."""
    from tqdm import std

    init = std.tqdm.__init__
    std.tqdm.__init__ = lambda bar, *args, **kwargs: init(bar, *args, **{**kwargs, "disable": True})
    try:
        yield
    finally:
        std.tqdm.__init__ = init

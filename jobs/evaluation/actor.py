"""The actor that runs MTEB tasks: loads one encoder for all its tasks, and puts each result into the store as soon as
it is made."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np
import ray

from jobs.config.slots import Slot
from jobs.mteb.joined import Encoder
from jobs.mteb.own_results import ROOT, fetch_meta, place_of, publish
from jobs.mteb.run import run, task_of
from jobs.workers.embed import StoreNotShared, not_shared
from jobs.workers.events import Loaded, Started
from jobs.workers.faults import check_own, machines_fault
from jobs.workers.worker import set_threads
from qre.encoders.hub_problems import printable
from qre.encoders.passes import EncodeSettings, Pass, readout_name
from qre.encoders.snapshots import prefetch
from qre.encoders.spec import FolderSpec, HubSpec
from qre.errors import PlaceError, UserError
from qre.store import Store
from qre.tasks.mteb import Rule

OWN = readout_name(())  # an encoder's own pipeline
ANY_TEXT = ("text",)  # a pass is loaded over sentences; here its texts come later, from the tasks


@dataclass(frozen=True)
class Evaluation:
    """The MTEB tasks that one encoder lacks.

    Attributes:
        spec: the encoder.
        prompts: (name, text) pairs: MTEB's registry's, else the encoder's own; see run.MtebEncoder.
        tasks: (name, what counts of it) pairs.
        seconds: for ordering only.
        slot, slots: what it holds on a node; see PassWork.
        fetched: a node must fetch its snapshot first.
    """

    encoder: Encoder
    spec: Union[HubSpec, FolderSpec]
    prompts: tuple[tuple[str, str], ...]
    tasks: tuple[tuple[str, Rule | None], ...]
    seconds: float
    slot: Slot = Slot()
    fetched: bool = False
    default: str | None = None  # where no prompt is found; None: that of the spec
    refusal: str = ""  # why it is not to be run, where MTEB measures it in another way
    slots: tuple[Slot, ...] = ()

    @property
    def key(self) -> str:
        return f"{self.encoder.id}@{self.encoder.revision}"

    @property
    def name(self) -> str:
        return self.encoder.name


@dataclass(frozen=True)
class TaskEnded:
    """A task has a result in the store (`score` on 0-1, None where it gives no main score), or has none and `why`."""

    task: str
    score: float | None = None
    why: str = ""
    seconds: float = 0.0


Event = Union[Started, Loaded, TaskEnded]


@ray.remote(max_restarts=0, max_task_retries=0)
class MtebRunner:
    """Runs one encoder's tasks after another's. Ray restarts and retries nothing here: the driver does."""

    def __init__(self, store: str, threads: int, gpus: int):
        self._store, self._threads = Store(store), threads
        self._device = {0: "cpu", 1: "auto"}.get(gpus, "spread")

    def run(
        self,
        work: Evaluation,
        record: str,
        settings: EncodeSettings,
        upcoming: Evaluation | None = None,
        cache_bytes: int | None = None,
    ) -> Iterator[Event]:
        """Run the tasks, telling how far it is: see run_tasks. Meanwhile the snapshot of the `upcoming` encoder is
        fetched.

        Args:
            record: of the progress, which the driver has written.

        Raises:
            StoreNotShared: this node does not see what the driver has written.
        """
        set_threads(self._threads)
        context = ray.get_runtime_context()
        yield Started(context.get_node_id(), os.getpid(), tuple(context.get_accelerator_ids().get("GPU", ())))
        if not self._store.folder.exists(f"progress/{record}.json"):
            raise StoreNotShared(not_shared(self._store))
        if upcoming is not None and isinstance(spec := upcoming.spec, HubSpec):
            prefetch(spec, cache_bytes)
        try:
            tasks = [task_of(name, rule) for name, rule in work.tasks]
        except (UserError, ImportError) as error:  # another mteb than the driver's, or none
            raise PlaceError(f"{socket.gethostname()}: {error}") from error
        yield from run_tasks(self._store, work, tasks, settings, self._device, cache_bytes)


def run_tasks(
    store: Store,
    work: Evaluation,
    tasks: Sequence,
    settings: EncodeSettings,
    device: str = "auto",
    cache_bytes: int | None = None,
) -> Iterator[Loaded | TaskEnded]:
    """Run task objects of `mteb` for one encoder, and tell of each how it has ended.

    An encoder's own fault, and data that cannot be had, end a task without a result. What the machine is to blame for
    is raised.
    """
    names = [task.metadata.name for task in tasks]
    began = time.monotonic()
    try:
        loaded = Pass(work.spec, ANY_TEXT, [()], settings, device, cache_bytes)
    except Exception as error:  # whatever loading raises is this encoder's end
        check_own(error, work.spec)
        yield from (TaskEnded(name, why=printable(f"{type(error).__name__}: {error}", 500)) for name in names)
        return
    yield Loaded(time.monotonic() - began, loaded.record["device"])
    try:
        with tempfile.TemporaryDirectory(prefix="qre-mteb-") as folder:
            fetch_meta(store, work.encoder, Path(folder))
            for task in tasks:
                yield _run_one(store, work, task, _Encode(loaded), Path(folder))
    finally:
        loaded.close()


class _Encode:
    """The texts of a task to vectors (n, d). MTEB turns whatever is raised into a line of text, so the machine's faults
    are kept here."""

    def __init__(self, loaded: Pass):
        self._loaded = loaded
        self.fault: Exception | None = None

    @property
    def similarity(self) -> str:
        return self._loaded.similarity

    def __call__(self, texts: list[str], prompt: str | None = None) -> np.ndarray:
        try:
            return self._loaded.encode_texts(texts, prompt)[OWN]
        except Exception as error:
            if machines_fault(error):
                self.fault = error
            raise


def _run_one(store: Store, work: Evaluation, task, encode: _Encode, folder: Path) -> TaskEnded:
    began, name = time.monotonic(), task.metadata.name
    try:
        scores = run(
            encode,
            work.encoder.id,
            work.encoder.revision,
            [task],
            folder,
            dict(work.prompts),
            default=work.default,
            similarity=encode.similarity,
        )
    except UserError:
        return TaskEnded(
            name,
            why=f"{ROOT}/{place_of(work.encoder)} in the store has results with other prompts; remove it, and all of "
            f"them are made again",
        )
    if encode.fault is not None:
        raise encode.fault
    if not publish(store, work.encoder, folder, name):
        whys = scores.report[scores.report.done == "no result"].what
        return TaskEnded(name, why=whys.iloc[-1] if len(whys) else "no result, and no reason given")
    score = float(scores.table.score.iloc[0]) if len(scores.table) else None
    return TaskEnded(name, score, seconds=time.monotonic() - began)

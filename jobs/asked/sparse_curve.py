"""`qre sparsify`: how much of an encoder can be set to zero, and that encoder as a folder."""

from __future__ import annotations

import contextlib
import json
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.asked.measure import encoded
from jobs.terminal.bar import Bar
from jobs.terminal.console import console, note, say
from jobs.terminal.spelled import quoted
from qre.csv_cells import csv_text
from qre.encoders.described import published_model
from qre.encoders.passes import EncodeSettings, Pass, readout_name
from qre.encoders.spec import FolderSpec, HubSpec
from qre.encoders.variants import BATCH, PASSES, VERSION, WITHOUT_PAIRS, Sparsify, Variant
from qre.errors import EncoderError, UserError
from qre.sparsify.contributions import contributions
from qre.sparsify.corpus import Pairs
from qre.sparsify.curve import DENSE, Points, Ranking, better, point, rankings, table, write_whole
from qre.sparsify.masks import least
from qre.sparsify.prepared import Prepared, embedding
from qre.tasks.pairs import STSTask
from qre.tasks.task import Batch

if TYPE_CHECKING:
    import pandas as pd

ANY_TEXT = ("one text", "another")


@dataclass(frozen=True)
class Asked:
    """What a curve is to show.

    Attributes:
        shares: distinct, ascending, the first 0.
        scope, batches: see qre.encoders.variants.Sparsify.
    """

    shares: tuple[float, ...]
    scores: tuple[str, ...]
    seeds: int
    scope: str
    pairs: Pairs
    batches: int
    device: str


def curve(spec: FolderSpec | HubSpec, tasks: Sequence[STSTask], asked: Asked, out: Path) -> pd.DataFrame:
    """Make the points that are not in the folder yet, then the table and the figure; says them.

    Raises:
        UserError: the folder holds another curve.
        EncoderError: the encoder has nothing to set to zero, or is not what its files hold.
    """
    from qre.figures.sparsity import sparsity_figure

    points = Points(out, _identity(spec, tasks, asked))
    with Bar(console) as bar:
        found = _points(spec, Batch(tasks), asked, points, bar)
    told = table(tasks, found)
    files = {"sparsity.csv": csv_text(told).encode(), **sparsity_figure(told, published_model(spec) or spec.name)}
    for name, content in files.items():
        write_whole(out / name, content)
    _say_table(told)
    for (ranking, share), one in found.items():
        if "problem" in one:
            note(f"{ranking.score} (seed {ranking.seed}), share {share:g}, is left out: {one['problem']}")
    say(f"{quoted(out)}: {', '.join(files)}")
    return told


def _identity(spec: FolderSpec | HubSpec, tasks: Sequence[STSTask], asked: Asked) -> dict:
    """All that the points depend on, beside ranking and share."""
    return {
        "version": VERSION,
        "encoder": spec.encoder_identity(),
        "tasks": [task.fingerprint for task in tasks],
        "scope": asked.scope,
        "pairs": asked.pairs.fingerprint,
        "batches": asked.batches,
    }


def _points(
    spec: FolderSpec | HubSpec, tasks: Batch, asked: Asked, points: Points, bar: Bar
) -> dict[tuple[Ranking, float], dict]:
    """Every point, those that are missing made now: a ranking at a time, from the least share to the largest."""
    wanted = [(DENSE, [0.0])]
    wanted += [(one, [share for share in asked.shares if share]) for one in rankings(asked.scores, asked.seeds)]
    found = {(ranking, share): points.read(ranking, share) for ranking, shares in wanted for share in shares}
    missing = {
        ranking: lacking
        for ranking, shares in wanted
        if (lacking := [share for share in shares if found[ranking, share] is None])
    }
    meter = _Meter(bar, len(tasks.texts), asked, missing, len(found))
    for ranking, shares in missing.items():
        for share, made in _made(spec, tasks, asked, ranking, shares, meter):
            points.write(ranking, share, made)
            found[ranking, share] = made
    return {place: one for place, one in found.items() if one is not None}


def _made(
    spec: FolderSpec | HubSpec, tasks: Batch, asked: Asked, ranking: Ranking, shares: Sequence[float], meter: _Meter
) -> Iterator[tuple[float, dict]]:
    """The points of one ranking, each as soon as it is there. The masks of larger shares hold those of smaller ones, so
    one loaded model serves all."""
    with _opened(spec, tasks.texts, asked.device) as (loaded, model, reader):
        if ranking != DENSE:
            embed = embedding(spec, model, reader)
            meter.stage(f"contributions: {ranking.score}, seed {ranking.seed}")
            told = meter.ranked(ranking)
            ranks = contributions(model, embed, ranking.score, asked.pairs, asked.batches, ranking.seed, told)
        for share in shares:
            zeros = of = 0
            if ranking != DENSE:
                mask = least(ranks, share, asked.scope)
                mask.apply(model)
                zeros, of = mask.zeros, mask.of
            meter.stage(f"{ranking.score}, seed {ranking.seed}: {share:.0%} zero" if share else "the whole encoder")
            try:
                vectors = encoded(loaded, readout_name(spec.readout), len(tasks.texts), meter.counted())
                made = point(tasks, vectors, zeros, of)
            except EncoderError as error:  # so little is left that it tells no two texts apart
                if ranking == DENSE:
                    raise
                made = {"zeros": zeros, "of": of, "problem": str(error)}
            yield share, made


@contextlib.contextmanager
def _opened(
    spec: FolderSpec | HubSpec, texts: Sequence[str], device: str, prepare: Callable | None = None
) -> Iterator[tuple[Pass, Any, Any]]:
    """A loaded pass over texts, its model and its reader; `prepare` changes the model."""
    seen: dict[str, Any] = {}

    def keep(spec, model, reader) -> dict:
        seen.update(model=model, reader=reader)
        return prepare(spec, model, reader) if prepare is not None else {}

    loaded = Pass(spec, texts, [spec.readout], EncodeSettings(), device, prepare=keep)
    try:
        yield loaded, seen["model"], seen["reader"]
    finally:
        loaded.close()


class _Meter:
    """How far the curve is, counted in texts that are encoded."""

    def __init__(self, bar: Bar, texts: int, asked: Asked, missing: dict[Ranking, list[float]], count: int):
        self._bar, self._done = bar, 0.0
        pairs = min(len(asked.pairs), BATCH * asked.batches)
        self._rank = {one: 0 if one.score in ("", *WITHOUT_PAIRS) else 2 * PASSES * pairs for one in missing}
        points = sum(map(len, missing.values()))
        self._whole = max(points * texts + sum(self._rank.values()), 1)
        self._label = ""
        if 0 < points < count:
            bar.say(f"{count - points} of {count} points are there; {points} to make")

    def stage(self, label: str) -> None:
        self._label = label
        self._tell()

    def ranked(self, ranking: Ranking) -> Callable[[float], None]:
        """Told the share of the contributions of a ranking that is computed."""
        return self.counted(self._rank[ranking])

    def counted(self, of: float = 1.0) -> Callable[[float], None]:
        """Told how many texts are encoded, each counted `of` times, from now on."""
        began = self._done

        def told(done: float) -> None:
            self._done = began + done * of
            self._tell()

        return told

    def _tell(self) -> None:
        self._bar.update(self._label, min(self._done / self._whole, 1.0), "")


def _say_table(curve: pd.DataFrame) -> None:
    """The curve, a line for each task, score, seed and share; and whether any share is better than the whole."""
    from rich.table import Table

    shown = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("task", "least by", "seed", "share", "zero"):
        shown.add_column(column, justify="left" if column in ("task", "least by") else "right")
    for column in ("Spearman", "gain [95 %]", "alignment", "uniformity"):
        shown.add_column(column, justify="right")
    for row in curve.to_dict("records"):
        gain = f"{row['gain']:+.4f} [{row['gain_low']:+.4f}, {row['gain_high']:+.4f}]" if row["share"] else ""
        shown.add_row(
            *(row["task"], row["score"], str(row["seed"]), f"{row['share']:g}", f"{row['zeros']:,}"),
            *(f"{row['spearman']:.4f}", gain, f"{row['alignment']:.4f}", f"{row['uniformity']:.3f}"),
        )
    console.print(shown, highlight=False)
    found, tried = better(curve), len(curve[curve["share"] > 0])
    if tried and found.empty:
        say("No share scores above the whole encoder beyond the 95 % interval of the difference.")
    for row in found.to_dict("records"):
        place = f"{row['task']}, {row['score']} (seed {row['seed']}), share {row['share']:g}"
        gain = f"{row['gain']:+.4f} [{row['gain_low']:+.4f}, {row['gain_high']:+.4f}]"
        say(f"better than the whole encoder: {place}: {gain}")
    if len(found) and tried > 1:
        note(f"of {tried} intervals of 95 %, 1 in 40 lies above 0 by chance; check a share on other data")


def check_save(folder: Path) -> None:
    """UserError where the folder of an encoder cannot be made: it is there, and not empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"--save {folder}: is there already; name a new folder")


def save(spec: FolderSpec | HubSpec, sparsify: Sparsify, pairs: Pairs, device: str, folder: Path) -> None:
    """Write the sparsified encoder as a folder of sentence-transformers, whole or not at all."""
    check_save(folder)
    asked = sparsify.model_copy(update={"pairs": pairs.fingerprint})
    variant = spec.model_copy(update={"variant": Variant(sparsify=asked)})
    with Bar(console) as bar:
        prepared = Prepared({pairs.fingerprint: pairs}, lambda share: bar.update("contributions", share, ""))
        with _opened(variant, ANY_TEXT, device, prepared) as (loaded, model, _):
            bar.stage("saving")
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.tmp")
            try:
                model.save(str(temporary), create_model_card=False)
                told = {"sparsify": asked.identity(), "encoder": spec.encoder_identity(), **loaded.record["sparsified"]}
                (temporary / "sparsified.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
                if folder.exists():
                    folder.rmdir()
                temporary.rename(folder)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
    facts = loaded.record["sparsified"]
    say(f"{quoted(folder)}: {facts['zeros']:,} of {facts['of']:,} weights are zero; SentenceTransformer loads it")

"""The reducer: all feature rows and scores -> the atlas in the store. One task; the driver holds no matrix."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

import pandas as pd
import pyarrow as pa
import ray

from jobs.config import MtebScores, SweepConfig
from jobs.config.made_again import to_make_again
from jobs.mteb.public_scores import PublicScores
from jobs.planning.plan import Plan, shown_rows
from jobs.planning.shard_folders import feature_folders, measures_folder, method_folder, spectra_folder, unmeasured_note
from jobs.planning.units import Unit, measures_key, score_key
from jobs.records.ownership import Owner, check_owner
from jobs.records.spending import read_spent
from jobs.workers.beats import beating
from jobs.workers.descended import Lineage, found_descended, lineage
from jobs.workers.worker import versions
from qre.atlas.map_table import feature_matrix, parquet_bytes
from qre.atlas.reader import AtlasFiles
from qre.build.atlas_files import build_atlas
from qre.build.scored import SCORES, Descriptions, Progress, ScoredPart, scored_part
from qre.csv_cells import csv_text
from qre.encoders.endpoint_url import PRIVATE, host_of, public_url
from qre.encoders.passes import pass_key
from qre.encoders.spec import EndpointSpec
from qre.geometry.measured_row import MAP_COLUMNS
from qre.page import page_of
from qre.page.gather import told_failure
from qre.store import UNREADABLE, CorruptArtefact, Failure, Store


class Unread(Exception):
    """Feature rows and scores that are there and cannot be read; `failures` are of their units and scores."""

    def __init__(self, failures: list[Failure]):
        super().__init__("; ".join(dict.fromkeys(failure.message for failure in failures)))
        self.failures = failures

    def __reduce__(self):
        return type(self), (self.failures,)


@dataclass(frozen=True)
class Reduction:
    """What an atlas is made of, all that is not in the store.

    Attributes:
        encoders: one row an encoder: key, name, family, parent, group, ...
        attributes: what else is known of each, in the same order; they change with time (downloads) and are not part of
            the identity.
        passes: key of the pass of each.
        measures: the folder of their measures.
        measured: which of them, by key, are in it.
        tasks: fingerprint -> name.
        scored: (task, unit key, name in the store) of scores that are there.
        public: scores that others measured.
        lineage: which encoders are variants of others, and where the items of their scores are.
        owner: the config that the atlas must belong to when it is written; None: nobody asks.
    """

    config: SweepConfig
    fingerprint: str
    identity: str
    encoders: list[dict]
    attributes: list[dict]
    passes: list[str]
    measures: str
    measured: frozenset[str]
    tasks: dict[str, str]
    scored: list[tuple[str, str, str]]
    public: PublicScores
    failures: list[dict]
    lineage: Lineage
    owner: Owner | None = None


def reduction(config: SweepConfig, plan: Plan) -> Reduction:
    """The reduction that a plan leaves to do."""
    shown, fingerprint = plan.on_map, plan.sentences.fingerprint
    keys = [unit.key for unit in shown]
    return Reduction(
        config.model_copy(update={"on_end": None}),
        fingerprint,
        plan.identity,
        shown_rows(shown, config),
        [_told(unit) for unit in shown],
        [pass_key(unit.spec, fingerprint, config.encode) for unit in shown],
        measures_folder(plan.sentences),
        plan.measured,
        {task: told.name for task, told in plan.tasks.items()},
        [(task, key, plan.scored[task, key]) for task in plan.tasks for key in keys if (task, key) in plan.scored],
        plan.public,
        _failures(plan),
        lineage(config, plan),
        plan.owner,
    )


def _failures(plan: Plan) -> list[dict]:
    """The failures of a plan, as they may be passed on with a map: servers of a private network are not named."""
    urls = {unit.spec.url for unit in plan.units if isinstance(unit.spec, EndpointSpec)}
    hosts = sorted((host_of(url) for url in urls if public_url(url) is None), key=len, reverse=True)
    rows = [failure.model_dump(mode="json") for failure in plan.failures.values()]
    for row, part, host in itertools.product(rows, ("message", "remedy"), hosts):
        row[part] = row[part].replace(host, PRIVATE)
    return rows


def _told(unit: Unit) -> dict:
    """What is known of an encoder beside its features; the map has the dimension of what is on it, not that of the
    whole pipeline."""
    return {name: value for name, value in unit.attributes.items() if name != "embedding_dimension"}


@ray.remote(max_retries=0)
def reduce(location: str, wanted: Reduction, threads: int) -> Iterator[object]:
    """write_atlas as a Ray task that yields signs of life, and how far it is: (what is being made, how much of it is
    done, of how much)."""
    yield from beating(lambda tell: write_atlas(Store(location), wanted, threads, lambda *event: tell(event)), threads)


def write_atlas(
    store: Store, wanted: Reduction, threads: int = 1, progress: Progress = lambda stage, done, total: None
) -> bool:
    """Build the atlas and write it; the manifest comes last. `progress` as of `reduce`.

    Returns:
        False where a row, a score or the sentences turned out absent or corrupt, so that the sweep makes it again; True
        when the atlas stands.

    Raises:
        Unread: rows or scores are there and cannot be read.
        NewerSchema: something is of a newer version of this program.
    """
    config, keys = wanted.config, [row["key"] for row in wanted.encoders]
    progress("features read", 0, 1)
    try:
        features = _with_measures(
            store, wanted, store.features.read(method_folder(config, wanted.fingerprint), keys), keys
        )
        sentences = store.sentences.read(wanted.fingerprint)
        scores = _scores(store, wanted)
        about = _descriptions(store, wanted, keys) if config.tasks else None
    except (CorruptArtefact, KeyError, FileNotFoundError):
        return False
    except UNREADABLE as error:
        raise _unread(store, wanted, error) from None
    notices = store.notices.read(wanted.passes)
    warned = [notices.get(key) for key in wanted.passes]
    attributes = [
        known | ({"warnings": " | ".join(said)} if said else {})
        for known, said in zip(wanted.attributes, warned, strict=True)
    ]
    descended = found_descended(store, wanted.lineage, scores, threads, progress)
    progress("layout and figures", 0, 1)
    atlas = build_atlas(wanted.encoders, features, config.atlas, threads, attributes, scores, descended)
    part = (
        scored_part(
            atlas.table, scores, about, config.prediction, progress, atlas.headline, atlas.notes, atlas.variants
        )
        if about is not None
        else ScoredPart({})
    )
    methods = (
        {method.name: method.model_dump(mode="json") for method in about.features}
        if about is not None and part.predicts
        else {}
    )
    manifest = {
        "name": config.name,
        "identity": wanted.identity,
        "made": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "sentences": wanted.fingerprint,
        "config": to_make_again(config),
        "encode": config.encode.model_dump(mode="json"),
        "features": config.features.model_dump(mode="json"),
        "atlas": config.atlas.model_dump(mode="json"),
        "prediction": {"settings": config.prediction.model_dump(mode="json"), "methods": methods}
        if part.predicts
        else None,
        "headline": {**atlas.headline, **part.headline},
        "notes": [
            *atlas.notes,
            *part.notes,
            *unmeasured_note(sum(key not in wanted.measured for key in keys)),
            *_warned_note(warned),
        ],
        "speed": _speeds(store, wanted),
        "spent": read_spent(store, config.name).told(config.cluster),
        "failures": [told_failure(one) for one in wanted.failures],
        "versions": versions(),
    }
    files = {**atlas.files, "sentences.parquet": parquet_bytes(sentences), **part.files}
    if any(isinstance(entry, MtebScores) for entry in config.tasks):
        files["scores_report.csv"] = csv_text(wanted.public.report).encode()
    files["atlas.html"] = page_of(AtlasFiles.in_memory(files, manifest))
    check_owner(store, config.name, wanted.owner)  # another config may have taken it over meanwhile
    store.atlases.write(config.name, files, manifest)
    return True


def _with_measures(store: Store, wanted: Reduction, features: pa.Table, keys: list[str]) -> pa.Table:
    """The feature rows of some encoders with the columns of their measures, null where an encoder has none."""
    there = [key for key in keys if key in wanted.measured]
    if not there:
        return features
    found = store.features.read(wanted.measures, there)
    place = {key: row for row, key in enumerate(there)}
    rows = found.take(pa.array([place.get(key) for key in keys], pa.int64()))
    for name in MAP_COLUMNS:
        features = features.append_column(name, rows[name])
    return features


def _unread(store: Store, wanted: Reduction, error: Exception) -> Exception:
    """What to tell of rows and scores that cannot be read: they cost their own encoders. The error itself where it is
    neither."""
    names = {row["key"]: row["name"] for row in wanted.encoders}
    rows: dict[str, str] = {}
    for folder in feature_folders(wanted.config, wanted.fingerprint):
        rows |= store.features.unread(folder)
    whys = {key: (names[key], why) for key, why in rows.items() if key in names}
    without = store.features.unread(wanted.measures)
    whys |= {
        measures_key(key): (f"measures of {names[key]}", why)
        for key, why in without.items()
        if key in names and key in wanted.measured
    }
    unread = store.scores.unread((task, name) for task, _, name in wanted.scored)
    whys |= {
        score_key(task, key): (f"{names[key]} on {wanted.tasks[task]}", unread[task, name])
        for task, key, name in wanted.scored
        if (task, name) in unread
    }
    if not whys:
        return error
    return Unread(
        [
            Failure(key=key, encoder=name, kind="transient", exception="UnreadableArtefact", message=why)
            for key, (name, why) in whys.items()
        ]
    )


def _scores(store: Store, wanted: Reduction) -> pd.DataFrame:
    """All scores, columns SCORES: by task in the order of the config, then by encoder in the order of the map; those of
    others after them."""
    names = {row["key"]: row["name"] for row in wanted.encoders}
    records = store.scores.read((task, name) for task, _, name in wanted.scored)
    rows = [
        {**records[task, name], "name": names[key], "task": wanted.tasks[task], "source": "measured"}
        for task, key, name in wanted.scored
    ]
    own = pd.DataFrame(rows, columns=list(SCORES))
    table = wanted.public.table
    public = table.loc[table["name"].isin(set(names.values())) & ~table["task"].isin(set(own["task"])), list(SCORES)]
    return (
        pd.concat([own, public], ignore_index=True)
        if len(public) and len(own)
        else public.reset_index(drop=True)
        if len(public)
        else own
    )


def _descriptions(store: Store, wanted: Reduction, keys: list[str]) -> Descriptions:
    """Every feature matrix, each read once, and the spectra."""
    prediction = wanted.config.prediction
    folder_of = {method: folder for folder, method in feature_folders(wanted.config, wanted.fingerprint).items()}
    own = tuple(dict.fromkeys((wanted.config.features, *prediction.also)))
    matrices = {
        method: _matrix(store, folder_of[method], keys) for method in dict.fromkeys((*own, *prediction.sensitivity))
    }
    spectra = store.features.read(spectra_folder(wanted.fingerprint), keys)
    return Descriptions(
        {method: matrices[method] for method in own},
        {method: matrices[method] for method in dict.fromkeys(prediction.sensitivity)},
        feature_matrix(spectra, "spectrum"),
        feature_matrix(spectra, "sketch"),
    )


def _matrix(store: Store, folder: str, keys: list[str]):
    return feature_matrix(store.features.read(folder, keys).select(["feature"]))


def _warned_note(warned: list[list[str] | None]) -> list[str]:
    count = sum(bool(said) for said in warned)
    return (
        [
            f"libraries warned while {count} of the encoders {'was' if count == 1 else 'were'} loaded: column "
            f"warnings of the map"
        ]
        if count
        else []
    )


def _speeds(store: Store, wanted: Reduction) -> dict[str, dict]:
    """How fast each encoder was when it embedded the sentences; it changes with each run, so it is of the manifest."""
    known = store.speeds.read(dict.fromkeys(wanted.passes))
    return {
        row["name"]: {
            "sentences_per_second": round(speed["sentences"] / speed["seconds"], 1),
            "device": speed["device"],
            "threads": speed["threads"],
        }
        for row, key in zip(wanted.encoders, wanted.passes, strict=True)
        if (speed := known.get(key)) and speed["seconds"] > 0
    }

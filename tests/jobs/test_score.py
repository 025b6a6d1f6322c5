"""Scores beside the embedding, without Ray: each is that of its encoder on the map, made once, kept, and made again
where it is damaged."""

import io

import numpy as np
import pandas as pd
import pytest

from jobs.config import SweepConfig
from jobs.engine.rounds import _remove_leftovers
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.planning.tasks import load_tasks
from jobs.planning.units import score_key
from jobs.workers.chunks import texts_key
from jobs.workers.embed import embed_pass
from jobs.workers.events import ScoreResult, UnitResult
from qre.encoders.folders import folder_revision
from qre.encoders.passes import Pass
from qre.encoders.transforms import fit_transforms
from qre.errors import UserError
from qre.store import CorruptArtefact, Failure, Store
from tests.faults.in_process import without_ray
from tests.jobs.test_public_scores import put

STS = [
    ("the cat runs .", "a dog runs .", 1.0),
    ("the old boat", "one new boat", 3.0),
    ("a judge sings", "the judge sings at night", 4.5),
    ("in the city", "under the river", 0.5),
    ("a red cat sees the dog", "the dog sees a red cat", 3.5),
]


@pytest.fixture
def case(tmp_path, tiny_encoder):
    """One pass of a small transformer, four encoders, two tasks; and two classical passes."""
    (tmp_path / "sts.csv").write_text("sentence1,sentence2,score\n" + "\n".join(f"{a},{b},{s}" for a, b, s in STS))
    (tmp_path / "pairs.csv").write_text(
        "sentence1,sentence2,label\n" + "\n".join(f"{a},{b},{int(s > 2)}" for a, b, s in STS)
    )
    folder = {"source": "folder", "path": str(tiny_encoder), "layer": 1, "pooling": "mean"}
    entries = [
        {**folder, "name": "plain"},
        {**folder, "name": "white", "transforms": ["truncate:16", "whiten"]},
        {**folder, "name": "short", "transforms": ["truncate:8", "normalize"]},
        {**folder, "name": "last", "layer": 2, "pooling": "cls", "transforms": ["center"]},
        {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/count/d256", "lsa/word1-1/tfidf/d32"]},
    ]
    tasks = [
        {"source": "file", "kind": kind, "name": kind, "path": str(tmp_path / f"{kind}.csv")}
        for kind in ("sts", "pairs")
    ]
    return SweepConfig.model_validate(
        {
            "name": "t",
            "store": str(tmp_path / "store"),
            "sentences": {"source": "builtin", "limit": 400},
            "encoders": entries,
            "tasks": tasks,
            "encode": {"token_budget": 256, "chunk_sentences": 25},
        }
    )


def planned(config, store, **options):
    return make_plan(config, store, resolve(config, store), **options)


def run(config, store, plan, work):
    """All events of a pass."""
    return list(embed_pass(store, work, plan.sentences, config.encode, tasks=plan.tasks))


def transformer(plan):
    return next(work for work in plan.passes if work.members[0].spec.source == "folder")


def finish(config, store):
    plan = planned(config, store)
    for work in plan.passes:
        run(config, store, plan, work)
    return plan


def test_each_score_is_of_the_encoder_on_the_map(case):
    store = Store(case.store)
    plan = planned(case, store)
    assert len(plan.tasks) == 2 and sum(work.pieces for work in plan.passes) == 6 + 12
    for work in plan.passes:
        ends = [event for event in run(case, store, plan, work) if isinstance(event, (UnitResult, ScoreResult))]
        assert {end.status for end in ends} <= {"done"}
    assert store.scores.pairs() == {(task, unit.key) for task in plan.tasks for unit in plan.units}
    assert not store.chunks.counts()
    for unit in plan.units:
        loaded = Pass(unit.spec, plan.sentences.texts, [unit.spec.readout], case.encode)
        fitted = fit_transforms(
            loaded.encode_texts(plan.sentences.texts)[next(iter(loaded.encode(0)))], unit.spec.transforms
        )
        for fingerprint, task in plan.tasks.items():
            expected = task.score(fitted.apply(next(iter(loaded.encode_texts(task.texts).values()))))
            record = store.scores.read([(fingerprint, unit.key)])[fingerprint, unit.key]
            assert record["score"] == pytest.approx(expected.score, abs=1e-6), unit.spec.name
            assert (record["metric"], record["n"]) == (expected.metric, expected.n)
    assert not planned(case, store).passes


def test_a_task_that_comes_later_needs_no_new_embedding(case, monkeypatch):
    store = Store(case.store)
    finish(case.model_copy(update={"tasks": case.tasks[:1]}), store)
    embedded = {key: store.embeddings.read(key)[0] for key in store.embeddings.keys()}
    plan = planned(case, store)
    assert sum(len(work.units) for work in plan.passes) == 0 and sum(work.pieces for work in plan.passes) == 6
    encoded = []
    encode = Pass.encode
    monkeypatch.setattr(
        Pass, "encode", lambda self, chunk: encoded.append(len(self.chunks[chunk])) or encode(self, chunk)
    )
    run(case, store, plan, transformer(plan))
    assert sum(encoded) < 50  # the fits are in the store
    encoded.clear()
    # a store of before has none: the embedding before any transform of layer 1 is there, that of layer 2 is not: only
    # this one is made once more
    fits = {name: store.folder.read(name) for name in store.folder.names("fits")}
    for name in fits:
        store.folder.remove(name)
    for pair in [pair for pair in store.scores.pairs() if pair[0] == list(plan.tasks)[1]]:
        store.folder.remove(store.scores.name(*pair))
    run(case, store, plan, transformer(planned(case, store)))
    assert sum(encoded) >= 400
    assert len(fits) == 2 and fits == {name: store.folder.read(name) for name in store.folder.names("fits")}
    encoded.clear()
    store.folder.remove(store.fits.name(next(unit.key for unit in plan.units if unit.spec.name == "white")))
    only = case.model_copy(update={"encoders": case.encoders[:3]})
    for pair in [pair for pair in store.scores.pairs() if pair[0] == list(plan.tasks)[1]]:
        store.folder.remove(store.scores.name(*pair))
    run(
        case,
        store,
        plan,
        transformer(planned(only.model_copy(update={"encoders": case.encoders[:3] + case.encoders[4:]}), store)),
    )
    assert sum(encoded) < 50
    assert dict.fromkeys(embedded, True) == {
        key: np.array_equal(store.embeddings.read(key)[0], matrix) for key, matrix in embedded.items()
    }


def test_what_is_cut_off_goes_on_and_gives_the_same_scores(case, monkeypatch, tmp_path):
    undisturbed = Store(tmp_path / "undisturbed")
    finish(case, undisturbed)
    store = Store(case.store)
    plan = planned(case, store)
    work = transformer(plan)
    events = embed_pass(store, work, plan.sentences, case.encode, tasks=plan.tasks)
    for event in events:
        if isinstance(event, ScoreResult):  # the first score stands; the rest is cut off, as by a kill
            break
    events.close()
    there = store.scores.pairs()
    assert 1 <= len(there) < 8
    assert store.chunks.counts()[texts_key(work.key, event.task)]
    again = transformer(planned(case, store))
    assert again.pieces == 8 - len(there)
    encoded = []
    encode = Pass.encode
    monkeypatch.setattr(Pass, "encode", lambda self, chunk: encoded.append(chunk) or encode(self, chunk))
    finish(case, store)
    assert not store.chunks.counts()
    pairs = undisturbed.scores.pairs()
    assert store.scores.pairs() == pairs
    assert {name: store.folder.read(store.scores.name(*name)) for name in pairs} == {
        name: undisturbed.folder.read(undisturbed.scores.name(*name)) for name in pairs
    }


def test_an_encoder_that_fails_has_no_scores_and_one_that_fails_on_a_task_is_on_the_map(case, monkeypatch):
    store = Store(case.store)
    plan = planned(case, store)
    work = transformer(plan)
    bad = work.units[1]
    bad = type(bad)(bad.key, bad.parent, bad.spec.model_copy(update={"transforms": ("truncate:999",)}))
    swapped = type(work)(
        work.key,
        (work.units[0], bad),
        1.0,
        scorings=tuple(type(one)(one.task, (work.units[0], bad)) for one in work.scorings),
    )
    ends = [event for event in run(case, store, plan, swapped) if isinstance(event, ScoreResult)]
    assert {end.key for end in ends} == {work.units[0].key}
    task = list(plan.tasks)[0]
    monkeypatch.setattr(type(plan.tasks[task]), "scored", lambda self, *_: 1 / 0)
    store.folder.remove(store.scores.name(task, work.units[0].key))
    again = planned(case, store)
    ends = [
        event
        for event in run(case, store, again, transformer(again))
        if isinstance(event, ScoreResult) and event.status == "failed"
    ]
    assert {end.exception for end in ends} == {"ZeroDivisionError"} and {end.task for end in ends} == {task}
    # recorded, it is not tried again unless that is asked for
    for end in ends:
        store.failures.write(
            Failure(
                key=score_key(end.task, end.key), encoder="x", kind="permanent", exception=end.exception, message=""
            )
        )
    assert all(
        one.task != task
        for work in planned(case, store).passes
        if work.members[0].spec.source == "folder"
        for one in work.scorings
    )
    assert any(one.task == task for work in planned(case, store, retry_failed=True).passes for one in work.scorings)


def test_a_damaged_score_is_put_away_and_made_again(case):
    store = Store(case.store)
    plan = finish(case, store)
    pair = sorted(store.scores.pairs())[0]
    before = store.folder.read(store.scores.name(*pair))
    store.folder.write(store.scores.name(*pair), before.replace(b'"score":', b'"score":1'))
    with pytest.raises(CorruptArtefact, match="content does not match its checksum"):
        store.scores.read(store.scores.pairs())
    with pytest.raises(FileNotFoundError):
        store.scores.read([pair])
    assert sum(work.pieces for work in planned(case, store).passes) == 1
    finish(case, store)
    assert store.folder.read(store.scores.name(*pair)) == before
    assert len(plan.tasks) == 2


def test_two_tasks_of_one_name_and_a_missing_file_are_told(case):
    with pytest.raises(UserError, match=r"tasks\[1\]: a task is named 'sts' already \(tasks\[0\]\)"):
        load_tasks(case.model_copy(update={"tasks": (case.tasks[0], case.tasks[1].model_copy(update={"name": "sts"}))}))
    with pytest.raises(UserError, match=r"tasks\[0\]: .*nowhere.csv: no such file"):
        load_tasks(case.model_copy(update={"tasks": (case.tasks[0].model_copy(update={"path": "nowhere.csv"}),)}))
    tasks, notes = load_tasks(
        case.model_copy(update={"tasks": (case.tasks[0], case.tasks[0].model_copy(update={"name": "again"}))})
    )
    assert len(tasks) == 1 and notes == ["task 'again' is the same as 'sts'; it is left out"]


def test_scores_that_others_measured_are_in_the_atlas_beside_ours(tmp_path, tiny_encoder):
    """Imported by id and revision, in the table with their source; the report says what did not join; new ones make the
    atlas anew."""
    (tmp_path / "pairs.csv").write_text(
        "sentence1,sentence2,label\n" + "\n".join(f"{a},{b},{int(s > 2)}" for a, b, s in STS)
    )
    encoders = [
        {"source": "folder", "path": str(tiny_encoder), "name": "tiny"},
        {"source": "catalogue", "name": "classical", "include": ["hash/word*"]},
    ]
    tasks = [
        {"source": "file", "kind": "pairs", "name": "pairs", "path": str(tmp_path / "pairs.csv")},
        {"source": "mteb", "results": [str(tmp_path / "results")]},
    ]
    config = SweepConfig.model_validate(
        {
            "name": "t",
            "store": str(tmp_path / "store"),
            "sentences": {"source": "builtin", "limit": 200},
            "encoders": encoders,
            "tasks": tasks,
        }
    )
    revision = folder_revision(tiny_encoder)[:40]
    put(tmp_path / "results", f"local/{tiny_encoder.name}", revision, "STS12", 0.625)
    put(tmp_path / "results", "org/unknown", "a" * 40, "STS12", 0.5)
    without_ray(config, tmp_path / "made")
    store = Store(tmp_path / "made")
    table = pd.read_csv(io.BytesIO(store.atlases.read("t", "scores.csv")))
    assert dict(table.groupby("source").size()) == {"imported": 1, "measured": 13}
    imported = table[table.source == "imported"].iloc[0]
    assert (imported["name"], imported.task, imported.score, np.isnan(imported.low)) == ("tiny", "STS12", 0.625, True)
    assert "results without encoder" in store.atlases.read("t", "scores_report.csv").decode()
    assert planned(config, store).atlas_done
    put(tmp_path / "results", f"local/{tiny_encoder.name}", revision, "STS13", 0.5)
    assert not planned(config, store).atlas_done


@pytest.mark.parametrize("threads", [1, 3])
def test_scores_are_the_same_beside_a_gpu_and_on_more_threads(case, tmp_path, monkeypatch, threads):
    """Where a GPU encodes, one task is scored while the texts of the next are encoded; here the device is a CPU that
    says it is a GPU."""
    undisturbed, store = Store(tmp_path / "undisturbed"), Store(case.store)
    finish(case, undisturbed)
    made = Pass.__init__

    def claims(self, *arguments, **keywords):
        made(self, *arguments, **keywords)
        self.record["device"] = "cuda"

    monkeypatch.setattr(Pass, "__init__", claims)
    plan = planned(case, store)
    for work in plan.passes:
        list(embed_pass(store, work, plan.sentences, case.encode, threads, tasks=plan.tasks))
    pairs = undisturbed.scores.pairs()
    assert store.scores.pairs() == pairs and not store.chunks.counts()
    assert {pair: store.scores.read([pair])[pair]["score"] for pair in pairs} == {
        pair: undisturbed.scores.read([pair])[pair]["score"] for pair in pairs
    }


def test_chunks_of_whole_passes_are_swept_up_and_those_of_failed_ones_kept(case):
    """A sweep that is killed between the last score of a pass and the removal of its chunks has nothing left to do
    there."""
    store = Store(case.store)
    plan = finish(case, store)
    work = transformer(plan)
    classical = next(one for one in plan.passes if one is not work)
    for key in (work.key, texts_key(work.key, list(plan.tasks)[0]), classical.key, "f" * 64):
        store.chunks.write(key, 0, np.arange(2), {"default": np.zeros((2, 3), np.float32)})
    store.failures.write(
        Failure(
            key=score_key(list(plan.tasks)[1], classical.units[0].key),
            encoder="x",
            kind="permanent",
            exception="E",
            message="",
        )
    )
    store.folder.remove(store.scores.name(list(plan.tasks)[1], classical.units[0].key))
    _remove_leftovers(case, store, planned(case, store))
    assert set(store.chunks.counts()) == {classical.key, "f" * 64}


def test_a_store_that_refuses_is_not_the_encoders_fault(case, monkeypatch):
    store = Store(case.store)
    plan = planned(case, store)
    work, write = transformer(plan), store.chunks.write

    def refused(key, *arguments):
        if key != work.key:  # the chunks of a task's texts
            raise PermissionError(13, "Permission denied")
        write(key, *arguments)

    monkeypatch.setattr(store.chunks, "write", refused)
    with pytest.raises(PermissionError):
        run(case, store, plan, work)
    assert not store.scores.pairs() and len(store.embeddings.keys()) == 4

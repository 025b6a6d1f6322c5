"""Transforms that are fitted on a named corpus: what such encoders are called and known by, what is refused, their
vectors and scores, and the fits that a store keeps."""

import json

import numpy as np
import pandas as pd
import pytest
import yaml

from jobs.asked.models import given_in
from jobs.asked.opened import fits_of
from jobs.config import FileSentences, FolderEntry, load_config
from jobs.config.corpora import label_of
from jobs.config.made_again import to_make_again
from jobs.planning.estimates import Words, expected_costs
from jobs.planning.inputs import inputs_here, named
from jobs.planning.plan import make_plan, shown_rows
from jobs.planning.resolve import resolve
from jobs.planning.resolved import key_of
from jobs.planning.units import corpus_key
from jobs.planning.work import Times
from jobs.submission.upload import prepare
from jobs.workers.embed import embed_pass
from jobs.workers.events import ChunkMade, ScoreResult, UnitResult
from qre.encoders.described import described, loading_lines, row_of
from qre.encoders.endpoint_pass import PROBE, about_tokens
from qre.encoders.passes import EncodeSettings, Pass, parent_key, pass_key, unit_key
from qre.encoders.transforms import apply_transforms, fit_transforms
from qre.errors import PlaceError, UserError
from qre.sentences import SentenceSet, builtin_set
from qre.store import Store
from tests.endpoint_server import MODEL, Behind, serving
from tests.jobs.conftest import write_config
from tests.jobs.test_endpoints import Paid
from tests.jobs.test_sweep import Case

LSA = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}
ENCODE = {"token_budget": 256, "chunk_sentences": 25}
CORPUS = builtin_set(150, seed=7).texts
STS = [("the cat runs .", "a dog runs .", 1.0), ("the old boat", "one new boat", 3.0), ("a judge", "the city", 4.5)]
WIKI = {"source": "file", "path": "wiki.csv", "column": "text"}


@pytest.fixture
def entry(tmp_path, tiny_encoder):
    """What makes an entry of a small transformer; beside the config there is a corpus, and a task."""
    pd.DataFrame({"id": range(150), "text": CORPUS}).to_csv(tmp_path / "wiki.csv", index=False)
    pd.DataFrame(STS, columns=["sentence1", "sentence2", "score"]).to_csv(tmp_path / "sts.csv", index=False)
    own = {"source": "folder", "path": str(tiny_encoder), "layer": 1, "pooling": "mean"}
    return lambda **values: {**own, **values}


def config_of(folder, *entries, tasks=(), **values):
    tasks = [{"source": "file", "kind": "sts", "name": name, "path": "sts.csv"} for name in tasks]
    return load_config(write_config(folder, [LSA, *entries], tasks=tasks, encode=ENCODE, **values))


def planned(config):
    """Store and plan, as a sweep that is to run now has them."""
    store = Store(config.store)
    found = resolve(config, store, keep_vectors=True)
    store.sentences.write(found.sentences.fingerprint, found.sentences.to_table())
    return store, make_plan(config, store, found)


def transformer(plan):
    return next(work for work in plan.passes if work.members[0].spec.source == "folder")


def run(config, work=None):
    """The events of the transformer's pass."""
    store, plan = planned(config)
    return list(embed_pass(store, work or transformer(plan), plan.sentences, config.encode, tasks=plan.tasks))


def encoded(spec, texts, config) -> np.ndarray:
    """The vectors before any transform."""
    return next(iter(Pass(spec, texts, [spec.readout], config.encode, "cpu").encode_texts(texts).values()))


def whitened(fitted_on: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """By hand."""
    mean = fitted_on.mean(axis=0, dtype=np.float64)
    values, directions = np.linalg.eigh(np.cov(fitted_on.astype(np.float64).T, bias=True))
    kept = values > 1e-10 * values[-1]
    return (matrix - mean) @ directions[:, kept] / np.sqrt(values[kept])


def unit_named(plan, name):
    return next(unit for unit in plan.units if unit.spec.name == name)


# ---- what they are called and known by


def test_default_names_say_on_what_they_are_fitted(tmp_path, entry):
    wanted = {
        "tiny/L1/mean/whiten": {},
        "tiny/L1/mean/whiten/on:wiki:text": {"fitted_on": WIKI},
        "tiny/L1/mean/whiten/on:wiki:text:100": {"fitted_on": {**WIKI, "limit": 100}},
        "tiny/L1/mean/whiten/on:builtin:150": {"fitted_on": {"source": "builtin", "limit": 150}},
        "tiny/L1/mean/whiten/on:builtin:150:s7": {"fitted_on": {"source": "builtin", "limit": 150, "seed": 7}},
    }
    entries = [entry(transforms=["whiten"], **more) for more in wanted.values()]
    found = resolve(config_of(tmp_path, *entries), Store(tmp_path / "store"))
    own = [spec for spec in found.specs if spec.source == "folder"]
    stem = own[0].name.removesuffix("/L1/mean/whiten")
    assert [spec.name.replace(stem, "tiny", 1) for spec in own] == list(wanted)
    for path in ("my.wiki.txt", "a/my.wiki.csv.gz"):
        assert label_of(FileSentences(source="file", path=path)) == "on:my.wiki"
    # the corpus counts, and not where it came from
    assert own[1].fitted_on == own[4].fitted_on == SentenceSet("", CORPUS).fingerprint != own[2].fitted_on
    assert not (tmp_path / "store/sentences").exists()  # looking writes nothing


def test_the_key_holds_the_corpus_where_one_is_given_and_is_that_of_before_elsewhere(tmp_path, entry):
    config = config_of(
        tmp_path,
        entry(name="here", transforms=["whiten"]),
        entry(name="wiki", transforms=["whiten"], fitted_on=WIKI),
        entry(name="less", transforms=["whiten"], fitted_on={**WIKI, "limit": 100}),
    )
    here, wiki, less = (spec for spec in resolve(config, Store(config.store)).specs if spec.source == "folder")
    settings = config.encode
    assert len({unit_key(spec, "s", settings) for spec in (here, wiki, less)}) == 3
    assert len({pass_key(spec, "s", settings) for spec in (here, wiki, less)}) == 1  # one pass, near-copies
    assert len({parent_key(spec) for spec in (here, wiki, less)}) == 1
    assert "fitted_on" not in json.dumps(here.encoder_identity())
    assert wiki.encoder_identity() == {**here.encoder_identity(), "fitted_on": SentenceSet("", CORPUS).fingerprint}
    # of the encoder without transforms nothing is fitted, whatever else its spec says
    plain = wiki.model_copy(update={"transforms": ()})
    assert unit_key(plain, "s", settings) == unit_key(here.model_copy(update={"transforms": ()}), "s", settings)
    assert "fitted_on" not in FolderEntry.model_validate(entry()).model_dump(mode="json")
    read = config.encoders[2]
    assert json.dumps(key_of(read)) and key_of(read) != key_of(config.encoders[1])


def test_a_map_tells_of_the_corpus(tmp_path, entry):
    config = config_of(
        tmp_path, entry(name="here", transforms=["whiten"]), entry(name="w", transforms=["whiten"], fitted_on=WIKI)
    )
    _, plan = planned(config)
    rows = {row["name"]: row for row in shown_rows(plan.units, config)}
    digest = SentenceSet("", CORPUS).fingerprint[:12]
    assert rows["w"]["fitted_on"] == f"corpus {digest}" and "fitted_on" not in rows["here"]
    row = row_of(unit_named(plan, "w").spec)
    assert f"whitened, fitted on corpus {digest}" in described(row)
    assert any("vectors_of_corpus" in line for line in loading_lines({**row, "model": "org/x", "source": "hub"}))
    told = to_make_again(config)["encoders"][2]
    assert told["fitted_on"] == {"source": "file", "path": "wiki.csv", "column": "text"}
    assert ("encoders[2].fitted_on.path", "wiki.csv") in named(config)


# ---- what is refused, and what is told


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"fitted_on": WIKI}, "none of its transforms is fitted"),
        ({"fitted_on": WIKI, "transforms": ["truncate:8", "normalize"]}, "none of its transforms is fitted"),
        ({"fitted_on": {"source": "web"}, "transforms": ["whiten"]}, "no source 'web'; give 'builtin' or 'file'"),
        ({"fitted_on": {"source": "read", "fingerprint": "a"}, "transforms": ["whiten"]}, "no source 'read'"),
        ({"fitted_on": "wiki.csv", "transforms": ["whiten"]}, "give a mapping"),
        ({"fitted_on": {**WIKI, "path": "none.csv"}, "transforms": ["whiten"]}, "none.csv: no such file"),
        ({"fitted_on": {**WIKI, "column": "body"}, "transforms": ["whiten"]}, "wiki.csv.*body"),
        ({"fitted_on": {"source": "builtin", "limit": 60000}, "transforms": ["whiten"]}, "limit.*50000"),
    ],
)
def test_what_is_wrong_is_said_with_its_entry_and_file(tmp_path, entry, values, why):
    with pytest.raises(UserError, match=rf"encoders\[1\][^\n]*fitted_on[^\n]*{why}"):
        config = config_of(tmp_path, entry(**values))
        resolve(config, Store(config.store))


def test_duplicates_of_a_corpus_are_told_with_its_own_key(tmp_path, entry):
    (tmp_path / "twice.txt").write_text("one\ntwo\none\nthree\n")
    corpus = {"source": "file", "path": "twice.txt"}
    config = config_of(tmp_path, entry(transforms=["center"], fitted_on=corpus))
    with pytest.raises(
        UserError, match=r"encoders\[1\]\.fitted_on: .*twice\.txt(.|\n)*set fitted_on\.on_problem: drop"
    ):
        resolve(config, Store(config.store))
    config = config_of(tmp_path, entry(transforms=["center"], fitted_on={**corpus, "on_problem": "drop"}))
    assert any(note.startswith("encoders[1].fitted_on: ") for note in resolve(config, Store(config.store)).notes)


@pytest.mark.parametrize("source", ["matrix", "words"])
def test_given_vectors_are_fitted_on_the_sentences_alone(tmp_path, source):
    path = {"matrix": "x.npy", "words": "x.vec"}[source]
    one = {"source": source, "path": path, "transforms": ["whiten"], "fitted_on": {"source": "builtin"}}
    with pytest.raises(UserError, match=r"encoders\[1\].*fitted_on is for encoders that run here"):
        config_of(tmp_path, one)


def test_a_corpus_with_texts_of_a_task_leaks_and_the_plan_says_so(tmp_path, entry):
    (tmp_path / "leaky.txt").write_text("\n".join([*CORPUS[:20], "the cat runs .", "a judge"]))
    leaky = entry(name="leaky", transforms=["center"], fitted_on={"source": "file", "path": "leaky.txt"})
    clean = entry(name="clean", transforms=["center"], fitted_on=WIKI)
    notes = resolve(config_of(tmp_path, clean, leaky, tasks=["mine"]), Store(tmp_path / "store")).notes
    (told,) = (note for note in notes if "corpus" in note)
    assert told.startswith("encoders[2].fitted_on: the corpus holds 2 of the 6 texts of mine")


def test_too_small_a_corpus_is_foreseen(tmp_path, entry):
    few = {**WIKI, "limit": 5}
    found = resolve(
        config_of(
            tmp_path,
            entry(name="few", transforms=["whiten:8"], fitted_on=few),
            entry(name="enough", transforms=["whiten:8"], fitted_on=WIKI),
            limit=8,  # too few sentences for it, but it is not fitted on them
        ),
        Store(tmp_path / "store"),
    )
    told = {one.encoder: one for one in found.unresolved}
    assert "5 texts of the corpus vary in at most 4 directions" in told["few"].message
    assert "take more texts of the corpus" in told["few"].remedy and "enough" not in told


def test_a_corpus_begins_where_its_file_is_named(tmp_path, entry):
    inside = tmp_path / "lists"
    inside.mkdir()
    (tmp_path / "wiki.csv").rename(inside / "wiki.csv")
    (inside / "all.yaml").write_text(yaml.safe_dump([entry(name="listed", transforms=["center"], fitted_on=WIKI)]))
    config = config_of(tmp_path, {"source": "list", "path": "lists/all.yaml"})
    assert resolve(config, Store(config.store)).specs[-1].fitted_on == SentenceSet("", CORPUS).fingerprint
    config = config_of(tmp_path, entry(transforms=["center"], fitted_on=WIKI), inputs=str(inside))
    with inputs_here(config) as (here, _):
        assert here.encoders[1].fitted_on.path == str(inside / "wiki.csv")
    assert resolve(config, Store(config.store)).specs[-1].fitted_on == SentenceSet("", CORPUS).fingerprint


def test_a_job_takes_the_corpus_along(tmp_path, entry):
    inside = tmp_path / "lists"
    inside.mkdir()
    (inside / "all.yaml").write_text(yaml.safe_dump([entry(transforms=["center"], fitted_on=WIKI)]))
    listed = {"source": "list", "path": "lists/all.yaml"}
    config = config_of(tmp_path, entry(transforms=["center"], fitted_on=WIKI), listed, store="s3://bucket/t")
    with pytest.raises(UserError, match=r"all\.yaml: encoders\[0\]\.fitted_on\.path: .*lists/wiki\.csv"):
        prepare(tmp_path / "config.yaml", config, tmp_path)
    (inside / "wiki.csv").write_bytes((tmp_path / "wiki.csv").read_bytes())
    sizes = prepare(tmp_path / "config.yaml", config, tmp_path).sizes
    assert {"wiki.csv", "lists/wiki.csv"} <= sizes.keys()


def test_what_a_corpus_costs_is_planned(tmp_path, entry):
    here, there = entry(name="a", transforms=["center"]), entry(name="a", transforms=["center"], fitted_on=WIKI)
    works, words, seconds = [], [], []
    for one in (here, there):
        config = config_of(tmp_path, one)
        store, plan = planned(config)
        works.append(transformer(plan))
        words.append(Words(plan).of(works[-1]))
        seconds.append(Times(plan, config).of(works[-1]).embed)
        assert expected_costs(plan, config, store)
    assert words[1] - words[0] == sum(len(text.split()) for text in CORPUS)
    assert seconds[1] > seconds[0] and works[1].seconds > works[0].seconds
    run(config)
    for name in list(store.folder.names("embeddings")):
        store.folder.remove(name)
    assert not transformer(planned(config)[1]).corpora  # the fit is there


# ---- vectors, scores, fits


def test_vectors_and_scores_are_those_by_hand(tmp_path, entry):
    config = config_of(tmp_path, entry(name="w", transforms=["whiten"], fitted_on=WIKI), tasks=["mine"])
    assert {event.status for event in run(config) if isinstance(event, UnitResult | ScoreResult)} == {"done"}
    store, plan = planned(config)
    unit = unit_named(plan, "w")
    matrix, record = store.embeddings.read(unit.key)
    corpus, sentences = (encoded(unit.spec, texts, config) for texts in (CORPUS, plan.sentences.texts))
    assert np.array_equal(matrix, fit_transforms(corpus, ("whiten",)).apply(sentences))
    by_hand = whitened(corpus, sentences)
    assert np.allclose(np.abs(matrix), np.abs(by_hand), rtol=1e-3, atol=1e-3)  # directions may point either way
    here = apply_transforms(sentences, ("whiten",))
    assert not np.allclose(matrix @ matrix.T, here @ here.T, atol=0.1)
    assert record["spec"]["fitted_on"] == unit.spec.fitted_on
    ((fingerprint, task),) = plan.tasks.items()
    texts = whitened(corpus, encoded(unit.spec, task.texts, config))
    score = store.scores.read([(fingerprint, unit.key)])[fingerprint, unit.key]["score"]
    assert score == pytest.approx(task.score(texts.astype(np.float32)).score, abs=1e-6)
    assert not store.chunks.counts()


def test_a_corpus_is_embedded_once_for_all_units_of_a_pass_and_goes_on_where_it_was_cut_off(
    tmp_path, entry, monkeypatch
):
    names = {"white": ["whiten"], "top": ["all_but_the_top:2", "int8"], "centred": ["standardize"]}
    entries = [entry(name=name, transforms=own, fitted_on=WIKI) for name, own in names.items()]
    entries += [entry(name="last", layer=2, transforms=["center"], fitted_on=WIKI), entry(name="plain")]
    encoded_now = []
    encode = Pass.encode
    monkeypatch.setattr(
        Pass, "encode", lambda self, chunk: encoded_now.append(len(self.chunks[chunk])) or encode(self, chunk)
    )
    (tmp_path / "whole").mkdir()
    undisturbed = config_of(tmp_path, *entries, store=str(tmp_path / "whole"))
    run(undisturbed)
    assert sum(encoded_now) == 120 + 150  # sentences, and the corpus
    encoded_now.clear()
    config = config_of(tmp_path, *entries)
    store, plan = planned(config)
    work = transformer(plan)
    key = corpus_key(work.key, SentenceSet("", CORPUS).fingerprint)
    events = embed_pass(store, work, plan.sentences, config.encode)
    for event in events:
        if isinstance(event, ChunkMade) and store.chunks.counts()[key] == 2:
            break
    events.close()
    assert not store.embeddings.keys() and not store.fits.keys()
    before = sum(encoded_now)
    run(config)
    assert sum(encoded_now) == 120 + 150 > before  # nothing twice
    assert not store.chunks.counts()
    whole = Store(undisturbed.store)
    for name in (*store.folder.names("fits"), *store.folder.names("sentences")):
        assert store.folder.read(name) == whole.folder.read(name)
    for one in store.embeddings.keys():
        assert np.array_equal(store.embeddings.read(one)[0], whole.embeddings.read(one)[0])
    assert store.fits.keys() == {unit_named(plan, name).key for name in (*names, "last")}


def test_a_task_that_comes_later_reads_the_fit(tmp_path, entry, monkeypatch):
    entries = [entry(name="here", transforms=["whiten"]), entry(name="w", transforms=["whiten"], fitted_on=WIKI)]
    run(config_of(tmp_path, *entries))
    config = config_of(tmp_path, *entries, tasks=["mine"])
    encoded_now = []
    encode = Pass.encode
    monkeypatch.setattr(
        Pass, "encode", lambda self, chunk: encoded_now.append(len(self.chunks[chunk])) or encode(self, chunk)
    )
    assert [event.status for event in run(config) if isinstance(event, ScoreResult)] == ["done", "done"]
    assert sum(encoded_now) == 6  # the texts of the task: neither sentences nor corpus
    store, plan = planned(config)
    scores = {pair: store.folder.read(store.scores.name(*pair)) for pair in store.scores.pairs()}
    # absent, damaged, and of other transforms: made again, the same
    fits = {name: store.folder.read(name) for name in store.folder.names("fits")}
    here, there = (unit_named(plan, name).key for name in ("here", "w"))
    assert fits.keys() == {store.fits.name(here), store.fits.name(there)}
    store.folder.path(store.fits.name(there)).write_bytes(fits[store.fits.name(there)][:-9])
    store.folder.remove(store.fits.name(here))
    store.fits.write(here, ("center",), 3, {"0.mean": np.zeros(3)})
    for pair in scores:
        store.folder.remove(store.scores.name(*pair))
    run(config)
    assert {name: store.folder.read(name) for name in store.folder.names("fits")} == fits
    assert {pair: store.folder.read(store.scores.name(*pair)) for pair in store.scores.pairs()} == scores
    assert len(list(store.folder.names("quarantine"))) == 2


def test_without_its_corpus_nobody_is_blamed(tmp_path, entry):
    config = config_of(tmp_path, entry(name="w", transforms=["whiten"], fitted_on=WIKI))
    store, plan = planned(config)
    store.folder.remove(f"sentences/{unit_named(plan, 'w').spec.fitted_on}.parquet")
    with pytest.raises(PlaceError, match="corpus .* not in the store; run the same command again"):
        list(embed_pass(store, transformer(plan), plan.sentences, config.encode))


def test_classical_encoders_have_it_too(tmp_path, entry):
    sif = {"source": "classical", "name": "sif", "family": "sif", "kind": "sif", "rank": 20}
    config = config_of(tmp_path, {**sif, "transforms": ["all_but_the_top:1"], "fitted_on": WIKI})
    store, plan = planned(config)
    work = next(work for work in plan.passes if work.members[0].spec.name == "sif")
    assert [event for event in run(config, work) if isinstance(event, UnitResult)] == []  # it is embedded
    spec = work.units[0].spec
    loaded = Pass(spec, plan.sentences.texts, [()], config.encode)
    corpus, sentences = (loaded.encode_texts(texts)["default"] for texts in (CORPUS, plan.sentences.texts))
    expected = fit_transforms(corpus, ("all_but_the_top:1",)).apply(sentences)
    assert np.allclose(store.embeddings.read(work.units[0].key)[0], expected, atol=1e-5)
    with pytest.raises(UserError, match=r"encoders\[1\].*fitted_on.*none of its transforms"):
        config_of(tmp_path, {**sif, "fitted_on": WIKI})


def test_placing_takes_it_and_the_stores_fit(tmp_path, entry):
    entries = [entry(name="w", transforms=["whiten"], fitted_on=WIKI), entry(name="here", transforms=["whiten"])]
    (tmp_path / "new.yaml").write_text(yaml.safe_dump(entries))
    config = config_of(tmp_path, *entries)
    run(config)
    store, plan = planned(config)
    kept = fits_of(str(tmp_path / "config.yaml"), plan.sentences.texts, config.encode)
    for known in (lambda spec: None, kept):
        for one in given_in(tmp_path / "new.yaml"):
            name, matrix, _ = one.embedding(plan.sentences.texts, config.encode, "cpu", lambda *_: None, kept=known)
            assert np.array_equal(matrix, store.embeddings.read(unit_named(plan, name).key)[0])
    # it is the store's fit that counts: with another in its place the vectors are others
    unit = unit_named(plan, "w")
    transforms, dimension, arrays = store.fits.read(unit.key)
    store.fits.write(unit.key, transforms, dimension, {**arrays, "0.mean": arrays["0.mean"] + 1})
    one = given_in(tmp_path / "new.yaml")[0]
    _, moved, _ = one.embedding(plan.sentences.texts, config.encode, "cpu", lambda *_: None, kept=kept)
    assert not np.allclose(moved, store.embeddings.read(unit.key)[0])
    assert fits_of(str(tmp_path), plan.sentences.texts, EncodeSettings())(unit.spec) is None


# ---- behind an endpoint


def test_a_corpus_is_paid_for_once_and_counted(tmp_path, tiny_encoder):
    (tmp_path / "wiki.txt").write_text("\n".join(CORPUS))
    fitted_on = {"source": "file", "path": "wiki.txt"}
    with serving(Behind(tiny_encoder)) as server:
        paid = Paid(server, tmp_path)

        def config(*transforms):
            made = [{"name": one, "transforms": [one], "fitted_on": fitted_on} for one in transforms]
            return paid.config({}, *made)

        def tokens(one):
            return expected_costs(paid.plan(one), one, paid.store)["endpoints"]

        alone = tokens(paid.config({}))[0]["tokens"]
        both = config("whiten", "center")
        own = -(-sum(len(text.encode()) for text in CORPUS) // 4)
        assert tokens(both)[0]["tokens"] == alone + own + about_tokens(PROBE)
        resolve(both, paid.store, keep_vectors=True)
        assert {event.status for event in paid.run(both)} == {"done"}
        assert paid.once_each() and set(server.answered) == {*paid.plan(both).sentences.texts, *CORPUS}
        came = sum(server.answered.values())
        # another transform on the same corpus: nothing of it is sent again
        more = config("whiten", "center", "standardize")
        assert tokens(more)[0]["tokens"] == 0
        assert {event.status for event in paid.run(more)} == {"done"}
        assert sum(server.answered.values()) == came
        plain, centred = paid.vectors(more, MODEL), paid.vectors(more, "center")
        moved = (plain - centred).mean(axis=0)  # by the mean of the corpus, and not of the sentences
        assert np.allclose(plain - centred, moved, atol=1e-5) and np.abs(plain.mean(axis=0) - moved).max() > 1e-3


# ---- the whole way


@pytest.mark.cluster
def test_a_sweep_with_a_corpus_and_one_more_task(tmp_path, entry):
    encoders = [
        entry(name="plain"),
        entry(name="here", transforms=["whiten"]),
        entry(name="there", transforms=["whiten"], fitted_on={**WIKI, "path": str(tmp_path / "wiki.csv")}),
        entry(name="other", transforms=["center", "int8"], fitted_on={"source": "builtin", "limit": 90, "seed": 3}),
    ]
    case = Case(tmp_path, *encoders, encode=ENCODE)
    first = case.qre("sweep")
    assert first.returncode == 0, first.stdout + first.stderr
    fits = {name: case.store.folder.read(name) for name in case.store.folder.names("fits")}
    assert len(fits) == 3
    written = yaml.safe_load(case.config.read_text())
    case.config.write_text(yaml.safe_dump({**written, "tasks": [{"source": "builtin", "include": ["builtin/sts"]}]}))
    for name in case.store.folder.names("embeddings"):  # what a fit would be made of is gone, and is not missed
        case.store.folder.remove(name)
    second = case.qre("sweep")
    assert second.returncode == 0, second.stdout + second.stderr
    assert fits == {name: case.store.folder.read(name) for name in case.store.folder.names("fits")}
    table = pd.read_parquet(tmp_path / "out/map.parquet").set_index("name")
    assert table["fitted_on"]["there"] == f"corpus {SentenceSet('', CORPUS).fingerprint[:12]}"
    assert table["parent"].nunique() == 1 and pd.isna(table["fitted_on"]["here"])
    scores = pd.read_parquet(tmp_path / "out/scores.parquet").set_index("name")["score"]
    assert scores["there"] != scores["here"]

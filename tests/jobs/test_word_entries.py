"""Word vectors and tasks of single words in a sweep: what is wrong is said while planning, nodes need no file, and a
real sweep ends in a map that a second one leaves as it is."""

import gzip
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

from jobs.asked.models import given_in
from jobs.config import load_config
from jobs.config.made_again import to_make_again
from jobs.planning.estimates import expected_costs
from jobs.planning.plan import shown_rows
from jobs.submission.upload import prepare
from jobs.workers.embed import embed_pass
from jobs.workers.events import ScoreResult
from qre.encoders.passes import Pass
from qre.encoders.word_vectors import words_in
from qre.errors import UserError
from qre.sentences import builtin_set
from tests.conftest import save_tiny_bert
from tests.in_parts import embedded, planned
from tests.jobs.test_inputs import uploaded
from tests.jobs.test_sweep import Case
from tests.s3 import s3  # noqa: F401

LIMIT = 120
OTHERS = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}  # 6 encoders
SIMILAR = [("dog", "cat", 7.0), ("boat", "river", 5.0), ("judge", "the", 0.5), ("cat", "absent", 1.0)]
PAIRS = [("dog", "dogs", "plural"), ("cat", "cats", "plural"), ("judge", "judges", "plural"), ("dog", "boat", "random")]
PAIRS += [("river", "cat", "random"), ("judge", "river", "random")]
QUESTIONS = ": gram-plural\ndog dogs cat cats\njudge judges dog dogs\ncat cats boat unheard\n"
TASKS = [
    {"source": "file", "kind": "word_similarity", "name": "similar", "path": "similar.csv"},
    {"source": "file", "kind": "word_pairs", "name": "related", "path": "pairs.csv"},
    {"source": "file", "kind": "analogies", "name": "plurals", "path": "questions.txt", "vocabulary": "frequent.txt"},
]


def written(folder, words, name="own.vec", seed=0):
    """A file of vectors of these words: plurals are singulars and one offset."""
    rng = np.random.default_rng(seed)
    vectors = {word: rng.standard_normal(12) for word in words}
    offset = rng.standard_normal(12)
    vectors |= {f"{word}s": vectors[word] + offset for word in ("dog", "cat", "judge") if word in vectors}
    rows = (" ".join([word, *(f"{x:.4f}" for x in vector)]) for word, vector in vectors.items())
    (folder / name).write_text(f"{len(vectors)} 12\n" + "\n".join(rows) + "\n")


@pytest.fixture
def folder(tmp_path):
    words = [word for word in words_in(builtin_set(LIMIT, 0).texts, True) if word.isalpha()]
    written(tmp_path, dict.fromkeys([*words, *"dog cat boat river judge the".split()]))
    (tmp_path / "similar.csv").write_text("word1,word2,score\n" + "".join(f"{a},{b},{s}\n" for a, b, s in SIMILAR))
    (tmp_path / "pairs.csv").write_text("word1,word2,relation\n" + "".join(f"{a},{b},{r}\n" for a, b, r in PAIRS))
    (tmp_path / "questions.txt").write_text(QUESTIONS)
    (tmp_path / "frequent.txt").write_text("the\nriver\nrivers\nDog\n")
    return tmp_path


BATS = {"source": "file", "kind": "analogies", "name": "bats", "path": "BATS", "methods": ["lrcos"]}


def bats_in(folder):
    (folder / "BATS/1_Inflectional").mkdir(parents=True)
    (folder / "BATS/1_Inflectional/I01.txt").write_text("dog\tdogs\ncat\tcats/kitties\njudge\tjudges\n")


def config(folder, *entries, tasks=TASKS, **values):
    own = [{"source": "words", "path": "own.vec", "lowercase": True, **entry} for entry in entries]
    content = {
        "name": "t",
        "store": "store",
        "sentences": {"source": "builtin", "limit": LIMIT},
        "encoders": [OTHERS, *own],
        "tasks": list(tasks),
        "cluster": {"cpus": 1},
        **values,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def run(settings, store, plan, source="words"):
    return embedded(settings, store, plan, source)


def test_nodes_need_no_file_and_a_plan_writes_nothing(folder):
    path = config(folder, {}, {"weighting": "sif"}, {"transforms": ["all_but_the_top:1"]})
    _, store, _ = planned(path, keep=False)
    assert not list(store.folder.names("vectors"))
    settings, store, plan = planned(path)
    assert len(list(store.folder.names("vectors"))) == 4  # sentences and three tasks, for all three encoders
    (folder / "own.vec").unlink()
    ends = run(settings, store, plan)
    assert len(ends) == 3 * 4 and {end.status for end in ends} == {"done"}
    units = {unit.spec.name: unit for unit in plan.units}
    assert {"own", "own/sif/lowercase", "own/lowercase/all_but_the_top:1"} - units.keys() == {"own"}
    matrix, record = store.embeddings.read(units["own/lowercase"].key)
    assert matrix.shape == (LIMIT, 12) and 0 < record["unknown_share"] < 0.5
    assert record["attributes"]["parameters"] == 12 * record["attributes"]["vocabulary"]


def test_scores_tell_what_stands_beside_them(folder):
    settings, store, plan = planned(config(folder, {}, {"transforms": ["center"]}))
    run(settings, store, plan)
    by_name = {task.name: key for key, task in plan.tasks.items()}
    for unit in plan.units[-2:]:  # centring moves the zeros of unknown words, which stay unknown
        records = {name: store.scores.read([(key, unit.key)])[key, unit.key] for name, key in by_name.items()}
        assert records["similar"]["details"]["unknown"] == 1
        assert records["related"]["details"]["relations"]["plural"]["unknown"] == 0
        told = records["plurals"]["details"]["methods"]["3cosadd"]
        assert (told["n"], told["unknown"], told["score"]) == (3, 1, 2 / 3)
        assert records["plurals"]["low"] <= records["plurals"]["score"] <= records["plurals"]["high"]


def test_records_of_other_tasks_are_as_they_were(folder):
    (folder / "sts.csv").write_text("sentence1,sentence2,score\nthe dog,a cat,1\nold boat,the river,2\na dog,dog,3\n")
    tasks = [{"source": "file", "kind": "sts", "name": "sts", "path": "sts.csv"}]
    settings, store, plan = planned(config(folder, {}, tasks=tasks))
    run(settings, store, plan)
    ((pair, record),) = store.scores.read(store.scores.pairs()).items()
    assert "details" not in record and record["kind"] == "sts"


def test_no_word_is_encoded_twice_and_chunks_are_kept(folder, tiny_encoder, monkeypatch):
    asked = []
    path = config(folder)
    content = yaml.safe_load(path.read_text())
    content["encoders"].append({"source": "folder", "path": str(tiny_encoder)})
    content["encode"] = {"token_budget": 16, "chunk_sentences": 4}
    path.write_text(yaml.safe_dump(content))
    settings, store, plan = planned(path)
    work = next(work for work in plan.passes if work.members[0].spec.source == "folder")
    encode = Pass.encode
    monkeypatch.setattr(
        Pass,
        "encode",
        lambda self, chunk: asked.append((self._run._sentences, self.chunks[chunk])) or encode(self, chunk),
    )
    events = list(embed_pass(store, work, plan.sentences, settings.encode, tasks=plan.tasks))
    assert sum(isinstance(event, ScoreResult) and event.status == "done" for event in events) == 3
    for task in plan.tasks.values():
        texts = [texts[row] for texts, rows in asked if texts == task.texts for row in rows]
        assert sorted(texts) == sorted(set(task.texts))
        assert task.name != "plurals" or len([1 for texts, _ in asked if texts == task.texts]) > 1


def test_a_file_as_it_is_named_is_the_same_encoder(folder):
    def unit(**entry):
        return planned(config(folder, entry), keep=False)[2].units[-1]

    first = unit()
    (folder / "other.vec.gz").write_bytes(gzip.compress((folder / "own.vec").read_bytes()))
    packed = unit(path="other.vec.gz", attributes={"year": 2014})
    assert packed.key == first.key and packed.spec.name == "other/lowercase" and packed.attributes == {"year": 2014}
    most = first.spec.vocabulary - 1
    fewer = unit(limit=most)
    assert fewer.key != first.key == unit(limit=most + 1, name="x").key
    assert fewer.spec.name == f"own/lowercase/first {most}" and unit(weighting="sif").key != first.key
    assert unit(weighting="sif").parent != first.parent


def test_groups_and_costs_and_what_the_map_tells(folder):
    path = config(folder, {"attributes": {"vendor": "x"}}, {"weighting": "sif", "limit": 10_000})
    settings, _, plan = planned(path, keep=False)
    rows = shown_rows(plan.units[-2:], settings)
    assert len({row["group"] for row in rows}) == 1 == len({row["kind"] for row in rows})
    assert [row["method"] for row in rows] == ["word vectors, mean", "word vectors, SIF-weighted mean"]
    costs = expected_costs(plan, settings)
    assert (costs["words"], costs["passes"]) == (2, 0) and costs["stored"] == 2 * 4 * LIMIT * 12
    assert (
        to_make_again(settings)["encoders"][-1]
        == {"source": "words", "path": "own.vec", "name": None, "lowercase": True, "weighting": "sif", "limit": 10_000}
        and to_make_again(settings)["tasks"][-1]["vocabulary"] == "frequent.txt"
    )


@pytest.mark.parametrize(
    "entry, words",
    [
        ({"path": "absent.vec"}, "encoders[1]: {folder}/absent.vec: no such file"),
        ({"path": "frequent.txt"}, "encoders[1]: {folder}/frequent.txt: no word vectors"),
        ({"limit": 0}, "limit"),
        ({"weighting": "tfidf"}, "give 'mean' or 'sif'"),
        ({"transforms": ["sharpen"]}, "unknown transform 'sharpen'"),
        ({"texts": "x.parquet"}, "unknown key"),
        ({"attributes": {"qre": 1}}, "qre: the map has a column of this name already"),
    ],
)
def test_entries_that_are_refused(folder, entry, words):
    with pytest.raises(UserError) as told:
        planned(config(folder, entry), keep=False)
    assert words.format(folder=folder) in str(told.value)


def test_broken_vectors_fail_alone(folder):
    text = (folder / "own.vec").read_text().split("\n")
    (folder / "short.vec").write_text("\n".join([*text[:5], text[5].rpartition(" ")[0], *text[6:]]))
    (folder / "few.vec").write_text("2 12\n" + "\n".join(text[1:3]) + "\n")
    plan = planned(config(folder, {}, {"path": "short.vec"}, {"path": "few.vec"}))[2]
    told = {failure.encoder: failure.message for failure in plan.failures.values()}
    assert told.keys() == {"short/lowercase", "few/lowercase"}
    assert (
        "encoders[2]: " in told["short/lowercase"]
        and "short.vec:6: 11 numbers, and the file has 12" in told["short/lowercase"]
    )
    assert "has no word that these vectors know" in told["few/lowercase"]
    assert "own/lowercase" in {unit.spec.name for unit in plan.units}


def test_people_are_told_of_many_unknown_words(folder):
    notes = planned(config(folder, {"lowercase": False, "name": "cased"}), keep=False)[2].notes
    assert any("cased: " in note and "say lowercase: true" in note for note in notes)


def test_vectors_and_word_tasks_from_a_bucket(folder, s3):  # noqa: F811
    bats_in(folder)
    path = config(folder, {}, tasks=[*TASKS, BATS], inputs=uploaded(s3, folder))
    shutil.rmtree(folder / "BATS")
    for name in ("own.vec", "questions.txt", "frequent.txt", "similar.csv", "pairs.csv"):
        (folder / name).unlink()
    settings, store, plan = planned(path)
    assert {end.status for end in run(settings, store, plan)} == {"done"}


def test_a_submitted_sweep_takes_its_vectors_and_lists_along(folder):
    (folder / "lists").mkdir()
    shutil.copy(folder / "own.vec", folder / "lists/other.vec")
    (folder / "lists/all.yaml").write_text(yaml.safe_dump([{"source": "words", "path": "other.vec"}]))
    bats_in(folder)
    path = config(folder, {}, tasks=[*TASKS, BATS], store="s3://bucket/x")
    content = yaml.safe_load(path.read_text())
    content["encoders"].append({"source": "list", "path": "lists/all.yaml"})
    path.write_text(yaml.safe_dump(content))
    upload = prepare(path, load_config(path), folder)
    named = {"own.vec", "lists/other.vec", "questions.txt", "frequent.txt", "BATS/1_Inflectional/I01.txt"}
    assert named <= upload.sizes.keys()
    (folder / "lists/other.vec").unlink()
    with pytest.raises(UserError, match=r"encoders\[0\].path: there is no lists/other.vec"):
        prepare(path, load_config(path), folder)


def test_what_is_placed_is_what_a_sweep_would_store(folder):
    settings, store, plan = planned(config(folder, {"weighting": "sif", "transforms": ["center"]}))
    run(settings, store, plan)
    unit = plan.units[-1]
    entry = {"source": "words", "path": "own.vec", "lowercase": True, "weighting": "sif", "transforms": ["center"]}
    (folder / "one.yaml").write_text(yaml.safe_dump([entry]))
    (given,) = given_in(folder / "one.yaml")
    told = given.embedding(plan.sentences.texts, settings.encode, "cpu", lambda *_: None, list(plan.tasks.values()))
    name, embedding, (scores, problems) = told
    assert name == unit.spec.name and np.array_equal(embedding, store.embeddings.read(unit.key)[0])
    assert not problems and scores["score"].tolist() == [
        store.scores.read([(task, unit.key)])[task, unit.key]["score"] for task in plan.tasks
    ]


@pytest.mark.cluster
def test_a_sweep_with_words_ends_in_a_map_and_is_left_as_it_is(folder):
    """Also with a folder of BATS."""
    bats_in(folder)
    save_tiny_bert(folder / "tiny", seed=1)
    case = Case(
        folder,
        OTHERS,
        {"source": "words", "path": "own.vec", "lowercase": True, "name": "mean"},
        {"source": "words", "path": "own.vec", "lowercase": True, "name": "sif", "weighting": "sif"},
        {"source": "folder", "path": "tiny"},
        tasks=[*TASKS, BATS],
        sentences={"source": "builtin", "limit": LIMIT},
    )
    first = case.qre("sweep")
    assert first.returncode == 0, first.stderr
    scores = pd.read_csv(folder / "out/scores.csv")
    assert len(scores) == 9 * 4 and set(scores["kind"]) == {"word_similarity", "word_pairs", "analogies"}
    assert scores[["score", "low", "high"]].notna().all().all()
    of = scores.set_index(["name", "task"])["score"]
    assert of["mean", "plurals"] == pytest.approx(2 / 3)
    rows = pd.read_csv(folder / "out/map.csv").set_index("name")
    assert rows.loc["mean", "architecture"] == "word vectors" and rows.loc["sif", "source"] == "words"
    kept = {path: path.read_bytes() for path in (folder / "out").iterdir() if path.is_file()}
    shutil.rmtree(folder / "out")
    for name in list(case.store.folder.names("embeddings"))[:2]:
        case.store.folder.remove(name)
    for name in list(case.store.folder.names("scores"))[:7]:
        case.store.folder.remove(name)
    case.store.folder.remove_folder("atlases/t")
    case.store.folder.remove_folder("vectors")
    again = case.qre("sweep")
    assert again.returncode == 0, again.stderr
    for path, content in kept.items():
        if path.name not in ("manifest.json", "atlas.html"):
            assert path.read_bytes() == content, path.name
    told = json.loads(case.qre("status", "--json").stdout)
    assert told["atlas_done"] and told["featured"] == 9

"""`qre neighbours`, `qre rank` and `qre compare`: what a finished map says of its encoders."""

import io
import json
import re
import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from jobs.asked.comparison import divergences
from jobs.asked.models import embed
from jobs.asked.opened import formatted
from jobs.cli import app
from jobs.config import load_config
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from qre.build.atlas_files import build_atlas
from qre.density import DensityOperator
from qre.entropy import jensen_shannon, relative
from qre.errors import UserError
from qre.features import FeatureMethod, feature_row
from qre.similarity import linear_cka
from qre.store import Store
from tests.finished import GROUPS, SIZE, STRANGE, TASKS, UNSCORED, finished, parquet


def qre(*words):
    """A command in this process: exit code, stdout, and what a person reads when it ends early."""
    result = CliRunner().invoke(app, list(map(str, words)))
    if result.exception is not None and not isinstance(result.exception, (SystemExit, UserError)):
        raise result.exception
    code = 2 if isinstance(result.exception, UserError) else result.exit_code
    return code, result.stdout, result.stderr + (str(result.exception) if code == 2 else "")


# ---- neighbours


def test_neighbours_as_a_table_and_as_json(finished_atlas):
    code, shown, _ = qre("neighbours", "made/e5", "--atlas", finished_atlas, "-k", 4)
    assert code == 0 and "nearest to made/e5" in shown and "made/e4" in shown and "near-copy" in shown
    told = json.loads(qre("neighbours", "made/e5", "--atlas", finished_atlas, "-k", 4, "--json")[1])
    assert [row["rank"] for row in told["neighbours"]] == [1, 2, 3, 4]
    scores = pd.read_parquet(finished_atlas / "scores.parquet").set_index(["name", "task"])["score"]
    assert all(row["scores"] == {task: scores[row["neighbour"], task] for task in TASKS} for row in told["neighbours"])
    assert (
        told["scores"] == {task: scores["made/e5", task] for task in TASKS}
        and f"{scores['made/e4', TASKS[0]]:.3f}" in shown
    )
    assert "they need not be equally good, so compare their scores" in shown
    assert told["neighbours"][0]["neighbour"] == "made/e4" and told["neighbours"][0]["near_copy"] is True
    assert (
        STRANGE in qre("neighbours", "made/e1", "--atlas", finished_atlas)[1]
    )  # its near-copy; rich would take [red] away


def test_an_unknown_encoder_is_told_with_the_nearest(finished_atlas):
    code, _, told = qre("neighbours", "mode/e5", "--atlas", finished_atlas)
    assert code == 2 and "did you mean" in told and "'made/e5'" in told


# ---- rank


def test_the_tasks_that_there_are(finished_atlas):
    shown = qre("rank", "--atlas", finished_atlas, "--tasks")[1]
    assert all(task in shown for task in TASKS)
    told = json.loads(qre("rank", "--atlas", finished_atlas, "--tasks", "--json")[1])["tasks"]
    assert told == json.loads(qre("rank", "--atlas", finished_atlas, "--json")[1])["tasks"]
    assert [(row["task"], row["measured"], row["imported"], row["predicted"]) for row in told] == [
        (task, 41, 7, UNSCORED) for task in TASKS
    ]


def test_a_ranking_says_what_is_measured_and_what_is_predicted(finished_atlas):
    code, shown, _ = qre("rank", "--task", TASKS[0], "--atlas", finished_atlas)
    assert (
        code == 0
        and "predicted" in shown
        and "imported" in shown
        and f"{UNSCORED} are predicted only" in shown
        and STRANGE in shown
    )
    told = json.loads(qre("rank", "--task", TASKS[0], "--atlas", finished_atlas, "--all", "--json")[1])["encoders"]
    assert len(told) == GROUPS * SIZE
    assert {row["basis"] for row in told} == {"measured", "imported", "predicted"}
    assert [row["value"] for row in told] == sorted((row["value"] for row in told), reverse=True)
    assert {row["device"] for row in told} == {None, "cpu"}  # nothing is NaN in JSON


def test_without_a_task_all_of_them_and_their_mean(finished_atlas):
    code, shown, _ = qre("rank", "--atlas", finished_atlas)
    assert (
        code == 0
        and all(task in shown for task in ("mean", *TASKS))
        and "over all of these tasks" in shown
        and "~" in shown
        and STRANGE in shown
    )
    told = json.loads(qre("rank", "--atlas", finished_atlas, "--json", "--all")[1])
    by_task = [
        {
            row["name"]: row
            for row in json.loads(qre("rank", "--atlas", finished_atlas, "--task", task, "--json", "--all")[1])[
                "encoders"
            ]
        }
        for task in TASKS
    ]
    assert len(told["encoders"]) == GROUPS * SIZE and [row["rank"] for row in told["encoders"]] == list(
        range(1, GROUPS * SIZE + 1)
    )
    for row in told["encoders"]:
        assert row["mean"] == pytest.approx(sum(one[row["name"]]["value"] for one in by_task) / 2)
        assert row["scores"][TASKS[1]] == {
            key: by_task[1][row["name"]][key] for key in ("value", "low", "high", "basis", "n", "like_best")
        }
    assert [row["mean"] for row in told["encoders"]] == sorted((row["mean"] for row in told["encoders"]), reverse=True)
    table = pd.read_csv(
        io.StringIO(
            qre("rank", "--atlas", finished_atlas, "--task", TASKS[1], "--task", TASKS[0], "--csv", "--top", 3)[1]
        )
    )
    assert len(table) == 3 and f"{TASKS[0]} low" in table and table["near_copies"].to_list() == [SIZE - 1] * 3


def test_near_copies_are_one_line_unless_all_are_asked_for(finished_atlas):
    words = ("rank", "--task", TASKS[0], "--atlas", finished_atlas)
    folded, every = (json.loads(qre(*words, "--json", *more)[1]) for more in ((), ("--all",)))
    assert len(folded["encoders"]) == GROUPS and folded["folded"] == GROUPS * (SIZE - 1) and every["folded"] == 0
    group = [int(row["name"].split("e")[-1]) // SIZE if row["name"] != STRANGE else 0 for row in every["encoders"]]
    best = [row["name"] for i, row in enumerate(every["encoders"]) if group[i] not in group[:i]]
    assert [row["name"] for row in folded["encoders"]] == best
    assert (
        f"{GROUPS * (SIZE - 1)} near-copies differ" in qre(*words)[1]
        and "near-copies differ" not in qre(*words, "--all")[1]
    )


def test_speeds_are_shown_when_asked_for(finished_atlas):
    words = ("rank", "--task", TASKS[0], "--atlas", finished_atlas, "--all")
    assert "sentences/s" not in qre(*words)[1] and " 321 " not in qre(*words)[1]
    shown = qre(*words, "--speed")[1]
    assert " 321 " in shown and "compare only those of one device and number of threads" in shown


def test_predictions_of_a_task_that_is_not_predicted(finished_atlas, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished_atlas, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    for file in ("predictions.parquet", "predicted.parquet", "predictor.safetensors"):
        del manifest["files"][file]
    (copy / "manifest.json").write_text(
        json.dumps(
            {
                **manifest,
                "notes": [f"prediction: {TASKS[0]}: not predicted; scores of 8 groups of encoders, and 12 are needed"],
            }
        )
    )
    for words, why in (
        ((TASKS[0],), "scores of 8 groups of encoders, and 12 are needed"),
        ((TASKS[1],), "48 encoders of this map have a score on it"),
        (TASKS, "8 groups"),
    ):
        code, shown, told = qre(
            "rank", "--atlas", copy, "--by", "predicted", *(part for task in words for part in ("--task", task))
        )
        assert code == 2 and not shown and f"'{words[0]}' is not predicted: " in told and why in told


def test_a_map_without_tasks_says_so(tmp_path):
    atlas = finished(tmp_path, tasks=False)
    assert qre("rank", "--atlas", atlas)[:2] == (0, "this map was made without tasks, so it has no scores\n")
    assert json.loads(qre("rank", "--atlas", atlas, "--json")[1]) == {"tasks": [], "encoders": []}
    assert "compare" not in qre("neighbours", "made/e5", "--atlas", atlas)[1]


def test_filters_and_csv(finished_atlas):
    words = ("rank", "--task", TASKS[1], "--atlas", finished_atlas)
    table = pd.read_csv(
        io.StringIO(qre(*words, "--csv", "--top", 5, "--max-parameters", 20_000_000, "--measured-only")[1])
    )
    assert len(table) == 5 and (table["parameters"] <= 2e7).all() and table["score"].notna().all()
    assert "of unknown size left out" in qre(*words, "--max-parameters", 20_000_000)[1]
    by_prediction = json.loads(qre(*words, "--by", "predicted", "--json")[1])["encoders"]
    assert {row["basis"] for row in by_prediction} == {"predicted"}
    assert "without the encoder's own score" in qre(*words, "--by", "predicted")[1]
    assert qre(*words, "--csv", "--json")[0] == 2
    assert qre(*words, "--by", "size")[0] == 2


def test_a_long_ranking_ends_after_twenty_rows(finished_atlas):
    words = ("rank", "--task", TASKS[1], "--atlas", finished_atlas)
    names = [row["name"] for row in json.loads(qre(*words, "--json")[1])["encoders"]]
    assert len(names) == GROUPS
    for chosen, rows in (((), 20), (("--top", 23), 23)):
        shown = qre(*words, *chosen)[1]
        told = [re.search(rf"(?<![\w/]){re.escape(name)}(?![\w/])", shown) is not None for name in names]
        assert told == [True] * rows + [False] * (GROUPS - rows)
        assert f"and {GROUPS - rows} more encoders: --top N shows more, --all every one" in shown
    assert "--top N" not in qre(*words, "--all")[1]


def test_an_unknown_task_is_told(finished_atlas):
    code, _, told = qre("rank", "--task", "Bankin", "--atlas", finished_atlas)
    assert code == 2 and "did you mean 'Banking'" in told


# ---- compare


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A config of 12 classical encoders whose embeddings are in its store (but one), and whose atlas has scores of two
    encoders."""
    folder = tmp_path_factory.mktemp("compared")
    path = folder / "config.yaml"
    entries = [{"source": "catalogue", "name": "classical", "include": ["hash/word*"]}]
    path.write_text(
        yaml.safe_dump(
            {
                "name": "t",
                "store": str(folder / "store"),
                "sentences": {"source": "builtin", "limit": 150},
                "encoders": entries,
            }
        )
    )
    config = load_config(path)
    store = Store(config.store)
    plan = make_plan(config, store, resolve(config, store))
    made = {
        unit.spec.name: embed(unit.spec, plan.sentences.texts, config.encode, "cpu", lambda *_: None)
        for unit in plan.units
    }
    for unit in plan.units[:-1]:
        store.embeddings.write(unit.key, made[unit.spec.name], {})
    rows = [feature_row(embedding, config.features) for embedding in made.values()]
    features = pa.table(
        {
            "key": [unit.key for unit in plan.units],
            "feature": pa.array([row.feature for row in rows]),
            **{
                name: [getattr(row, name) for row in rows] for name in ("qre", "entropy", "effective_rank", "dimension")
            },
        }
    )
    encoders = [
        {"key": unit.key, "name": unit.spec.name, "family": unit.spec.family, "parent": unit.parent}
        for unit in plan.units
    ]
    names = list(made)
    scores = pd.DataFrame(
        [
            {
                "name": name,
                "task": "STS",
                "kind": "sts",
                "metric": "cosine_spearman",
                "split": "test",
                "score": score,
                "low": np.nan,
                "high": np.nan,
                "n": np.nan,
                "source": "measured",
            }
            for name, score in zip(names[:2], (0.5, 0.7), strict=True)
        ]
    )
    files = build_atlas(encoders, features, config.atlas).files | {
        "scores.parquet": parquet(pa.Table.from_pandas(scores))
    }
    manifest = {
        "identity": "none",
        "sentences": plan.sentences.fingerprint,
        "features": config.features.model_dump(),
        "atlas": config.atlas.model_dump(),
    }
    store.atlases.write("t", files, manifest)
    return path, made, store


def test_two_encoders_of_a_config(swept):
    path, made, _ = swept
    a, b = list(made)[:2]
    told = json.loads(qre("compare", a, b, "--atlas", path, "--json")[1])
    rho, sigma = (DensityOperator.from_embedding(made[name]) for name in (a, b))
    expected = relative(rho, sigma), relative(sigma, rho), jensen_shannon(rho, sigma), linear_cka(made[a], made[b])
    assert [told[name] for name in ("relative_a_b", "relative_b_a", "jensen_shannon", "linear_cka")] == pytest.approx(
        expected, rel=1e-9
    )
    vectors = [feature_row(made[name], FeatureMethod()).feature for name in made]
    distances = np.abs(np.stack(vectors) - vectors[0]).sum(axis=1)
    assert told["map"]["distance"] == pytest.approx(distances[1])
    assert (
        told["map"]["rank_of_b"] == 1 + (distances[2:] < distances[1]).sum() and told["map"]["others"] == len(made) - 2
    )
    assert 0 <= told["map"]["neighbours_in_common"] <= told["map"]["k"]
    (score,) = told["scores"]  # without intervals, so nothing is said of what can be told apart
    assert score == {
        "task": "STS",
        "kind": "sts",
        "metric": "cosine_spearman",
        "n": None,
        "a": 0.5,
        "b": 0.7,
        "difference": pytest.approx(-0.2),
        "low": None,
        "high": None,
        "apart": None,
    }
    code, shown, _ = qre("compare", a, b, "--atlas", path)
    assert code == 0 and "Jensen-Shannon" in shown and "-0.2000" in shown and f"A: {a}" in shown


def test_an_encoder_and_itself_as_a_matrix(swept, tmp_path):
    path, made, _ = swept
    name = list(made)[3]
    np.save(tmp_path / "same.npy", made[name])
    told = json.loads(qre("compare", path, name, tmp_path / "same.npy", "--json")[1])
    assert told["jensen_shannon"] == pytest.approx(0, abs=1e-9) and told["linear_cka"] == pytest.approx(1)
    assert told["map"]["rank_of_b"] == told["map"]["rank_of_a"] == 1 and told["map"]["distance"] < 1e-9
    assert told["map"]["neighbours_in_common"] == told["map"]["k"] and told["scores"] == []
    np.save(tmp_path / "longer.npy", made[name] * np.linspace(1, 3, len(made[name]))[:, None])
    shown = qre("compare", path, name, tmp_path / "longer.npy")[1]
    assert told["map"]["same"] and "verdict: the same encoder" in shown and "-0.0000" not in shown
    assert "linear CKA of the vectors as they come, lengths included" in shown
    assert "the same encoder" not in qre("compare", path, *list(made)[:2])[1]


def test_what_rounds_to_zero_has_no_sign():
    told = [formatted(value, form) for value, form in ((-1e-9, ".4f"), (-1e-9, "+.4f"), (-0.1, "+.4f"), (-1234, ",d"))]
    assert told == ["0.0000", "0.0000", "-0.1000", "-1,234"]


def test_what_is_not_on_the_map_is_told_with_near_names_and_how_to_add_it(swept, finished_atlas, monkeypatch):
    path, made, _ = swept
    monkeypatch.chdir(path.parent)
    (path.parent / "my-encoder").mkdir(exist_ok=True)
    first = list(made)[0]
    for name, line in (("my-encoder", "{source: folder, path: my-encoder}"), ("you/own", "{source: hub, id: you/own}")):
        code, _, told = qre("compare", first, name, "--atlas", "config.yaml")
        assert code == 2 and f"add `- {line}` to the encoders of config.yaml" in told and "sweep config.yaml" in told
        assert f"place {name} --atlas config.yaml" in told
    told = qre("compare", "made/e5", "made/e55", "--atlas", finished_atlas)[2]
    assert told.index("did you mean 'made/e5") < told.index("place made/e55 --atlas")


def test_what_cannot_be_compared_is_told(swept, tmp_path):
    path, made, _ = swept
    first, last = list(made)[0], list(made)[-1]
    np.save(tmp_path / "short.npy", made[first][:10])
    np.save(tmp_path / "nan.npy", np.full((150, 3), np.nan))
    for words, why in [
        ((first, first[:-1] + "x"), "did you mean"),
        ((first, last), f"'{last}': no embedding in"),
        ((tmp_path / "short.npy", first), "10 rows"),
        ((tmp_path / "nan.npy", first), "NaN"),
        ((tmp_path / "absent.npy", first), "no such file"),
    ]:
        code, _, told = qre("compare", *words, "--atlas", path)
        assert code == 2 and why in told, (words, told)


def test_without_a_map_there_are_divergences_all_the_same(swept, tmp_path):
    path, made, store = swept
    a, b = list(made)[:2]
    other = tmp_path / "other.yaml"
    other.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "name": "other"}))
    told = json.loads(qre("compare", a, b, "--atlas", other, "--json")[1])
    assert told["map"] is None and told["linear_cka"] > 0 and "no finished map of 'other'" in told["notes"][0]
    assert "no finished map of 'other'" in qre("compare", a, b, "--atlas", other)[1]


def test_in_a_folder_what_its_features_tell(swept, tmp_path):
    path, made, store = swept
    a, b = list(made)[:2]
    folder = tmp_path / "copy"
    shutil.copytree(f"{store.location}/atlases/t", folder)
    whole, told = (json.loads(qre("compare", a, b, "--atlas", place, "--json")[1]) for place in (path, folder))
    assert told["map"] == whole["map"] and told["scores"] == whole["scores"] and told["sentences"] == whole["sentences"]
    assert told["linear_cka"] is None and told["relative_a_b"] is None and "--atlas CONFIG" in told["notes"][0]
    code, shown, _ = qre("compare", a, b, "--atlas", folder)
    assert code == 0 and "distance on the map" in shown and "linear CKA" not in shown and "--atlas CONFIG" in shown
    for name in (a, b):
        np.save(tmp_path / f"{name.replace('/', '-')}.npy", made[name])
    files = [tmp_path / f"{name.replace('/', '-')}.npy" for name in (a, b)]
    told = json.loads(qre("compare", *files, "--atlas", folder, "--json")[1])
    assert (
        told["linear_cka"] == pytest.approx(whole["linear_cka"])
        and told["notes"] == []
        and told["map"]["distance"] == pytest.approx(whole["map"]["distance"])
    )
    for words, why in (((a, b + "x"), "did you mean"), ((a,), "name two encoders"), ((a, b, a), "not 3")):
        code, _, why_not = qre("compare", *words, "--atlas", folder)
        assert code == 2 and why in why_not
    code, _, why_not = qre("compare", a, b)
    assert code == 2 and "--atlas" in why_not
    assert json.loads(qre("compare", path, a, b, "--json")[1]) == whole  # as it was written before


def test_epsilon_of_a_mixing_is_no_clipping():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((40, 5)), rng.standard_normal((40, 6))
    clipped = divergences(first, second, FeatureMethod(epsilon=1e-4))
    assert (
        clipped["epsilon"] == 1e-4 and divergences(first, second, FeatureMethod(perturbation="mix"))["epsilon"] == 1e-6
    )
    shift = rng.standard_normal(5)
    centred = FeatureMethod(center=True)
    assert divergences(first + shift, second, centred) == pytest.approx(divergences(first, second, centred), rel=1e-6)

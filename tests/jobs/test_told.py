"""What people are told of single encoders: warnings of loading, the sentence behind a zero vector or NaN, the message
of a failure."""

import json

import numpy as np
import pytest
import safetensors.torch
import yaml
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import SweepConfig
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.planning.shard_folders import shard_folders
from jobs.planning.units import score_key
from jobs.show.failures import print_failures
from jobs.terminal.console import console
from jobs.workers.embed import Embedded, embed_pass
from jobs.workers.events import UnitResult
from jobs.workers.featurize import ToFeaturize, featurize_batch
from jobs.workers.reduce import reduction, write_atlas
from qre.atlas.finished import FinishedAtlas
from qre.errors import UserError
from qre.store import Failure, Store
from tests.checkpoints import make
from tests.jobs.conftest import in_this_process

EMOJI = "😀"


class Case:
    """A sweep in this process: classical encoders and what else is named."""

    def __init__(self, folder, *entries, sentences=None, **values):
        self.file = folder / "config.yaml"
        classical = {"source": "catalogue", "name": "classical", "include": ["hash/word*"]}
        self.file.write_text(
            yaml.safe_dump(
                {
                    "name": "t",
                    "store": str(folder / "store"),
                    "sentences": sentences or {"source": "builtin", "limit": 60},
                    "encoders": [classical, *entries],
                    **values,
                }
            )
        )
        self.config = SweepConfig.model_validate(yaml.safe_load(self.file.read_text()))
        self.store = Store(self.config.store)

    def plan(self):
        return make_plan(self.config, self.store, resolve(self.config, self.store))

    def embed(self) -> list[UnitResult]:
        plan, results = self.plan(), []
        self.store.sentences.write(plan.sentences.fingerprint, plan.sentences.to_table())
        for work in plan.passes:
            for event in embed_pass(self.store, work, plan.sentences, self.config.encode):
                results += (
                    [event.result] if isinstance(event, Embedded) else [event] if isinstance(event, UnitResult) else []
                )
        return results

    def featurize(self) -> dict[str, UnitResult]:
        plan = self.plan()
        units = [ToFeaturize(unit.key, unit.spec.name) for unit in plan.units if unit.key in plan.embedded]
        done = featurize_batch(self.store, units, shard_folders(self.config, plan.sentences))
        return {unit.name: result for unit, result in zip(units, done, strict=True)}

    def qre(self, command: str, *words: str) -> str:
        result = CliRunner().invoke(app, [command, str(self.file), *words])
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture
def warned(tmp_path):
    """A folder that was saved by a later version."""
    path = make("bert", tmp_path / "later")
    file = path / "config_sentence_transformers.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "__version__": {"sentence_transformers": "99.0.0"}}))
    return path


def test_warnings_are_shown_by_status_and_on_the_map(tmp_path, warned):
    layer = {"source": "folder", "path": str(warned), "name": "layer", "layer": 1, "pooling": "mean"}
    case = Case(tmp_path, {"source": "folder", "path": str(warned), "name": "later"}, layer)
    assert "warned" not in case.qre("status") and json.loads(case.qre("status", "--json"))["warnings"] == {}
    assert {result.status for result in case.embed()} == {"done"}
    assert len(list(case.store.folder.names("notices"))) == 1  # of the one pass that has something
    shown, told = case.qre("status"), json.loads(case.qre("status", "--json"))["warnings"]
    assert "warned while loading" in shown and "99.0.0" in shown
    assert list(told) == ["later"] and "99.0.0" in told["later"][0] and str(tmp_path) not in str(told)
    assert {result.status for result in case.featurize().values()} == {"done"}
    assert write_atlas(case.store, reduction(case.config, case.plan()))
    table = case.store.atlases.read("t", "map.csv").decode()
    assert "warnings" in table.splitlines()[0] and table.count("99.0.0") >= 2  # both that were read off the pass
    assert (
        "libraries warned while 2 of the encoders were loaded: column warnings of the map"
        in case.store.atlases.manifest("t")["notes"]
    )


def test_a_map_without_warnings_has_no_column_of_them(tmp_path, tiny_encoder):
    case = Case(tmp_path, {"source": "folder", "path": str(tiny_encoder), "name": "tiny"})
    case.embed()
    case.featurize()
    assert write_atlas(case.store, reduction(case.config, case.plan()))
    assert "warnings" not in case.store.atlases.read("t", "map.csv").decode().splitlines()[0]
    assert not list(case.store.folder.names("notices")) and not [
        note for note in case.store.atlases.manifest("t")["notes"] if "warned" in note
    ]


def test_the_page_has_what_was_warned_of():
    import pandas as pd

    from qre.report.page import _warned

    table = pd.DataFrame({"name": ["a", "b|c"], "warnings": [None, "said <b>"]})
    assert _warned(table)[-1] == r"- b\|c: said &lt;b&gt;"
    assert _warned(table[["name"]]) == []


@pytest.fixture
def silent(tmp_path):
    """A static encoder that gives zeros for an unknown token, and the sentences that show it."""
    path = make("static", tmp_path / "static")
    file = next(path.rglob("model.safetensors"))
    weights = safetensors.torch.load_file(file)
    weights["embedding.weight"][1] = 0.0  # [UNK]
    safetensors.torch.save_file(weights, file)
    sentences = tmp_path / "sentences.txt"
    sentences.write_text(
        "\n".join([*(f"the cat sees the dog {number}" for number in range(43)), EMOJI, "a judge sings", "the river"]),
        encoding="utf-8",
    )
    return path, sentences


def test_a_zero_vector_names_its_sentence(tmp_path, silent):
    path, sentences = silent
    entry = {"source": "folder", "path": str(path), "name": "static"}
    case = Case(tmp_path, entry, sentences={"source": "file", "path": str(sentences)})
    case.embed()
    result = case.featurize()["static"]
    assert (result.status, result.exception) == ("failed", "ZeroRowError")
    assert (
        f"all-zero vector: the sentence has no direction: sentence 43 ({EMOJI!r}); leave it out, or this encoder"
        in result.message
    )
    assert {one.status for name, one in case.featurize().items() if name != "static"} == {"done"}


def test_nan_of_one_layer_names_its_sentence(tmp_path, tiny_encoder, monkeypatch):
    import shutil

    path = shutil.copytree(tiny_encoder, tmp_path / "nan")
    weights = safetensors.torch.load_file(path / "model.safetensors")
    weights["encoder.layer.1.output.LayerNorm.bias"][3] = float("nan")
    safetensors.torch.save_file(weights, path / "model.safetensors", {"format": "pt"})
    layers = [
        {"source": "folder", "path": str(path), "name": f"L{layer}", "layer": layer, "pooling": "mean"}
        for layer in (1, 2)
    ]
    case = Case(tmp_path, *layers)
    failed = [result for result in case.embed() if result.status == "failed"]
    assert len(failed) == 1 and "NaN or Inf in the embedding: sentence 0 ('In the opinion" in failed[0].message


def test_a_matrix_with_a_zero_row_names_the_sentence(finished_atlas, tmp_path):
    from tests.finished import embedding_at

    embedding = embedding_at(0.2, 0.3)
    embedding[7] = 0
    np.save(tmp_path / "mine.npy", embedding)
    result = CliRunner().invoke(app, ["place", str(tmp_path / "mine.npy"), "--atlas", str(finished_atlas)])
    assert isinstance(
        result.exception, UserError
    ) and "all-zero vector: the sentence has no direction: sentence 7 ('" in str(result.exception)


def test_the_table_of_failures_prints_the_message(tmp_path, tiny_encoder):
    case = Case(tmp_path, {"source": "folder", "path": str(tiny_encoder), "name": "tiny"})
    for unit in [unit for unit in case.plan().units if unit.spec.name == "tiny"]:
        case.store.failures.write(
            Failure(
                key=unit.key,
                encoder="tiny",
                kind="permanent",
                exception="gated",
                message="owner/tiny needs a yes",
                remedy="ask",
            )
        )
    with console.capture() as shown:
        print_failures(case.plan())
    assert all(part in " ".join(shown.get().split()) for part in ("gated: owner/tiny needs a yes", "ask"))


def test_encoders_and_scores_that_fail_alike_are_counted_apart(tmp_path, tiny_encoder):
    case = Case(
        tmp_path,
        {"source": "folder", "path": str(tiny_encoder), "name": "tiny"},
        tasks=[{"source": "builtin", "include": ["builtin/sts", "builtin/sts-topic", "builtin/paraphrases"]}],
    )
    plan = case.plan()
    (tiny,) = (unit for unit in plan.units if unit.spec.name == "tiny")
    names = {tiny.key: "tiny", **{score_key(task, tiny.key): f"tiny on {one.name}" for task, one in plan.tasks.items()}}
    assert len(names) == 4
    for key, name in names.items():
        case.store.failures.write(
            Failure(key=key, encoder=name, kind="permanent", exception="gated", message="no", remedy="ask")
        )
    with console.capture() as shown:
        print_failures(case.plan())
    assert "1 encoder and 3 scores: tiny" in " ".join(shown.get().replace("│", " ").split())


def test_an_encoder_of_a_map_is_shown_by_its_name(finished_atlas):
    row = FinishedAtlas(finished_atlas).table.iloc[1]
    code, shown, _ = in_this_process("encoders", "show", row["name"], "--atlas", finished_atlas)
    told = json.loads(shown)
    assert code == 0 and (told["name"], told["family"], told["qre"]) == (row["name"], row["family"], row["qre"])
    assert told["what"] and "python" in told
    code, _, said = in_this_process("encoders", "show", f"{row['name']}x", "--atlas", finished_atlas)
    assert code == 2 and f"did you mean {row['name']!r}" in said

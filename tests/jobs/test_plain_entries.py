"""Plain checkpoints in a config: whose entry states the pooling, which of a query or a list need it, and the whole way
to a map."""

import csv
import json

import numpy as np
import pytest
import yaml

from jobs.asked.models import embed, given, spec_of
from jobs.config import HubEntry, ListEntry, load_config
from jobs.config.made_again import to_make_again
from jobs.planning.costs import expected_cost
from jobs.start.encoders import chosen_encoders
from jobs.start.search import show
from qre.encoders.hub_problems import HubProblem
from qre.encoders.passes import EncodeSettings, unit_key
from qre.errors import EncoderError
from qre.store import Store
from tests.checkpoints import make
from tests.jobs.conftest import resolved, write_config
from tests.jobs.test_hub_sweep import qre
from tests.plain import by_hand, make_plain

TAGGED = {"tags": ["sentence-transformers"]}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    plain = {kind: make_plain(kind, root / kind) for kind in ("bert", "bert-mlm", "roberta", "llama")}
    return {**plain, "whole": make("dense", root / "whole")}


def models(found) -> dict:
    """name -> (plain, pooling) of the transformers."""
    return {spec.name: (spec.plain, spec.pooling) for spec in found.specs if spec.source in ("folder", "hub")}


def failures(found) -> dict:
    return {failure.encoder: failure.exception for failure in found.unresolved}


def test_without_a_pooling_a_folder_fails_alone_when_planned(tmp_path, folders):
    bert, whole = ({"source": "folder", "path": str(folders[name])} for name in ("bert", "whole"))
    found = resolved(tmp_path, bert, whole)
    assert (failures(found), models(found)) == ({"bert": "no pooling"}, {"whole": (False, None)})
    assert "give pooling: cls, mean, max, weightedmean or lasttoken" in found.unresolved[0].remedy
    stated = resolved(tmp_path, {**bert, "pooling": "cls"}, {**bert, "pooling": "max", "layer": 1})
    assert models(stated) == {"bert/cls": (True, "cls"), "bert/L1/max": (True, "max")}
    assert stated.dimensions[-2:] == [32, 32]
    beyond = resolved(tmp_path, {**bert, "pooling": "max", "layer": 3}, {**bert, "pooling": "cls", "truncate_dim": 33})
    assert failures(beyond) == {"bert/L3/max": "wrong entry", "bert/cls/truncate:33": "wrong entry"}


def test_of_a_query_those_get_it_that_need_it(own, tmp_path, folders):
    for name in ("bert", "whole"):
        own.add(f"org/{name}", folder=folders[name], **TAGGED)
    query = {"source": "hub", "query": {"author": "org", "limit": 5}}
    without = resolved(tmp_path, query)
    assert (failures(without), models(without)) == ({"org/bert": "no pooling"}, {"org/whole": (False, None)})
    given_one = resolved(tmp_path, {**query, "plain": {"pooling": "cls"}})
    assert models(given_one) == {"org/bert/cls": (True, "cls"), "org/whole": (False, None)}
    whole = [[spec for spec in found.specs if spec.name == "org/whole"][0] for found in (without, given_one)]
    assert unit_key(whole[0], "s", EncodeSettings()) == unit_key(whole[1], "s", EncodeSettings())
    own.requests.clear()
    again = resolved(tmp_path, {**query, "plain": {"pooling": "mean"}}, ask_hub=False)  # the store remembers
    assert models(again)["org/bert/mean"] == (True, "mean") and own.requests == []


def test_of_a_list_those_get_it_that_state_none(own, tmp_path, folders):
    commits = {name: own.add(f"org/{name}", folder=folders[name]) for name in ("bert", "roberta", "whole")}
    with open(tmp_path / "l.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["id", "revision", "pooling"])
        rows.writerows([f"org/{name}", commit, "max" if name == "roberta" else ""] for name, commit in commits.items())
    inner = [{"source": "folder", "path": str(folders["llama"])}]
    inner.append({"source": "hub", "query": {"author": "org", "search": "bert", "filter": []}, "family": "q"})
    inner[-1]["plain"] = {"pooling": "weightedmean"}
    (tmp_path / "l.yaml").write_text(yaml.safe_dump(inner))
    found = resolved(
        tmp_path, *({"source": "list", "path": path, "plain": {"pooling": "mean"}} for path in ("l.yaml", "l.csv"))
    )
    assert failures(found) == {}
    assert models(found) == {
        "llama/mean": (True, "mean"),
        "org/bert/mean": (True, "mean"),
        "org/roberta/max": (True, "max"),
        "org/whole": (False, None),
        "org/bert/weightedmean": (True, "weightedmean"),
        "org/roberta/weightedmean": (True, "weightedmean"),
    }
    alone = resolved(tmp_path, {"source": "list", "path": "l.csv"})
    assert failures(alone) == {"org/bert": "no pooling"}


def test_records_of_older_stores_are_found_where_nothing_is_stated(tmp_path):
    """Failures and owners are keyed by what entries hold."""
    assert "plain" not in HubEntry(source="hub", id="a/b").model_dump(mode="json")
    assert "plain" not in ListEntry(source="list", path="/l.csv").model_dump(mode="json")
    stated = {"source": "hub", "query": {"author": "a"}, "plain": {"pooling": "cls"}}
    assert HubEntry.model_validate(stated).model_dump(mode="json")["plain"] == {"pooling": "cls"}
    listed = {"source": "list", "path": "/l.csv", "plain": {"pooling": "mean"}}
    told = to_make_again(load_config(write_config(tmp_path, [stated, listed])))["encoders"]
    assert [entry["plain"] for entry in told] == [{"pooling": "cls"}, {"pooling": "mean"}]


def test_what_it_costs_is_planned(own, tmp_path, folders):
    own.add("org/bert", folder=folders["bert"], safetensors_parameters={"F32": 24_000})
    found = resolved(tmp_path, {"source": "hub", "id": "org/bert", "pooling": "mean"})
    known = found.attributes["org/bert/mean"]
    cost = expected_cost(found.specs[-1], known, 1000, 100, load_config(tmp_path / "config.yaml"))
    assert (cost.parameters, cost.stored) == (24_000, 100 * 32 * 4)
    assert sum(size for _, size in found.specs[-1].files) > 90_000


def test_placing_takes_it_with_the_option(own, folders):
    own.add("org/roberta", folder=folders["roberta"])
    texts = ["a cat sees the boat", "the old judge sings in the city at night", "a dog runs"]
    for word, folder in ((str(folders["bert-mlm"]), folders["bert-mlm"]), ("org/roberta", folders["roberta"])):
        (one,) = given([word], {"pooling": "weightedmean"}, trust_remote_code=False)
        matrix = embed(spec_of(one.source), texts, EncodeSettings(), "cpu", lambda *_: None)
        for row, text in enumerate(texts):
            assert np.abs(matrix[row] - by_hand(folder, text, "weightedmean")).max() < 1e-5
        (bare,) = given([word], {}, trust_remote_code=False)
        with pytest.raises((EncoderError, HubProblem), match="no pooling .*give pooling"):
            spec_of(bare.source)


def test_a_new_config_says_where_a_pooling_is_to_be_stated(folders):
    chosen = chosen_encoders([str(folders["bert"]), str(folders["whole"])])
    assert [note for note in chosen.notes if "modules.json" in note] == [
        f"{folders['bert']} has no modules.json: give its entry a pooling: (cls, mean, max, weightedmean, lasttoken), "
        "as its authors used it"
    ]


def test_show_says_that_it_is_plain_and_leaves_the_pooling_open(own, folders, capsys):
    own.add("org/bert", folder=folders["bert"])
    for word in (str(folders["bert"]), "org/bert"):
        show(word)
        told = json.loads(capsys.readouterr().out)
        assert (told["plain"], told["hidden_size"], told["modules"]) == (True, 32, "Transformer")
        assert "cls|mean|max|weightedmean|lasttoken" in "\n".join(told["python"])
    show(str(folders["whole"]))
    assert json.loads(capsys.readouterr().out)["plain"] is False


@pytest.mark.cluster
def test_from_a_config_to_a_map(hub, tmp_path, folders):
    hub.add("org/llama", folder=folders["llama"])
    hub.add("org/roberta", folder=folders["roberta"])
    bert = {"source": "folder", "path": str(folders["bert"])}
    encoders = [
        {**bert, "pooling": "cls"},
        {**bert, "pooling": "mean", "transforms": ["center"]},
        {**bert, "pooling": "mean", "layer": 1},
        bert,
        {"source": "hub", "query": {"author": "org", "filter": []}, "plain": {"pooling": "lasttoken"}},
    ]
    config = write_config(tmp_path, encoders, tasks=[{"source": "builtin", "include": ["builtin/paraphrases"]}])
    swept = qre(hub, tmp_path, "sweep", config)
    assert "map of 5 encoders" in swept.stdout, swept.stdout + swept.stderr
    assert swept.returncode == 1 and "no pooling" in swept.stdout
    store = Store(tmp_path / "store")
    assert {failure.exception for failure in store.failures.read_all().values()} == {"no pooling"}
    again = qre(hub, tmp_path, "sweep", config)
    assert "encoders 0/" not in again.stdout
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(pa.BufferReader(store.atlases.read("t", "map.parquet"))).to_pandas().set_index("name")
    assert set(table.index) == {
        "bert/cls", "bert/mean/center", "bert/L1/mean", "org/llama/lasttoken", "org/roberta/lasttoken"
    }  # fmt: skip
    assert set(table["pooling"]) == {"cls", "mean", "lasttoken"}

"""What a map tells of its config: enough to make it again, and nothing of the machine that made it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel, TypeAdapter

from jobs.config import SweepConfig, load_config
from jobs.config.keys import members, plain_type
from jobs.config.made_again import KEPT, LAST_PART, last_part, to_make_again
from qre.paths import PathText

SECRET = "/home/ada/secret"
LEFT_OUT = {"store", "export", "inputs", "cluster", "on_end"}  # of the config itself


def records(annotation: object) -> Iterator[type[BaseModel]]:
    """The records that a type can hold, itself or inside tuples, dicts and unions."""
    annotation, _ = plain_type(annotation, None)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in (*members(annotation), *(get_args(annotation) if get_origin(annotation) in (tuple, dict) else ())):
        if inner is not Ellipsis:
            yield from records(inner)


def told_records() -> set[type[BaseModel]]:
    """Every record that can stand in a part of the config that is told."""
    waiting, seen = [SweepConfig], set()
    while waiting:
        record = waiting.pop()
        if record in seen:
            continue
        seen.add(record)
        for name, field in record.model_fields.items():
            if record is not SweepConfig or name not in LEFT_OUT:
                waiting += records(field.annotation)
    return seen


def holds_paths(record: type[BaseModel], name: str) -> bool:
    """Whether a key takes a path: ~ is the home directory there."""
    field = record.model_fields[name]
    kind = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
    for value in ("~/x", ["~/x"]):
        try:
            if "~" not in str(TypeAdapter(kind).validate_python(value)):
                return True
        except ValueError:
            continue
    return False


def test_a_key_that_takes_a_path_is_found():
    class One(BaseModel):
        plain: str
        path: PathText | None = None
        paths: tuple[PathText, ...] = ()

    assert [holds_paths(One, name) for name in One.model_fields] == [False, True, True]


@pytest.mark.parametrize("record", sorted(told_records(), key=lambda one: one.__name__), ids=lambda one: one.__name__)
def test_every_key_is_told_as_it_is_or_by_its_last_part_or_is_left_out_on_purpose(record):
    """A new key fails here, until somebody has decided what of it may leave the machine."""
    kept, paths = set(KEPT[record].split()), set(LAST_PART.get(record, "").split())
    left = LEFT_OUT if record is SweepConfig else set()
    assert kept | paths | left == set(record.model_fields) and not kept & paths
    for name in kept:
        assert not holds_paths(record, name), f"{name} takes a path: it belongs in LAST_PART"


def test_what_is_not_listed_is_not_told():
    class Later(SweepConfig):
        token: str = ""

    config = Later.model_validate({"name": "t", "store": SECRET, "encoders": [CLASSICAL], "token": SECRET})
    assert to_make_again(config) == {}  # a record of a kind that nobody has listed tells nothing


CLASSICAL = {"source": "classical", "kind": "hashed", "weighting": "count", "name": "=h", "family": "h"}
WRITTEN = {
    "name": "t",
    "store": f"{SECRET}/store",
    "export": f"{SECRET}/out",
    "inputs": f"{SECRET}/inputs",
    "sentences": {"source": "file", "path": f"{SECRET}/mine.csv", "column": "text", "limit": 500},
    "encoders": [
        CLASSICAL,
        {"source": "folder", "path": f"{SECRET}/my-encoder/", "prompts": {"query": "q: "}, "normalize": True},
        {"source": "hub", "id": "a/b", "truncate_dim": 64, "dtype": "bfloat16"},
        {"source": "hub", "query": {"author": "a", "limit": 5, "parameters": [None, 1000]}},
        {"source": "list", "path": f"{SECRET}/more.yaml"},
        {"source": "catalogue", "name": "demo", "include": ["lsa/*"]},
    ],
    "encode": {"token_budget": 4096},
    "features": {"perturbation": "mix", "epsilon": 1e-6},
    "tasks": [
        {"source": "builtin"},
        {
            "source": "file",
            "kind": "sts",
            "name": "s",
            "path": f"{SECRET}/data.json#test",
            "columns": {"score": "gold"},
        },
        {
            "source": "file",
            "kind": "clustering",
            "name": "c",
            "path": f"{SECRET}/c.csv",
            "label_groups": f"{SECRET}/g.json",
        },
        {
            "source": "file",
            "kind": "classification",
            "name": "k",
            "train": f"{SECRET}/a.csv",
            "test": f"{SECRET}/b.csv",
        },
        {
            "source": "file",
            "kind": "retrieval",
            "name": "r",
            "corpus": f"{SECRET}/d.csv",
            "queries": f"{SECRET}/q.csv",
            "qrels": f"{SECRET}/r.csv",
            "qrels_columns": {"relevance": None},
        },
        {"source": "mteb", "results": [f"{SECRET}/results", f"{SECRET}/table.csv"], "tasks": ["X"]},
    ],
    "prediction": {"repeats": 2, "sensitivity": [{"epsilon": 1e-3}]},
    "atlas": {"perplexity": 5},
    "cluster": {"address": "ray://10.1.2.3:10001", "cpus": 1},
    "on_end": {"url": "https://example.org/hook/abc123"},
}


def test_the_machine_is_not_told(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(WRITTEN))
    told = to_make_again(load_config(path))
    text = json.dumps(told)
    for part in ("secret", "ada", "home", "10.1.2.3", "abc123", "example.org", "store", str(tmp_path)):
        assert part not in text, part
    assert told["sentences"] == {"source": "file", "path": "mine.csv", "column": "text", "limit": 500}
    assert told["encode"] == {"token_budget": 4096}  # the rest is as it always is
    assert told["tasks"][1]["path"] == "data.json#test" and told["tasks"][-1]["results"] == ["results", "table.csv"]
    assert told["encoders"][1]["path"] == "my-encoder"


def test_it_makes_the_same_map_again(tmp_path):
    """Written down with the files beside it, it is the same config, but for where things are."""
    path, again = tmp_path / "c.yaml", tmp_path / "again.yaml"
    path.write_text(yaml.safe_dump(WRITTEN))
    told = to_make_again(load_config(path))
    again.write_text(yaml.safe_dump({**told, "store": "elsewhere"}))
    second = load_config(again)
    assert to_make_again(second) == told
    first = load_config(path)
    for part in ("encode", "features", "prediction", "atlas"):
        assert getattr(second, part) == getattr(first, part)
    without = {"exclude": {"path", "results", "train", "test", "corpus", "queries", "qrels", "label_groups"}}
    assert [one.model_dump(**without) for one in second.tasks] == [one.model_dump(**without) for one in first.tasks]
    assert [one.model_dump(**without) for one in second.encoders] == [
        one.model_dump(**without) for one in first.encoders
    ]


def test_the_demo_is_told_in_a_few_lines():
    root = Path(__file__).resolve().parents[2]
    told = to_make_again(load_config(root / "jobs/demo.yaml"))
    assert told["name"] == "demo" and told["sentences"] == {"source": "builtin", "limit": 2000, "seed": 0}
    assert str(root) not in json.dumps(told)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b.csv", "b.csv"),
        ("b.csv", "b.csv"),
        ("/a/b/", "b"),
        ("C:\\Users\\ada\\b.csv", "b.csv"),
        ("s3://bucket/x/b.csv?endpoint_override=host/path", "b.csv"),
        ("https://ada:secret@host", "host"),
        ("https://ada:secret@host/x/b.csv#token=secret", "b.csv"),
        ("s3://key:secret@bucket", "bucket"),
        ("s3://bucket/a#1.csv", "a#1.csv"),
        ("/home/#ada/b.csv", "b.csv"),
        ("/a/b.json#test", "b.json#test"),
        (".", "."),
        ("/", ""),
    ],
)
def test_the_last_part_of_a_path(path, name):
    assert last_part(path) == name

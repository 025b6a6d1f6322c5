"""Variants beside their parents, without Ray: from the items of their scores to table, report, figure and page."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from jobs.config import SweepConfig
from jobs.planning.plan import make_plan
from jobs.planning.resolve import resolve
from jobs.workers.descended import found_descended, lineage
from jobs.workers.reduce import reduction, write_atlas
from qre.encoders.lineage import plainer
from qre.encoders.spec import FolderSpec, HubSpec
from qre.encoders.variants import Sparsify, Variant
from qre.store import Store
from qre.tasks.difference import difference, paired_resamples
from tests.faults.in_process import without_ray
from tests.page.page_data import page_data

ODD = "<b>a|b*</b>\u202e `x` $y$"
TASKS = ["builtin/sts", "builtin/topics", "builtin/retrieval"]


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_encoder):
    """(config, folder of the store): an encoder with its whitened, quantised and sparsified forms, and others."""
    folder = tmp_path_factory.mktemp("lineage")
    entry = {"source": "folder", "path": str(tiny_encoder), "layer": 1, "pooling": "mean"}
    sparse = {"variant": {"sparsify": {"share": 0.3, "score": "magnitude"}}}
    config = SweepConfig.model_validate(
        {
            "name": "t",
            "store": str(folder / "store"),
            "sentences": {"source": "builtin", "limit": 300},
            "encoders": [
                {**entry, "name": "whole"},
                {**entry, "name": "white", "transforms": ["whiten:8"]},
                {**entry, "name": "white8", "transforms": ["whiten:8", "int8"]},
                {**entry, "name": ODD, "transforms": ["int8"]},
                {**entry, "name": "sparse", **sparse},
                {**entry, "name": "other", "layer": 2, "transforms": ["center"]},
                {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/count/*"]},
            ],
            "tasks": [{"source": "builtin", "include": TASKS}],
        }
    )
    without_ray(config, folder / "store")
    return config, folder / "store"


def plan_of(config, store):
    return make_plan(config, store, resolve(config, store))


def table_of(store):
    return pd.read_parquet(io.BytesIO(store.atlases.read("t", "variants.parquet")))


def feature_table(store):
    told = pd.read_parquet(io.BytesIO(store.atlases.read("t", "features.parquet")))
    return zip(told["name"], told["feature"])


def again(config, store):
    write_atlas(store, reduction(config, plan_of(config, store)))


def test_the_parent_lacks_the_last_step(made):
    table = table_of(Store(made[1]))
    told = table.drop_duplicates("variant").set_index("variant")[["parent", "done"]]
    assert told.to_dict("index") == {
        "white": {"parent": "whole", "done": "whiten:8"},
        "white8": {"parent": "white", "done": "int8"},
        ODD: {"parent": "whole", "done": "int8"},
        "sparse": {"parent": "whole", "done": "sparse:0.3:magnitude"},
    }  # "other" is of a layer that is not on the map without its transform


def test_numbers_are_those_of_the_scores_and_of_the_map(made):
    config, folder = made
    store = Store(folder)
    table, scores, atlas = (
        pd.read_parquet(io.BytesIO(store.atlases.read("t", f"{name}.parquet")))
        for name in ("variants", "scores", "map")
    )
    assert len(table) == 4 * 3 and set(table["task"]) == set(scores["task"])
    at = scores.set_index(["name", "task"])["score"]
    places = atlas.set_index("name")
    plan = plan_of(config, store)
    keys = {unit.spec.name: unit.key for unit in plan.units}
    features = dict(feature_table(store))
    for row in table.itertuples():
        assert (row.score, row.parent_score) == (at[row.variant, row.task], at[row.parent, row.task])
        assert row.difference == row.score - row.parent_score
        assert row.low <= row.difference <= row.high and 0 <= row.better <= 1
        assert row.apart == ("better" if row.low > 0 else "worse" if row.high < 0 else "")
        assert row.effective_rank == places["effective_rank"][row.variant]
        assert row.parent_effective_rank == places["effective_rank"][row.parent]
        assert 0 <= row.moved <= 1
        assert row.distance == pytest.approx(np.abs(features[row.variant] - features[row.parent]).sum())
        fingerprint, task = next(one for one in plan.tasks.items() if one[1].name == row.task)
        items = store.items.read(fingerprint, [keys[row.variant], keys[row.parent]])
        told = difference(task.statistic, items[keys[row.variant]], items[keys[row.parent]], paired_resamples())
        assert (row.low, row.high, row.better) == pytest.approx((told.low, told.high, told.better))


def test_threads_change_no_number_and_each_parent_is_told(made):
    config, folder = made
    store, told = Store(folder), []
    scores = pd.read_parquet(io.BytesIO(store.atlases.read("t", "scores.parquet")))
    wanted = lineage(config, plan_of(config, store))
    one = found_descended(store, wanted, scores)
    three = found_descended(store, wanted, scores, 3, lambda *stage: told.append(stage))
    assert one.differences.equals(three.differences) and one.pairs.equals(three.pairs) and len(one.differences) == 12
    assert told == [("differences of variants", done, 6) for done in range(1, 7)]  # two parents, three tasks


def test_every_score_has_its_items_and_follows_from_them(made):
    config, folder = made
    store = Store(folder)
    plan = plan_of(config, store)
    assert plan.done and len(plan.scored) == 3 * len(plan.units)
    for (fingerprint, _), name in plan.scored.items():
        statistic, record = plan.tasks[fingerprint].statistic, store.scores.read([(fingerprint, name)])
        items = store.items.read(fingerprint, [name])[name]
        told = record[fingerprint, name]
        assert statistic.fits(items) and statistic.score(items) == told["score"]
        assert statistic.interval(items) == (told["low"], told["high"])
        assert not any("items" in field for field in told)


def test_the_report_the_page_and_the_figure_show_them(made):
    store = Store(made[1])
    report = store.atlases.read("t", "report.md").decode()
    part = report.split("## Variants beside their parents")[1]
    assert "(variants.png)" in part and "4 encoders of this map are made of another one" in part
    assert ODD not in report and "&lt;b&gt;a\\|b" in part
    rows = [line for line in part.split("### Each variant")[1].splitlines() if line.startswith("| white ")]
    assert len(rows) == 1 and "whiten:8" in rows[0] and "→" in rows[0]
    assert store.atlases.read("t", "variants.png").startswith(b"\x89PNG")
    assert ODD.encode() not in store.atlases.read("t", "variants.svg")
    figures = page_data(made[1] / "atlases/t/atlas.html")["figures"]
    shown = next(one for one in figures if one["id"] == "variants")
    assert shown["title"] == "Variants beside the encoders that they are made of" and shown["svg"].startswith("<?xml")
    assert "variants.csv" in json.loads(store.atlases.read("t", "manifest.json"))["files"]


def test_without_items_the_interval_is_not_known_and_nothing_is_scored_again(made, tmp_path):
    """As in the store of an older version; and where items are damaged, or of another score."""
    config, folder = made
    config = config.model_copy(update={"store": str(tmp_path / "store")})
    store, whole = Store(tmp_path / "store"), Store(folder)
    for shelf in ("sentences", "embeddings", "features", "scores", "items"):
        for name in whole.folder.names(shelf):
            store.folder.write(name, whole.folder.read(name))
    plan = plan_of(config, store)
    tasks, keys = list(plan.tasks), {unit.spec.name: unit.key for unit in plan.units}
    for name in [name for name in store.folder.names("items") if tasks[0] in name]:
        store.folder.remove(name)
    damaged = store.items.name(tasks[1], keys["sparse"])
    store.folder.write(damaged, store.folder.read(damaged)[:-3])
    other = store.items.read(tasks[1], [keys["white"]])[keys["white"]]
    store.items.write(tasks[1], keys["white8"], other)
    again(config, store)
    plan = plan_of(config, store)
    assert plan.done and not plan.passes
    table = table_of(store).set_index(["variant", "task"])
    names = [plan.tasks[task].name for task in tasks]
    lacking = {(variant, task) for (variant, task), row in table.iterrows() if not np.isfinite(row["low"])}
    assert lacking == {(name, names[0]) for name in ("white", "white8", ODD, "sparse")} | {
        ("sparse", names[1]),
        ("white8", names[1]),
    }
    assert table["difference"].notna().all() and table.loc["sparse", "apart"].isna().sum() == 2
    assert not store.folder.exists(damaged) and list(store.folder.names("quarantine"))
    report = store.atlases.read("t", "report.md").decode()
    assert "of 6 differences between a variant and its parent the interval is not known" in report and " ?" in report


def test_a_map_without_variants_or_without_tasks(made, tmp_path):
    config, folder = made
    some = config.model_copy(update={"name": "t", "encoders": (config.encoders[0], config.encoders[-1])})
    store = Store(folder)
    plan = plan_of(some, store)
    write_atlas(store, reduction(some, plan))
    files = json.loads(store.atlases.read("t", "manifest.json"))["files"]
    assert not [name for name in files if name.startswith("variants")]
    assert "Variants beside" not in store.atlases.read("t", "report.md").decode()
    bare = config.model_copy(update={"tasks": ()})
    write_atlas(store, reduction(bare, plan_of(bare, store)))
    table = table_of(store)
    assert len(table) == 4 and table["task"].isna().all() and table["apart"].isna().all()
    report = store.atlases.read("t", "report.md").decode()
    assert "4 encoders of this map" in report and "bootstrap" not in report and "not known" not in report
    again(config, store)


def test_what_an_encoder_may_be_made_of():
    def steps(spec):
        return [
            (other.transforms, other.variant if isinstance(other, HubSpec) else None, done)
            for other, done in plainer(spec)
        ]

    hub = HubSpec(name="a", family="a", id="a/b", revision="0" * 40, transforms=("center", "int8"))
    assert steps(hub) == [(("center",), None, "int8"), ((), None, "center, int8")]
    assert steps(hub.model_copy(update={"transforms": ()})) == []
    sparse = Variant(sparsify=Sparsify(share=0.2))
    assert steps(hub.model_copy(update={"transforms": ("int8",), "variant": sparse})) == [
        ((), sparse, "int8"),
        (("int8",), None, "sparse:0.2"),
        ((), None, "sparse:0.2, int8"),
    ]
    folder = FolderSpec(name="a", family="a", path="x", revision="r", variant=sparse)
    assert [done for _, done in plainer(folder)] == ["sparse:0.2"]
    white = folder.model_copy(update={"variant": None, "transforms": ("whiten", "normalize"), "fitted_on": "c" * 64})
    assert [done for _, done in plainer(white)] == ["normalize", "whiten on a corpus, normalize"]

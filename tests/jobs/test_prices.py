"""Prices, deadlines and the records of what is spent: what needs no Ray."""

import json
import time
from datetime import datetime, timedelta, timezone

import pytest
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import load_config
from jobs.config.deadline import checked_deadline, seconds_left
from jobs.config.prices import gpu_type, price_of, read_prices
from jobs.config.slots import ClusterSettings
from jobs.records.spending import read_spent
from qre.errors import UserError
from qre.store import Store
from tests.conftest import save_tiny_bert
from tests.jobs.conftest import write_config

HASHED = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}  # 6 encoders


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("L4", "L4"),
        ("NVIDIA L4", "L4"),
        ("nvidia-l4", "L4"),
        ("NVIDIA-L4", "L4"),
        ("Tesla T4", "T4"),
        ("nvidia-tesla-t4", "T4"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA A100-SXM4-80GB", "A100-80G"),
        ("NVIDIA A100 80GB PCIe", "A100-80G"),
        ("NVIDIA A100-SXM4-40GB", "A100-40G"),
        ("A100", "A100"),
        ("nvidia-a100-80gb", "A100-80G"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("nvidia-h100-mega-80gb", "H100"),
        ("NVIDIA A10G", "A10G"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("AMD-Instinct-MI300X-OAM", "MI300X"),
        ("GeForce-RTX-4090", "RTX-4090"),
        ("NVIDIA A100-SXM4-40GB MIG 1g.5gb", None),
        ("TPU-V4", None),
        ("", None),
    ],
)
def test_a_gpu_is_known_by_every_name_of_its_type(name, kind):
    assert gpu_type(name) == kind


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("l5=1", "no GPU type 'l5'; did you mean L4"),
        ("H10=3", "did you mean H100"),
        ("L4=cheap", "'L4=cheap' is not a price"),
        ("L4", "'L4' is not a price"),
        ("L4=-1", "L4: a price of a GPU hour is a number from 0 on"),
        ("L4=nan", "a number from 0 on"),
        ("L4=inf", "a number from 0 on"),
        ("L4=1,NVIDIA-L4=2", "L4 has two prices"),
        ("L4=1,L4=2", "L4 has two prices"),
        ("", "'' is not a price"),
        ("L4=0,80", "'80' is not a price"),
        ("my L4 box=1", "no GPU type 'my L4 box'"),
    ],
)
def test_a_wrong_price_is_named(option, message):
    with pytest.raises(UserError, match=f"--price: .*{message}"):
        read_prices([option])


def test_prices_of_sizes_and_of_others():
    assert read_prices(["L4=0.80,H100=3.50", "T4=0"]) == {"L4": 0.8, "H100": 3.5, "T4": 0.0}
    assert price_of("A100-80G", {"A100": 2.0}) == 2.0
    assert price_of("A100", {"A100-40G": 1.0, "A100-80G": 2.0}) == 2.0, "the dearer where the size is not told"
    assert price_of("H100", {"L4": 1.0}) is None
    assert price_of("H100", {"L4": 1.0, "other": 5.0}) == 5.0


def test_deadlines():
    zoned = datetime.now(timezone(timedelta(hours=5))) + timedelta(hours=2)
    assert seconds_left(checked_deadline(zoned.isoformat())) == pytest.approx(7200, abs=300)
    assert seconds_left(
        checked_deadline(datetime.fromtimestamp(time.time() + 900, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"))
    ) == pytest.approx(900, abs=300)
    assert [seconds_left(checked_deadline(text)) for text in ("12h", "1d 12h", "90m", "1.5h", "30S")] == [
        43200,
        129600,
        5400,
        5400,
        30,
    ]


@pytest.mark.parametrize(
    ("cluster", "message"),
    [
        ("deadline: 2026-11-27 08:00:00", "cluster.deadline: it has no time zone"),
        ("deadline: 2026-11-27", "cluster.deadline: give a moment"),
        ("deadline: tomorrow", "cluster.deadline: give a moment"),
        ("deadline: 12", "cluster.deadline: give a moment"),
        ("deadline: 12:30:00", "cluster.deadline: give a moment"),
        ("deadline: 0h", "a duration is longer than 0"),
        ("prices: {L5: 1}", r"cluster.prices: no GPU type 'L5'; did you mean L4"),
        ("prices: {L4: -1}", "cluster.prices: L4: a price"),
        ("budget: 5", "cluster: budget is money: it needs prices"),
        ("budget: 0, prices: {L4: 1}", "cluster.budget: give a number above 0"),
        ("budget: .inf, prices: {L4: 1}", "cluster.budget: .*finite"),
        ("budget: 5, prices: {L4: 1}", "budget counts GPU hours, and no encoder has a GPU"),
        (
            "budget: 5, prices: {L4: 1}, slots: [{gpus: 1, labels: {ray.io/accelerator-type: H100}}]",
            "budget cannot be kept: a slot asks for H100",
        ),
        ("max_failed: -1", "cluster.max_failed: give a count from 0 on"),
        ("max_failed: many", "cluster.max_failed: give a count"),
        ("max_failed: 101%", "cluster.max_failed: give a count"),
        ("max_failed: true", "cluster.max_failed: give a count"),
    ],
)
def test_what_is_wrong_in_a_config_is_named(tmp_path, cluster, message):
    path = tmp_path / "c.yaml"
    path.write_text(f"name: t\nstore: s\nencoders: [{{source: catalogue, name: classical}}]\ncluster: {{{cluster}}}\n")
    with pytest.raises(UserError, match=message):
        load_config(path)


def test_good_limits(tmp_path):
    path = tmp_path / "c.yaml"
    limits = (
        "gpus_per_encoder: 1, budget: 5, prices: {NVIDIA-L4: 0.8}, deadline: 2026-11-27T08:00:00+01:00, max_failed: 5%"
    )
    path.write_text(f"name: t\nstore: s\nencoders: [{{source: catalogue, name: classical}}]\ncluster: {{{limits}}}\n")
    settings = load_config(path).cluster
    assert (settings.prices, settings.deadline, settings.max_failed) == ({"L4": 0.8}, "2026-11-27T08:00:00+01:00", "5%")


def test_a_run_that_said_no_last_word_is_counted_up_to_its_next_record(tmp_path):
    store = Store(tmp_path)
    store.spending.write(
        "t", "a", {"ended": True, "gpu_seconds": {"L4": 100.0, "H100": 3600.0}, "reserved": {"L4": 10.0}}
    )
    store.spending.write("t", "b", {"ended": False, "gpu_seconds": {"L4": 50.0}, "reserved": {"L4": 10.0}})
    store.spending.write("other", "c", {"ended": False, "gpu_seconds": {"L4": 1e6}, "reserved": {}})
    spent = read_spent(store, "t")
    assert spent.gpu_seconds == {"L4": 160.0, "H100": 3600.0}
    settings = ClusterSettings(prices={"L4": 3600.0}, budget=200.0, gpus_per_encoder=1)
    assert spent.words(settings) == [
        "spent: 1.04 GPU hours (H100 1.00, L4 0.04), 160.00 of 200.00 by cluster.prices; without a price, and in "
        "hours only: H100"
    ]
    assert read_spent(Store(tmp_path / "empty"), "t").words(ClusterSettings()) == []


@pytest.fixture
def planned(tmp_path):
    """The config of a transformer and six classical encoders, for `qre plan`."""
    save_tiny_bert(tmp_path / "e1", seed=0)
    return lambda **values: write_config(
        tmp_path, [{"source": "folder", "path": str(tmp_path / "e1")}, HASHED], **values
    )


def test_the_plan_tells_the_cost_on_each_type_and_the_cheapest(planned):
    config = str(planned(cluster={"cpus": 2, "prices": {"H100": 1.0, "T4": 9.0}}))
    shown = CliRunner().invoke(app, ["plan", config, "--price", "L4=0.80,H100=3.50", "--price", "V100=2", "--json"])
    assert shown.exit_code == 0, shown.output
    costs = json.loads(shown.output)["cost"]
    assert costs["gpus"]["L4"]["cost"] == pytest.approx(0.8 * costs["gpus"]["L4"]["hours"])
    assert costs["gpus"]["H100"]["cost"] == pytest.approx(3.5 * costs["gpus"]["H100"]["hours"]), (
        "--price goes before the config's"
    )
    assert costs["gpus"]["T4"]["cost"] == pytest.approx(9 * costs["gpus"]["T4"]["hours"])
    assert costs["gpus"]["H200"]["cost"] is None
    assert costs["cheapest"] == "L4"
    table = CliRunner().invoke(app, ["plan", config, "--price", "L4=0.80,H100=3.50,V100=2"]).output
    assert "cheapest" in next(line for line in table.splitlines() if line.startswith(("│ L4", "| L4", "  L4")))
    assert table.count("cheapest") == 1
    assert "no estimate for V100" in table
    wrong = CliRunner().invoke(app, ["plan", config, "--price", "L5=1"])
    assert isinstance(wrong.exception, UserError) and "did you mean L4" in str(wrong.exception)


@pytest.mark.parametrize(
    ("label", "hours"), [("A100", "A100-40G"), ("A100-80G", "A100-80G"), ("V100", "T4"), ("!T4", None)]
)
def test_a_slot_of_any_label_has_its_hours(planned, label, hours):
    """Ray's label of both sizes of A100 counts as the slower one, a type without an estimate as the slowest of all."""
    slot = {"gpus": 2, "labels": {"ray.io/accelerator-type": label}}
    shown = CliRunner().invoke(app, ["plan", str(planned(cluster={"cpus": 1, "slots": [slot]})), "--json"])
    costs = json.loads(shown.output)["cost"]
    (one,) = (one for one in costs["slots"].values() if one["gpu"] is not None or label == "!T4" and one["passes"] == 1)
    assert one["hours"] == pytest.approx(0.0 if hours is None else 2 * costs["gpus"][hours]["hours"])
    assert hours is None or one["hours"] > 0


def test_a_type_that_holds_fewer_encoders_is_not_the_cheapest():
    from jobs.planning.estimates import with_prices

    costs = {
        "passes": 2,
        "gpus": {"T4": {"fits": 1, "hours": 1.0}, "L4": {"fits": 2, "hours": 3.0}, "H100": {"fits": 2, "hours": 1.0}},
    }
    assert with_prices(costs, {"T4": 0.1, "L4": 1.0, "H100": 4.0})["cheapest"] == "L4"
    assert with_prices(costs, {"T4": 0.1})["cheapest"] == "T4", "alone, it is"
    assert with_prices(costs, {})["cheapest"] is None


def test_the_simulation_tells_money(planned):
    shown = CliRunner().invoke(app, ["plan", "--simulate", "--gpu", "L4", "--price", "L4=0.8,H100=3.5", "--json"])
    assert shown.exit_code == 0, shown.output
    table = json.loads(shown.output)
    for row in table["rows"]:
        assert row["cost"] == pytest.approx(0.8 * row["gpus"] * row["makespan_lossy"] / 3600)
    assert table["gpus"]["H100"]["cost"] == pytest.approx(3.5 * table["gpus"]["H100"]["hours"])
    assert table["cheapest"] in ("L4", "H100")
    text = CliRunner().invoke(app, ["plan", "--simulate", "--price", "L4=0.8,H100=3.5"])
    assert text.exit_code == 0 and "cheapest" in text.output
    own = CliRunner().invoke(app, ["plan", str(planned()), "--simulate", "--gpu", "L4", "--price", "L4=0.8", "--json"])
    assert json.loads(own.output)["rows"][0]["cost"] > 0

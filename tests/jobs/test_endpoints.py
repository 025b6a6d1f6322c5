"""Encoders behind an endpoint: what is paid for is kept and counted, whatever happens to the network, the server or the
sweep."""

import base64
import email.utils
import gzip
import json
import threading
import time
from urllib.parse import quote

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from jobs.cli import app
from jobs.config import ClusterSettings, SweepConfig, load_config
from jobs.config.made_again import to_make_again
from jobs.engine.bounds import Limits
from jobs.engine.meter import Meter
from jobs.engine.progress import Reporter
from jobs.engine.schedule import Attempt
from jobs.planning.estimates import expected_costs
from jobs.planning.paid import check_endpoints
from jobs.planning.plan import make_plan, shown_rows
from jobs.planning.resolve import resolve
from jobs.records.spending import read_spent
from jobs.submission.upload import prepare
from jobs.terminal import console
from jobs.workers.embed import Embedded, embed_pass
from jobs.workers.events import ChunkMade, Paused, ScoreResult, UnitResult
from jobs.workers.till import HeldBack, Paying
from qre.encoders.api_key import ApiKey
from qre.encoders.described import described, loading_lines, row_of
from qre.encoders.endpoint import Endpoint, EndpointDown
from qre.encoders.endpoint_client import Halted
from qre.encoders.endpoint_pass import BYTES_PER_TOKEN, PROBE, about_tokens
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.spec import EndpointSpec, FolderSpec
from qre.errors import EncoderError, UserError
from qre.store import Store
from tests.endpoint_server import KEY, MODEL, Behind, changed, cut, once, refused, serving

LIMIT = 120
OTHERS = {"source": "catalogue", "name": "classical", "include": ["hash/word1-1/*"]}  # 6 encoders
STS = [("the cat runs .", "a dog runs .", 1.0), ("old boat", "one new boat", 3.0), ("a judge", "the cat runs .", 4.5)]


@pytest.fixture(scope="module")
def behind(tiny_encoder):
    return Behind(tiny_encoder)


@pytest.fixture
def server(behind):
    with serving(behind) as server:
        yield server


@pytest.fixture
def paid(server, tmp_path):
    """A config with one encoder of the server, and a sweep of it in this process; see Paid."""
    return Paid(server, tmp_path)


class Paid:
    def __init__(self, server, folder):
        self.server, self.folder, self.budget = server, folder, None
        (folder / "sts.csv").write_text("sentence1,sentence2,score\n" + "".join(f"{a},{b},{s}\n" for a, b, s in STS))

    def config(self, *entries, tasks=(), **cluster) -> SweepConfig:
        own = [
            {"source": "endpoint", "url": self.server.url, "model": MODEL, "as_of": "2026-11-01"} | e for e in entries
        ]
        content = {
            "name": "t",
            "store": "store",
            "sentences": {"source": "builtin", "limit": LIMIT},
            "encoders": [OTHERS, *own],
            "cluster": {"cpus": 1, **cluster},
            "tasks": [{"source": "file", "kind": "sts", "name": "sts", "path": "sts.csv"}] if tasks else [],
        }
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(content))
        return load_config(path)

    def plan(self, config):
        self.store = Store(config.store)
        return make_plan(config, self.store, resolve(config, self.store))

    def run(self, config, paying=Paying(), paused=None):
        """The ends of the passes behind endpoints."""
        plan = self.plan(config)
        ends = []
        for work in plan.passes:
            if work.remote is not None:
                for event in embed_pass(
                    self.store, work, plan.sentences, config.encode, tasks=plan.tasks, paying=paying, paused=paused
                ):
                    ends.append(event.result if isinstance(event, Embedded) else event)
        return [event for event in ends if isinstance(event, UnitResult | ScoreResult)]

    def vectors(self, config, name=MODEL):
        (unit,) = (unit for unit in self.plan(config).units if unit.spec.name == name)
        return self.store.embeddings.read(unit.key)[0]

    def once_each(self) -> bool:
        return set(self.server.answered.values()) == {1}


def directly(tiny_encoder, texts) -> np.ndarray:
    """The same encoder, run here."""
    spec = FolderSpec(name="x", family="x", path=str(tiny_encoder), revision="0" * 64)
    loaded = Pass(spec, texts, [()], EncodeSettings(), device="cpu")
    return loaded.encode_texts(texts)["default"]


def test_vectors_are_those_of_the_encoder_itself(paid, tiny_encoder):
    config = paid.config({"texts_per_request": 16, "concurrency": 3})
    assert [event.status for event in paid.run(config)] == ["done"]
    texts = paid.plan(config).sentences.texts
    assert np.abs(paid.vectors(config) - directly(tiny_encoder, texts)).max() < 1e-6
    assert paid.once_each() and set(paid.server.answered) == set(texts)
    assert 1 < paid.server.at_once <= 3
    assert paid.server.probes == 2  # before, and when all was there
    assert not paid.store.chunks.counts()
    came = len(paid.server.requests)
    assert not [work for work in paid.plan(config).passes if work.remote] and paid.run(config) == []
    assert len(paid.server.requests) == came  # no probe where nothing is to do


@pytest.mark.parametrize(
    "faults",
    [
        {2: refused(429, Retry_After="1"), 3: refused(503), 5: refused(500), 7: refused(529)},
        {1: refused(429), 2: refused(429, Retry_After="Fri, 27 Nov 2026 08:00:00 GMT")},
    ],
)
def test_a_busy_server_is_asked_again(paid, faults):
    paid.server.fault = once(faults)
    assert [event.status for event in paid.run(paid.config({"texts_per_request": 16}))] == ["done"]
    assert paid.once_each()


def test_a_server_that_stays_away_is_the_hours_fault_and_what_is_done_is_kept(paid):
    config = paid.config({"texts_per_request": 16, "concurrency": 2, "patience_minutes": 0.02})
    paid.server.fault = lambda number, texts: refused(503, "no capacity") if number > 5 else None
    with pytest.raises(EndpointDown, match=r"127.0.0.1:\d+: HTTP 503 \(no capacity\); tried for"):
        paid.run(config)
    assert sum(paid.store.chunks.counts().values()) == 4
    paid.server.fault = lambda number, texts: None
    assert [event.status for event in paid.run(config)] == ["done"] and paid.once_each()


def test_another_cut_of_the_texts_sends_none_again(paid):
    config = paid.config({"texts_per_request": 16, "patience_minutes": 0.01})
    paid.server.fault = lambda number, texts: refused(503) if number > 4 else None
    with pytest.raises(EndpointDown):
        paid.run(config)
    paid.server.fault = lambda number, texts: None
    config = paid.config({"texts_per_request": 50})
    assert [event.status for event in paid.run(config)] == ["done"] and paid.once_each()


def test_a_batch_that_is_too_large_is_parted_and_the_next_ones_are_smaller(paid):
    paid.server.most_texts = 20
    assert [event.status for event in paid.run(paid.config({"texts_per_request": 64, "concurrency": 1}))] == ["done"]
    assert paid.once_each()
    assert [len(texts) for texts in paid.server.requests if len(texts) > 5] == [64, 32, *[16] * 7, 8]


def test_a_text_that_is_refused_is_named(paid):
    longest = max(paid.plan(config := paid.config({"texts_per_request": 16})).sentences.texts, key=len)
    paid.server.longest = len(longest) - 1
    (end,) = paid.run(config)
    assert end.status == "failed" and end.exception == "EncoderError" and not end.doubtful
    assert repr(longest[:60]) in end.message and "longer than the context" in end.message


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda told: {**told, "data": told["data"][1:]}, "gave 15 vectors for 16 texts"),
        (lambda told: {**told, "data": [*told["data"][1:], told["data"][-1]]}, "its `index` is wrong"),
        (lambda told: {**told, "data": [{**one, "index": True} for one in told["data"]]}, "its `index` is wrong"),
        (
            lambda told: {**told, "data": [{**one, "embedding": [float("nan")] * 32} for one in told["data"]]},
            "NaN or Inf",
        ),
        (lambda told: {**told, "data": [{**one, "embedding": None} for one in told["data"]]}, "something else than"),
        (lambda told: {**told, "data": [{**one, "embedding": []} for one in told["data"]]}, "an empty vector"),
        (
            lambda told: {**told, "data": [{**o, "embedding": [1.0] * (3 + o["index"])} for o in told["data"]]},
            "lengths",
        ),
        (lambda told: {**told, "data": [{**one, "embedding": [1.0, 2.0]} for one in told["data"]]}, "of 32 and of 2"),
        (lambda told: {"models": []}, "no answer of the embeddings API"),
        (lambda told: [], "no answer of the embeddings API"),
    ],
)
def test_an_answer_that_is_none_fails_the_encoder_alone(paid, change, words):
    paid.server.fault = lambda number, texts: changed(change) if number == 3 else None
    (end,) = paid.run(paid.config({"texts_per_request": 16, "concurrency": 1}))
    assert end.status == "failed" and words in end.message and not end.doubtful
    assert sum(paid.store.chunks.counts().values()) == 1  # what came before is kept


@pytest.mark.parametrize("setting", [{"as_base64": True}, {"with_index": False}, {"usage": False}])
def test_servers_differ(paid, tiny_encoder, setting):
    vars(paid.server).update(setting)
    config = paid.config({"texts_per_request": 16})
    assert [event.status for event in paid.run(config)] == ["done"]
    assert np.abs(paid.vectors(config) - directly(tiny_encoder, paid.plan(config).sentences.texts)).max() < 1e-6


def test_vectors_that_are_not_of_unit_length_are_taken_as_they_are(paid, tiny_encoder):
    paid.server.scale = 7.0
    config = paid.config({}, {"name": "unit", "transforms": ["normalize"]})
    assert [event.status for event in paid.run(config)] == ["done", "done"]
    assert np.linalg.norm(paid.vectors(config), axis=1) == pytest.approx(7.0, rel=1e-5)
    assert np.linalg.norm(paid.vectors(config, "unit"), axis=1) == pytest.approx(1.0, rel=1e-5)
    assert paid.once_each()  # one pass for both


def test_dimensions_are_asked_for_only_where_they_are_given(paid):
    paid.run(paid.config({}))
    assert not any("dimensions" in body for body in paid.server.bodies)
    config = paid.config({"dimensions": 8, "name": "short"})
    assert [event.status for event in paid.run(config)] == ["done"] and paid.vectors(config, "short").shape == (
        LIMIT,
        8,
    )
    paid.server.shorten = False
    (end,) = paid.run(paid.config({"dimensions": 12}))
    assert end.status == "failed" and "12 dimensions are asked for and" in end.message and "truncate:12" in end.message


def test_a_changed_model_is_told_and_mixed_with_nothing(paid, behind):
    config = paid.config({"texts_per_request": 16, "concurrency": 1, "patience_minutes": 0.01})
    paid.server.fault = lambda number, texts: refused(503) if number > 4 else None
    with pytest.raises(EndpointDown):
        paid.run(config)
    paid.server.fault, before = lambda number, texts: None, sum(paid.server.answered.values())
    paid.server.vectors = lambda text: behind(text)[::-1]
    (end,) = paid.run(config)
    assert end.status == "failed" and not end.doubtful
    assert "the model has changed since 2026-11-01" in end.message and "state a new date with as_of" in end.message
    assert sum(paid.server.answered.values()) == before  # five sentences tell it, and nothing else is sent
    new = paid.config({"as_of": "2026-11-20", "texts_per_request": 16})
    assert [event.status for event in paid.run(new)] == ["done"]
    paid.server.vectors = behind
    assert [event.status for event in paid.run(config)] == ["done"]  # the old one goes on where it was
    both = {unit.spec.as_of: unit.key for c in (config, new) for unit in paid.plan(c).units if unit.spec.name == MODEL}
    old, new = (paid.store.embeddings.read(both[day])[0] for day in sorted(both))
    assert np.array_equal(old, new[:, ::-1])


def test_a_model_that_changes_meanwhile_is_found_at_the_end(paid, behind):
    def later(number, texts):
        if number > 5:
            paid.server.vectors = lambda text: behind(text)[::-1]

    paid.server.fault = later
    (end,) = paid.run(paid.config({"texts_per_request": 16, "concurrency": 1}))
    assert end.status == "failed" and "the model has changed since" in end.message
    assert not paid.store.chunks.counts()  # whose they are is not known


def test_noise_is_no_change(paid, behind):
    rng = np.random.default_rng(0)
    paid.server.vectors = lambda text: behind(text) + rng.normal(0, 1e-3, 32).astype(np.float32)
    for limit in (16, 20):
        assert [e.status for e in paid.run(paid.config({"texts_per_request": limit, "prompt": "p" * limit}))] == [
            "done"
        ]


def test_texts_of_tasks_are_paid_once(paid, behind):
    """A sentence is not sent again as a text of a task; a text that is there twice is sent once."""
    sentence = paid.plan(paid.config({})).sentences.texts[3]
    (paid.folder / "sts.csv").write_text(
        "sentence1,sentence2,score\n"
        + f'"{sentence}",a dog .,1\na dog .,old boat,2\n,the judge,3.5\n'.replace("\n,", "\nx,")
    )
    config = paid.config({}, tasks=["sts"])
    assert [event.status for event in paid.run(config)] == ["done", "done"]
    assert paid.once_each() and len(paid.server.answered) == LIMIT + 4
    task = next(iter(paid.plan(config).tasks))
    for name in list(paid.store.folder.names(f"scores/{task}")):
        paid.store.folder.remove(name)
    paid.run(config)  # the embedding is there: its sentences are read from the store
    assert paid.server.answered[sentence] == 1 and paid.server.answered["a dog ."] == 2


def test_what_is_paid_for_serves_other_transforms_and_later_tasks(paid):
    """Of an entry with transforms alone too: they are fitted on what the server gave, which is kept."""
    entry = {"name": "centred", "transforms": ["center"]}
    assert [event.status for event in paid.run(paid.config(entry))] == ["done"]
    came = sum(paid.server.answered.values())
    config = paid.config(entry, {"name": "short", "transforms": ["truncate:8"]})
    (row,) = expected_costs(paid.plan(config), config, paid.store)["endpoints"]
    assert row["tokens"] == 0
    assert [event.status for event in paid.run(config)] == ["done"]
    assert sum(paid.server.answered.values()) == came
    ends = paid.run(paid.config(entry, tasks=["sts"]))
    assert [type(event) for event in ends] == [ScoreResult] and ends[0].status == "done"
    assert paid.once_each() and len(paid.server.answered) == came + 5


def test_prompts_of_queries_and_documents(paid):
    for name, text in (
        ("queries.csv", "id,text\nq1,a cat\n"),
        ("documents.csv", "id,text\nd1,the cat runs .\nd2,a boat\n"),
        ("relevant.csv", "query,document,relevance\nq1,d1,1\n"),
    ):
        (paid.folder / name).write_text(text)
    paid.config({"prompts": {"query": "query: ", "document": "passage: "}})
    files = {"queries": "queries.csv", "corpus": "documents.csv", "qrels": "relevant.csv"}
    content = yaml.safe_load((paid.folder / "config.yaml").read_text())
    content["tasks"] = [{"source": "file", "kind": "retrieval", "name": "r", **files}]
    (paid.folder / "config.yaml").write_text(yaml.safe_dump(content))
    assert [event.status for event in paid.run(load_config(paid.folder / "config.yaml"))] == ["done", "done"]
    sent = set(paid.server.answered)
    assert {"query: a cat", "passage: a boat"} <= sent and "a cat" not in sent


def test_what_is_spent_is_recorded_with_each_answer(paid):
    config = paid.config({"price_per_million_tokens": 100.0, "texts_per_request": 16, "concurrency": 2})
    paying = Paying(sweep="t", record="run-0")
    assert [event.status for event in paid.run(config, paying)] == ["done"]
    spent = read_spent(paid.store, "t")
    assert spent.tokens == paid.server.tokens > 0
    assert spent.cost({}) == pytest.approx(paid.server.tokens * 100 / 1e6)
    assert spent.words(config.cluster)[0].startswith(f"spent: {spent.tokens:,} tokens of endpoints, ")
    ((_, record),) = paid.store.spending.read("t")[0].items()
    assert record["ended"]


def test_gpu_hours_and_tokens_add_up(tmp_path):
    store, plain = Store(tmp_path / "store"), {"ended": True, "gpu_seconds": {}, "reserved": {}}
    store.spending.write("t", "a", {**plain, "gpu_seconds": {"L4": 3600.0}})
    store.spending.write("t", "a-0", {**plain, "tokens": 1000, "tokens_cost": 0.5})
    store.spending.write("t", "b-0", {**plain, "ended": False, "tokens": 200, "tokens_cost": None})
    spent, settings = read_spent(store, "t"), ClusterSettings(prices={"L4": 2.0}, gpus_per_encoder=1, budget=10.0)
    assert spent.cost({"L4": 2.0}) == 2.5 and spent.cost({}) == 0.5
    assert spent.words(settings) == [
        "spent: 1.00 GPU hours (L4 1.00), 1,200 tokens of endpoints (200 without a price), 2.50 of 10.00 by "
        "cluster.prices and price_per_million_tokens"
    ]
    store.spending.write("t", "c-0", {**plain, "tokens": -1})
    assert read_spent(store, "t").unreadable == ("spending/t/c-0.json",)


def test_an_allowance_is_not_passed(paid):
    config = paid.config({"price_per_million_tokens": 1000.0, "texts_per_request": 16, "concurrency": 2})
    paying = Paying(sweep="t", record="run-0", allowance=0.5)
    with pytest.raises(HeldBack) as held:
        paid.run(config, paying)
    cost = read_spent(paid.store, "t").cost({})
    assert 0.2 < cost <= 0.5 * 1.05 and cost + held.value.needs > 0.5 * 0.95
    assert [event.status for event in paid.run(config)] == ["done"] and paid.once_each()


def test_a_pause_awaits_what_is_in_flight(paid):
    paused = threading.Event()

    def ask(number, texts):
        if number == 4:
            paused.set()

    paid.server.fault = ask
    config = paid.config({"texts_per_request": 16, "concurrency": 2})
    with pytest.raises(HeldBack):
        paid.run(config, paused=paused)
    kept = sum(paid.store.chunks.counts().values())
    assert kept * 16 == sum(paid.server.answered.values()) < LIMIT  # nothing that was answered is lost
    assert [event.status for event in paid.run(config)] == ["done"] and paid.once_each()


@pytest.mark.parametrize(
    "entry, words",
    [
        ({"url": "ftp://h/v1"}, "begins with https:// or http://"),
        ({"url": "https://user:sesame@h/v1"}, "holds a user or a password"),
        ({"url": "https://h/v1?key=sesame"}, "the address ends at its path"),
        ({"url": "https://h/v1#sesame"}, "the address ends at its path"),
        ({"url": "http://api.openai.com/v1"}, "texts and key would go in the clear"),
        ({"url": "http://134744072/v1"}, "texts and key would go in the clear"),
        ({"url": "http://8.8.8.8/v1"}, "texts and key would go in the clear"),
        ({"url": "http://[::ffff:8.8.8.8]/v1"}, "texts and key would go in the clear"),
        ({"url": "https://"}, "no host is in the address"),
        ({"url": "https://h:99999/v1"}, "not an address"),
        ({"api_key_env": "sesame-key"}, "name an environment variable"),
        ({"api_key_env": "sesame"}, "name an environment variable"),
        ({"as_of": "yesterday"}, "give a day, such as 2026-11-01"),
        ({"as_of": None}, "give a day, such as 2026-11-01"),
        ({"model": "a\nb"}, "1 to 200 characters"),
        ({"dimensions": 0}, "dimensions"),
        ({"prompt_name": "query"}, "no prompt 'query' in prompts; it has none"),
        ({"transforms": ["sharpen"]}, "unknown transform"),
        ({"attributes": {"qre": 1}}, "the map has a column of this name"),
        ({"price_per_million_tokens": -1}, "price_per_million_tokens"),
        ({"api_key": "sesame"}, "unknown key"),
    ],
)
def test_entries_that_are_refused_without_a_secret_in_the_words(paid, entry, words):
    with pytest.raises(UserError) as told:
        paid.config(entry)
    assert words in str(told.value) and "sesame" not in str(told.value)


@pytest.mark.parametrize(
    "url",
    ["http://localhost:8080/v1", "http://tei:80/v1", "http://10.1.2.3/v1", "http://[::1]:9/v1", "http://a.local/v1"]
    + ["http://100.64.0.9:8000/v1", "https://api.openai.com/v1/", "https://API.openai.com:443/v1/embeddings"],
)
def test_addresses_that_are_taken(paid, url):
    spec = paid.plan(paid.config({"url": url})).units[-1].spec
    assert not spec.url.endswith("/") and "embeddings" not in spec.url
    if "openai" in url:
        assert spec.url == "https://api.openai.com/v1"


def test_what_is_in_the_key(paid):
    def key(**entry):
        return paid.plan(paid.config(entry)).units[-1].key

    first = key()
    changes = [{"url": "http://127.0.0.1:9/v1"}, {"url": paid.server.url + "/x"}, {"model": "other"}, {"dimensions": 8}]
    changes += [{"as_of": "2026-11-02"}, {"prompt": "query: "}, {"transforms": ["normalize"]}]
    assert len({first, *(key(**change) for change in changes)}) == 1 + len(changes)
    same = {"concurrency": 9, "texts_per_request": 3, "patience_minutes": 1, "price_per_million_tokens": 3.0}
    assert key(**same, name="x", family="y", attributes={"year": 1}, prompts={"query": "q: "}) == first
    assert key(url=paid.server.url + "/") == first


def test_a_key_that_is_not_there_is_told_before_any_work(paid, monkeypatch):
    config = paid.config({"api_key_env": "QRE_TEST_KEY"})
    monkeypatch.delenv("QRE_TEST_KEY", raising=False)
    for command in ("plan", "sweep"):
        shown = CliRunner().invoke(app, [command, str(paid.folder / "config.yaml")])
        assert "QRE_TEST_KEY is not set" in shown.output + str(shown.exception)
        assert shown.exit_code == 2 or isinstance(shown.exception, UserError)
    assert CliRunner().invoke(app, ["status", str(paid.folder / "config.yaml")]).exit_code == 0
    monkeypatch.setenv("QRE_TEST_KEY", f"{KEY}\n{KEY}")
    with pytest.raises(UserError, match="holds is no key") as told:
        check_endpoints(paid.plan(config))
    assert KEY not in str(told.value)
    assert not paid.server.requests


def test_without_the_package_it_is_said_while_planning(paid, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "openai" else found(name, *a))
    with pytest.raises(UserError, match="needs the package openai: pip install openai"):
        check_endpoints(paid.plan(paid.config({})))


def test_a_key_that_is_refused_is_named_by_its_variable(paid):
    paid.server.key = KEY
    config = paid.config({"api_key_env": "QRE_TEST_KEY"})
    with pytest.raises(EndpointDown, match=r"refuses the key in \$QRE_TEST_KEY \(HTTP 401\)") as told:
        paid.run(config, Paying(ApiKey("sesame")))
    assert "sesame" not in str(told.value)
    with pytest.raises(EndpointDown, match="wants a key .*: name its variable with api_key_env"):
        paid.run(paid.config({}))
    assert [event.status for event in paid.run(config, Paying(ApiKey(KEY)))] == ["done"]


def test_pauses_that_a_server_asks_for_are_kept(paid):
    """In seconds, and as a date; one that is longer than the patience ends it at once."""
    soon = email.utils.formatdate(time.time() + 3, usegmt=True)
    paid.server.fault = once({2: refused(429, Retry_After="2"), 3: refused(503, Retry_After=soon)})
    began = time.monotonic()
    assert [event.status for event in paid.run(paid.config({"concurrency": 1}))] == ["done"]
    assert time.monotonic() - began > 2
    paid.server.fault = lambda number, texts: refused(429, "slow down", Retry_After="3600")
    began = time.monotonic()
    with pytest.raises(EndpointDown, match=r"HTTP 429 \(slow down\), and asks for a pause of 3600 s"):
        paid.run(paid.config({"as_of": "2026-11-02"}))
    assert time.monotonic() - began < 60


def test_an_account_without_money_is_told_at_once(paid):
    paid.server.fault = lambda number, texts: refused(429, "You exceeded your quota. insufficient_quota")
    with pytest.raises(EndpointDown, match="the account has nothing left to spend"):
        paid.run(paid.config({}))
    assert len(paid.server.requests) == 1


def test_cut_connections_and_a_server_that_is_gone(paid):
    paid.server.fault = once({2: cut, 4: cut})
    assert [event.status for event in paid.run(paid.config({"texts_per_request": 32}))] == ["done"]
    assert paid.once_each()
    paid.server.shutdown()
    paid.server.server_close()
    with pytest.raises(EndpointDown, match=r"no connection \("):
        paid.run(paid.config({"as_of": "2026-11-03", "patience_minutes": 0.02}))


def test_an_answer_with_an_error_in_it_is_quoted(paid):
    paid.server.fault = lambda number, texts: changed(lambda told: {"error": {"message": "no such deployment"}})
    (end,) = paid.run(paid.config({}))
    assert end.status == "failed" and "(no such deployment)" in end.message


def test_what_it_is_in_words_and_in_python(paid, monkeypatch):
    """The lines make its very vectors, once the address stands in them; a private one is not told."""
    config = paid.config({"dimensions": 8, "prompt": "query: ", "transforms": ["normalize"], "name": "x"})
    assert [event.status for event in paid.run(config)] == ["done"]
    row = {**row_of(paid.plan(config).units[-1].spec), "dimension": 8}
    assert described(row) == ("tiny at a private server, as of 2026-11-01, unit length, prompt 'query: ', 8 dimensions")
    code = "\n".join(loading_lines(row))
    assert "127.0.0.1" not in code
    names = {"sentences": list(paid.plan(config).sentences.texts)}
    monkeypatch.setenv("API_KEY", KEY)
    exec(code.replace("'URL'", repr(paid.server.url)), names)
    assert np.abs(names["vectors"] - paid.vectors(config, "x")).max() < 1e-6
    (public,) = paid.plan(paid.config({"url": "https://api.openai.com/v1"})).units[6:]
    assert described(row_of(public.spec)) == "tiny at api.openai.com, as of 2026-11-01"
    assert "base_url='https://api.openai.com/v1'" in "\n".join(loading_lines(row_of(public.spec)))


def test_one_is_placed_on_a_finished_map(paid, finished_atlas):
    entry = [{"source": "endpoint", "url": paid.server.url, "model": MODEL, "as_of": "2026-11-01", "name": "mine"}]
    (paid.folder / "list.yaml").write_text(yaml.safe_dump(entry))
    words = ["place", "--entry", str(paid.folder / "list.yaml"), "--atlas", str(finished_atlas), "--json"]
    shown = CliRunner().invoke(app, words)
    assert shown.exit_code == 0, shown.output + shown.stderr
    (placed,) = json.loads(shown.stdout)["placed"]
    assert placed["name"] == "mine" and placed["neighbours"]
    paid.server.key = KEY
    shown = CliRunner().invoke(app, words)
    assert "wants a key" in str(shown.exception) + shown.stderr


def test_it_holds_no_gpu(paid):
    plan = paid.plan(paid.config({}, gpus_per_encoder=1, cpus_per_encoder=2))
    (work,) = (work for work in plan.passes if work.remote)
    assert work.slot.gpus == 0 and work.remote.concurrency == 4


def test_a_submitted_sweep_is_told_which_keys_its_head_needs(paid):
    entry = [{"source": "endpoint", "url": "https://h/v1", "model": "m", "as_of": "2026-11-01", "api_key_env": "A_KEY"}]
    (paid.folder / "list.yaml").write_text(yaml.safe_dump(entry))
    paid.config({"api_key_env": "B_KEY"})
    path = paid.folder / "config.yaml"
    content = yaml.safe_load(path.read_text())
    content["encoders"].append({"source": "list", "path": "list.yaml"})
    path.write_text(yaml.safe_dump(content))
    notes = prepare(path, load_config(path), paid.folder).notes
    assert "no key goes along: set A_KEY, B_KEY in the environment of the cluster's head" in notes
    assert not any("no key goes along" in note for note in prepare(path, paid.config({}), paid.folder).notes)


def test_dimensions_and_dates_of_one_model_are_of_one_group_and_kind(paid):
    plan = paid.plan(config := paid.config({}, {"dimensions": 8, "name": "b"}, {"as_of": "2026-11-02", "name": "c"}))
    rows = shown_rows(plan.units, config)[6:]
    assert len({row["group"] for row in rows}) == len({row["kind"] for row in rows}) == 1
    assert [row.get("dimensions_asked") for row in rows] == [None, 8, None]
    assert "endpoint" not in shown_rows(plan.units, config)[0]


def test_nothing_of_the_environment_goes_to_a_server_that_was_not_meant(paid, monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "sesame")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert [event.status for event in paid.run(paid.config({}))] == ["done"]
    assert "sesame" not in json.dumps(paid.server.headers)


def test_a_redirect_is_not_followed(paid, behind):
    with serving(behind) as other:
        paid.server.fault = lambda number, texts: refused(307, Location=f"{other.url}/embeddings?key=sesame")
        (end,) = paid.run(paid.config({}), Paying(ApiKey(KEY)))
        assert end.status == "failed" and "redirects to http://127.0.0.1" in end.message and "sesame" not in end.message
        assert not other.requests


def test_a_server_that_repeats_the_key_is_not_quoted(paid):
    paid.server.fault = lambda number, texts: refused(418, f"who are you, {KEY}?")
    (end,) = paid.run(paid.config({}), Paying(ApiKey(KEY)))
    assert "who are you, ***?" in end.message and KEY not in end.message
    assert KEY not in repr(Paying(ApiKey(KEY)))


def test_no_such_model(paid):
    (end,) = paid.run(paid.config({"model": "absent"}))
    assert end.status == "failed" and "has no model 'absent'" in end.message and "--retry-failed" in end.message


def test_the_plan_tells_tokens_and_money(paid):
    path = paid.folder / "config.yaml"
    config = paid.config({"price_per_million_tokens": 10.0, "name": "a"}, {"model": "free", "name": "b"})
    a, b = sorted(expected_costs(paid.plan(config), config)["endpoints"], key=lambda row: row["name"])
    assert (a["name"], b["name"], b["cost"]) == ("a", "b", None) and a["tokens"] == b["tokens"]
    size = sum(len(text.encode()) for text in paid.plan(config).sentences.texts)
    assert a["tokens"] == pytest.approx(size / 4 + 2 * about_tokens(PROBE), rel=0.01) and a["cost"] == pytest.approx(
        a["tokens"] * 1e-5
    )
    shown = CliRunner().invoke(app, ["plan", str(path)])
    assert f"a: about {a['tokens']:,} tokens to 127.0.0.1:" in shown.output
    assert "by price_per_million_tokens" in shown.output


def test_a_budget_of_tokens_alone(paid):
    with pytest.raises(UserError, match="budget is money: it needs prices"):
        paid.config({}, budget=1.0)
    notes = paid.plan(paid.config({"price_per_million_tokens": 1.0}, {"model": "free"}, budget=1.0)).notes
    assert any("cluster.budget does not count what free costs" in note for note in notes)


def meter_of(paid, config) -> Meter:
    return Meter(config, paid.store, Reporter(console, paid.store, "t"))


def test_what_is_left_is_expected_with_the_probes_that_it_begins_and_ends_with(paid):
    """Where they are not counted, a small remainder of a budget pays for one probe after another, and for no text."""
    price = 1000.0
    config = paid.config({"price_per_million_tokens": price}, budget=10.0)
    plan = paid.plan(config)
    (work,) = (one for one in plan.passes if one.remote is not None)
    limits = Limits(config, paid.store, meter_of(paid, config))
    limits.expect(plan)
    probe = about_tokens(PROBE) * price / 1e6
    texts = len("".join(plan.sentences.texts).encode()) / BYTES_PER_TOKEN * price / 1e6
    assert limits.cost(work) == pytest.approx(texts + 2 * probe, rel=0.01)
    limits.paused(work, Paused(needs=3.0, ratio=2.0))
    assert limits.cost(work) == pytest.approx(max(2 * texts, 3.0) + 4 * probe, rel=0.01)


def test_what_an_attempt_paid_after_its_last_event_is_counted(paid):
    config = paid.config({"price_per_million_tokens": 1000.0}, budget=10.0)
    (work,) = (one for one in paid.plan(config).passes if one.remote is not None)
    meter, attempt = meter_of(paid, config), Attempt(work)
    record = meter.account(attempt)
    meter.paid(attempt, ChunkMade(1, 2, 0, 0.0, 100, 0.1))
    plain = {
        "began": "2026-11-01T00:00:00+00:00",
        "when": "2026-11-01T00:00:09+00:00",
        "gpu_seconds": {},
        "reserved": {},
    }
    paid.store.spending.write("t", record, {**plain, "ended": False, "tokens": 300, "tokens_cost": 0.3})
    assert meter.spent.tokens == 100
    meter.ended(attempt)  # killed
    assert (meter.spent.tokens, meter.spent.cost({})) == (300, pytest.approx(0.3))
    assert meter.account(Attempt(work, number=2)) != record


def test_nothing_is_spent_in_words(tmp_path):
    settings = ClusterSettings(prices={"L4": 2.0}, gpus_per_encoder=1, budget=10.0)
    assert read_spent(Store(tmp_path), "t").words(settings) == ["spent: nothing, 0.00 of 10.00 by cluster.prices"]


def test_a_map_tells_no_private_address(paid):
    told = to_make_again(paid.config({"url": "http://10.9.8.7:8080/v1"}, {"url": "https://api.example.org/v1"}))
    assert "10.9.8.7" not in json.dumps(told) and told["encoders"][2]["url"] == "https://api.example.org/v1"


@pytest.mark.parametrize(
    "location, words",
    [
        (f"https://login.example.org:8443/to/{KEY}", "redirects to https://login.example.org:8443,"),
        (f"https://{KEY}.example.org/v1/embeddings", "redirects to https://***.example.org/v1/embeddings,"),
        (f"https://{KEY}@[::1]:9/v1/embeddings?{KEY}", "redirects to https://[::1]:9/v1/embeddings,"),
        (f"/{KEY}", "redirects to another address,"),
        (f"javascript://{KEY}/", "redirects to another address,"),
    ],
)
def test_of_a_redirect_only_the_server_is_told(paid, location, words):
    paid.server.fault = lambda number, texts: refused(302, KEY, Location=location)
    (end,) = paid.run(paid.config({}), Paying(ApiKey(KEY)))
    assert end.status == "failed" and words in end.message and KEY[:8] not in end.message


@pytest.mark.parametrize(
    "echo",
    [
        KEY,
        KEY.upper(),
        KEY[:12] + "..." + KEY[-9:],
        " ".join(KEY),
        str(list(KEY)),
        quote("Bearer " + KEY + "/+=", safe=""),
        "".join(f"%{ord(letter):02X}" for letter in KEY),
        KEY.encode().hex(),
        *(base64.b64encode(f"{before}{KEY}".encode()).decode() for before in ("", "u", "u:", "Bearer ")),
    ],
)
def test_no_spelling_of_the_key_is_shown(echo):
    shown = ApiKey(KEY).masked(f"no model for <{echo}>, ask your provider")
    assert shown.startswith("no model for <") and shown.endswith("ask your provider") and "***" in shown
    told, hidden = ("".join(filter(str.isalnum, text)).lower() for text in (shown, echo))
    assert not any(hidden[i : i + 11] in told for i in range(len(hidden) - 10))  # "Bearer" alone is none of it


def html(handler, body, texts):
    handler.send(200, b"<html>back in a minute</html>", {"Content-Type": "text/html"})


def deep(handler, body, texts):
    handler.send(200, b"[" * 200_000)


@pytest.mark.parametrize(
    "bad",
    [
        html,
        deep,
        refused(404),
        refused(400),
        refused(418),
        refused(307, Location="https://h.example.org/"),
        changed(lambda told: {**told, "data": [{**one, "embedding": [float("nan")] * 32} for one in told["data"]]}),
    ],
)
def test_a_last_probe_without_an_answer_loses_nothing(paid, bad):
    """The next run sends none of the texts again, and asks for the probe that is due."""
    paid.server.fault = lambda number, texts: bad if tuple(texts) == PROBE and number > 1 else None
    config = paid.config({"texts_per_request": 40, "concurrency": 1})
    with pytest.raises(EndpointDown, match="all texts are answered and kept, but not the probe at the end"):
        paid.run(config)
    assert sum(paid.store.chunks.counts().values()) == 3
    paid.server.fault = lambda number, texts: None
    assert [event.status for event in paid.run(config)] == ["done"]
    assert paid.once_each() and tuple(paid.server.requests[-1]) == PROBE


def test_a_change_is_found_by_a_probe_that_was_put_off(paid, behind):
    paid.server.fault = lambda number, texts: html if tuple(texts) == PROBE and number > 1 else None
    config = paid.config({"texts_per_request": 40})
    with pytest.raises(EndpointDown):
        paid.run(config)
    paid.server.fault, paid.server.vectors = lambda number, texts: None, lambda text: behind(text)[::-1]
    (end,) = paid.run(config)
    assert end.status == "failed" and "the model has changed since" in end.message


@pytest.mark.parametrize(
    "one, other, words",
    [
        ({}, {"price_per_million_tokens": 9.0}, "price_per_million_tokens left out, the other with 9.0"),
        ({"price_per_million_tokens": 9.0}, {"price_per_million_tokens": 0}, "9.0, the other with 0.0"),
        ({"api_key_env": "A_KEY"}, {}, "api_key_env A_KEY, the other with it left out"),
    ],
)
def test_entries_that_share_answers_pay_alike(paid, one, other, words):
    entries = {"name": "x", **one}, {"name": "y", "transforms": ["center"], **other}
    with pytest.raises(UserError, match="encoders: x and y ask tiny of 127.0.0.1:") as told:
        paid.plan(paid.config(*entries))
    assert words in str(told.value)
    paid.plan(paid.config({"name": "x", **one}, {"name": "y", "model": "another", **other}))


def trickling(head: bytes):
    """An action: an answer that begins and never ends."""

    def trickle(handler, body, texts):
        handler.wfile.write(head)
        while True:
            time.sleep(0.1)
            handler.wfile.write(b" ")

    return trickle


BODY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"


def asked(server, key=None, **values) -> Endpoint:
    spec = {"name": "x", "family": "x", "url": server.url, "model": MODEL, "as_of": "2026-11-01", **values}
    return Endpoint(EndpointSpec(**spec), key)


@pytest.mark.parametrize("head", [BODY, BODY.replace(b"200 OK", b"503 Busy"), b"HTTP/1.1 200 OK\r\nX-Long: "])
def test_an_answer_that_never_ends_is_late(server, head, monkeypatch):
    monkeypatch.setattr("qre.encoders.endpoint.LEAST_SECONDS", 1.0)
    server.fault = lambda number, texts: trickling(head)
    endpoint = asked(server, patience_minutes=0.03)
    with pytest.raises(EndpointDown, match="no answer in 1 s"):
        endpoint.embed(["a"])
    endpoint.close()


def test_a_stop_ends_an_answer_that_never_ends(server):
    server.fault = lambda number, texts: trickling(BODY)
    endpoint, halt, ends = asked(server), threading.Event(), []

    def ask():
        try:
            endpoint.embed(["a"], halt)
        except Halted as halted:
            ends.append(halted.sent)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    while not server.requests:
        time.sleep(0.05)
    halt.set()
    thread.join(LIMIT)  # one answer may take 150 s
    assert ends == [True]
    endpoint.close()


def packed(content: bytes, coding: str = "gzip"):
    return lambda handler, body, texts: handler.send(200, content, {"Content-Encoding": coding})


def test_answers_may_be_packed_and_no_answer_is_larger_than_its_texts_allow(server):
    good = json.dumps({"data": [{"index": 0, "embedding": [1.0, 2.0]}]}).encode()
    server.fault = lambda number, texts: packed(gzip.compress(good))
    endpoint = asked(server)
    assert endpoint.embed(["a"]).vectors.tolist() == [[1.0, 2.0]]
    for content, coding, words in (
        (gzip.compress(b" " * 2**26), "gzip", "answers with more than 3 MB"),
        (gzip.compress(gzip.compress(b" " * 2**26)), "gzip, gzip", "in a way that was not asked for"),
        (b"no gzip", "gzip", "cannot be unpacked"),
        (b" " * 2**23, "identity", "answers with more than 3 MB"),
    ):
        server.fault = lambda number, texts, action=packed(content, coding): action
        with pytest.raises(EncoderError, match=words):
            endpoint.embed(["a"])
    endpoint.close()


@pytest.mark.parametrize("told", [10**30, 0, -1, True, "7"])
def test_tokens_that_cannot_be_are_not_believed(paid, told):
    paid.server.fault = lambda number, texts: changed(lambda answer: {**answer, "usage": {"total_tokens": told}})
    config = paid.config({"price_per_million_tokens": 1.0, "texts_per_request": 40})
    (row,) = expected_costs(paid.plan(config), config)["endpoints"]
    assert [event.status for event in paid.run(config, Paying(sweep="t", record="run-0"))] == ["done"]
    spent = read_spent(paid.store, "t")
    assert row["tokens"] <= spent.tokens < row["tokens"] * 1.5 + 200  # of the texts, and of two probes
    notices = [paid.store.folder.read(name) for name in paid.store.folder.names("notices")]
    assert any(b"more tokens than its texts can have" in one for one in notices) == (told == 10**30)


@pytest.mark.parametrize("bad", [deep, lambda handler, body, texts: handler.send(418, b'{"a":' * 200_000)])
def test_an_answer_that_is_nested_without_end_is_the_encoders_own(paid, bad):
    paid.server.fault = lambda number, texts: bad
    (end,) = paid.run(paid.config({}))
    assert end.status == "failed" and end.exception == "EncoderError" and len(end.message) < 600


@pytest.mark.parametrize("told", ["1e308", "1e400", "2592000", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_a_pause_without_end_is_not_waited_for(paid, told):
    paid.server.fault = lambda number, texts: refused(429, "slow down", Retry_After=told)
    with pytest.raises(EndpointDown, match=r"\(slow down\), and asks for a pause of more than a day; tried for"):
        paid.run(paid.config({"patience_minutes": 1e9}))
    assert len(paid.server.requests) == 1

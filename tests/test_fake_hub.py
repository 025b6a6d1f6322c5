"""The real hub client against the hub of tests/hub.py: what it asks, what it raises, what it retries by itself."""

import hashlib
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import (
    HfApi,
    constants,
    errors,
    file_download,
    get_hf_file_metadata,
    hf_hub_download,
    hf_hub_url,
    snapshot_download,
)
from huggingface_hub.utils import _http

from tests.checkpoints import make
from tests.hub import READER, STRANGER, FakeHub

WEIGHTS = bytes(range(256)) * 800  # 204,800 bytes
CONFIG = b'{"model_type": "bert", "architectures": ["BertModel"]}'
FILES = {"config.json": CONFIG, "model.safetensors": WEIGHTS, "1_Pooling/config.json": b"{}"}


@pytest.fixture
def hub(monkeypatch, tmp_path):
    with FakeHub() as hub:
        hub.adopt(monkeypatch, tmp_path / "home")
        hub.add("org/name", files=FILES)
        hub.requests.clear()
        yield hub


@pytest.fixture
def waits(monkeypatch):
    """Seconds that the client would have slept, without the sleep."""
    slept = []
    for module in (_http, file_download):
        monkeypatch.setattr(module, "time", SimpleNamespace(sleep=slept.append))
    return slept


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    return make("dense", tmp_path_factory.mktemp("hub") / "dense")


def paths(hub, method=None):
    """Paths asked for, without the query."""
    return [path.split("?")[0] for verb, path in hub.requests if method in (None, verb)]


def read(folder):
    folder = Path(folder)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Listing


@pytest.fixture
def shelf(hub):
    """Four models that differ in all that a listing asks for."""
    hub.repos.clear()
    card = {"license": "mit", "language": ["en", "de"], "pipeline_tag": "feature-extraction", "base_model": "org/base"}
    files = {"model.safetensors": 90}
    hub.add(
        "org/small", files=files, downloads=5, likes=3, created="2024-03-01", safetensors_parameters={"F32": 22_000_000}
    )
    hub.add(
        "org/large", files=files, downloads=9, likes=1, created="2022-03-01", safetensors_parameters={"F16": 7 * 10**9}
    )
    hub.add("lab/gated-bert", files=files, downloads=7, likes=2, created="2023-03-01", gated="manual", card=card)
    hub.add("lab/secret", files={}, private=True)
    return hub


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["org/small", "org/large", "lab/gated-bert"]),
        ({"author": "lab"}, ["lab/gated-bert"]),
        ({"search": "BERT"}, ["lab/gated-bert"]),
        ({"filter": "sentence-transformers"}, ["org/small", "org/large", "lab/gated-bert"]),
        ({"filter": ["license:mit", "de", "base_model:finetune:org/base"]}, ["lab/gated-bert"]),
        ({"filter": ["license:mit", "fr"]}, []),
        ({"gated": True}, ["lab/gated-bert"]),
        ({"gated": False}, ["org/small", "org/large"]),
        ({"pipeline_tag": "feature-extraction"}, ["lab/gated-bert"]),
        ({"num_parameters": "min:1M,max:110M"}, ["org/small"]),
        ({"num_parameters": "min:1B"}, ["org/large"]),
        ({"sort": "downloads"}, ["org/large", "lab/gated-bert", "org/small"]),
        ({"sort": "likes", "limit": 2}, ["org/small", "lab/gated-bert"]),
        ({"sort": "created_at"}, ["org/small", "lab/gated-bert", "org/large"]),
        ({"token": READER, "author": "lab"}, ["lab/gated-bert", "lab/secret"]),
    ],
)
def test_listing(shelf, asked, found):
    assert [model.id for model in HfApi().list_models(**asked)] == found


def test_listing_with_expand_gives_the_fields_asked_for(shelf):
    fields = ["baseModels", "safetensors", "cardData", "gated", "sha", "siblings", "createdAt", "downloadsAllTime"]
    small, _, gated = HfApi().list_models(expand=fields)
    assert (small.safetensors.total, small.safetensors.parameters) == (22_000_000, {"F32": 22_000_000})
    assert (
        small.sha == shelf.repos["org/small"].refs["main"]
        and small.created_at.year == 2024
        and small.downloads_all_time == 50
    )
    assert [sibling.rfilename for sibling in small.siblings] == ["model.safetensors"] and small.tags is None
    assert (gated.gated, gated.card_data.license, gated.card_data.language) == ("manual", "mit", ["en", "de"])
    base_models = gated.base_models  # a dict, in spite of the client's docs
    assert base_models["relation"] == "finetune" and [model["id"] for model in base_models["models"]] == ["org/base"]
    with pytest.raises(errors.BadRequestError):
        list(HfApi().list_models(expand=["baseModel"]))


def test_listing_follows_the_pages_and_stops_at_the_limit(hub):
    hub.page = 4
    for index in range(9):
        hub.add(f"org/{index}", files={})
    assert (
        len(list(HfApi().list_models(expand=["sha"], filter=["sentence-transformers"]))) == 10
        and len(hub.requests) == 3
    )
    assert len(list(HfApi().list_models(limit=6))) == 6 and len(hub.requests) == 5


def test_1101_models_are_listed_and_asked_for_in_seconds(hub):
    hub.repos.clear()
    names = [f"org/m{index}" for index in range(1101)]
    commits = [
        hub.add(name, files={"config.json": 600, "model.safetensors": 90_000_000}, downloads=1) for name in names
    ]
    api = HfApi()
    listed = list(
        api.list_models(filter="sentence-transformers", expand=["sha", "downloads", "siblings", "safetensors"])
    )
    assert [model.sha for model in listed] == commits and len(hub.requests) == 2
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(lambda name: api.model_info(name, files_metadata=True), names))
    assert [info.sha for info in infos] == commits and infos[7].siblings[1].size == 90_000_000


# One model


def test_info_of_a_real_checkpoint(hub, tiny):
    commit = hub.add("org/dense", folder=tiny, card={"license": "apache-2.0"}, base_models=["org/base"])
    info = HfApi().model_info("org/dense", files_metadata=True)
    weights = (tiny / "model.safetensors").read_bytes()
    sibling = next(sibling for sibling in info.siblings if sibling.rfilename == "model.safetensors")
    assert (info.sha, info.config["model_type"], info.card_data.license) == (commit, "bert", "apache-2.0")
    assert (sibling.size, sibling.lfs.sha256) == (len(weights), hashlib.sha256(weights).hexdigest())
    assert {"base_model:org/base", "license:apache-2.0", "safetensors"} <= set(info.tags)
    read = HfApi().get_safetensors_metadata("org/dense")
    assert info.safetensors.parameters == read.parameter_count == {"F32": info.safetensors.total}


def test_commits_branches_and_tags(hub):
    api = HfApi()
    old = api.model_info("org/name").sha
    new = hub.add(
        "org/name", files={"config.json": b"{}"}, branches={"dev": old, "refs/tags/v1": None, "refs/pr/1": None}
    )
    pinned = hub.add("org/pinned", files={}, branches={"main": "f" * 40})
    assert old != new and pinned == "f" * 40
    refs = api.list_repo_refs("org/name", include_pull_requests=True)
    assert {branch.name: branch.target_commit for branch in refs.branches} == {"main": new, "dev": old}
    assert (refs.tags[0].name, refs.pull_requests[0].ref) == ("v1", "refs/pr/1")
    hub.requests.clear()
    revisions = ["main", "dev", "v1", "refs/pr/1", old]
    assert [api.resolve_revision("org/name", revision=revision).resolved for revision in revisions] == [
        new,
        old,
        new,
        new,
        old,
    ]
    assert len(hub.requests) == 4 and paths(hub)[0] == "/api/models/org/name/revision/main"  # a commit is not asked for
    assert [commit.commit_id for commit in api.list_repo_commits("org/name")] == [new, old]
    assert (Path(snapshot_download("org/name", revision=old)) / "model.safetensors").read_bytes() == WEIGHTS


def test_pull_requests(hub):
    api = HfApi(endpoint=hub.url, token=False)
    first = hub.add("org/name", files={"a": b"1"})
    commits = [hub.propose("org/name", files={"a": b"1", "b": b"%d" % number}) for number in range(60)]
    hub.propose("org/name", files={"a": b"2"}, author="", status="closed", title="no")
    refs = api.list_repo_refs("org/name", include_pull_requests=True)
    assert [ref.target_commit for ref in refs.pull_requests][:60] == commits
    assert api.list_repo_refs("org/name").pull_requests is None
    assert api.model_info("org/name").sha == first
    assert api.model_info("org/name", revision="refs/pr/3").sha == commits[2]
    found = list(api.get_repo_discussions("org/name", discussion_type="pull_request"))
    assert [one.git_reference for one in found] == [f"refs/pr/{number}" for number in range(61, 0, -1)]  # two pages
    assert (found[0].author, found[0].status, found[1].author) == ("deleted", "closed", "SFconvertbot")
    assert list(api.get_repo_discussions("org/name", discussion_type="discussion")) == []


def test_trees(hub):
    api = HfApi()
    assert {entry.path for entry in api.list_repo_tree("org/name")} == {"config.json", "model.safetensors", "1_Pooling"}
    assert {entry.path for entry in api.list_repo_tree("org/name", recursive=True)} == {*FILES, "1_Pooling"}
    assert [entry.path for entry in api.list_repo_tree("org/name", "1_Pooling")] == ["1_Pooling/config.json"]
    (weights,) = api.get_paths_info("org/name", ["model.safetensors", "no.json"])
    assert (weights.size, weights.lfs.sha256) == (len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest())
    assert api.file_exists("org/name", "config.json") and not api.file_exists("org/name", "no.json")
    with pytest.raises(errors.EntryNotFoundError):
        list(api.list_repo_tree("org/name", "additional_chat_templates"))


# Errors


def test_each_refusal_is_the_clients_own_exception(hub):
    hub.add("org/gated", files=FILES, gated="auto")
    hub.add("org/private", files=FILES, private=True)
    hub.add("org/disabled", files=FILES, disabled=True)
    api = HfApi()
    assert api.model_info("org/gated").gated == "auto"  # the metadata of a gated repo is public
    for token, status in ((False, 401), (STRANGER, 403)):
        with pytest.raises(errors.GatedRepoError) as gated:
            hf_hub_download("org/gated", "config.json", token=token)
        with pytest.raises(errors.GatedRepoError):
            api.auth_check("org/gated", token=token)
        assert gated.value.response.status_code == status
    for name, token in (
        ("org/nothing", False),
        ("org/nothing", READER),
        ("org/private", False),
        ("org/private", STRANGER),
    ):
        with pytest.raises(errors.RepositoryNotFoundError) as missing:
            api.model_info(name, token=token)
        assert not isinstance(missing.value, errors.GatedRepoError)
    with pytest.raises(errors.RevisionNotFoundError):
        api.model_info("org/name", revision="no-such-branch")
    with pytest.raises(errors.DisabledRepoError):
        api.model_info("org/disabled")
    with pytest.raises(errors.RemoteEntryNotFoundError):
        hf_hub_download("org/name", "no.json")


def test_what_snapshot_download_makes_of_refusals(hub):
    hub.add("org/gated", files=FILES, gated="auto")
    hub.add("org/disabled", files=FILES, disabled=True)
    with pytest.raises(errors.GatedRepoError):
        snapshot_download("org/gated", dry_run=True)
    with pytest.raises(errors.RepositoryNotFoundError):
        snapshot_download("org/nothing")
    with pytest.raises(errors.DryRunError) as dry:  # a dry run hides the reason one level down
        snapshot_download("org/nothing", dry_run=True)
    assert isinstance(dry.value.__cause__, errors.RepositoryNotFoundError)
    with pytest.raises(errors.LocalEntryNotFoundError) as disabled:  # and so does a real one where the repo is disabled
        snapshot_download("org/disabled")
    assert isinstance(disabled.value.__cause__, errors.DisabledRepoError)
    with pytest.raises(errors.RevisionNotFoundError):
        snapshot_download("org/name", revision="0" * 40)


def test_tokens(hub):
    hub.add("org/closed", files=FILES, token_needed="hf_special")
    hub.add("org/gated", files=FILES, gated="manual")
    hub.tokens["hf_special"] = "special"
    api = HfApi()
    assert (api.whoami(token=READER)["name"], api.whoami(token=STRANGER)["name"]) == ("reader", "stranger")
    for call in (lambda: api.whoami(token="hf_wrong"), lambda: api.model_info("org/name", token="hf_wrong")):
        with pytest.raises(errors.HfHubHTTPError) as wrong:
            call()
        assert wrong.value.response.status_code == 401 and not isinstance(wrong.value, errors.RepositoryNotFoundError)
    with pytest.raises(errors.RepositoryNotFoundError):
        snapshot_download("org/closed", token=READER)
    api.auth_check("org/gated", token=READER)
    hub.requests.clear()
    assert read(snapshot_download("org/closed", token="hf_special")) == FILES
    sent = {request[1].split("/")[3]: request.headers.get("authorization") for request in hub.requests}
    assert sent["resolve"] == "Bearer hf_special" and sent["cdn"] is None  # the token stays with the hub


# Load and faults


def test_429_and_its_waits(hub, waits):
    hub.fail("*", status=429, times=2, retry_after=3, where="api")
    assert len(list(HfApi().list_models())) == 1 and waits == [4.0, 4.0]  # what was asked for, and one second
    hub.fail("*", status=429, times=2, retry_after=0.1, where="api")
    assert len(list(HfApi().list_models())) == 1 and waits[2:] == [1, 2]  # fractions are not read
    hub.fail("org/name", status=429, times=1, where="api")
    with pytest.raises(errors.HfHubHTTPError, match="429"):  # the info of a model is not retried
        HfApi().model_info("org/name")
    hub.fail("org/name", status=429, times=3, retry_after=0)
    assert Path(hf_hub_download("org/name", "config.json")).read_bytes() == FILES["config.json"]
    assert paths(hub, "HEAD")[-4:] == ["/org/name/resolve/main/config.json"] * 4


def test_500(hub, waits):
    hub.fail("org/name", status=500, times=1, where="api")
    with pytest.raises(errors.HfHubHTTPError, match="500"):
        HfApi().model_info("org/name")
    hub.fail("*", status=503, times=6, where="api")
    with pytest.raises(errors.HfHubHTTPError, match="503"):
        list(HfApi().list_models())
    assert waits == [1, 2, 4, 8, 8]
    hub.fail("org/name", status=500, times=1, where="api")
    with pytest.raises(errors.LocalEntryNotFoundError) as unreached:
        snapshot_download("org/name")
    assert isinstance(unreached.value.__cause__, errors.HfHubHTTPError)
    assert read(snapshot_download("org/name")) == FILES


def test_a_cut_download_is_resumed_by_the_client(hub, waits, monkeypatch):
    # by default it keeps nothing of a broken piece of 10 MiB
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 4096)
    hub.cut("org/name", "model.safetensors", after=100_000)
    path = hf_hub_download("org/name", "model.safetensors")
    assert Path(path).read_bytes() == WEIGHTS and waits == [1]
    ranges = [request.headers.get("range") for request in hub.requests if request[0] == "GET"]
    assert ranges == [None, f"bytes={100_000 // 4096 * 4096}-"]


def test_a_download_cut_for_good_leaves_nothing_and_a_second_try_completes(hub, waits, tmp_path):
    hub.cut("org/name", "model.safetensors", after=1000, times=6)
    with pytest.raises(Exception, match="(?i)closed connection") as cut:
        snapshot_download("org/name", cache_dir=tmp_path / "cache")
    assert type(cut.value).__module__.startswith("httpx2") and len(waits) == 5
    assert not list(tmp_path.rglob("*.incomplete")) and not list(tmp_path.rglob("model.safetensors"))
    folder = Path(snapshot_download("org/name", cache_dir=tmp_path / "cache"))
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).digest() == hashlib.sha256(WEIGHTS).digest()
    with pytest.raises(errors.IncompleteSnapshotError):
        (folder / "config.json").unlink()
        snapshot_download("org/name", cache_dir=tmp_path / "cache", local_files_only=True)


def test_slow_bodies(hub):
    hub.slow("org/name", seconds_per_megabyte=2.0)
    begin = time.monotonic()
    hf_hub_download("org/name", "model.safetensors")
    assert time.monotonic() - begin > 0.4


# Downloads


def test_a_dry_run_tells_sizes_and_asks_for_no_body(hub):
    sizes = {
        "config.json": 600,
        "model.safetensors": 1_200_000_000,
        "onnx/model.onnx": 10**9,
        "pytorch_model.bin": 10**9,
    }
    hub.add("org/sizes", files=sizes)
    hub.requests.clear()
    plan = snapshot_download(
        "org/sizes", dry_run=True, allow_patterns=["*.json", "*.safetensors"], ignore_patterns=["onnx/*"]
    )
    assert {info.filename: info.file_size for info in plan} == {"config.json": 600, "model.safetensors": 1_200_000_000}
    assert all(info.will_download and not info.is_cached for info in plan)
    commit = plan[0].commit_hash
    assert paths(hub, "GET") == ["/api/models/org/sizes/revision/main", f"/api/models/org/sizes/tree/{commit}"]
    assert sorted(paths(hub, "HEAD")) == [
        f"/org/sizes/resolve/{commit}/{name}" for name in ("config.json", "model.safetensors")
    ]
    with pytest.raises(errors.HfHubHTTPError, match="501"):  # its bytes are not known
        hf_hub_download("org/sizes", "config.json")


def test_a_snapshot_is_the_folder_and_is_not_fetched_twice(hub, tiny):
    commit = hub.add("org/dense", folder=tiny)
    hub.requests.clear()
    folder = snapshot_download("org/dense", revision=commit)
    assert read(folder) == read(tiny) and all("/revision/" not in path for path in paths(hub))
    assert not HfApi().verify_repo_checksums("org/dense", revision=commit).mismatches
    hub.requests.clear()
    assert snapshot_download("org/dense", revision=commit) == folder and hub.requests == []


def test_large_files_are_redirected(hub):
    metadata = get_hf_file_metadata(hf_hub_url("org/name", "model.safetensors"))
    assert (
        metadata.location.startswith(hub.cdn_url) and metadata.size == len(WEIGHTS) and metadata.xet_file_data is None
    )
    assert (
        metadata.etag == hashlib.sha256(WEIGHTS).hexdigest()
        and metadata.commit_hash == hub.repos["org/name"].refs["main"]
    )


def test_an_encoder_is_loaded_by_name_in_another_process(hub, tiny, tmp_path):
    hub.add("org/dense", folder=tiny)
    code = """if True:
        import sys
        from sentence_transformers import SentenceTransformer
        for name in sys.argv[1:]:
            print(SentenceTransformer(name, device="cpu").encode("a red boat").tobytes().hex())"""
    command = [sys.executable, "-c", code, "org/dense", str(tiny)]
    environment = {**os.environ, **hub.environment(tmp_path / "other"), "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    by_name, by_path = done.stdout.split()
    assert by_name == by_path and any("/org/dense/cdn/" in path for path in paths(hub))

"""What a submitted sweep takes along, and what is refused because a job would not see it."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jobs.config import SweepConfig
from jobs.submission.upload import prepare
from qre.errors import UserError

ENCODERS = [{"source": "catalogue", "name": "classical"}]


@pytest.fixture
def work(tmp_path):
    """A working directory with a config and a few files; a neighbour outside of it."""
    folder = tmp_path / "work"
    for name in (
        "encoder/0_Transformer/model.safetensors",
        "encoder/modules.json",
        "encoder/onnx/model.json",
        "encoder/.cache/x.lock",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}")
    for name in (
        "sweep.yaml",
        "sentences.txt",
        "ignored.txt",
        "code.py",
        ".env",
        "results/old.csv",
        "stores/a/sentences/x.parquet",
        "out/map.png",
        ".venv/x",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("one\ntwo\n")
    (folder / ".gitignore").write_text("ignored.txt\n")
    (tmp_path / "outside.txt").write_text("one\ntwo\n")
    return folder


def prepared(work: Path, config: str = "sweep.yaml", **values):
    settings = SweepConfig.model_validate(
        {"name": "t", "store": str(work / "stores/a"), "export": "out", "encoders": ENCODERS, **values}
    )
    return prepare(work / config, settings, work)


def test_what_is_uploaded(work, tmp_path):
    """Ray's own archive: no results, no store, no environment, nothing that .gitignore names."""
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import create_package

    (work / "list.yaml").write_text("- {source: folder, path: encoder}\n")
    files = {
        "sentences": {"source": "file", "path": "./sentences.txt"},
        "encoders": [{"source": "list", "path": "list.yaml"}],
    }
    upload = prepared(work, **files)
    assert (upload.folder, upload.config, upload.notes) == (str(work), "sweep.yaml", ())
    create_package(
        upload.folder,
        tmp_path / "a.zip",
        include_gitignore=True,
        excludes=[*get_runtime_env_default_excludes(), *upload.excludes],
    )
    names = {name for name in zipfile.ZipFile(tmp_path / "a.zip").namelist() if not name.endswith("/")}
    assert names == {
        "sweep.yaml",
        "sentences.txt",
        "list.yaml",
        "code.py",
        ".gitignore",
        "encoder/modules.json",
        "encoder/0_Transformer/model.safetensors",
        "encoder/onnx/model.json",
        "encoder/.cache/x.lock",
    }


def test_files_of_a_plain_checkpoint_are_no_secrets_by_their_names(work):
    for name in ("config.json", "model.safetensors", "special_tokens_map.json", "token_vocab.txt"):
        (work / "plain").mkdir(exist_ok=True)
        (work / "plain" / name).write_bytes(b"{}")
    (work / "token_vocab.txt").write_bytes(b"x")
    upload = prepared(work)
    assert "plain/token_vocab.txt" in upload.sizes and set(upload.secrets) & {
        "plain/token_vocab.txt",
        "token_vocab.txt",
    } == {"token_vocab.txt"}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"sentences": {"source": "file", "path": "../outside.txt"}},
            "sentences.path: ../outside.txt is not in what is uploaded",
        ),
        (
            {"sentences": {"source": "file", "path": "/etc/hostname"}},
            "sentences.path: /etc/hostname is not in what is uploaded",
        ),
        ({"sentences": {"source": "file", "path": "~/x.txt"}}, "sentences.path: ~/x.txt is not in what is uploaded"),
        (
            {"sentences": {"source": "file", "path": "absent.txt"}},
            "sentences.path: there is no absent.txt in the working directory",
        ),
        (
            {"sentences": {"source": "file", "path": "ignored.txt"}},
            "sentences.path: ignored.txt would not be uploaded: a .gitignore",
        ),
        (
            {"sentences": {"source": "file", "path": "results/old.csv"}},
            "sentences.path: results/old.csv would not be uploaded",
        ),
        (
            {"encoders": [{"source": "list", "path": "../list.yaml"}]},
            r"encoders\[0\].path: ../list.yaml is not in what is uploaded",
        ),
        (
            {"encoders": [{"source": "hub", "id": "a/b", "variant": {"sparsify": {"share": 0.1, "pairs": "no.csv"}}}]},
            r"encoders\[0\].variant.sparsify.pairs: there is no no.csv in the working",
        ),
        (
            {"encoders": [*ENCODERS, {"source": "folder", "path": "no-encoder"}]},
            r"encoders\[1\].path: there is no no-encoder in the working",
        ),
        ({"config": "../sweep.yaml"}, "config: ../sweep.yaml is not in what is uploaded"),
    ],
)
def test_what_a_job_would_not_see_is_refused(work, values, message):
    with pytest.raises(UserError, match=f"^{message}"):
        prepared(work, **values)


def test_an_encoder_that_would_arrive_without_its_weights_is_refused(work):
    with open(work / ".gitignore", "a") as file:
        file.write("*.safetensors\n")
    (work / "list.yaml").write_text("- {source: folder, path: encoder}\n")
    with pytest.raises(
        UserError,
        match=r"/list.yaml: encoders\[0\].path: encoder/0_Transformer/model.safetensors would not be uploaded",
    ):
        prepared(work, encoders=[{"source": "list", "path": "list.yaml"}])


def test_an_encoder_of_the_nodes_is_noted(work):
    upload = prepared(work, encoders=[*ENCODERS, {"source": "folder", "path": "/models/e5"}])
    assert upload.notes == (
        "encoders[1].path: /models/e5 is not uploaded; it must be there on every node, and where qre status and qre "
        "report are run",
    )


def test_a_working_directory_that_is_too_large_is_refused(work):
    with open(work / "weights.safetensors", "wb") as file:
        file.truncate(101 * 2**20)
    with pytest.raises(
        UserError,
        match=r"is 101 MiB to upload, and Ray takes 100 MiB; the largest files are weights.safetensors \(101 MiB\)",
    ):
        prepared(work)
    (work / ".rayignore").write_text("*.safetensors\n")
    prepared(work)


def test_the_files_of_tasks_go_along(work):
    (work / "clinc.json").write_text("{}")
    sts = {"source": "file", "kind": "sts", "name": "sts", "path": "sentences.txt", "format": "csv"}
    clusters = {"source": "file", "kind": "clustering", "name": "c", "path": "clinc.json#test"}
    assert prepared(work, tasks=[{"source": "builtin"}, sts, clusters]).notes == ()
    with pytest.raises(UserError, match=r"tasks\[0\].path: there is no gone.json"):
        prepared(work, tasks=[{**clusters, "path": "gone.json#test"}])
    with pytest.raises(UserError, match=r"tasks\[0\].path: ignored.txt would not be uploaded"):
        prepared(work, tasks=[{**sts, "path": "ignored.txt"}])
    (note,) = prepared(work, tasks=[{"source": "mteb", "results": ["/data/mteb"]}]).notes
    assert note.startswith("tasks[0].results[0]: /data/mteb is not uploaded")


HUB_TOKEN = "hf" + "_" + "AbCdEfGhIjKlMnOpQrStUvWxYz12345678"
PRIVATE_KEY = "-----BEGIN OPENSSH " + "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n"
SECRET_NAMES = (
    ".netrc",
    "_netrc",
    "sub/.NETRC",
    ".ssh/config",
    ".aws/credentials",
    ".Azure/x.json",
    ".config/gcloud/x.db",
    ".kube/config",
    ".docker/config.json",
    "tls/server.pem",
    "SERVER.KEY",
    "id_rsa",
    "id_rsa.old",
    "id_ed25519",
    ".env.local",
    "prod.env",
    ".envrc",
    "token",
    "TOKEN.txt",
    "hf-token.json",
    "hubtoken",
    "my_tokens.csv",
    ".git-credentials",
    ".pypirc",
    ".npmrc",
    ".huggingface/x",
    "home/.cache/huggingface/x",
    "my-credentials.json",
    "client_secret.json",
    "a.p12",
    "a.pfx",
    "a.kdbx",
    ".pgpass",
    "we [ird] #1!/id_rsa",
    "service-account.json",
)
NO_SECRETS = (
    "tokens.py",
    "src/secrets_of_trees.md",
    "tokenizer.json",
    "tokenizer_config.json",
    "added_tokens.json",
    "special_tokens_map.json",
    "data/tokenized.csv",
    "monkey.txt",
    "keys.csv",
    "environment.yaml",
    "secretary.txt",
    "encoder/tokenizer.json",
    "encoder/token_list.txt",
)


def archived(upload, target: Path) -> set[str]:
    """Names in the archive that Ray itself makes of it."""
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import create_package

    create_package(
        upload.folder, target, include_gitignore=True, excludes=[*get_runtime_env_default_excludes(), *upload.excludes]
    )
    return {name for name in zipfile.ZipFile(target).namelist() if not name.endswith("/")}


def put(work: Path, **files: str) -> None:
    for name, text in files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text)


def test_secrets_stay_here_by_their_names(work, tmp_path):
    put(work, **dict.fromkeys((*SECRET_NAMES, *NO_SECRETS), "x"))
    upload = prepared(work)
    names = archived(upload, tmp_path / "a.zip")
    assert not names & set(SECRET_NAMES)
    assert names >= set(NO_SECRETS)
    assert names == set(upload.sizes)
    assert set(upload.secrets) == set(SECRET_NAMES)
    assert any(note.startswith("not uploaded, since it may be a secret: ") for note in upload.notes)


@pytest.mark.parametrize(
    "text",
    [
        PRIVATE_KEY,
        f"HF = '{HUB_TOKEN}'",
        '{"type": "service_account", "private_key": "x"}',
        "key=" + "AKIA" + "ABCDEFGHIJKLMNOP",
        "x" * 5_000_000 + PRIVATE_KEY,
        "x" * (2**22 - 20) + PRIVATE_KEY,
        "aws_secret_access_key = " + "a1B2" * 10,
        "t: gh" + "p_" + "a1B2" * 9,
    ],
    ids=["key", "hub", "account", "aws", "late", "across", "profile", "github"],
)
def test_secrets_stay_here_by_what_they_hold(work, tmp_path, text):
    put(work, **{"notes.txt": text, "code.py": text, "encoder/vocab.txt": "hf_ is no token, nor AKIA"})
    upload = prepared(work)
    assert set(upload.secrets) == {"notes.txt", "code.py"}
    assert "encoder/vocab.txt" in archived(upload, tmp_path / "a.zip") and "code.py" not in archived(
        upload, tmp_path / "b.zip"
    )


def test_what_the_config_needs_is_refused_where_it_is_a_secret(work):
    put(work, **{"sweep.yaml": f"name: {HUB_TOKEN}"})
    with pytest.raises(
        UserError,
        match=r"^config: sweep.yaml is not uploaded, since it may be a secret \(holds a token of the hub\); rename "
        r"it, or take",
    ):
        prepared(work)
    put(work, **{"sweep.yaml": "x", "encoder/added_tokens.json": PRIVATE_KEY})
    with pytest.raises(
        UserError, match=r"encoders\[0\].path: encoder/added_tokens.json is not uploaded, since it may be a secret"
    ):
        prepared(work, encoders=[{"source": "folder", "path": "encoder"}])


def test_links_are_judged_by_where_they_lead(work, tmp_path):
    put(tmp_path, **{".ssh/known": "x", "models/a.txt": "x"})
    (work / "harmless.txt").symlink_to(tmp_path / ".ssh/known")
    (work / "folder").symlink_to(tmp_path / "models")
    upload = prepared(work)
    assert "harmless.txt" not in upload.sizes and "in a folder .ssh" in upload.secrets["harmless.txt"]
    assert "folder/a.txt" in upload.sizes
    assert any("links that lead out of the working directory: folder/a.txt" in note for note in upload.notes)


@pytest.mark.parametrize(
    "name",
    ["jobs/mine.py", "qre/__init__.py", "jobs.py", "qre.so", "ray.py", "torch/__init__.py", "numpy.py", "yaml.py"],
)
def test_what_would_be_imported_in_the_place_of_another_is_refused(work, name):
    put(work, **{name: "x"})
    with pytest.raises(
        UserError,
        match=rf"^--working-dir: {name.partition('/')[0]}.* would be imported instead of "
        rf"{name.split('/')[0].split('.')[0]}",
    ):
        prepared(work)
    (work / ".rayignore").write_text(f"/{name}\n")
    prepared(work)


def test_what_shadows_nothing_goes(work):
    """The fixture's code.py would be taken for Python's own, and is warned of."""
    put(
        work,
        **{
            "torch/weights.txt": "x",
            "tests/__init__.py": "x",
            "mine.py": "x",
            "mine2/__init__.py": "x",
            "src/ray.py": "x",
        },
    )
    (warning,) = prepared(work).warnings
    assert warning.startswith("--working-dir: code.py would be imported instead of code")
    (work / "code.py").rename(work / "mine3.py")
    assert prepared(work).warnings == ()


def test_the_checkout_brings_its_own_copy(work):
    put(
        work,
        **dict.fromkeys(
            ("jobs/__init__.py", "jobs/cli.py", "qre/__init__.py", "qre/density.py", "pyproject.toml"), "x"
        ),
    )
    prepared(work)


def test_dry_run_lists_what_goes_and_what_stays(work):
    """It needs no cluster: the address leads nowhere."""
    put(
        work,
        **{
            "sweep.yaml": "{name: t, store: s3://bucket/prefix, encoders: [{source: catalogue, name: classical}], "
            "export: out}",
            "token.txt": "x",
        },
    )
    (work / "code.py").unlink()  # python -m, here as in a job, would take it for its own
    command = [sys.executable, "-m", "jobs.cli", "submit", "sweep.yaml", "--dry-run", "--address", "http://127.0.0.1:1"]
    shown = subprocess.run(
        command,
        cwd=work,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )
    assert shown.returncode == 0, shown.stderr
    lines = [" ".join(line.split()) for line in shown.stdout.splitlines()]
    assert "8 sentences.txt" in lines
    assert "stays here token.txt (may be a secret: 'token' in its name)" in lines
    assert "stays here ignored.txt (.gitignore or .rayignore)" in lines
    assert "stays here results/ (results, stores and builds)" in lines and "stays here .venv/ (Ray takes none)" in lines
    assert lines[-1] == "nothing was sent (--dry-run)"
    total = next(line for line in lines if " bytes in " in line)
    sizes = [int(line.split()[0].replace(",", "")) for line in lines[: lines.index(total)]]
    assert total.startswith(f"{sum(sizes)} bytes in {len(sizes)} files")

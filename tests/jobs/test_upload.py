"""What a submitted sweep takes along, and what is refused because a job would not see it."""

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
    for name in ("encoder/0_Transformer/model.safetensors", "encoder/modules.json", "encoder/onnx/model.json", "encoder/.cache/x.lock"):
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
    settings = SweepConfig.model_validate({"name": "t", "store": str(work / "stores/a"), "export": "out", "encoders": ENCODERS, **values})
    return prepare(work / config, settings, work)


def test_what_is_uploaded(work, tmp_path):
    """Ray's own archive: no results, no store, no environment, nothing that .gitignore names."""
    from ray._private.ray_constants import get_runtime_env_default_excludes
    from ray._private.runtime_env.packaging import create_package

    (work / "list.yaml").write_text("- {source: folder, path: encoder}\n")
    files = {"sentences": {"source": "file", "path": "./sentences.txt"}, "encoders": [{"source": "list", "path": "list.yaml"}]}
    upload = prepared(work, **files)
    assert (upload.folder, upload.config, upload.notes) == (str(work), "sweep.yaml", ())
    create_package(upload.folder, tmp_path / "a.zip", include_gitignore=True, excludes=[*get_runtime_env_default_excludes(), *upload.excludes])
    names = {name for name in zipfile.ZipFile(tmp_path / "a.zip").namelist() if not name.endswith("/")}
    assert names == {
        "sweep.yaml", "sentences.txt", "list.yaml", "code.py", ".gitignore", "encoder/modules.json", "encoder/0_Transformer/model.safetensors",
        "encoder/onnx/model.json", "encoder/.cache/x.lock",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"sentences": {"source": "file", "path": "../outside.txt"}}, "sentences.path: ../outside.txt is not in what is uploaded"),
        ({"sentences": {"source": "file", "path": "/etc/hostname"}}, "sentences.path: /etc/hostname is not in what is uploaded"),
        ({"sentences": {"source": "file", "path": "~/x.txt"}}, "sentences.path: ~/x.txt is not in what is uploaded"),
        ({"sentences": {"source": "file", "path": "absent.txt"}}, "sentences.path: there is no absent.txt in the working directory"),
        ({"sentences": {"source": "file", "path": "ignored.txt"}}, "sentences.path: ignored.txt would not be uploaded: a .gitignore"),
        ({"sentences": {"source": "file", "path": "results/old.csv"}}, "sentences.path: results/old.csv would not be uploaded"),
        ({"encoders": [{"source": "list", "path": "../list.yaml"}]}, r"encoders\[0\].path: ../list.yaml is not in what is uploaded"),
        ({"encoders": [*ENCODERS, {"source": "folder", "path": "no-encoder"}]}, r"encoders\[1\].path: there is no no-encoder in the working"),
        ({"config": "../sweep.yaml"}, "config: ../sweep.yaml is not in what is uploaded"),
    ],
)  # fmt: skip
def test_what_a_job_would_not_see_is_refused(work, values, message):
    with pytest.raises(UserError, match=f"^{message}"):
        prepared(work, **values)


def test_an_encoder_that_would_arrive_without_its_weights_is_refused(work):
    with open(work / ".gitignore", "a") as file:
        file.write("*.safetensors\n")
    (work / "list.yaml").write_text("- {source: folder, path: encoder}\n")
    with pytest.raises(UserError, match=r"^list.yaml: encoders\[0\].path: encoder/0_Transformer/model.safetensors would not be uploaded"):
        prepared(work, encoders=[{"source": "list", "path": "list.yaml"}])


def test_an_encoder_of_the_nodes_is_noted(work):
    upload = prepared(work, encoders=[*ENCODERS, {"source": "folder", "path": "/models/e5"}])
    assert upload.notes == (
        "encoders[1].path: /models/e5 is not uploaded; it must be there on every node, and where qre status and qre report are run",
    )


def test_a_working_directory_that_is_too_large_is_refused(work):
    with open(work / "weights.safetensors", "wb") as file:
        file.truncate(101 * 2**20)
    with pytest.raises(UserError, match=r"is 101 MiB to upload, and Ray takes 100 MiB; the largest files are weights.safetensors \(101 MiB\)"):
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

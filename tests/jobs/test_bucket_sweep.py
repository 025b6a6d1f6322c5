"""A whole sweep on a bucket, from two nodes, killed on the way: the same bytes as on this machine alone with a
folder."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from cluster.local import LocalCluster
from qre.page.document import without_run
from qre.store import Store
from tests.s3 import s3  # noqa: F401

pytestmark = pytest.mark.cluster
ROOT = Path(__file__).resolve().parents[2]
SWEEP = [sys.executable, "-c", "from jobs.cli import main; main()", "sweep"]


def config(folder: Path, name: str, tiny_encoder: Path, **values) -> Path:
    """A sweep of classical encoders and of a transformer in many chunks."""
    transformer = {"source": "folder", "path": str(tiny_encoder), "family": "tiny", "pooling": "mean"}
    content = {
        "name": "t",
        "sentences": {"source": "builtin", "limit": 600},
        "encode": {"token_budget": 256, "chunk_sentences": 20},
        "tasks": [{"source": "builtin", "include": ["builtin/sts", "builtin/retrieval"]}],
        "prediction": {"repeats": 1, "permutations": 5},
        "encoders": [
            {
                "source": "catalogue",
                "name": "classical",
                "include": ["hash/word*", "lsa/word1-2/*", "projection/*d128*"],
            },
            *({**transformer, "name": f"tiny/L{layer}", "layer": layer} for layer in (1, 2)),
        ],
        **values,
    }
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_a_sweep_on_a_bucket_is_the_sweep_on_a_folder(s3, tmp_path, tiny_encoder):  # noqa: F811
    local = config(tmp_path, "local", tiny_encoder, store=str(tmp_path / "store"), cluster={"cpus": 2})
    assert subprocess.run([*SWEEP, str(local)], cwd=ROOT, capture_output=True, check=False).returncode == 0
    location = s3.location()
    store = Store(location)
    credentials = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    with LocalCluster(nodes=2, cpus=1, environment=credentials) as nodes:
        remote = config(
            tmp_path, "remote", tiny_encoder, store=location, cluster={"address": nodes.address, "shard_units": 4}
        )
        first = subprocess.Popen([*SWEEP, str(remote)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 400
        while len(store.embeddings.keys()) < 5 and time.monotonic() < deadline:
            time.sleep(0.2)
        first.send_signal(signal.SIGKILL)
        first.wait()
        before = store.embeddings.keys()
        assert len(before) >= 5
        second = subprocess.run([*SWEEP, str(remote)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert second.returncode == 0, second.stderr
    assert "map of" in second.stdout
    assert before <= store.embeddings.keys()
    for file in (
        "features.parquet",
        "map.parquet",
        "map.csv",
        "neighbours.parquet",
        "scores.parquet",
        "clusters.parquet",
        "tree.parquet",
        "map.png",
        "map.svg",
        "map_by_attribute.svg",
        "zoom.svg",
        "dendrogram.png",
    ):
        assert store.atlases.read("t", file) == Store(tmp_path / "store").atlases.read("t", file), file
    page, other = (one.atlases.read("t", "atlas.html") for one in (store, Store(tmp_path / "store")))
    assert without_run(page) == without_run(other)
    assert sum(store.chunks.counts().values()) <= 1  # an actor of the killed driver may write its last one late
    # needs no cluster any more
    again = subprocess.run([*SWEEP, str(remote)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (again.returncode, "map of" in again.stdout) == (0, True), again.stderr

"""CPUs that a process is granted: by a real affinity mask and a real cgroup, and by made trees of /proc and /sys of
both versions."""

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from jobs.planning.granted import granted_cpus

ROOT = Path(__file__).resolve().parents[2]
ASK = [sys.executable, "-c", "from jobs.planning.granted import granted_cpus; print(granted_cpus())"]
MASK = len(os.sched_getaffinity(0))
V1 = Path("/sys/fs/cgroup/cpu")


def tree(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/cpu.max": "100000 100000\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
            },
            1,
        ),
        ({"proc/self/cgroup": "0::/of/the/host\n", "sys/fs/cgroup/cpu.max": "150000 100000\n"}, 1),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, MASK),
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "6400000 100000\n"}, MASK),
        (
            {
                "proc/self/cgroup": "3:cpu,cpuacct:/docker/x\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
            },
            1,
        ),
        (
            {
                "proc/self/cgroup": "2:cpuacct,cpu:/a\n",
                "sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "20000",
                "sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "20000",
            },
            1,
        ),
        (
            {
                "proc/self/cgroup": "3:cpu:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000",
            },
            MASK,
        ),
        ({}, MASK),
    ],
    ids=[
        "half",
        "the group above",
        "a path of the host",
        "no quota",
        "more than the mask",
        "v1",
        "v1 in its other name",
        "v1 without",
        "no cgroups",
    ],
)
def test_trees(tmp_path, files, expected):
    assert granted_cpus(tree(tmp_path, **files)) == expected


def test_an_affinity_mask():
    one = min(os.sched_getaffinity(0))
    asked = subprocess.run(
        ASK, cwd=ROOT, capture_output=True, text=True, check=True, preexec_fn=lambda: os.sched_setaffinity(0, {one})
    )
    assert asked.stdout == "1\n"


@pytest.mark.skipif(
    not os.access(V1, os.W_OK) or not (V1 / "cpu.cfs_quota_us").exists(),
    reason="no cgroup of version 1 that this user may make",
)
def test_a_cgroup():
    """Half a CPU is one; where the mask is wider, one and a half are one too."""
    group = V1 / f"qre-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    try:
        for quota in (50_000, 150_000):
            (group / "cpu.cfs_quota_us").write_text(str(quota))
            enter = f'echo $$ > {group}/cgroup.procs && exec "$@"'
            asked = subprocess.run(
                ["sh", "-c", enter, "sh", *ASK], cwd=ROOT, capture_output=True, text=True, check=True
            )
            assert asked.stdout == "1\n"
    finally:
        group.rmdir()


@pytest.mark.cluster
@pytest.mark.skipif(MASK < 2, reason="one CPU is all there is")
def test_a_local_ray_keeps_to_the_mask_and_says_where_it_was_told_more():
    """Its CPUs, as Ray has them."""
    one = min(os.sched_getaffinity(0))
    script = """
import ray
from jobs.config import ClusterSettings
from jobs.engine.connect import cluster
for cpus in (None, 2):
    with cluster(ClusterSettings(cpus=cpus)):
        print("CPUS", ray.cluster_resources()["CPU"])
"""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
        preexec_fn=lambda: os.sched_setaffinity(0, {one}),
    )
    assert [line for line in ended.stdout.splitlines() if line.startswith("CPUS")] == ["CPUS 1.0", "CPUS 2.0"], (
        ended.stderr
    )
    told = [line for line in ended.stderr.splitlines() if line.startswith("note:")]
    assert told == [
        "note: cluster.cpus is 2, but this process is granted 1 (affinity mask, cgroup): encoders share them"
    ]

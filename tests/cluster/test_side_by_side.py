"""Several Rays of one user on one machine: none joins another, whatever the environment and Ray's own files in /tmp
say."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cluster.local import LocalCluster

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.cluster
JOB = """
import sys, time
from ray.job_submission import JobSubmissionClient
client = JobSubmissionClient(sys.argv[1])
job = client.submit_job(entrypoint="python -c 'import ray; ray.init(\\"auto\\"); print(\\"NODES\\", *[node[\\"NodeID\\"] for node in ray.nodes()])'", entrypoint_num_cpus=0)
while not client.get_job_status(job).is_terminal():
    time.sleep(0.2)
print(client.get_job_logs(job))
"""
LOCAL = """
import json, sys, ray
from jobs.config import ClusterSettings
from jobs.engine.connect import cluster
with cluster(ClusterSettings(cpus=1)):
    print(json.dumps([node["NodeID"] for node in ray.nodes()]))
"""


def python(script: str, *words: str, **environment: str) -> str:
    variables = {**os.environ, "RAY_AUTH_MODE": "token", "PYTHONPATH": str(ROOT), **environment}
    ended = subprocess.run(
        [sys.executable, "-c", script, *words], env=variables, capture_output=True, text=True, timeout=400
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_none_joins_another():
    with ThreadPoolExecutor() as pool:
        starts = [pool.submit(LocalCluster, nodes=0, head_cpus=1, dashboard=True) for _ in range(2)]
        first, second = (start.result() for start in starts)
    with first, second:
        assert first.address != second.address and first.dashboard != second.dashboard
        heads = [{node.id for node in cluster.nodes} for cluster in (first, second)]
        assert len(heads[0]) == len(heads[1]) == 1
        for cluster, ids in zip((first, second), heads, strict=True):
            assert set(re.search("NODES (.*)", python(JOB, cluster.dashboard))[1].split()) == ids
        alone = set(json.loads(python(LOCAL, RAY_ADDRESS=first.address).splitlines()[-1]))
        assert len(alone) == 1 and not alone & (heads[0] | heads[1])
        before = set(first.processes)
        second.close()
        assert before <= set(first.processes) | set() and {node.id for node in first.nodes} == heads[0]
        assert set(re.search("NODES (.*)", python(JOB, first.dashboard))[1].split()) == heads[0]


def test_a_port_is_of_one_cluster():
    """Also before anybody listens on it."""
    reserved = LocalCluster._reserve
    first, second = (type("Holder", (), {"_reserved": []})() for _ in range(2))
    port = reserved(first)
    with pytest.raises(RuntimeError, match=f"port {port} belongs to another local cluster"):
        reserved(second, port)
    for held in first._reserved:
        held.close()
    assert reserved(second, port) == port
    for held in second._reserved:
        held.close()

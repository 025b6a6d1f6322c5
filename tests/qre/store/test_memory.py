"""How much memory large artefacts take: measured in a process of its own, whose peak the kernel tells."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PEAKS = """
import gc, json, os, sys
import numpy as np, pyarrow as pa
from qre.store import Store

def status(field):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(field))

def peak(act):
    gc.collect()
    open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
    before = status("VmRSS")
    kept = act()
    return (status("VmHWM") - before) / 2**20

store, n, keys = Store(sys.argv[1]), 10_000, [f"{number:064x}" for number in range(240)]
os.fsync = lambda descriptor: None
generator = np.random.default_rng(0)
for start in range(0, 240, 16):
    rows = list(generator.standard_normal((16, n)))
    store.features.write("m", pa.table({"key": keys[start:start + 16], "feature": pa.array(rows, pa.list_(pa.float64()))}))
store.features.read("m", keys[:1])  # what the libraries load once
del rows
embedding = generator.standard_normal((n, 1_573)).astype(np.float32)  # 60 MB
print(json.dumps({
    "write": peak(lambda: store.embeddings.write("ab" * 32, embedding, {})), "read": peak(lambda: store.embeddings.read("ab" * 32)),
    "keys": peak(lambda: store.features.keys("m")), "all": peak(lambda: store.features.read("m", keys[::-1])),  # 18 MB
    "some": peak(lambda: store.features.read("m", keys[100:120])),
}))
"""


@pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a part of a process"
)
@pytest.mark.parametrize("location", ["folder", "s3"], indirect=True)
def test_large_artefacts_in_bounded_memory(location):
    command = [sys.executable, "-c", PEAKS, location]
    told = subprocess.run(
        command, capture_output=True, text=True, timeout=400, cwd=Path(__file__).parents[3], check=False
    )
    assert told.returncode == 0, told.stderr
    peaks = json.loads(told.stdout)
    print(", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in peaks.items()))
    assert peaks["write"] < 2.6 * 60
    assert peaks["read"] < 2.6 * 60
    assert peaks["keys"] < 15
    assert peaks["all"] < 3 * 18 + 60  # twice the result, and some shards in flight
    assert peaks["some"] < 40

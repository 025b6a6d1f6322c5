"""How well scores are predicted on real data: the demo's 227 encoders on real sentences, scored on STS-Benchmark,
Banking77 and CLINC150.

    python tests/benchmarks/prediction.py --data ../shared/data --sentences 10000

Runs `qre sweep` on a config that it writes into --folder, where a run that was stopped goes on, and ends with its
summary: the mean Spearman of the paper's protocol, of ours and of each baseline in folds that keep near-copies
together, and how often the intervals hold. The atlas lies in --folder/out. Without --data, whose layout is that of the
files below, the built-in tasks are taken on the built-in sentences.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def tasks(data: Path) -> list[dict]:
    """Entries of the config, of files as their authors laid them out."""
    clinc, domains = f"{data}/tasks/clinc150/data_small.json", f"{data}/tasks/clinc150/domains.json"
    by_domain = {"source": "file", "label_groups": domains, "columns": {"text": 0, "label": 1}}
    return [
        {
            "source": "file",
            "kind": "sts",
            "name": "STS-B",
            "path": f"{data}/tasks/stsb/sts-test.csv",
            "format": "tsv-unquoted",
            "columns": {"sentence1": 5, "sentence2": 6, "score": 4},
        },
        {
            "source": "file",
            "kind": "classification",
            "name": "Banking77",
            "train": f"{data}/tasks/banking77/train.csv",
            "test": f"{data}/tasks/banking77/test.csv",
            "columns": {"label": "category"},
        },
        {
            **by_domain,
            "kind": "classification",
            "name": "CLINC150 domains",
            "train": f"{clinc}#train",
            "test": f"{clinc}#test",
        },
        {
            **by_domain,
            "kind": "clustering",
            "name": "CLINC150 domain clusters",
            "path": f"{clinc}#test",
            "sample": 4096,
        },
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sentences", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=ROOT / "results/prediction")
    parser.add_argument("--cpus", type=int)
    parser.add_argument("--curve", action="store_true", help="also the curve over ε: seven feature matrices more")
    arguments = parser.parse_args()
    data = arguments.data and arguments.data.resolve()
    if data is not None and not (data / "tasks").is_dir():
        print(f"{data}: no folder tasks in it", file=sys.stderr)
        return 2
    sentences = {"source": "builtin", "limit": arguments.sentences}
    if data is not None:
        sentences = {
            "source": "file",
            "path": f"{data}/sentences/ewt_10k.csv",
            "column": "text",
            "limit": arguments.sentences,
        }
    curve = [{"epsilon": e} for e in (1e-3, 1e-4, 1e-8, 1e-12)] + [
        {"perturbation": "mix", "epsilon": e} for e in (0.5, 0.01, 0.001)
    ]
    shared = [{"epsilon": 1e-6}, {"perturbation": "mix", "epsilon": 0.1}]  # they are features anyway
    config = {
        "name": "prediction",
        "store": str(arguments.folder / "store"),
        "export": str(arguments.folder / "out"),
        "sentences": sentences,
        "encoders": [{"source": "catalogue", "name": "demo"}],
        "tasks": tasks(data) if data is not None else [{"source": "builtin"}],
        "prediction": {"sensitivity": [*curve, *shared] if arguments.curve else []},
        "cluster": {"cpus": arguments.cpus},
    }
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "config.yaml").write_text(yaml.safe_dump(config))
    return subprocess.run(
        [sys.executable, "-m", "jobs.cli", "sweep", str(arguments.folder / "config.yaml")], cwd=ROOT
    ).returncode


if __name__ == "__main__":
    raise SystemExit(main())

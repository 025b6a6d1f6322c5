"""Do encoders with another geometry have other scores? On STS-Benchmark, Banking77 and CLINC150.

    python tests/benchmarks/measure_scores.py --data ../shared/data                # the demo's 236 encoders
    python tests/benchmarks/measure_scores.py --data ../shared/data --transforms   # one encoder, transformed
    python tests/benchmarks/measure_scores.py --time                               # 1,100 made encoders

Runs `qre sweep` on a config that it writes into --folder, where a run that was stopped goes on; the sentences are 2,000
of the built-in ones. Then it measures the geometry of each encoder, from the embeddings in the store, and tells how it
goes with the scores: in sentences and as the table and figure that an atlas has (in --folder/measured). With
--transforms it is all-MiniLM-L6-v2 as it is, centred, whitened and so on, and a table in Markdown. DATA is laid out as
for tests/benchmarks/prediction.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from qre.atlas.map_table import table_files  # noqa: E402
from qre.atlas.measure_scores import measure_scores, measured  # noqa: E402
from qre.atlas.rank_correlations import rank_correlations  # noqa: E402
from qre.atlas.reader import AtlasFiles  # noqa: E402
from qre.figures.measures import measures_figure  # noqa: E402
from qre.geometry import measures  # noqa: E402
from qre.report.measures_part import measures_parts  # noqa: E402
from qre.sentences import builtin_set  # noqa: E402
from qre.store import Store  # noqa: E402
from tests.benchmarks.prediction import tasks  # noqa: E402
from tests.benchmarks.sparsify import encoder  # noqa: E402

SENTENCES = 2000
CHANGES = ("center", "standardize", "whiten", "whiten:256", "all_but_the_top:3", "int8", "binary")
SHOWN = ("isoscore_unbiased", "uniformity", "mean_cosine", "alignment")


def swept(folder: Path, data: Path, transforms: bool, cpus: int | None) -> None:
    """Run the sweep whose config is written here."""
    own = {"source": "folder", "path": str(encoder()), "family": "MiniLM"}
    changed = [{**own, "name": change, "transforms": [change]} for change in CHANGES]
    config = {
        "name": "transforms" if transforms else "geometry",
        "store": str(folder / "store"),
        "export": str(folder / "out"),
        "sentences": {"source": "builtin", "limit": SENTENCES},
        "encoders": [{**own, "name": "as it is"}, *changed]
        if transforms
        else [{"source": "catalogue", "name": "demo"}],
        "tasks": tasks(data)[: 2 if transforms else None],
        "cluster": {"cpus": cpus},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    command = [sys.executable, "-m", "jobs.cli", "sweep", str(folder / "config.yaml")]
    if code := subprocess.run(command, cwd=ROOT).returncode:
        raise SystemExit(code)


def with_measures(table: pd.DataFrame, store: Store) -> pd.DataFrame:
    """A map with the geometry of each encoder, measured here where it has none."""
    if measured(table):
        return table
    groups = builtin_set(SENTENCES).labels["group"]
    rows = []
    for key, name in zip(table["key"], table["name"], strict=True):
        rows.append(asdict(measures(store.embeddings.read(key)[0], groups=groups, encoder=name)))
    found = pd.DataFrame(rows, index=table.index)
    return table.assign(**{name: found[name] for name in found if name not in table})


def transforms_table(table: pd.DataFrame, scores: pd.DataFrame) -> list[str]:
    """Each transform with its scores and its geometry, in Markdown."""
    names = list(dict.fromkeys(scores["task"]))
    lines = ["| transform | " + " | ".join([*names, *SHOWN]) + " |", "|---" * (1 + len(names) + len(SHOWN)) + "|"]
    for name in ("as it is", *CHANGES):
        own = scores[scores["name"] == name].set_index("task")
        cells = [f"{row.score:.4f} [{row.low:.4f}, {row.high:.4f}]" for row in own.loc[names].itertuples()]
        geometry = table[table["name"] == name].iloc[0]
        lines.append("| " + " | ".join([name, *cells, *(f"{geometry[one]:.4f}" for one in SHOWN)]) + " |")
    return lines


def correlated(folder: Path, table: pd.DataFrame, scores: pd.DataFrame) -> list[str]:
    """Write table and figure; what report.md says of them, and of the encoders of one dimension alone."""
    names = list(dict.fromkeys(scores["task"]))
    wide = scores.pivot(index="name", columns="task", values="score").reindex(index=table["name"], columns=names)
    began = time.process_time()
    told = measure_scores(table, wide.to_numpy(), names)
    dimension = table["dimension"].mode()[0]
    same = (table["dimension"] == dimension).to_numpy()
    alone = measure_scores(table[same], wide[same].to_numpy(), names)
    print(
        f"{len(told) + len(alone):,} correlations with their intervals: {time.process_time() - began:.1f} s of CPU",
        file=sys.stderr,
    )
    (folder / "measured").mkdir(exist_ok=True)
    for name, content in {**table_files("measure_scores", told), **measures_figure(told)}.items():
        (folder / "measured" / name).write_bytes(content)
    parts = [*measures_parts(told, ()), [f"# Of {dimension} dimensions"], *measures_parts(alone, ())[1:]]
    return ["\n".join(part) + "\n" for part in parts]


def timed(encoders: int = 1100, groups: int = 500, families: int = 60, tasks: int = 70, columns: int = 20) -> None:
    """Seconds of CPU of both forms, where all encoders have all scores, and where each task lacks other ones."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, groups, encoders)
    values, scores = rng.standard_normal((encoders, columns)), rng.standard_normal((encoders, tasks))
    some = np.where(rng.random(scores.shape) < 0.5, np.nan, scores)
    for told, own in (("all scores", scores), ("half of them, other ones on each task", some)):
        for form, family in (("over all encoders", None), ("within families", group % families)):
            began = time.process_time()
            rank_correlations(values, own, group, family)
            print(f"{told}, {form}: {time.process_time() - began:.1f} s of CPU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--time", action="store_true")
    parser.add_argument("--transforms", action="store_true")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--cpus", type=int)
    asked = parser.parse_args()
    if asked.time:
        return timed()
    if asked.data is None:
        parser.error("--data: where the tasks are")
    data = asked.data.resolve()
    if not (data / "tasks").is_dir():
        parser.error(f"--data: {data}: no folder tasks in it")
    folder = (asked.folder or ROOT / "results" / ("transforms" if asked.transforms else "measured")).resolve()
    swept(folder, data, asked.transforms, asked.cpus)
    files = AtlasFiles(folder / "out")
    table, scores = (files.parquet(f"{name}.parquet").to_pandas() for name in ("map", "scores"))
    table = with_measures(table, Store(folder / "store", read_only=True))
    print("\n".join(transforms_table(table, scores) if asked.transforms else correlated(folder, table, scores)))


if __name__ == "__main__":
    main()

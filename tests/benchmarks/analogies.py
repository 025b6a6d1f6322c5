"""How long analogies take, and what encoders of the demo know of single words.

python tests/benchmarks/analogies.py                 # 19,544 questions, 30,000 candidates, 384 dimensions, made vectors
python tests/benchmarks/analogies.py --data DATA     # the table of docs/words.md; DATA has words/ and sentences/
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

from qre.encoders.catalogue import catalogue
from qre.encoders.passes import EncodeSettings, Pass
from qre.encoders.word_vectors import words_in
from qre.sentences import read_sentences
from qre.tasks.analogies import AnalogiesTask, Relation
from qre.tasks.task_files import read_task
from qre.tasks.task_spec import METHODS, AnalogiesFile, WordSimilarityColumns, WordSimilarityFile

# pairs of 14 relations, about as Google's; the second asks only some of its ordered questions
PAIRS, QUESTIONS = (23, 116, 30, 67, 23, 32, 29, 37, 34, 33, 41, 40, 37, 30), 19_544
CANDIDATES, DIMENSIONS = 30_000, 384
MEASURED = ("sif/w5/d300", "lsa/word1-1/tfidf/d384", "wordllama/d256", "MiniLM/L6/mean")
SIMILAR = {"SimLex-999": "SIMLEX-999", "WordSim-353": "WS-353-ALL", "MEN": "MEN-TR-3k"}
FREQUENT = 10_000  # words of the sentences that are candidates beside the task's own


def made() -> tuple[AnalogiesTask, np.ndarray]:
    """As many questions as Google's, and vectors (m, d) float32 in which a good part of them is right."""
    rng = np.random.default_rng(0)
    relations = []
    for number, n in enumerate(PAIRS):
        pairs = tuple((f"a{number}.{i}", (f"b{number}.{i}",)) for i in range(n))
        relations.append(Relation(f"r{number}", "made", pairs))
    ordered = [len(one.ordered()) for one in relations]
    last = relations[1].ordered()[: QUESTIONS - sum(ordered) + ordered[1]]
    relations[1] = Relation(relations[1].name, "made", relations[1].pairs, last)
    words = 2 * sum(PAIRS)
    task = AnalogiesTask("made", "", relations, [f"v{i}" for i in range(CANDIDATES - words)])
    vectors = rng.standard_normal((CANDIDATES, DIMENSIONS)).astype(np.float32)
    at = {word: row for row, word in enumerate(task.texts)}
    for one in relations:
        offset = 1.2 * rng.standard_normal(DIMENSIONS)
        for left, (right,) in one.pairs:
            vectors[at[right]] = vectors[at[left]] + offset + 6.0 * rng.standard_normal(DIMENSIONS)
    return task, vectors


def timed() -> None:
    task, vectors = made()
    wall, cpu = time.perf_counter(), time.process_time()
    score = task.score(vectors)
    print(
        f"{score.n:,} questions, {len(task.texts):,} candidates, {DIMENSIONS} dimensions, all {len(METHODS)} methods: "
    )
    print(f"  {time.perf_counter() - wall:.1f} s, {time.process_time() - cpu:.1f} s of CPU")
    for method, told in score.details["methods"].items():
        print(f"  {method:8} {told['score']:.3f} of {told['n']:,}")


def measured(data: Path) -> pd.DataFrame:
    """One row an encoder and task: the score by each method, and the share of unknown questions or pairs."""
    texts = read_sentences(str(data / "sentences/ewt_10k.csv"), "text", None, "error").texts
    counts = Counter(word for text in texts for word in words_in([text], False))
    with tempfile.TemporaryDirectory() as folder:
        frequent = Path(folder) / "frequent.txt"
        frequent.write_text("\n".join(word for word, _ in counts.most_common(FREQUENT)))
        tasks = [*_analogies(data, frequent), *_similar(data)]
    specs = {spec.name: spec for spec in catalogue("demo")[0]}
    rows = []
    for name in MEASURED:
        spec = specs[name]
        loaded = Pass(spec, texts, [spec.readout], EncodeSettings())
        for task in tasks:
            (vectors,) = loaded.encode_texts(task.texts).values()
            score = task.score(vectors)
            told = score.details.get("methods") or {"spearman": {"unknown": score.details["unknown"]}}
            rows += [
                {"encoder": spec.name, "task": task.name, "method": method, "score": score.score, "n": score.n, **one}
                for method, one in told.items()
            ]
            print(spec.name, task.name, f"{score.score:.3f} [{score.low:.3f}, {score.high:.3f}]", flush=True)
        loaded.close()
    return pd.DataFrame(rows)


def _analogies(data: Path, frequent: Path) -> list:
    path, values = str(data / "words/google_analogies/questions-words.txt"), {"source": "file", "kind": "analogies"}
    parts = {"Google semantic": ["semantic/*"], "Google syntactic": ["syntactic/*"]}
    return [
        read_task(AnalogiesFile(**values, name=name, path=path, include=include, vocabulary=str(frequent)))
        for name, include in parts.items()
    ]


def _similar(data: Path) -> list:
    columns = WordSimilarityColumns(word1=0, word2=1, score=2)
    values = {"source": "file", "kind": "word_similarity", "format": "blanks", "columns": columns}
    return [
        read_task(WordSimilarityFile(**values, name=name, path=str(data / f"words/wordsim/EN-{file}.txt")))
        for name, file in SIMILAR.items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of words/ and sentences/")
    data = parser.parse_args().data
    if data is None:
        timed()
        return
    table = measured(data)
    table["unknown"] /= table["n"]
    print(table.pivot_table(index=["encoder", "method"], columns="task", values="score").round(3).to_string())
    print(table.pivot_table(index="encoder", columns="task", values="unknown").round(3).to_string())
    analogies = table[table["task"].str.startswith("Google")]
    for value in ("all_candidates", "known_only"):
        print(value)
        print(analogies.pivot_table(index=["encoder", "method"], columns="task", values=value).round(3).to_string())


if __name__ == "__main__":
    main()

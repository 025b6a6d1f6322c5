"""The figure of a sparsified encoder."""

import numpy as np
import pandas as pd

from qre.figures.sparsity import LABELS, sparsity_figure


def curve(scores=("alignment_uniformity", "random"), seeds=2, shares=(0.0, 0.25, 0.5), tasks=("sts",)) -> pd.DataFrame:
    rows = [
        {"task": task, "score": score, "seed": seed, "share": share, "zeros": int(share * 100), "of": 100}
        for task in tasks
        for score in scores
        for seed in range(seeds)
        for share in shares
    ]
    frame = pd.DataFrame(rows)
    rng = np.random.default_rng(0)
    for value in ("spearman", "gain", "alignment", "uniformity"):
        frame[value] = rng.random(len(frame))
        frame[f"{value}_low"], frame[f"{value}_high"] = frame[value] - 0.1, frame[value] + 0.1
    return frame


def test_every_score_is_a_line_and_equal_numbers_are_equal_bytes():
    files = sparsity_figure(curve(tuple(LABELS)), "org/model")
    assert set(files) == {"sparsity.png", "sparsity.svg"} and files == sparsity_figure(
        curve(tuple(LABELS)), "org/model"
    )
    assert files != sparsity_figure(curve(tuple(LABELS)[:4]), "org/model")


def test_odd_curves_are_drawn():
    for one in (
        curve(("",), 1, (0.0,)),  # the whole encoder alone
        curve(seeds=1),
        curve(tasks=("a", "b")),
        curve().assign(alignment_low=np.nan, alignment_high=np.nan),
    ):
        assert sparsity_figure(one, "<b>$x_1$\n" + "long " * 50)["sparsity.png"][:4] == b"\x89PNG"

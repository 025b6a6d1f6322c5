"""An encoder while more and more of its weights are set to zero: semantic similarity, alignment and uniformity."""

from __future__ import annotations

import numpy as np
import pandas as pd

from qre.figures.looks import tidy
from qre.figures.style import COLOURS, GREY, MARKERS, PALE, footnote, heading, new_figure, plain, render, style

LABELS = {
    "alignment_uniformity": "least contribution to alignment and uniformity",
    "alignment": "least contribution to alignment",
    "uniformity": "least contribution to uniformity",
    "magnitude": "smallest magnitude",
    "random": "drawn at random",
}
PANELS = (  # value, title, what is better
    ("spearman", "Spearman of cosines and gold scores", "higher is better"),
    ("alignment", "alignment: distance of near pairs", "lower is better"),
    ("uniformity", "uniformity of all texts", "lower is better"),
)


def sparsity_figure(curve: pd.DataFrame, encoder: str) -> dict[str, bytes]:
    """Each value against the share that is zero, a line for each score: the mean over its seeds.

    Args:
        curve: as qre.sparsify.curve.table makes it; of several tasks the mean is drawn, with the mean ends of their
            intervals.

    Returns:
        "sparsity.png" and "sparsity.svg".
    """
    tasks = list(dict.fromkeys(curve["task"]))
    scores = [score for score in LABELS if score in set(curve["score"])]
    seeds = {score: curve.loc[curve["score"] == score, "seed"].nunique() for score in scores}
    with style():
        figure = new_figure(7.6, 3.7)
        share = f"of {curve['of'].max():,} weights" if len(curve) else ""
        what = plain(tasks[0], 60) if len(tasks) == 1 else f"mean over {len(tasks)} tasks"
        heading(figure, f"{plain(encoder, 60)}, sparsified", f"{what} · shares {share} in matrices of layers")
        for number, (value, title, better) in enumerate(PANELS):
            axes = figure.add_axes((0.065 + 0.325 * number, 0.265, 0.265, 0.495))
            _panel(axes, curve, value, scores)
            axes.set_title(title, fontsize=7.5, loc="left", pad=10)
            axes.text(0, 1.02, better, transform=axes.transAxes, fontsize=6, color=PALE)
            axes.set_xlabel("share of the weights that is zero", fontsize=7, color=PALE)
            tidy(axes, "both")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        texts = [f"{one}{f', {seeds[score]} seeds' if seeds[score] > 1 else ''}" for one, score in zip(labels, scores)]
        place = {"loc": "lower left", "bbox_to_anchor": (0.05, 0.075), "ncols": 3}
        figure.legend(handles, texts, frameon=False, fontsize=6.5, **place)
        footnote(
            figure,
            "Bands: 95 % bootstrap intervals over pairs (Spearman, alignment) and texts (uniformity), of the first "
            "seed. Small points: single seeds. Dashed: the whole encoder.",
        )
        return render(figure, "sparsity")


def _panel(axes, curve: pd.DataFrame, value: str, scores: list[str]) -> None:
    for number, score in enumerate(scores):
        colour, marker = (GREY, "X") if score == "random" else (COLOURS[number], MARKERS[number])
        part = curve[curve["score"] == score]
        mean = part.groupby("share")[value].mean()
        first = part[part["seed"] == part["seed"].min()].groupby("share")[[f"{value}_low", f"{value}_high"]].mean()
        axes.fill_between(first.index, *first.to_numpy().T, color=colour, alpha=0.13, lw=0, zorder=2)
        look = {"color": colour, "marker": marker, "mec": "white", "mew": 0.4, "zorder": 3}
        axes.plot(mean.index, mean, lw=1.2, ms=4, label=LABELS[score], **look)
        if part["seed"].nunique() > 1:
            single = part.groupby(["seed", "share"])[value].mean().reset_index()
            axes.plot(single["share"], single[value], ls="", **(look | {"ms": 2, "alpha": 0.6}))
    dense = curve.loc[curve["share"] == 0, value].mean()
    if np.isfinite(dense):
        axes.axhline(dense, color=PALE, lw=0.7, ls=(0, (4, 2)), zorder=1)

"""How much the predictions depend on ε, the value that stands for the null space of an encoder."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.ticker import NullFormatter

from qre.figures.looks import predictor_look, tidy
from qre.figures.style import PALE, footnote, heading, new_figure, plain, render, style
from qre.prediction.words import label

LINES = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))  # perturbations differ by these


def epsilon_figure(curve: pd.DataFrame) -> dict[str, bytes]:
    """Mean Spearman against ε, a line for each predictor and perturbation.

    Args:
        curve: epsilon (positive), perturbation, predictor, spearman, low, high; low and high may be NaN, or missing.

    Returns:
        "epsilon.png" and "epsilon.svg".
    """
    curve = curve.dropna(subset=["epsilon", "spearman"]).sort_values("epsilon", kind="stable")
    kinds = list(dict.fromkeys(sorted(curve["perturbation"])))
    predictors = list(dict.fromkeys(sorted(curve["predictor"])))
    with style():
        figure = new_figure(7.6, 4.0)
        heading(
            figure,
            "Prediction against ε",
            "Mean Spearman correlation over tasks, grouped folds · bands: range over repeats",
        )
        axes = figure.add_axes((0.075, 0.135, 0.63, 0.70))
        for predictor in predictors:
            for kind in kinds:
                part = curve[(curve["predictor"] == predictor) & (curve["perturbation"] == kind)]
                _line(
                    axes,
                    part,
                    predictor,
                    f"{label(predictor)}, {plain(kind, 24)}",
                    LINES[kinds.index(kind) % len(LINES)],
                )
        axes.set_xscale("log")
        # the default is mathtext, which STYLE turns off
        axes.xaxis.set_major_formatter(lambda value, place: f"{value:g}".replace("e-0", "e-"))
        axes.xaxis.set_minor_formatter(NullFormatter())
        tidy(axes, "both")
        axes.tick_params(which="minor", length=0)
        axes.set_xlabel("ε (log scale)", fontsize=7, color=PALE)
        axes.set_ylabel("mean Spearman", fontsize=7, color=PALE)
        figure.legend(
            loc="upper left",
            bbox_to_anchor=(0.725, 0.85),
            frameon=False,
            handlelength=2.6,
            borderpad=0,
            borderaxespad=0,
        )
        footnote(
            figure,
            "ε is two things: clip: the least value of an eigenvalue; mix: the share of the identity that is mixed in. "
            "Compare values of one line only.",
        )
        return render(figure, "epsilon")


def _line(axes, part: pd.DataFrame, predictor: str, text: str, line) -> None:
    if part.empty:
        return
    colour, marker = predictor_look(predictor)
    axes.plot(
        part["epsilon"],
        part["spearman"],
        ls=line,
        lw=1.2,
        marker=marker,
        ms=4,
        mec="white",
        mew=0.4,
        color=colour,
        label=text,
        zorder=3,
    )
    if {"low", "high"} <= set(part) and np.isfinite(part[["low", "high"]].to_numpy(dtype=np.float64)).any():
        axes.fill_between(part["epsilon"], part["low"], part["high"], color=colour, alpha=0.13, lw=0, zorder=2)

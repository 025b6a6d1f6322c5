"""The figure of measures and scores: the same bytes twice, and it shows what the table says."""

import numpy as np
import pandas as pd
import pytest

from qre.atlas.measure_scores import MEAN_SCORE, measure_scores
from qre.figures import measures
from qre.figures import style as figures
from qre.figures.measures import UNKNOWN, measures_figure
from qre.geometry.legend import LEGEND
from tests.drawn_text import texts_of


def told(tasks: int, encoders: int = 60) -> pd.DataFrame:
    """The table of all measures, one of which nobody has, with tasks of odd names."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal(encoders)
    columns = {entry.name: rng.standard_normal(encoders) + latent for entry in LEGEND}
    table = pd.DataFrame(columns).assign(group=np.arange(encoders) // 2, family=np.arange(encoders) // 12)
    table = table.assign(hubness=1.0, dimension=rng.integers(1, 9, encoders))
    scores = rng.standard_normal((encoders, tasks)) + latent[:, None]
    return measure_scores(table, scores, [f"$task_{i}$ <b>" for i in range(tasks)])


@pytest.fixture()
def drawn(monkeypatch):
    """The figures that were drawn, kept for a look at their artists; none is rendered, which is the slow part."""
    seen = []
    monkeypatch.setattr(measures, "render", lambda figure, stem: seen.append(figure) or {})
    return seen


def test_the_same_bytes_twice_and_nothing_of_strangers_but_text(monkeypatch):
    monkeypatch.setattr(figures, "DPI", 50)
    table = told(3)
    files = measures_figure(table)
    assert set(files) == {"measures.png", "measures.svg"} and files == measures_figure(table)
    assert files["measures.png"][:8] == b"\x89PNG\r\n\x1a\n" and b"<b>" not in files["measures.svg"]
    shown = texts_of(files["measures.svg"])
    assert "$task_0$ <b>" in shown and "IsoScore* ↑" in shown and "hubness ↓" in shown and MEAN_SCORE in shown
    assert "all encoders: 60, 30 groups" in shown and "within families: 60, 30 groups, 5 families" in shown


def test_few_tasks_have_values_and_bold_ones_exclude_0(drawn):
    table = told(6)
    measures_figure(table)
    for form, axes in zip(("all encoders", "within families"), drawn[0].axes[:2], strict=True):
        rows = table[table["form"] == form].dropna(subset=["spearman"])
        values = [text for text in axes.texts if text.get_text()]
        assert len(values) == len(rows) == 18 * 7
        assert sum(text.get_fontweight() == "bold" for text in values) == rows["excludes_0"].sum() > 0
        assert {text.get_text() for text in values} == {f"{rho:+.2f}".replace("-", "−") for rho in rows["spearman"]}
        image = axes.images[0]
        assert image.norm.vmin == -image.norm.vmax and image.norm(0.0) == 0.5
        assert image.get_array().mask.sum() == 7
        assert np.allclose(image.cmap.get_bad()[:3], int(UNKNOWN[1:3], 16) / 255, atol=1e-3)


def test_many_tasks_have_dots_and_every_name(drawn):
    table = told(68)
    measures_figure(table)
    over_all, within, _ = drawn[0].axes
    for form, axes in zip(("all encoders", "within families"), (over_all, within), strict=True):
        assert not [text for text in axes.texts if text.get_text()]
        assert len(axes.lines) == table.loc[table["form"] == form, "excludes_0"].sum() > 0
        assert len(axes.get_yticklabels()) == 19
    labels = within.get_xticklabels()
    assert len(labels) == 69 and labels[0].get_text() == MEAN_SCORE and labels[0].get_fontweight() == "bold"
    assert not over_all.get_xticklabels()
    width = within.get_window_extent().width / 69
    assert all(label.get_window_extent().width <= width for label in labels)  # names do not overlap

"""The map by attribute, from near, and as a tree: what they show is what the tables say, safe and readable."""

import struct

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import pdist, squareform

from qre.atlas.clusters import cluster
from qre.atlas.neighbours import nearest
from qre.figures import by_attribute, dendrogram, zoom
from qre.figures import style as figures
from qre.figures.by_attribute import by_attribute_figure, in_short
from qre.figures.dendrogram import dendrogram_figure, drawn_leaves
from qre.figures.varying import Attribute, varying_attributes
from qre.figures.zoom import zoom_figure, zoomed
from tests.drawn_text import texts_of

STRANGE = [
    "<script>alert(1)</script>",
    "$x^2$",
    "$\\frac{",
    "日本語",
    "a\x00\x1b\nb",
    "--> & ]]>",
    "x" * 200,
    "",
    "_^{",
]
SCORES = ["name", "task", "kind", "metric", "split", "score", "low", "high", "n", "source"]


def encoders(size, families=3, seed=0):
    """A map of encoders that tell much of themselves, and the distances that it keeps."""
    rng = np.random.default_rng(seed)
    family = np.arange(size) % families
    points = 20 * rng.normal(size=(families, 2))[family] + rng.normal(size=(size, 2))
    table = pd.DataFrame(
        {
            "name": [f"organisation/encoder-{i}/mean" for i in range(size)],
            "family": [f"family {f}" for f in family],
            "parent": [f"p{i // 2}" for i in range(size)],
            "x": points[:, 0],
            "y": points[:, 1],
            "qre": rng.uniform(3, 6, size),
            "effective_rank": rng.uniform(10, 300, size),
            "dimension": np.where(np.arange(size) % 2, 384, 768),
        }
    )
    return table, squareform(pdist(points, "cityblock"))


def strangers():
    table, distances = encoders(len(STRANGE))
    odd = ["<b>", "$f$", "家族"] * 3
    return table.assign(name=STRANGE, family=odd, licence=STRANGE, training_sets=STRANGE, created="no date"), distances


def draw(table, distances, **named):
    found, _ = cluster(distances)
    return (
        by_attribute_figure(table, named.get("scores"))
        | zoom_figure(table, *nearest(distances, 7))
        | dendrogram_figure(table, found)
    )


@pytest.fixture()
def drawn(monkeypatch):
    """The figures that were drawn, by name, kept for a look at their artists; none is rendered."""
    seen = {}
    for module in (by_attribute, zoom, dendrogram):
        monkeypatch.setattr(module, "render", lambda figure, stem: seen.update({stem: figure}) or {})
    return seen


def test_the_same_bytes_twice_for_print():
    table, distances = encoders(30)
    files = draw(table, distances)
    stems = ("map_by_attribute", "zoom", "dendrogram")
    assert sorted(files) == sorted(f"{stem}.{kind}" for stem in stems for kind in ("png", "svg"))
    for stem in stems:
        width, height = struct.unpack(">II", files[f"{stem}.png"][16:24])
        assert width == 2100 and 300 < height < 3600
    assert draw(table, distances) == files


def test_names_of_strangers(monkeypatch):
    monkeypatch.setattr(figures, "DPI", 50)
    table, distances = strangers()
    rows = [
        (name, "<i>task</i>", "sts", "$m$", "test", i / 9, None, None, 9, "measured") for i, name in enumerate(STRANGE)
    ]
    files = draw(table, distances, scores=pd.DataFrame(rows, columns=SCORES))
    for stem in ("map_by_attribute", "zoom", "dendrogram"):
        svg = files[f"{stem}.svg"]
        assert not any(tag in svg for tag in (b"<script", b"<b>", b"<i>"))
        assert "$f$" in texts_of(svg) and "mathdefault" not in texts_of(svg)
    assert "score on <i>task</i> ($m$)" in texts_of(files["map_by_attribute.svg"])
    for stem in ("zoom", "dendrogram"):
        assert all(whole in texts_of(files[f"{stem}.svg"]) for whole in ("$x^2$", "$\\frac{", "□□□", "a b"))


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_few_encoders_and_encoders_at_one_place(size, monkeypatch):
    monkeypatch.setattr(figures, "DPI", 50)
    table, distances = encoders(size, families=1)
    expected = 2 if size == 1 else 6
    assert len(draw(table, distances)) == expected
    alike = table.assign(x=0.0, y=0.0, qre=1.0, effective_rank=2.0, dimension=384)
    assert len(draw(alike, np.zeros((size, size)))) == expected
    assert len(draw(alike.drop(columns="parent"), distances)) == expected


# ---- by attribute


def test_attributes_that_vary_and_part_the_encoders_anew():
    table, _ = encoders(6)
    table["kind"] = "k"
    table["pooling"] = table["family"].str.replace("family", "pooling")  # parts them as the family does
    table["model_pooling"] = "mean"
    table["layer"] = ["1", "last", None, "2", "last", "1"]
    table["layers"] = [6, 12, 6, 6, np.nan, 6]
    table["training_sets"] = ["a, b", "b", "a", "c, b", None, ""]
    table["languages"] = ["en", "en, de", "de", None, "en", "en"]
    table["created"] = ["2020-01-01", "2021-07-02", None, "bad", "2020-01-01", "2020-01-01"]
    table["licence"] = "mit"  # does not vary
    scores = pd.DataFrame(
        [(f"organisation/encoder-{i}/mean", "t", "sts", "m", "test", i / 10, 0, 1, 9, "measured") for i in (0, 3)],
        columns=SCORES,
    )
    found = {one.title: one for one in varying_attributes(table, scores, 20)}
    assert list(found) == [
        "family",
        "dimension",
        "score on t (m)",
        "effective rank",
        "training set (the commonest)",
        "layer",
        "QRE (nats)",
        "language",
        "created (year)",
    ]
    assert found["layer"].values.tolist()[:4] == [1, 12, pytest.approx(np.nan, nan_ok=True), 2]
    assert found["layer"].known.tolist() == [True, True, False, True, False, True]
    assert found["training set (the commonest)"].values.tolist() == ["b", "b", "a", "b", None, None]
    assert found["language"].values.tolist() == ["en", "several", "de", None, "en", "en"]
    assert found["score on t (m)"].known.tolist() == [True, False, False, True, False, False]
    assert found["created (year)"].values[1] == pytest.approx(2021.5, abs=0.01)
    assert [one.title for one in varying_attributes(table, None, 2)] == ["family", "dimension"]


def test_numbers_over_orders_of_magnitude_are_logarithmic():
    assert Attribute("", np.array([1.0, np.nan, 101.0])).logarithmic
    assert not Attribute("", np.array([1.0, 99.0])).logarithmic
    assert not Attribute("", np.array([0.0, 1e6])).logarithmic
    assert not Attribute("a score", np.array([1e-6, 1.0]), ratios=False).logarithmic
    assert [in_short(value) for value in (22e6, 1.5e9, 30_000, 2021.0, 0.05)] == ["22M", "1.5G", "30k", "2021", "0.05"]


def test_every_encoder_is_in_every_panel_in_the_colour_of_its_category(drawn):
    table, _ = encoders(60, families=12)
    table["pooling"] = np.where(np.arange(60) < 10, None, "mean")
    table.loc[50:, "pooling"] = "cls"
    by_attribute_figure(table)
    figure = drawn["map_by_attribute"]
    maps = [axes for axes in figure.axes if not axes.axison]
    assert len(maps) == 5  # family, pooling, dimension, effective rank, QRE
    for axes in maps:
        places = np.vstack([np.asarray(points.get_offsets()) for points in axes.collections])
        assert sorted(map(tuple, places)) == sorted(map(tuple, table[["x", "y"]].to_numpy()))
    hollow = maps[1].collections[0]
    assert np.array_equal(np.asarray(hollow.get_offsets()), table.loc[:9, ["x", "y"]].to_numpy())
    words = [text.get_text() for text in figure.texts]
    assert {"other (5)  25", "not known  10", "mean  40", "cls  10", "family 0  5"} <= set(words)


def test_panels_and_their_keys_do_not_overlap(drawn):
    table, _ = encoders(200, families=30)
    table["training_sets"] = [f"a long organisation's name/a long data set's name {i % 40}" for i in range(200)]
    table["licence"], table["languages"] = "mit", [f"language {i % 9}" for i in range(200)]
    table["parameters"] = 10.0 ** np.linspace(6, 10, 200)
    table["model_max_tokens"], table["source"] = np.arange(200), np.where(np.arange(200) % 2, "hub", "folder")
    by_attribute_figure(table)
    figure = drawn["map_by_attribute"]
    words = [text.get_window_extent() for text in figure.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(words) for b in words[:i])
    maps = [axes.get_window_extent() for axes in figure.axes]
    assert len(maps) == 9 + 5  # colour scales of the numbers
    assert not any(a.overlaps(b) for i, a in enumerate(maps) for b in maps[:i])
    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.width and box.y0 >= 0 for box in [*words, *maps])
    assert min(text.get_fontsize() for text in figure.texts) >= 6


def test_the_svg_of_very_many_encoders_stays_small(monkeypatch):
    monkeypatch.setattr(figures, "DPI", 50)
    table, _ = encoders(400, families=9)
    shapes = by_attribute_figure(table)["map_by_attribute.svg"]
    monkeypatch.setattr(by_attribute, "MOST_SHAPES", 399)
    pictures = by_attribute_figure(table)["map_by_attribute.svg"]
    assert len(pictures) < 0.7 * len(shapes) and pictures.count(b"<image") >= 4 > shapes.count(b"<image")
    assert by_attribute_figure(table)["map_by_attribute.svg"] == pictures
    assert texts_of(pictures) == texts_of(shapes)


# ---- from near


def test_neighbours_are_listed_with_their_distances(drawn):
    table, distances = encoders(40)
    near, how_far = nearest(distances, 7)
    own = table["name"].iloc[[4, 5]].to_list()
    zoom_figure(table, near, how_far, (own, []))
    figure = drawn["zoom"]
    assert len(figure.axes) == 6
    words = [text.get_text() for text in figure.texts]
    assert own == [words[words.index(name)] for name in own]
    start = words.index(own[0])
    listed = [words[start + 1 + 3 * rank : start + 4 + 3 * rank] for rank in range(7)]
    for rank, (number, name, far) in enumerate(listed):
        assert (number, name.removesuffix(" →")) == (str(rank + 1), table["name"][near[4, rank]])
        assert far == f"{how_far[4, rank]:#.3g}"
    extents = [text.get_window_extent() for text in figure.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(extents) for b in extents[:i])


def test_near_copies_are_hollow_and_dotted(drawn):
    table, distances = encoders(12)
    distances[0, 1] = distances[1, 0] = 1e-3
    near, how_far = nearest(distances, 3)
    zoom_figure(table, near, how_far, (table["name"].to_list()[:1], []))
    axes = drawn["zoom"].axes[0]
    lines = [line for line in axes.lines if line.get_linewidth() == 0.6]
    assert [line.is_dashed() for line in lines] == [row == 1 for row in near[0]]
    hollow = [
        np.asarray(points.get_offsets())[0].tolist()
        for points in axes.collections
        if len(points.get_facecolors()) and np.allclose(points.get_facecolors()[0][:3], 1)
    ]
    assert hollow == [table.loc[1, ["x", "y"]].to_list()]


def test_a_neighbour_that_lies_apart_on_the_map_does_not_widen_the_panel(drawn):
    table, distances = encoders(9, families=1)
    table.loc[8, ["x", "y"]] = 1e4
    near, how_far = nearest(distances, 8)
    near = np.where(near == 8, near[:, -1:], near)
    near[:, 0] = np.where(np.arange(9) == 8, near[:, 0], 8)
    zoom_figure(table, near, how_far, (table["name"].to_list()[:1], []))
    assert np.ptp(drawn["zoom"].axes[0].get_xlim()) < 100
    assert table["name"][8] + " →" in [text.get_text() for text in drawn["zoom"].texts]


def test_which_encoders_are_shown():
    table, distances = encoders(60)
    near, _ = nearest(distances, 7)
    names = table["name"].to_list()
    assert zoomed(table, near, names[:9], names[9:]) == [0, 1, 2, 3, 4, 5]  # a person's own, near-copies and all
    parts = zoomed(table, near, [names[0]], [names[1], names[7], names[6], "not on the map"])
    assert parts[:2] == [0, 7] and len(parts) == 6
    assert len(set(table["parent"].iloc[parts])) == 6
    downloads = np.full(60, np.nan)
    downloads[[10, 11, 30, 50]] = [5, 7, 9, 1]
    popular = zoomed(table.assign(downloads=downloads), near, [], [])
    assert popular[:3] == [30, 11, 50]
    assert not any(b in near[a] for i, b in enumerate(popular[3:], 3) for a in popular[:i])


# ---- as a tree


def heights_drawn(axes):
    return sorted(float(bracket.vertices[1, 0]) for bracket in axes.collections[0].get_paths())


def test_brackets_stand_at_the_distance_where_encoders_merge(drawn):
    table, distances = encoders(20)
    found, _ = cluster(distances)
    dendrogram_figure(table, found)
    axes = drawn["dendrogram"].axes[0]
    assert axes.get_xscale() == "log"
    assert np.allclose(heights_drawn(axes), found.tree.height)
    labels = [text.get_text() for text in axes.texts]
    assert labels[:-1] == [table["name"][leaf] for leaf in found.tree.order()]
    assert labels[-1] == f"{len(found.medoids)} clusters"
    below, above = found.tree.cut_height(len(found.medoids))
    dashed = [line for line in axes.lines if line.is_dashed()]
    assert len(dashed) == 1 and below < dashed[0].get_xdata()[0] < above
    extents = [text.get_window_extent() for text in axes.texts]
    assert not any(a.overlaps(b) for i, a in enumerate(extents[:-1]) for b in extents[:i] if abs(i) > 1)
    assert all(box.x0 >= 0 for box in extents)


def test_the_distance_0_stands_below_the_smallest(drawn):
    table, _ = encoders(8)
    distances = squareform(pdist(np.repeat([0.0, 1.0, 3.0, 9.0], 2)[:, None]))
    dendrogram_figure(table, cluster(distances)[0])
    axes = drawn["dendrogram"].axes[0]
    assert heights_drawn(axes) == [0.5] * 4 + [1.0, 2.5, pytest.approx(23 / 3)]
    assert [text.get_text() for text in axes.get_xticklabels()][0] == "0"
    distances[0, 1] = distances[1, 0] = 1e-15  # rounding is no distance
    dendrogram_figure(table, cluster(distances)[0])
    axes = drawn["dendrogram"].axes[0]
    assert heights_drawn(axes)[:4] == [0.5] * 4
    assert [text.get_text() for text in axes.get_xticklabels()][0] == "<1"


def test_of_many_encoders_those_named_the_medoids_and_an_even_spread_are_drawn(drawn):
    table, distances = encoders(300, families=5)
    distances[np.ix_(np.arange(300) % 5 == 4, np.arange(300) % 5 != 4)] += 500
    distances = np.maximum(distances, distances.T)
    found, _ = cluster(distances)
    leaves = drawn_leaves(table, found, [table["name"][299], "not on the map"])
    assert len(leaves) == 100 == len(set(leaves.tolist())) and 299 in leaves
    assert set(found.medoids.tolist()) <= set(leaves.tolist())
    counts, sizes = np.bincount(found.labels[leaves])[1:], np.bincount(found.labels)[1:]
    assert (counts >= np.minimum(sizes, 100 // len(sizes) - 2)).all()
    downloads = np.arange(300.0)
    assert drawn_leaves(table.assign(downloads=downloads), found).tolist() == list(range(200, 300))
    dendrogram_figure(table, found)
    words = [text.get_text() for text in drawn["dendrogram"].texts]
    assert any("100 of 300 encoders" in text for text in words)
    assert len(drawn["dendrogram"].axes[0].collections[0].get_paths()) == 99
    assert drawn["dendrogram"].get_figheight() < 11.7

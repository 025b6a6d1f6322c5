"""The map figure: the same bytes twice, safe with strangers' names, readable with few, many and long."""

import struct

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib.transforms import Bbox

from qre.atlas.neighbours import FamilyShare
from qre.figures import atlas_map as drawing
from qre.figures.atlas_map import facts_line, map_figure
from qre.figures.style import plain
from tests.drawn_text import texts_of

STRANGE = [
    "<script>alert(1)</script>",
    "$x^2$",
    "$\\frac{",
    "日本語モデル",
    "عربي",
    "a\x00\x1b\nb",
    "--> & ]]>",
    "😀",
    "x" * 200,
    "",
    "_^{",
]


def table(size, families=3, seed=0, names=None):
    rng = np.random.default_rng(seed)
    family = np.arange(size) % families
    centres = rng.normal(scale=20, size=(families, 2))
    x, y = (centres[family] + rng.normal(size=(size, 2))).T
    names = names or [f"organisation/encoder-{i}/mean" for i in range(size)]
    return pd.DataFrame(
        {
            "name": names,
            "family": [f"family {f}" for f in family],
            "parent": [str(i) for i in range(size)],
            "x": x,
            "y": y,
            "qre": rng.uniform(3, 6, size),
            "effective_rank": rng.uniform(10, 300, size),
            "dimension": 384,
        }
    )


@pytest.fixture()
def drawn(monkeypatch):
    """The figures that were drawn, kept for a look at their artists."""
    seen = []
    original = drawing.render
    monkeypatch.setattr(drawing, "render", lambda figure, stem: seen.append(figure) or original(figure, stem))
    return seen


def test_two_calls_give_the_same_bytes_and_leave_no_settings_behind():
    before = dict.copy(matplotlib.rcParams)  # raw: reading "backend" would choose one
    first = map_figure(table(60), "A map", "facts")
    assert sorted(first) == ["map.png", "map.svg"]
    assert map_figure(table(60), "A map", "facts") == first
    assert dict.copy(matplotlib.rcParams) == before
    matplotlib_rc = {"font.size": 30, "svg.hashsalt": None, "savefig.bbox": "tight"}
    with matplotlib.rc_context(matplotlib_rc):
        assert map_figure(table(60), "A map", "facts") == first


def test_the_png_is_for_print():
    png = map_figure(table(10), "A map", "facts")["map.png"]
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", png[16:24]) == (2280, 1800)


def test_names_of_strangers():
    odd = table(len(STRANGE), names=STRANGE)
    odd["family"] = ["<script>", "$f$", "家族"] * 3 + ["<b>", "$"]
    svg = map_figure(odd, "<script>$title$ 日本", "$facts$ <b>")["map.svg"]
    assert b"<script" not in svg and b"<b>" not in svg
    texts = texts_of(svg)
    for whole in ("$x^2$", "$f$", "$\\frac{", "<script>$title$ □□", "$facts$ <b>", "□□□□□□"):
        assert whole in texts


def test_long_names_keep_both_ends():
    assert plain("a" * 150 + "z" * 50, 40) == "a" * 19 + "…" + "z" * 20
    assert plain("short", 40) == "short"
    assert plain("a\nb\tc\x00d\u202e", 40) == "a b c d"
    assert plain("\ud800", 40) == ""


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_few_encoders(size):
    for places in (table(size), table(size).assign(x=0.0, y=0.0, qre=1.0)):
        assert map_figure(places, "A map", "facts")["map.svg"]


@pytest.mark.parametrize(("families", "entries"), [(20, 20), (21, 20), (60, 20)])
def test_many_families(families, entries, drawn):
    map_figure(table(4 * families, families), "A map", "facts", labels=5)
    texts = [text.get_text() for text in drawn[0].legends[0].get_texts()]
    assert len(texts) == entries
    assert texts[-1].startswith("other (") == (families > 20)
    assert sum(int(text.split()[-1]) for text in texts) == 4 * families


def test_families_differ_in_look(drawn):
    map_figure(table(40, 20), "A map", "facts", labels=0)
    looks = {(line.get_color(), line.get_marker()) for line in drawn[0].legends[0].legend_handles}
    assert len(looks) == 20


@pytest.mark.parametrize("size", [24, 150])
def test_names_cover_neither_each_other_nor_a_point(size, drawn):
    places = table(size, 6)
    map_figure(places, "A map", "facts", labels=24)
    figure = drawn[0]
    axes = figure.axes[0]
    figure.dpi = 100
    boxes = [text.get_window_extent() for text in axes.texts]
    assert 15 <= len(boxes) <= 24
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    for x, y in axes.transData.transform(places[["x", "y"]].to_numpy()):
        point = Bbox.from_bounds(x - 1, y - 1, 2, 2)
        assert not any(point.overlaps(box) for box in boxes)


@pytest.mark.parametrize("size", [4, 6, 12])
def test_a_flat_map_stays_flat(size, drawn):
    flat = table(size, 4).assign(x=np.linspace(-100, 100, size), y=np.linspace(0, 2, size) ** 2)
    map_figure(flat, "A map", "facts")
    places = drawn[0].axes[0].transData.transform(flat[["x", "y"]].to_numpy())
    spans, told = np.ptp(places, axis=0), np.ptp(flat[["x", "y"]].to_numpy(), axis=0)
    assert (spans[1] / spans[0]) / (told[1] / told[0]) <= 3.0001
    assert drawn[0].get_figheight() < 6.0
    map_figure(table(60), "A map", "facts")
    assert drawn[1].get_figheight() == 6.0


@pytest.mark.parametrize("size", [1, 4, 50, 236])
def test_the_best_is_ringed_and_named_whatever_stands_around_it(size, drawn):
    places = table(size, 4)
    if size == 236:
        places = places.assign(x=0.001 * places["x"], y=0.001 * places["y"])
        places.loc[0, ["x", "y"]] = 5.0
    best = places["name"].iloc[-1]
    map_figure(places, "A map", "facts", best=best, best_at="on <b>STS</b>")
    named = [text for text in drawn[0].axes[0].texts if text.get_text() == plain(best, 40)]
    assert len(named) == 1 and named[0].get_fontweight() == "bold"
    assert f"Ringed: {best}, best on <b>STS</b>." in [text.get_text() for text in drawn[0].texts]
    ring = [one for one in drawn[0].axes[0].collections if len(one.get_facecolors()) == 0]
    assert [tuple(one.get_offsets()[0]) for one in ring] == [tuple(places[["x", "y"]].iloc[-1])]


def test_own_encoders_are_named_in_the_thick_of_a_map_and_under_the_ring(drawn):
    places = table(236, 4)
    places = places.assign(x=0.001 * places["x"], y=0.001 * places["y"])
    places.loc[0, ["x", "y"]] = 5.0
    places.loc[7, ["x", "y"]] = places.loc[9, ["x", "y"]].to_list()
    best, own, leading = (places["name"].iloc[row] for row in (9, 7, 0))
    map_figure(places, "A map", "facts", labels=3, best=best, best_at="on STS", named=([own, "not here"], [leading]))
    assert {text.get_text() for text in drawn[0].axes[0].texts} == {plain(name, 40) for name in (best, own, leading)}


@pytest.mark.parametrize(
    ("count", "apart", "dense"), [(1, 0.0, False), (1, 0.01, True), (6, 1e-9, True), (6, 0.01, True)]
)
def test_names_of_encoders_on_one_place_are_written_one_above_the_other(count, apart, dense, drawn):
    places = table(236, 4)
    if dense:
        places[["x", "y"]] *= 0.001
        places.loc[0, ["x", "y"]] = 5.0
    names, own = places["name"].to_list(), range(100, 100 + count)
    width = np.ptp(places["x"])
    for step, row in enumerate(own, start=1):
        places.loc[row, ["x", "y"]] = places.loc[9, ["x", "y"]] + [apart * width * step, 0.0]
    told = {"best": names[9], "best_at": "on STS", "named": ([names[row] for row in own], [names[0]])}
    map_figure(places, "A map", "facts", labels=12, **told)
    figure = drawn[0]
    figure.dpi = 100
    boxes = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts}
    assert {plain(names[row], 40) for row in (9, *own)} <= set(boxes)
    found = list(boxes.values())
    assert not any(a.overlaps(b) for i, a in enumerate(found) for b in found[:i])
    if apart < 0.001:
        block = [boxes[plain(names[row], 40)] for row in (9, *own)]
        gaps = [above.y0 - below.y1 for above, below in zip(block, block[1:])]
        assert min(gaps) > 0 and max(gaps) < block[0].height, gaps  # no room for another line


def test_the_ringed_encoder_and_ones_own_lie_above_all_others(drawn):
    places = table(60, 6)  # the last family is drawn last
    places.loc[[0, 1, 11], ["x", "y"]] = 0.0
    names = places["name"].to_list()
    map_figure(places, "A map", "facts", best=names[0], best_at="on STS", named=([names[1]], [names[2]]))
    depths = {}
    for points in drawn[0].axes[0].collections:
        if len(points.get_facecolors()):  # not the ring
            for place in points.get_offsets():
                depths.setdefault(tuple(place), []).append(points.get_zorder())
    here = sorted(depths.pop((0.0, 0.0)))
    assert len(here) == 3 and sum(map(len, depths.values())) == 57
    assert here[2] > here[1] > max(here[0], *(max(depth) for depth in depths.values()))
    last = max(drawn[0].axes[0].collections, key=lambda one: one.get_zorder() * bool(len(one.get_facecolors())))
    legend = drawn[0].legends[0]
    looks = {text.get_text().rsplit(" ", 1)[0]: h for text, h in zip(legend.get_texts(), legend.legend_handles)}
    assert matplotlib.colors.to_hex(last.get_facecolors()[0]).upper() == looks["family 0"].get_color().upper()
    assert len(last.get_offsets()) == 1


def test_no_text_is_cut_at_the_edge(drawn):
    places = table(30, 12, names=["W" * 60 + str(i) for i in range(30)])
    places["family"] = ["M" * 60 + family for family in places["family"]]
    map_figure(places, "W" * 300, "M" * 400, best=places["name"].iloc[0], best_at="W" * 200)
    figure = drawn[0]
    figure.dpi = 100
    for text in [*figure.texts, *figure.axes[0].texts, *figure.legends[0].get_texts()]:
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.width + 1, text.get_text()


def test_facts_line():
    share = FamilyShare(
        share=0.47,
        chance=0.094,
        ceiling=1.0,
        p_value=1e-4,
        neighbours=7,
        permutations=9999,
        encoders=227,
        alone=0,
        excluded=False,
    )
    assert facts_line(1101, 10_000, share) == (
        "1,101 encoders × 10,000 sentences · 47% of the 7 nearest neighbours are of the same family "
        "(chance 9%, p < 0.001)"
    )

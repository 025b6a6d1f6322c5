"""What nobody expects on a page: odd numbers and names in the map, hostile addresses, files that were cut off, browsers
that refuse."""

import dataclasses
import json
import re

import numpy as np
import pandas as pd
import pytest

from qre.atlas.clusters import cluster, cluster_table, tree_table
from qre.atlas.reader import AtlasFiles
from qre.csv_cells import cell_of
from qre.errors import without_folders
from qre.page.attributes import columns_of
from qre.page.gather import page_of
from tests.page.made_atlas import made_atlas
from tests.page.page_data import fragment, page_data

INK = """() => { const c = document.querySelector(".canvas canvas");
  return c.getContext("2d").getImageData(0, 0, c.width, c.height).data.filter((_, k) => k % 4 === 3).some(Boolean); }"""
DRAWN = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"""


def drawn(page):
    """Whether there is a mark on the map."""
    page.evaluate(DRAWN)
    return page.evaluate(INK)


@pytest.fixture
def page_with(tmp_path):
    """`page_with(change, encoders=)`: the page of a made atlas of which `change` tells the tables that are others."""

    def made(change, encoders=30):
        atlas = made_atlas(encoders=encoders, attributes=10, tasks=2)
        folder = dataclasses.replace(atlas, **change(atlas)).write(tmp_path)
        (folder / "atlas.html").write_bytes(page_of(AtlasFiles(folder)))
        return folder / "atlas.html"

    return made


def test_a_map_of_one_encoder(open_page, page_with):
    def alone(atlas):
        table = atlas.table.iloc[:1]
        own = {name: getattr(atlas, name) for name in ("scores", "predicted")}
        clusters, _ = cluster(np.zeros((1, 1)))
        return {
            "table": table,
            **{name: one[one["name"] == table["name"][0]] for name, one in own.items()},
            "neighbours": atlas.neighbours.iloc[:0],
            "tree": tree_table(clusters.tree),
            "clusters": cluster_table(table, clusters),
            "features": atlas.features[:1],
        }

    page = open_page(page_with(alone, encoders=2)).page
    for view in ("table", "tradeoff", "clusters", "about", "map"):
        page.locator(f"#tab-{view}").click()
    assert drawn(page)


def test_families_of_one_encoder_each_are_colours(open_page, page_with):
    """So it is where every model is read off once: the map is not grey then."""
    page = open_page(page_with(lambda atlas: {"table": atlas.table.assign(family=atlas.table["name"])})).page
    assert page.locator("#colour").input_value() == "family"
    assert page.locator("#legend button").count() == 30


def test_a_map_without_families_is_coloured_by_what_it_has(open_page, page_with):
    page = open_page(page_with(lambda atlas: {"table": atlas.table.assign(family=None)})).page
    assert page.locator("#colour").evaluate("select => select.selectedIndex") == 0
    assert page.locator("#legend h2").inner_text()


@pytest.mark.parametrize("values", [(1.7e308, -1.7e308), (5e-324, 1.0), (0.0, 1e-310), (2.0**53 + 1, -1e300)])
def test_numbers_at_the_ends_of_what_there_is(open_page, page_with, values):
    page = open_page(page_with(lambda atlas: {"table": atlas.table.assign(odd=list(values) * 15)})).page
    page.locator("#colour").select_option("odd")
    assert drawn(page)
    assert all(len(end) < 20 for end in page.locator("#legend .ends span").all_inner_texts())


@pytest.mark.parametrize("kind", ["boolean", "string", "Int64"])
def test_columns_that_pandas_holds_its_own_way(kind):
    values = pd.array([True if kind == "boolean" else "7" if kind == "string" else 7, None] * 10, dtype=kind)
    found = columns_of(pd.DataFrame({"name": [f"e{i}" for i in range(20)], "odd": values}))
    column = next(one for one in found if one.id == "odd")
    assert column.values[1] in (None, -1) and column.values[0] not in (None, -1)


def test_axes_over_values_that_differ_by_rounding_only_come_to_an_end(open_page, make_page):
    page = open_page(make_page(encoders=2)).page
    for low, high in ((0.2, 0.20000000000000004), (1e15, 1e15 + 0.125), (-0.3, -0.29999999999999999), (0, 5e-324)):
        assert page.evaluate("ends => Front.axis(ends, false).ticks.length", [low, high]) < 20


@pytest.mark.parametrize("at", ["1,2", "", "0,0,0", "1,2,3,4", "NaN,1,2", "0,0,-1", "1e308,1e308,1e308"])
def test_a_camera_that_is_none_shows_all(open_page, make_page, at):
    page = open_page(make_page(encoders=236), fragment=f"at={at}").page
    assert page.evaluate("[Scatter.camera.x, Scatter.camera.y, Scatter.camera.zoom].every(Number.isFinite)")
    page.locator("#map").press("+")
    page.locator("#home").click()
    assert drawn(page)
    assert "NaN" not in page.evaluate("`${State.now.at} ${Scatter.camera.zoom}`")


@pytest.mark.parametrize("rank", ["9" * 400 + "*Task00", "0.0000001*Task00", "2*Task00", "1000000*Task00"])
def test_a_weight_of_any_size_is_read_as_it_is_written(open_page, make_page, rank):
    page = open_page(make_page(encoders=236), fragment=f"view=table&rank={rank}").page
    before = page.evaluate("JSON.stringify(State.now.rank)")
    page.locator("#tab-tradeoff").click()
    page.reload()
    assert page.evaluate("JSON.stringify(State.now.rank)") == before
    assert all(0 < weight <= 1000 for weight in json.loads(before).values())


def test_a_size_that_is_none_is_all_alike(open_page, make_page):
    page = open_page(make_page(encoders=236), fragment="size=nonsense").page
    assert page.locator("#size").input_value() == "" and page.locator("#size option:checked").count() == 1


@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_a_file_that_was_cut_off_says_so(open_page, make_page, tmp_path, share):
    """Wherever it ends: the scripts stand behind the data."""
    whole = make_page(encoders=236).read_bytes()
    (tmp_path / "half.html").write_bytes(whole[: int(share * len(whole))])
    page = open_page(tmp_path / "half.html", ready=False).page
    page.get_by_text("this file was cut off").wait_for(state="visible")


def test_a_whole_file_does_not_say_so(open_page, make_page):
    assert not open_page(make_page(encoders=236)).page.get_by_text("cut off").is_visible()


def test_a_browser_that_refuses_to_write_the_address_shows_what_is_asked_for(open_page, make_page):
    refuse = "history.pushState = history.replaceState = () => { throw new DOMException('often', 'SecurityError'); };"
    page = open_page(make_page(encoders=236), before=refuse).page
    page.locator("#tab-table").click()
    assert page.locator("#view-table").is_visible() and fragment(page) == {}


def test_what_a_lasso_surrounds_twice_is_inside(open_page, make_page):
    """As the map fills it: twice around a square, and the middle of a star drawn in one line."""
    page = open_page(make_page(encoders=2)).page
    inside = "([corners, x, y]) => Polygon.holder(corners)(x, y)"
    square = [0, 0, 4, 0, 4, 4, 0, 4]
    star = [0, 3, 2, -3, -3, 1, 3, 1, -2, -3]
    assert page.evaluate(inside, [square * 2, 2, 2]) and page.evaluate(inside, [star, 0, 0])
    assert not page.evaluate(inside, [square * 2, 5, 2]) and not page.evaluate(inside, [star, 3, 3])


def test_a_second_finger_ends_the_lasso(open_page, make_page):
    page = open_page(make_page(encoders=236), touch=True).page
    page.locator("#lasso").click()
    page.evaluate("""() => {
      const map = document.getElementById("map");
      map.setPointerCapture = () => {};
      const send = (type, pointerId, clientX, clientY) =>
        map.dispatchEvent(new PointerEvent(type, { pointerId, clientX, clientY, pointerType: "touch", button: 0 }));
      send("pointerdown", 1, 400, 300); send("pointermove", 1, 500, 300); send("pointermove", 1, 500, 400);
      send("pointerdown", 2, 600, 400); send("pointermove", 2, 650, 450);
      send("pointerup", 2, 650, 450); send("pointerup", 1, 500, 400);
    }""")
    assert page.locator("#lasso").get_attribute("aria-pressed") == "false"
    page.evaluate(DRAWN)
    painted = "document.getElementById('map').getContext('2d').getImageData(0, 0, 3000, 2000).data.some(Boolean)"
    assert not page.evaluate(painted)


@pytest.mark.parametrize("text", ["=1", "\n=1", "\uff1d1", "'=1", "''-1", "+1", "@a", "\ta", "'a", "a=1"])
def test_cells_are_quoted_as_in_the_files_beside_the_page(open_page, make_page, text):
    page = open_page(make_page(encoders=2)).page
    shown = page.evaluate("text => Dom.csv([[text]])", text)
    assert shown.removesuffix("\r\n").strip('"') == cell_of(text)


@pytest.mark.parametrize("text", [".5", ".inf", ".NaN", "./a", "../a", "a.b", "-1", "1e3", "no", "2020-01-01", "~"])
def test_a_text_of_the_config_stays_a_text(open_page, make_page, text):
    import yaml

    written = open_page(make_page(encoders=2)).page.evaluate("text => Yaml.written({ text })", text)
    assert yaml.safe_load(written) == {"text": text}


@pytest.mark.parametrize(("view", "least"), [("map", 1), ("table", 2), ("about", 2)])
def test_all_of_a_view_is_printed(open_page, make_page, view, least):
    """On as many sheets as it takes, and not what the window shows of it alone."""
    page = open_page(make_page(encoders=236), fragment=f"view={view}").page
    page.evaluate(DRAWN)
    sheets = len(re.findall(rb"/Type */Page\b", page.pdf(format="A4")))
    assert least <= sheets < 30 and (view != "map" or sheets == 1)


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("/home/ada/models/mine: weights end early", "mine: weights end early"),
        ("no file named 'x.bin' found in directory /home/ada/m.", "no file named 'x.bin' found in directory m."),
        (r"C:\Users\ada\m\config.json: no JSON", "config.json: no JSON"),
        ("~/models/x and (/data/ada/y)", "x and (y)"),
        ("org/model has no 1/2 of https://example.com/a/b, s3://bucket/a/b", None),
        ("</script><b>/</b> 3 / 4 // and/or", None),
    ],
)
def test_a_message_that_is_passed_on_names_no_folder(message, told):
    assert without_folders(message) == (message if told is None else told)


def test_the_page_tells_of_failures_and_not_of_the_machine(page_with):
    failure = {"encoder": "mine", "kind": "permanent", "node": "ada-laptop", "message": "/home/ada/m/x: no weights"}
    data = page_data(page_with(lambda atlas: {"manifest": {**atlas.manifest, "failures": [failure]}}))
    assert data["about"]["failures"] == [{"encoder": "mine", "kind": "permanent", "message": "x: no weights"}]
    assert "ada" not in json.dumps(data["about"])

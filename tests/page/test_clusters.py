"""The clusters of the page: the same as Python's, drawn, told as a table, and walked by keyboard."""

import csv
import io
import re

import numpy as np
import pandas as pd
import pytest
from scipy.cluster.hierarchy import cophenet, dendrogram
from scipy.spatial.distance import squareform

from qre.atlas.clusters import ClusterTree
from qre.atlas.reader import AtlasFiles
from qre.page import page_of
from tests.page.made_atlas import made_atlas

MADE = {"encoders": 236, "tasks": 3}
SMALL = {"encoders": 60, "tasks": 3}


def tree_of(made):
    """The atlas's own tree."""
    leaves = np.flatnonzero(made.clusters["leaf"].notna())
    return ClusterTree(leaves, *(made.tree[name].to_numpy() for name in ("left", "right", "height", "size")))


def linkage_of(tree):
    return np.column_stack([tree["left"], tree["right"], tree["height"], tree["size"]]).astype(float)


def cut_in_page(page, count):
    return page.evaluate("async count => [...Tree.cut(await Data.load(), count).of]", count)


def leaves_shown(page):
    names = page.locator("#view-clusters [role=option]").evaluate_all(
        "nodes => nodes.map(n => n.getAttribute('aria-label'))"
    )
    return [name.rpartition(", Cluster")[0].rpartition(", ")[0] for name in names]


def test_every_cut_is_pythons(make_page, open_page):
    tree = tree_of(made_atlas(**MADE))
    page = open_page(make_page(**MADE)).page
    for count in (1, 2, 3, 7, 20, 50, 120, 236):
        assert [number + 1 for number in cut_in_page(page, count)] == tree.cut(count).tolist(), count


@pytest.mark.parametrize("count", [2, 5, 17])
def test_the_table_and_the_map_have_the_clusters_of_the_cut(make_page, open_page, count):
    made = made_atlas(**MADE)
    labels = tree_of(made).cut(count)
    page = open_page(make_page(**MADE), fragment=f"view=clusters&cut={count}").page
    sizes = page.locator("#cluster-table tbody tr td:nth-child(2)").all_inner_texts()
    assert [int(size) for size in sizes] == np.bincount(labels)[1:].tolist()
    families = pd.Series(made.table["family"][labels == 1]).value_counts()
    assert f"{families.index[0]} {families.iloc[0]}" in page.locator("#cluster-table tbody tr").first.inner_text()
    page.get_by_role("button", name="Colour the map by cluster").click()
    assert "colour=cluster" in page.url and page.locator("#view-map").is_visible()
    legend = page.locator("#legend li").all_inner_texts()
    assert [re.split(r"\s*\n\s*", entry) for entry in legend] == [
        [f"Cluster {number}", str((labels == number).sum())] for number in range(1, count + 1)
    ]


def test_csv_has_the_clusters_of_the_cut(make_page, open_page):
    made = made_atlas(**MADE)
    labels = tree_of(made).cut(6)
    page = open_page(make_page(**MADE), fragment="view=clusters&cut=6").page
    with page.expect_download() as waiting:
        page.locator("#clusters-csv").click()
    rows = pd.read_csv(io.BytesIO(waiting.value.path().read_bytes()))
    assert rows["name"].to_list() == made.table["name"].to_list()
    assert rows["cluster"].to_list() == labels.tolist()
    assert rows["size"].to_list() == np.bincount(labels)[labels].tolist()
    assert rows.groupby("cluster")["central"].sum().eq(1).all()


def test_the_atlas_own_cut_has_its_own_central_encoders(make_page, open_page):
    made = made_atlas(**MADE)
    page = open_page(make_page(**MADE), fragment="view=clusters").page
    shown = page.locator("#cluster-table tbody td:last-child").all_inner_texts()
    assert sorted(shown) == sorted(made.clusters["name"][made.clusters["central"]])
    assert "least distance to all others" in page.locator("#cluster-table caption").inner_text()
    other = open_page(make_page(**MADE), fragment="view=clusters&cut=3").page
    assert "most often among the nearest" in other.locator("#cluster-table caption").inner_text()


def test_the_order_of_the_leaves_is_scipys(make_page, open_page):
    made = made_atlas(**SMALL)
    expected = dendrogram(linkage_of(made.tree), no_plot=True)["leaves"]
    page = open_page(make_page(**SMALL), fragment="view=clusters&chosen=spread").page
    assert leaves_shown(page) == made.table["name"].iloc[expected].to_list()


def test_a_tree_of_some_keeps_the_heights_of_the_whole(make_page, open_page):
    made = made_atlas(**MADE)
    whole = squareform(cophenet(linkage_of(made.tree)))
    chosen = sorted(np.random.default_rng(1).choice(len(made.table), 40, replace=False).tolist())
    page = open_page(make_page(**MADE)).page
    small = page.evaluate("async chosen => Tree.restricted(await Data.load(), chosen)", chosen)
    own = squareform(cophenet(linkage_of(small)))
    assert small["leaves"] == chosen
    np.testing.assert_allclose(own, whole[np.ix_(chosen, chosen)], rtol=1e-5)
    python = tree_of(made).restricted(np.array(chosen))
    assert (small["left"], small["right"], small["size"]) == (
        python.left.tolist(),
        python.right.tolist(),
        python.size.tolist(),
    )
    order = page.evaluate("small => Tree.order(small)", small)
    assert order == python.order().tolist()


def test_the_branches_lie_at_their_distances(make_page, open_page):
    """On the log axis: the ticks give the scale, and every merge has its stroke where the scale puts its height."""
    made = made_atlas(**SMALL)
    page = open_page(make_page(**SMALL), fragment="view=clusters&chosen=spread").page
    ticks = page.locator(".dendrogram .axis text").evaluate_all(
        "nodes => nodes.map(n => [n.textContent, Number(n.getAttribute('x'))])"
    )
    known = [(float(text.replace(",", "")), x) for text, x in ticks if text != "0"]
    assert len(known) >= 2
    slope, origin = np.polyfit(np.log([value for value, _ in known]), [x for _, x in known], 1)
    path = page.locator(".dendrogram .branches").get_attribute("d")
    drawn = sorted(float(x) for x in re.findall(r"M[\d.]+ [\d.]+H([\d.]+)V", path))
    np.testing.assert_allclose(drawn, sorted(origin + slope * np.log(made.tree["height"])), atol=0.2)
    cut = float(page.locator(".dendrogram .cut line").get_attribute("x1"))
    clusters = made.clusters["cluster"].nunique()
    assert sum(x < cut for x in drawn) == clusters - 1


def test_the_cut_by_slider_field_and_keyboard(make_page, open_page):
    page = open_page(make_page(**MADE), fragment="view=clusters&cut=5").page
    slider = page.get_by_role("slider", name="Number of clusters")
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert "cut=6" in page.url and page.locator("#cluster-table tbody tr").count() == 6
    assert page.locator(".dendrogram .cut text").inner_html() == "cut: 6 clusters"
    assert page.evaluate("document.activeElement.id") == "cut-slider"
    page.locator("#cut").fill("9")
    page.keyboard.press("Enter")
    assert page.locator("#cluster-table tbody tr").count() == 9 and slider.input_value() == "9"
    page.locator("#cut").fill("900")
    page.keyboard.press("Enter")
    assert page.locator("#live").inner_text() == "1 to 50 clusters" and page.locator("#cut").input_value() == "9"
    page.get_by_role("button", name="As made").click()
    assert "cut=" not in page.url


def test_leaves_by_keyboard_and_by_click(make_page, open_page):
    page = open_page(make_page(**MADE), fragment="view=clusters").page
    names = leaves_shown(page)
    options = page.locator("#view-clusters [role=option]")
    assert options.evaluate_all("nodes => nodes.filter(n => n.getAttribute('tabindex') === '0').length") == 1
    options.first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "Enter"):
        page.keyboard.press(key)
    assert page.locator("#panel h2").inner_text() == names[1]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith(names[1])
    assert options.nth(1).get_attribute("aria-selected") == "true"
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.locator("#panel h2").inner_text() == names[-1]
    options.nth(3).click()
    assert page.locator("#panel h2").inner_text() == names[3]


def test_which_encoders_the_tree_shows(make_page, open_page):
    made = made_atlas(**MADE)
    table = made.table
    page = open_page(make_page(**MADE), fragment="view=clusters").page
    known = table[table["downloads"].notna()].astype({"downloads": float})
    most = known.sort_values("downloads", ascending=False, kind="stable")["name"].head(100)
    assert sorted(leaves_shown(page)) == sorted(most)
    page.locator("#chosen").select_option("spread")
    assert "chosen=spread" in page.url and len(leaves_shown(page)) == 100
    assert (
        made.clusters.set_index("name").loc[leaves_shown(page), "cluster"].nunique()
        == made.clusters["cluster"].nunique()
    )
    page.locator("#chosen").select_option("pinned")
    assert "Pin or select an encoder first" in page.locator("#view-clusters").inner_text()
    name = table["name"].iloc[5]
    page = open_page(make_page(**MADE), fragment=f"view=clusters&chosen=pinned&encoder={name}").page
    near = made.neighbours[made.neighbours["name"] == name]["neighbour"]
    assert sorted(leaves_shown(page)) == sorted([name, *near])
    page = open_page(make_page(**MADE), fragment="view=clusters&chosen=shown&f.family=E5").page
    assert sorted(leaves_shown(page)) == sorted(table["name"][table["family"] == "E5"].head(100))


def test_a_cluster_becomes_a_filter(make_page, open_page):
    labels = tree_of(made_atlas(**MADE)).cut(4)
    page = open_page(make_page(**MADE), fragment="view=clusters&cut=4").page
    page.get_by_role("button", name="Show cluster 2 on the map").click()
    assert page.locator("#map").get_attribute("aria-label") == f"Map of {(labels == 2).sum()} encoders"
    again = open_page(make_page(**MADE), fragment=page.url.partition("#")[2]).page
    assert again.locator("#map").get_attribute("aria-label") == f"Map of {(labels == 2).sum()} encoders"
    again.locator("#tab-clusters").click()
    again.locator("#view-clusters").get_by_role("button", name="Show all").click()
    assert "f.cluster" not in again.url


def test_a_map_without_a_tree_says_so(tmp_path, open_page):
    folder = made_atlas(**SMALL).write(tmp_path)
    files = AtlasFiles(folder)
    held = {name: files.read(name) for name in files.manifest["files"] if not name.startswith(("tree", "clusters"))}
    path = tmp_path / "none.html"
    path.write_bytes(page_of(AtlasFiles.in_memory(held, files.manifest)))
    page = open_page(path, fragment="view=clusters&cut=4&colour=cluster&f.cluster=Cluster 2").page
    assert "no cluster tree" in page.locator("#view-clusters").inner_text()
    page.locator("#tab-map").click()
    assert page.locator("#map").get_attribute("aria-label") == "Map of 60 encoders"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_hostile_names_stay_text(make_page, open_page, scheme):
    how = {**SMALL, "hostile": True}
    page = open_page(make_page(**how), fragment="view=clusters&chosen=spread", colour_scheme=scheme).page
    told = page.locator("#view-clusters [role=option]").evaluate_all(
        "nodes => nodes.map(n => n.querySelector('title').textContent)"
    )
    assert sorted(told) == sorted(made_atlas(**how).table["name"])
    with page.expect_download() as waiting:
        page.locator("#clusters-csv").click()
    rows = list(csv.DictReader(io.StringIO(waiting.value.path().read_bytes().decode(), newline="")))
    assert "'=1+1" in [row["name"] for row in rows] and "made" in page.title()

"""The panel of the selected encoder, its pins, and the comparison of those: against the tables they are made from."""

import csv
import io
import re
from urllib.parse import parse_qs, quote, urlencode

import numpy as np
import pytest

from tests.page.made_atlas import made_atlas
from tests.page.made_encoders import HOSTILE

MADE = {"encoders": 236, "tasks": 20}


@pytest.fixture(scope="module")
def made():
    return made_atlas(**MADE)


def fragment(**parts):
    return urlencode(parts, doseq=True, quote_via=quote)


def shown(page):
    return page.locator("#panel h2").inner_text()


def with_copies(made):
    """An encoder that has near-copies, some among its nearest and some not."""
    copies = made.table["parent"].map(made.table["parent"].value_counts()) > 2
    return made.table["name"][copies].iloc[0]


def listed(page, name):
    return page.locator("#panel").get_by_role("list", name=name).get_by_role("button").all_inner_texts()


def one_score_of(made, name):
    """task -> (value, low, high, basis), measured before imported before predicted."""
    found = {}
    order = {"measured": 0, "imported": 1}
    own = made.scores[made.scores["name"] == name]
    for row in sorted(own.itertuples(), key=lambda row: order[row.source], reverse=True):
        found[row.task] = (row.score, row.low, row.high, row.source)
    for row in made.predicted[made.predicted["name"] == name].dropna(subset=["predicted"]).itertuples():
        found.setdefault(row.task, (row.predicted, row.low, row.high, "predicted"))
    return found


def test_what_is_known_of_an_encoder(made, make_page, open_page):
    row = made.table[made.table["model"].notna() & made.table["parameters"].notna()].iloc[3]
    page = open_page(make_page(**MADE), fragment=fragment(encoder=row["name"])).page
    assert shown(page) == row["name"]
    text = page.locator("#panel").inner_text()
    assert re.search(rf"Family\s+{re.escape(row['family'])}", text)
    assert re.search(rf"Dimension\s+{row['dimension']:,.0f}", text)
    assert re.search(rf"QRE\s+{row['qre']:.4g} nats", text)
    link = page.locator("#panel a")
    assert link.get_attribute("href") == f"https://huggingface.co/{row['model']}"
    assert link.get_attribute("rel") == "noopener noreferrer"


def test_scores_with_interval_basis_and_place(made, make_page, open_page):
    name = made.table["name"].iloc[40]
    expected = one_score_of(made, name)
    page = open_page(make_page(**MADE), fragment=fragment(encoder=name)).page
    more = page.locator("#panel summary", has_text="more score")
    if more.count():
        more.click()
    lines = page.locator("#panel .scores li")
    lines.nth(len(expected) - 1).wait_for()
    assert lines.count() == len(expected) > 5
    assert {basis for *_, basis in expected.values()} == {"measured", "imported", "predicted"}
    for line in lines.all():
        text = line.inner_text()
        task, basis = text.split("\n")[:2]
        value, low, high, told = expected[task]
        assert basis == told
        assert line.locator("svg").get_attribute("class") == f"bar {told}"
        numbers = [float(number) for number in re.findall(r"\d\.\d{3}", text)]
        np.testing.assert_allclose(numbers, [value, low, high][: len(numbers)], atol=6e-4)
        everyone = np.array([one_score_of(made, other).get(task, (np.nan,))[0] for other in made.table["name"]])
        everyone = np.array([np.nan if np.isnan(v) else float(f"{v:.4g}") for v in everyone])
        place = 1 + (everyone > float(f"{value:.4g}")).sum()
        assert f"place {place} of {(~np.isnan(everyone)).sum()}" in text


def test_neighbours_and_near_copies_are_two_lists(made, make_page, open_page):
    name = with_copies(made)
    parent = made.table.set_index("name")["parent"]
    near = made.neighbours[made.neighbours["name"] == name].sort_values("rank")
    apart = [other for other in near["neighbour"] if parent[other] != parent[name]]
    copies = [other for other in parent.index[parent == parent[name]] if other != name]
    page = open_page(make_page(**MADE), fragment=fragment(encoder=name)).page
    assert listed(page, "Nearest by their features") == apart
    assert sorted(listed(page, "Near-copies")) == sorted(copies)
    distances = (
        page.locator("#panel").get_by_role("list", name="Nearest by their features").locator(".count").all_inner_texts()
    )
    expected = near[near["neighbour"].isin(apart)]["distance"]
    np.testing.assert_allclose([float(text) for text in distances], expected, rtol=2e-3)
    assert "Near on the drawn map is not the same" in page.locator("#panel").inner_text()
    other = page.locator("#panel").get_by_role("button", name=apart[0], exact=True)
    other.focus()
    page.keyboard.press("Enter")
    assert shown(page) == apart[0]
    assert page.evaluate("document.getElementById('panel').contains(document.activeElement)")


def test_an_encoder_that_does_not_exist(make_page, open_page):
    page = open_page(make_page(**MADE), fragment=fragment(encoder="no/such <b>", pin="nor this")).page
    assert "No encoder of this map is called no/such <b>." in page.locator("#panel").inner_text()
    page.get_by_role("button", name="Close").click()
    page.get_by_role("button", name="Unpin nor this").click()
    assert page.locator("#panel").is_hidden() and page.url.partition("#")[2] == ""


def test_close_and_escape(made, make_page, open_page):
    page = open_page(make_page(**MADE), fragment=fragment(encoder=made.table["name"].iloc[0])).page
    page.get_by_role("button", name="Close").focus()
    page.keyboard.press("Enter")
    assert page.locator("#panel").is_hidden()
    page.go_back()
    assert page.locator("#panel").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#panel").is_hidden()


def test_warnings_and_cluster(made, make_page, open_page):
    row = made.table[made.table["warnings"].notna()].iloc[0]
    cluster = int(made.clusters.set_index("name").loc[row["name"], "cluster"])
    page = open_page(make_page(**MADE), fragment=fragment(encoder=row["name"])).page
    assert f"Warning: {row['warnings']}" in page.locator("#panel").inner_text()
    size = (made.clusters["cluster"] == cluster).sum()
    page.get_by_role("button", name=re.compile(r"^Cluster \d+$")).click()
    assert page.locator("#map").get_attribute("aria-label") == f"Map of {size} encoders"


def test_the_address_can_be_copied(made, make_page, open_page):
    visit = open_page(make_page(**MADE), fragment=fragment(encoder=made.table["name"].iloc[0]))
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visit.page
    page.get_by_role("button", name="Copy the address").click()
    page.get_by_role("button", name="Address copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_where_it_cannot_be_copied_it_is_shown(made, make_page, open_page):
    refuse = "navigator.clipboard.writeText = () => Promise.reject(new Error('no'))"
    page = open_page(make_page(**MADE), fragment=fragment(encoder=made.table["name"].iloc[0]), before=refuse).page
    page.get_by_role("button", name="Copy the address").click()
    assert page.get_by_role("textbox", name="Address of this view").input_value() == page.url


def test_on_a_phone_the_panel_comes_into_view(made, make_page, open_page):
    page = open_page(make_page(**MADE), size=(375, 667), reduced_motion=True, touch=True).page
    page.locator("#search-words").fill(made.table["name"].iloc[0])
    page.keyboard.press("Enter")
    top = page.locator("#panel").bounding_box()["y"]
    assert shown(page) and 0 <= top < 400
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_four_pins_and_a_fifth_is_refused(made, make_page, open_page):
    names = made.table["name"].to_list()
    page = open_page(make_page(**MADE), fragment=fragment(encoder=names[0], pin=names[1:4])).page
    page.get_by_role("button", name="Pin to compare").click()
    assert "Pinned: 4 of 4" in page.locator("#panel").inner_text()
    assert parse_qs(page.url.partition("#")[2])["pin"] == [*names[1:4], names[0]]
    page.get_by_role("button", name=f"Unpin {names[0]}", exact=True).click()
    page.get_by_role("button", name="Pin to compare").click()
    page = open_page(make_page(**MADE), fragment=fragment(encoder=names[5], pin=names[:4])).page
    page.get_by_role("button", name="Pin to compare").click()
    assert "4 encoders are pinned already: unpin one first" in page.locator("#panel").inner_text()
    assert len(parse_qs(page.url.partition("#")[2])["pin"]) == 4


def compared(page):
    """group -> row -> cells, and the rows in their order."""
    rows = page.locator("#compare tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    found, group = {}, None
    for row in rows[1:]:
        if len(row) == 1:
            group = found.setdefault(row[0], {})
        else:
            group[row[0].replace(" ≠ differs", "")] = (row[1:], "≠" in row[0])
    return found


def test_side_by_side(made, make_page, open_page):
    table = made.table.set_index("name")
    first = with_copies(made)
    near = made.neighbours[made.neighbours["name"] == first].sort_values("rank").iloc[0]
    far = next(
        name
        for name in table.index
        if name not in set(made.neighbours[made.neighbours["name"] == first]["neighbour"])
        and first not in set(made.neighbours[made.neighbours["name"] == name]["neighbour"])
        and name != first
    )
    names = [first, near["neighbour"], far]
    page = open_page(make_page(**MADE), fragment=fragment(encoder=first, pin=names)).page
    page.get_by_role("button", name="Compare side by side").click()
    parts = compared(page)
    cells, differs = parts["Attributes"]["Family"]
    assert cells == [table.loc[name, "family"] for name in names] and differs == (len(set(cells)) > 1)
    for cells, differs in parts["Attributes"].values():
        assert differs == (len(set(cells) - {"not known"}) > 1), cells
    marks = [differs for _, differs in parts["Attributes"].values()]
    assert marks == sorted(marks, reverse=True) and len(set(marks)) == 2
    (_, distance, away), _ = parts["Distance between features"][f"to {first}"]
    assert float(distance.split()[0]) == pytest.approx(near["distance"], rel=2e-3)
    assert away.startswith("not among the nearest")
    for task, (cells, _) in parts["Scores"].items():
        expected = [one_score_of(made, name).get(task) for name in names]
        best = max(score[0] for score in expected if score)
        for cell, score in zip(cells, expected):
            if not score:
                assert cell == "not known"
                continue
            assert score[3] in cell and cell.startswith(f"{score[0]:.3f}"[:4])
            top = next(one for one in expected if one and one[0] == best)
            low = top[0] - score[0] - np.hypot(top[0] - top[1], score[2] - score[0])
            assert ("best" in cell) == (score[0] == best or bool(low <= 0)), task
    page.keyboard.press("Escape")
    assert page.locator("#compare").is_hidden() and shown(page) == first and "compare" not in page.url
    assert page.evaluate("document.activeElement.id") == "compare-open"


def test_comparison_by_its_address_its_csv_and_unpinning(made, make_page, open_page):
    names = made.table["name"].iloc[[3, 50, 100, 150]].to_list()
    page = open_page(make_page(**MADE), fragment=fragment(pin=names, compare="yes"), size=(375, 667)).page
    assert page.locator("#compare").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    with page.expect_download() as waiting:
        page.locator("#compare").get_by_role("button", name="CSV").click()
    rows = list(csv.reader(io.StringIO(waiting.value.path().read_bytes().decode(), newline="")))
    assert rows[0][3:] == names
    assert {row[0] for row in rows[1:]} == {"Attributes", "Measures", "Geometry", "Distance between features", "Scores"}
    families = next(row for row in rows if row[1] == "Family")
    assert families[3:] == made.table["family"].iloc[[3, 50, 100, 150]].to_list()
    for left in (3, 2):
        page.locator("#compare").get_by_role("button", name=re.compile("^Unpin")).first.click()
        assert page.locator("#compare thead th").count() == left
    page.locator("#compare").get_by_role("button", name=re.compile("^Unpin")).first.click()
    assert page.locator("#compare").is_hidden()


def test_hostile_names_stay_text(make_page, open_page):
    how = {"encoders": 60, "tasks": 20, "hostile": True}
    table = made_atlas(**how).table
    for name in table["name"].iloc[: len(HOSTILE)]:
        page = open_page(
            make_page(**how), fragment=fragment(encoder=name, pin=[name, "__proto__", "x"], compare="yes")
        ).page
        if page.locator("#compare").is_visible():
            page.locator("#compare").get_by_role("button", name="Close").click()
        assert page.locator("#panel h2").evaluate("node => node.textContent") == name
        assert all(
            re.fullmatch(r"https://huggingface\.co/[\w.-]+/[\w.-]+", link.get_attribute("href"))
            for link in page.locator("#panel a").all()
        )
        assert "made" in page.title()


def test_names_that_are_asked_for_do_not_cover_each_other(make_page, open_page, made):
    """The selected one and its pins lie in one place; every name has a room of its own where one is free."""
    name = with_copies(made)
    parent = made.table.set_index("name")["parent"]
    pins = [other for other in parent.index[parent == parent[name]] if other != name][:2]
    spy = """
      const draw = CanvasRenderingContext2D.prototype.fillText;
      window.written = [];
      CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
        if (this.font.startsWith("600")) window.written.push([text, x, y, this.measureText(text).width]);
        return draw.call(this, text, x, y);
      };"""
    page = open_page(make_page(**MADE), fragment=fragment(encoder=name, pin=pins), before=spy).page
    page.evaluate(
        """() => { window.written = []; Scatter.redraw();
          return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))) }"""
    )
    written = page.evaluate("window.written")
    assert len(written) == 3
    for k, (_, x, y, width) in enumerate(written):
        for _, other_x, other_y, other_width in written[:k]:
            assert x + width <= other_x or other_x + other_width <= x or abs(y - other_y) >= 12

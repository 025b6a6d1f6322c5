"""The table: the accessible twin of the map."""

import csv

import numpy as np
import pytest

from tests.page.page_data import at_first, column, floats, fragment, names, ordered, page_data, task

MADE = {"encoders": 236, "tasks": 6}


@pytest.fixture
def path(make_page):
    return make_page(**MADE)


def head(page, name):
    return page.locator("#view-table thead th").filter(has=page.get_by_role("button", name=name, exact=True))


def test_it_is_a_table_that_can_be_heard(open_page, path):
    visit = open_page(path, fragment="view=table")
    page, data = visit.page, page_data(path)
    table = page.get_by_role("table")
    assert table.locator("caption").inner_text() == "1 to 100 of 236 encoders, by Task00"
    assert names(page) == at_first(data)[:100]
    assert table.locator("thead th:not([scope=col])").count() == 0
    assert table.locator("tbody th[scope=row]").count() == 100
    assert table.locator("thead th[aria-sort]:not([aria-sort=none])").get_attribute("aria-sort") == "ascending"
    assert page.get_by_role("region", name="Table of encoders").get_attribute("tabindex") == "0"
    assert not visit.violations()


def test_sorting_by_numbers_keeps_what_is_not_known_last(open_page, path):
    page, data = open_page(path, fragment="view=table").page, page_data(path)
    values = floats(column(data, "parameters")["values"])
    assert np.isnan(values).any()
    button = page.get_by_role("button", name="Parameters", exact=True)
    for said, down in (("ascending", False), ("descending", True)):
        button.press("Enter")
        assert head(page, "Parameters").get_attribute("aria-sort") == said
        assert button.evaluate("node => node === document.activeElement")
        expected, found = ordered(data, values, down), names(page)
        assert found == expected[:100]
        for number in (2, 3):
            page.evaluate("page => State.set({ page })", number)
            found += names(page)
        assert found == expected
        page.evaluate("State.set({ page: null })")
    assert fragment(page)["sort"] == ["-parameters"]


def test_sorting_by_texts_and_scores(open_page, path):
    page, data = open_page(path, fragment="view=table&show=family&show=task:Task01").page, page_data(path)
    page.get_by_role("button", name="Name", exact=True).click()
    assert names(page) == sorted(data["name"], key=str.lower)[:100]
    page.get_by_role("button", name="Task01", exact=True).click()
    assert head(page, "Task01").get_attribute("aria-sort") == "descending"
    assert names(page) == ordered(data, floats(task(data, "Task01")["value"]), True)[:100]
    page.get_by_role("button", name="Family", exact=True).click()
    cell = head(page, "Family").evaluate("node => node.cellIndex") + 1
    told = page.locator(f"#view-table tbody tr > :nth-child({cell})").all_inner_texts()
    assert told == sorted(told, key=str.lower) and len(set(told)) > 1


def test_pages(open_page, path):
    page, data = open_page(path, fragment="view=table&page=2").page, page_data(path)
    assert names(page) == at_first(data)[100:200]
    pager = page.locator(".pager").first
    pager.get_by_role("button", name="Next").press("Enter")
    assert names(page) == at_first(data)[200:]
    assert page.locator("#view-table caption").inner_text() == "201 to 236 of 236 encoders, by Task00"
    assert pager.get_by_role("button", name="Next").get_attribute("aria-disabled") == "true"
    assert pager.get_by_role("button", name="Next").evaluate("node => node === document.activeElement")
    pager.get_by_label("Page").fill("9")
    pager.get_by_label("Page").press("Enter")
    assert pager.get_by_label("Page").get_attribute("aria-invalid") == "true"
    assert page.locator("#live").inner_text() == "a page from 1 to 3"
    pager.get_by_label("Page").fill("1")
    pager.get_by_label("Page").press("Tab")
    assert names(page) == at_first(data)[:100] and "page" not in fragment(page)
    assert pager.get_by_role("button", name="Next").evaluate("node => node === document.activeElement")
    page.evaluate("location.hash = '#view=table&page=77'")
    page.get_by_text("201 to 236 of 236 encoders").wait_for()


def test_a_filter_begins_at_the_first_page(open_page, path):
    page = open_page(path, fragment="view=table&page=3").page
    page.get_by_label("Words that an encoder has").fill("org")
    assert "page" not in fragment(page)
    assert page.locator("#view-table caption").inner_text().startswith("1 to 100 of")


def test_columns_to_show(open_page, path):
    page = open_page(path, fragment="view=table").page
    page.locator("summary", has_text="Columns").click()
    columns = page.get_by_role("group", name="Columns")
    columns.get_by_label("Find in Columns").fill("entropy")
    columns.get_by_role("checkbox").first.press("Space")
    assert head(page, "Entropy").count() == 1
    columns.get_by_label("Find in Columns").fill("licence")
    columns.get_by_role("checkbox").first.press("Space")
    assert head(page, "Licence").count() == 0
    page.reload()
    page.locator("html[data-ready=yes]").wait_for(state="attached")
    assert head(page, "Entropy").count() == 1 and head(page, "Licence").count() == 0
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("button", name="The usual ones").click()
    assert head(page, "Licence").count() == 1 and "show" not in fragment(page)


def test_a_name_selects_and_a_pin_pins_by_keyboard(open_page, path):
    page, data = open_page(path, fragment="view=table").page, page_data(path)
    name = at_first(data)[4]
    page.get_by_role("button", name=name, exact=True).press("Enter")
    assert fragment(page)["encoder"] == [name]
    assert page.locator("#view-table tr.selected [aria-current=true]").inner_text() == name
    assert page.get_by_role("button", name=name, exact=True).first.evaluate("node => node === document.activeElement")
    pin = page.locator("#view-table").get_by_role("button", name=f"Pin {name}", exact=True)
    pin.press("Space")
    assert pin.get_attribute("aria-pressed") == "true" and fragment(page)["pin"] == [name]
    pin.press("Space")
    assert pin.get_attribute("aria-pressed") == "false" and "pin" not in fragment(page)


def saved(page):
    with page.expect_download() as waiting:
        page.get_by_role("button", name="CSV of these rows").click()
    with open(waiting.value.path(), encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def as_cell(value):
    """As the page writes a value: empty where not known, a formula behind an apostrophe."""
    if value is None:
        return ""
    text = str(value)
    return f"'{text}" if text[0] in "=+-@\t\r" else text


def test_csv_of_the_shown_rows_with_all_columns(open_page, path):
    data = page_data(path)
    page = open_page(path, fragment="view=table&f.dimension=64..512&rank=Task02&show=family").page
    heads, *rows = saved(page)
    dimension = floats(column(data, "dimension")["values"])
    assert len(rows) == int(((dimension >= 64) & (dimension <= 512)).sum()) > 0
    assert heads[:7] == ["name", "rank", "score", "low", "high", "basis", "tied_with_the_best"]
    assert {one["id"] for one in data["columns"]} <= set(heads)
    assert {one["id"] + part for one in data["tasks"] for part in ("", " low", " high", " basis")} <= set(heads)
    at = {name: i for i, name in enumerate(data["name"])}
    for row in rows:
        told, i = dict(zip(heads, row, strict=True)), at[row[0]]
        for name in ("dimension", "qre", "parameters"):
            value = column(data, name)["values"][i]
            assert (float(told[name]) if told[name] else None) == value
        for one in data["tasks"]:
            assert (float(told[one["id"]]) if told[one["id"]] else None) == one["value"][i]
        assert told["score"] == told["Task02"] and (told["rank"] == "") == (told["score"] == "")
    assert [row[0] for row in rows][:100] == names(page)


def test_csv_of_hostile_names(open_page, make_page):
    path = make_page(encoders=60, tasks=22, hostile=True)
    data = page_data(path)
    heads, *rows = saved(open_page(path, fragment="view=table").page)
    order = [data["name"].index(name) for name in at_first(data)]
    assert [row[0] for row in rows] == [as_cell(data["name"][i]) for i in order]
    assert any(row[0] == "'=1+1" for row in rows)
    family = column(data, "family")
    assert [row[heads.index("family")] for row in rows] == [
        as_cell(family["levels"][family["values"][i]] if family["values"][i] >= 0 else None) for i in order
    ]
    assert {as_cell(one["id"]) for one in data["tasks"]} <= set(heads)
    assert not any(cell[:1] in ("=", "+", "@", "\t", "\r") for row in [heads, *rows] for cell in row)


def test_hostile_names_are_text(open_page, make_page):
    path = make_page(encoders=60, tasks=22, hostile=True)
    page, data = open_page(path, fragment="view=table&rank=toString").page, page_data(path)
    title = page.title()
    page.evaluate("State.set({ rank: {}, sort: '' })")
    texts = page.locator("#view-table tbody th.name bdi").evaluate_all("nodes => nodes.map(node => node.textContent)")
    assert texts == at_first(data)
    assert page.locator("#view-table :is(script, img)").count() == 0 and page.title() == title


def test_on_a_phone_it_scrolls_in_its_own_box(open_page, path):
    visit = open_page(path, size=(375, 667), touch=True, fragment="view=table&rank=Task02&rank=Task03")
    page = visit.page
    box = page.locator("#view-table .scroller")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert box.evaluate("node => node.scrollWidth > node.clientWidth")
    cell = page.locator("#view-table tbody th.name").first
    cell.scroll_into_view_if_needed()
    box.evaluate("node => { node.scrollLeft = 400; }")
    left = box.bounding_box()["x"]
    assert abs(cell.bounding_box()["x"] - left) <= 2, "the name stays in sight"
    box.focus()
    assert box.evaluate("node => node === document.activeElement")
    assert not visit.violations()


def test_a_link_shows_the_same(open_page, path):
    data = page_data(path)
    family = column(data, "family")["levels"][0]
    first = open_page(path, fragment="view=table").page
    first.evaluate(
        """family => { State.filter('family', [family]); State.set({ rank: { Task02: 2, Task04: 1 }, fold: true });
        State.set({ sort: '-qre', show: ['qre', 'task:Task04'] }); }""",
        family,
    )
    second = open_page(path, fragment=first.evaluate("location.hash.slice(1)")).page
    read = "document.querySelector('#view-table .encoders').innerText"
    assert second.evaluate(read) == first.evaluate(read)
    assert second.locator("#fold").is_checked()

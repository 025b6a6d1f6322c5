"""The filters act on the map, the table and the trade-off together."""

import re

import numpy as np
import pytest

from tests.page.page_data import column, floats, fragment, names, page_data, task

MADE = {"encoders": 150, "tasks": 8}


@pytest.fixture
def path(make_page):
    return make_page(**MADE)


def shown(page):
    """How many encoders the panel, the map and the table say that there are; the same everywhere."""
    told = int(re.match(r"([\d,]+) of", page.locator("#shown").inner_text())[1].replace(",", ""))
    on_map = re.search(r"([\d,]+)", page.locator("#map").get_attribute("aria-label"))[1]
    page.get_by_role("tab", name="Table").click()
    caption = page.locator("#view-table caption").inner_text()
    listed = "0" if caption.startswith("No encoder") else re.search(r"of ([\d,]+) enc", caption)[1]
    assert told == int(on_map) == int(listed), (told, on_map, caption)
    return told


def levels(data, name):
    """Levels of each encoder, None where not known."""
    found = column(data, name)
    return [found["levels"][code] if code >= 0 else None for code in found["values"]]


def test_values_of_a_category(open_page, path):
    page, data = open_page(path).page, page_data(path)
    family = column(data, "family")["levels"][0]
    own = levels(data, "family").count(family)
    box = page.get_by_role("group", name="Family").get_by_role("checkbox", name=re.compile(rf"^{family} \d"))
    assert page.get_by_role("group", name="Family").locator("li").first.inner_text().split() == [
        *family.split(),
        str(own),
    ]
    box.check()
    assert shown(page) == own
    assert fragment(page)["f.family"] == [family]
    box.uncheck()
    assert shown(page) == 150 and "f.family" not in fragment(page)


def test_counts_are_of_what_the_other_filters_let_through(open_page, path):
    data = page_data(path)
    family = column(data, "family")["levels"][1]
    page = open_page(path, fragment=f"f.family={family}").page
    page.locator("summary", has_text="Licence").click()
    licence = levels(data, "licence")
    of_family = [one for one, own in zip(licence, levels(data, "family"), strict=True) if own == family]
    rows = page.get_by_role("group", name="Licence").locator("li").all_inner_texts()
    told = {row.rsplit("\n", 1)[0].strip(): int(row.rsplit("\n", 1)[1]) for row in rows}
    assert told == {
        **{level: of_family.count(level) for level in column(data, "licence")["levels"]},
        "(not known)": of_family.count(None),
    }


def test_not_known_is_a_value(open_page, path):
    page, data = open_page(path).page, page_data(path)
    page.locator("summary", has_text="Licence").click()
    page.get_by_role("checkbox", name="(not known)").check()
    assert shown(page) == levels(data, "licence").count(None) > 0


@pytest.mark.parametrize(
    "low, high, least, most",
    [
        ("110M", "", 110e6, np.inf),
        ("", "1.1B", -np.inf, 1.1e9),
        ("5e7", "1,000,000,000", 5e7, 1e9),
        ("  60 m ", "60m", 60e6, 60e6),
    ],
)
def test_a_range(open_page, path, low, high, least, most):
    page, values = open_page(path).page, floats(column(page_data(path), "parameters")["values"])
    page.get_by_label("Parameters, from").fill(low)
    page.get_by_label("Parameters, to").fill(high)
    page.get_by_label("Parameters, to").blur()
    assert page.get_by_label("Parameters, from").get_attribute("aria-invalid") == "false"
    assert shown(page) == int(((values >= least) & (values <= most)).sum())
    assert fragment(page)["f.parameters"] == [f"{low.strip()}..{high.strip()}"]


@pytest.mark.parametrize(
    "low, high, said",
    [("many", "", "“many” is no number"), ("9", "0,5", "“0,5” is no number"), ("9", "8", "larger than")],
)
def test_a_bad_number_says_so_and_filters_nothing(open_page, path, low, high, said):
    page = open_page(path).page
    field = page.locator("fieldset", has_text="Dimension")
    field.get_by_label("from").fill(low)
    field.get_by_label("from").blur()
    field.get_by_label("to").fill(high)
    field.get_by_label("to").blur()
    assert said in field.get_by_role("alert").inner_text()
    assert field.locator("[aria-invalid=true]").count() == 1
    assert shown(page) == 150
    field.get_by_label("from").fill("64")
    field.get_by_label("to").fill("64")
    field.get_by_label("to").blur()
    assert field.get_by_role("alert").count() == 0 and field.locator("[aria-invalid=true]").count() == 0
    assert shown(page) == column(page_data(path), "dimension")["values"].count(64)


def test_words(open_page, path):
    page, data = open_page(path).page, page_data(path)
    page.get_by_label("Words that an encoder has").fill("CLS org-1")
    count = shown(page)
    found = names(page)
    assert len(found) == min(count, 100) and all("org-1" in name for name in found)
    certain = [name for name in data["name"] if "org-1" in name.lower() and "cls" in name.lower()]
    assert set(certain) <= set(found)
    page.get_by_label("Words that an encoder has").fill("no such encoder")
    assert "No encoder passes the filters" in page.locator("#view-table caption").inner_text()


def test_the_basis_of_scores(open_page, path):
    data = page_data(path)
    page = open_page(path, fragment="rank=Task00").page
    page.locator("summary", has_text="Scores").click()
    page.get_by_role("checkbox", name="predicted").check()
    assert shown(page) == task(data, "Task00")["basis"].count(2)
    page.get_by_role("checkbox", name="measured").check()
    assert shown(page) == task(data, "Task00")["basis"].count(2) + task(data, "Task00")["basis"].count(0)


def test_a_filter_that_is_added(open_page, path):
    page, data = open_page(path).page, page_data(path)
    page.get_by_label("Add a filter").select_option(label="Task01")
    assert page.get_by_label("Task01, from").evaluate("node => node === document.activeElement")
    page.get_by_label("Task01, from").fill("0.5")
    page.get_by_label("Task01, to").fill(".75")
    page.get_by_label("Task01, to").press("Enter")
    values = floats(task(data, "Task01")["value"])
    assert shown(page) == int(((values >= 0.5) & (values <= 0.75)).sum()) > 0
    assert fragment(page)["f.task:Task01"] == ["0.5...75"]
    page.get_by_label("Add a filter").select_option(label="QRE")
    page.get_by_label("QRE, from").fill("2")
    page.get_by_label("QRE, from").press("Enter")
    qre = floats(column(data, "qre")["values"])
    assert shown(page) == int(((values >= 0.5) & (values <= 0.75) & (qre >= 2)).sum())
    page.reload()
    page.locator("html[data-ready=yes]").wait_for(state="attached")
    assert page.get_by_label("Task01, to").input_value() == ".75"


def test_chips_and_the_way_back_to_all(open_page, path):
    data = page_data(path)
    family, other = column(data, "family")["levels"][:2]
    page = open_page(path, fragment=f"f.family={family}&f.family={other}&f.dimension=100..1k&find=org").page
    chips = page.get_by_role("list", name="Filters that are on")
    assert chips.locator(".level").all_inner_texts() == [
        "words: org", f"Family: {family}", f"Family: {other}", "Dimension: 100 to 1,000",
    ]  # fmt: skip
    chips.get_by_role("button", name=f"Remove the filter Family: {other}").press("Enter")
    assert fragment(page)["f.family"] == [family]
    assert chips.locator(":focus").count() == 1, "the focus stays among the chips"
    page.go_back()
    assert fragment(page)["f.family"] == [family, other]
    page.get_by_role("button", name="Clear all").click()
    assert shown(page) == 150 and chips.is_hidden() and page.get_by_role("button", name="Clear all").is_hidden()
    assert page.get_by_label("Dimension, from").input_value() == ""


def test_a_link_with_filters_that_this_map_does_not_have(open_page, path):
    page = open_page(path, fragment="f.colour=red&f.parameters=few&f.task:Other=0.5..&f.__proto__=1").page
    assert shown(page) == 150
    told = page.get_by_role("list", name="Filters that are on").locator(".level").all_inner_texts()
    assert told[:3] == ["colour: not in this map", "Parameters: “few” is no range", "task:Other: not in this map"]
    assert page.get_by_label("Parameters, from").get_attribute("aria-invalid") == "true"


def test_many_values_have_words_to_find_them(open_page, make_page):
    path = make_page(encoders=1500, tasks=2, attributes=40)
    page, data = open_page(path).page, page_data(path)
    families = column(data, "family")["levels"]
    assert len(families) > 12
    group = page.get_by_role("group", name="Family")
    group.get_by_label("Find in Family").fill(families[-1].lower())
    assert families[-1] in group.locator(".level").all_inner_texts()
    assert families[0] not in group.locator(".level").all_inner_texts()
    group.get_by_role("checkbox", name=families[-1]).first.check()
    assert shown(page) > 0
    assert group.get_by_label("Find in Family").input_value() == families[-1].lower()


def test_hostile_values(open_page, make_page):
    path = make_page(encoders=60, tasks=22, hostile=True)
    visit = open_page(path)
    page, data = visit.page, page_data(path)
    title = page.title()
    for hostile in column(data, "family")["levels"][:30]:
        page.evaluate("value => State.filter('family', [value])", hostile)
        assert page.locator("#shown").inner_text().startswith(f"{levels(data, 'family').count(hostile)} of")
    for name in ("__proto__", "constructor", "toString"):
        page.evaluate("name => State.set({ filters: {}, rank: { [name]: 1 } })", name)
        page.evaluate("name => State.filter(`task:${name}`, ['0.5..'])", name)
        expected = int((floats(task(data, name)["value"]) >= 0.5).sum())
        assert page.locator("#shown").inner_text().startswith(f"{expected} of")
    assert page.title() == title


def test_on_a_phone_by_keyboard(open_page, path):
    visit = open_page(path, size=(375, 667), touch=True)
    page = visit.page
    assert page.locator("#filters").is_hidden()
    page.get_by_role("button", name="Filters").press("Enter")
    box = page.get_by_role("group", name="Family").get_by_role("checkbox").first
    box.press("Space")
    assert box.is_checked() and box.evaluate("node => node === document.activeElement")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not visit.violations()
    box.press("Escape")
    assert page.locator("#filters").is_hidden()
    assert page.get_by_role("button", name="Filters").evaluate("node => node === document.activeElement")


def test_a_cluster_from_the_legend_and_from_the_filters(open_page, path):
    page = open_page(path, fragment="colour=cluster&cut=5").page
    entry = page.locator("#legend li button").nth(1)
    entry.press("Enter")
    assert fragment(page)["f.cluster"] == ["Cluster 2"]
    counts = []
    for cut in (5, 3, 12):
        page.evaluate("cut => State.set({ cut })", cut)
        counts.append(shown(page))
        assert counts[-1] == int(entry.locator(".count").text_content())
    assert len(set(counts)) > 1
    page.get_by_role("button", name="Clear all").click()
    assert shown(page) == 150

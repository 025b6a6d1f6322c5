"""The trade-off: a score against size or speed, its Pareto front, and the front as a table."""

import json
import re

import numpy as np
import pytest

from tests.page.page_data import column, floats, fragment, page_data, task

MADE = {"encoders": 150, "tasks": 8}
LACK = {"parameters": "number of parameters", "dimension": "dimension", "sentences_per_second": "measured speed"}


@pytest.fixture
def path(make_page):
    return make_page(**MADE)


def brute_force(x, y, smaller):
    """Points that no other beats, a set of indices."""
    cost = np.asarray(x) if smaller else -np.asarray(x)
    y = np.asarray(y)
    return {i for i in range(len(y)) if not np.any((cost <= cost[i]) & (y >= y[i]) & ((cost < cost[i]) | (y > y[i])))}


def sizes(path, data, name):
    """Values of a column, or speeds out of the block of the run, (N,)."""
    if name != "sentences_per_second":
        return floats(column(data, name)["values"])
    return floats(json.loads(re.search(r'id="run">(.*?)</script>', path.read_text(), re.DOTALL)[1])["speed"])


def front(page):
    return page.locator("#front tbody th .link").all_inner_texts()


@pytest.mark.parametrize("seed", range(6))
def test_the_front_is_that_of_brute_force(open_page, path, seed):
    page, rng = open_page(path).page, np.random.default_rng(seed)
    for count in (0, 1, 2, 30, 400):
        x, y = rng.integers(1, 40, count).tolist(), np.round(rng.random(count), 2).tolist()
        for smaller in (True, False):
            found = page.evaluate("([x, y, smaller]) => Front.of(x, y, smaller)", [x, y, smaller])
            assert set(found) == brute_force(x, y, smaller) and len(found) == len(set(found))
            assert [x[i] for i in found] == sorted((x[i] for i in found), reverse=not smaller)


@pytest.mark.parametrize("against", ["parameters", "dimension", "sentences_per_second"])
@pytest.mark.parametrize("family", [None, 0])
def test_the_front_of_the_shown_encoders(open_page, path, against, family):
    data = page_data(path)
    own = column(data, "family")
    chosen = np.ones(150, bool) if family is None else np.array(own["values"]) == family
    filtered = "" if family is None else f"&f.family={own['levels'][family]}"
    page = open_page(path, fragment=f"view=tradeoff&rank=Task02&against={against}{filtered}").page
    x, y = sizes(path, data, against), floats(task(data, "Task02")["value"])
    drawn = np.flatnonzero(chosen & ~np.isnan(x) & ~np.isnan(y))
    best = brute_force(x[drawn], y[drawn], against != "sentences_per_second")
    assert set(front(page)) == {data["name"][drawn[i]] for i in best}
    told = page.locator("#not-drawn").inner_text()
    if unsized := int((chosen & np.isnan(x)).sum()):
        assert f"{unsized} encoder{'s' * (unsized > 1)} without a known {LACK[against]}" in told
    if unscored := int((chosen & ~np.isnan(x) & np.isnan(y)).sum()):
        assert f"{unscored} encoder{'s' * (unscored > 1)} without this score" in told
    label = page.locator("#tradeoff").get_attribute("aria-label")
    assert f": {len(drawn)} encoder" in label and f"{len(best)} of them on the front" in label
    assert page.locator("#view-tradeoff select#against").input_value() == against


def test_without_a_ranking_it_has_a_score(open_page, path):
    data = page_data(path)
    page = open_page(path, fragment="view=tradeoff").page
    full = [one["id"] for one in data["tasks"] if None not in one["value"]]
    said = f"mean over {len(full)} tasks" if len(full) > 1 else (full or ["Task00"])[0]
    assert f"Upwards: {said}" in page.locator("#view-tradeoff").inner_text()
    assert page.locator("#against").input_value() == "parameters"
    page.locator("#against").select_option(label="Dimension")
    assert fragment(page)["against"] == ["dimension"]
    page.locator("#view-tradeoff .rank-by").select_option(label="Task03")
    assert fragment(page)["rank"] == ["Task03"]
    assert "Upwards: Task03 (" in page.locator("#view-tradeoff").inner_text()


def test_it_says_what_the_scores_are(open_page, path):
    data = page_data(path)
    page = open_page(path, fragment="view=tradeoff&rank=Task02&against=dimension").page
    for row in page.locator("#front tbody tr").all():
        i = data["name"].index(row.locator("th .link").inner_text())
        words = row.locator("td").last.inner_text()
        assert words.endswith(("measured", "imported", "predicted")[task(data, "Task02")["basis"][i]])
        assert f"{task(data, 'Task02')['value'][i]:.3f}" in words


def test_by_keyboard(open_page, path):
    visit = open_page(path, fragment="view=tradeoff&rank=Task02&rank=Task05&against=parameters")
    page = visit.page
    plot, told = page.locator("#tradeoff"), front(page)
    assert len(told) > 2
    plot.focus()
    card = page.locator("#view-tradeoff .card strong")
    for name in told:
        plot.press("ArrowRight")
        assert card.inner_text() == name
        assert name in page.locator("#live").inner_text()
    plot.press("ArrowRight")
    assert card.inner_text() == told[-1]
    plot.press("ArrowLeft")
    plot.press("Enter")
    assert fragment(page)["encoder"] == [told[-2]]
    assert page.locator("#front [aria-current=true]").inner_text() == told[-2]
    page.locator("#front").get_by_role("button", name=told[0], exact=True).press("Enter")
    assert fragment(page)["encoder"] == [told[0]]
    assert not visit.violations()


def test_of_speed_the_arrows_go_from_left_to_right_too(open_page, path):
    page = open_page(path, fragment="view=tradeoff&rank=Task02&against=sentences_per_second").page
    page.locator("#tradeoff").press("ArrowRight")
    assert page.locator("#view-tradeoff .card strong").inner_text() == front(page)[-1]


def test_a_click_selects_what_the_card_shows(open_page, path):
    page = open_page(path, fragment="view=tradeoff&rank=Task02&against=dimension").page
    box = page.locator("#tradeoff").bounding_box()
    card = page.locator("#view-tradeoff .card")
    left, top = int(box["x"]), int(box["y"])  # a click has whole pixels
    places = [(left + x, top + y) for x in range(60, int(box["width"]), 9) for y in range(30, 300, 18)]
    for place in places:
        page.mouse.move(*place)
        if card.is_visible():
            break
    name = card.locator("strong").inner_text()
    facts = card.locator("dd").all_inner_texts()
    i = page_data(path)["name"].index(name)
    assert facts[0].startswith(f"{task(page_data(path), 'Task02')['value'][i]:.3f}")
    assert facts[1] == f"{column(page_data(path), 'dimension')['values'][i]:,}"
    page.mouse.click(*place)
    assert fragment(page)["encoder"] == [name]
    box = page.locator("#tradeoff").bounding_box()  # the panel has taken some of its room
    page.mouse.click(int(box["x"]) + 3, int(box["y"]) + 3)
    card.wait_for(state="hidden")
    assert "encoder" not in fragment(page)


COLOURS = """() => { const { width, height } = document.getElementById('tradeoff');
const copy = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
copy.drawImage(document.getElementById('tradeoff'), 0, 0);
const { data } = copy.getImageData(0, 0, width, height); const found = {};
for (let k = 0; k < data.length; k += 4) if (data[k + 3] === 255) {
  const colour = [data[k], data[k + 1], data[k + 2]].join(); found[colour] = (found[colour] ?? 0) + 1; }
return found; }"""


def test_light_and_dark_are_drawn_in_their_own_colours(open_page, path):
    page = open_page(path, fragment="view=tradeoff&rank=Task02").page
    accents = {"light": "10,94,168", "dark": "108,178,240"}
    for theme, other in (("light", "dark"), ("dark", "light")):
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        found = page.evaluate(COLOURS)
        assert found.get(accents[theme], 0) > 200 > found.get(accents[other], 0)
        page.locator("#theme").click()


def test_no_encoder_and_no_scores(open_page, path, make_page):
    page = open_page(path, fragment="view=tradeoff&find=no+such+encoder").page
    assert page.locator("#not-drawn").inner_text() == "No encoder passes the filters."
    page.locator("#tradeoff").press("ArrowRight")
    assert front(page) == []
    page = open_page(make_page(encoders=20, tasks=0), fragment="view=tradeoff").page
    assert "This map has no scores" in page.locator("#view-tradeoff").inner_text()
    page.get_by_role("tab", name="Table").click()
    assert page.locator("#view-table .rank-by").count() == 0


def test_on_a_phone(open_page, path):
    visit = open_page(path, size=(375, 667), touch=True, colour_scheme="dark", fragment="view=tradeoff&rank=Task02")
    assert visit.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert visit.page.locator("#tradeoff").bounding_box()["height"] >= 300
    assert not visit.violations()


def test_hostile_names_in_the_front(open_page, make_page):
    path = make_page(encoders=60, tasks=22, hostile=True)
    data = page_data(path)
    page = open_page(path, fragment="view=tradeoff&against=dimension").page
    title = page.title()
    for name in [one["id"] for one in data["tasks"]][:6]:
        page.evaluate("name => State.set({ rank: { [name]: 1 } })", name)
        x, y = sizes(path, data, "dimension"), floats(task(data, name)["value"])
        drawn = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
        told = page.locator("#front tbody th bdi").evaluate_all("nodes => nodes.map(node => node.textContent)")
        assert set(told) == {data["name"][drawn[i]] for i in brute_force(x[drawn], y[drawn], True)}
    assert page.title() == title


def test_an_axis_of_one_value_has_one_tick(open_page, path):
    page = open_page(path).page
    assert page.evaluate("Front.axis([8.2e6, 8.2e6], false).ticks") == [8.2e6]
    assert page.evaluate("Front.axis([8.2e6, 8.2e6], false).share(8.2e6)") == 0.5

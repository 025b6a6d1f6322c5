"""The map itself: search, pointer, keys, colours, legend, and where the camera is."""

import io

import numpy as np
import pytest
from PIL import Image

from tests.page.page_data import column, fragment, page_data

PATIENCE = 30_000  # ms


@pytest.fixture(scope="module")
def path(make_page):
    return make_page(encoders=236, tasks=6)


def until(page, condition):
    """Until an expression of the page is true; it cannot wait for one by itself under its policy."""
    for _ in range(PATIENCE // 50):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {condition}")


def place(page, data, i):
    """Where encoder i is, in pixels of the window."""
    box = page.locator("#map").bounding_box()
    x, y = page.evaluate("at => Scatter.camera.toScreen(at[0], at[1])", [data["x"][i], data["y"][i]])
    return box["x"] + x, box["y"] + y


def lonely(page, data):
    """An encoder that no other is near to."""
    points = np.column_stack([data["x"], data["y"]]).astype(float)
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2) + np.diag(np.full(len(points), np.inf))
    return int(gaps.min(axis=1).argmax())


def frame(page):
    """Wait until what has been asked for is drawn."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def around(page, x, y, reach=0):
    """The colours of the window around a place, ((2 reach + 1)², 3)."""
    clip = {"x": round(x) - reach, "y": round(y) - reach, "width": 2 * reach + 1, "height": 2 * reach + 1}
    return np.asarray(Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")).reshape(-1, 3)


def pixel(page, data, i):
    """The colour in the middle of the mark of encoder i."""
    frame(page)
    return around(page, *place(page, data, i))[0].tolist()


def test_search_suggests_and_flies_there(open_page, path):
    page, data = open_page(path).page, page_data(path)
    name = data["name"][17]
    field = page.get_by_role("combobox", name="Find an encoder")
    field.fill(name.upper())
    options = page.locator("#suggestions [role=option]")
    assert name in options.first.inner_text()
    field.press("ArrowDown")
    assert options.first.get_attribute("aria-selected") == "true"
    assert field.get_attribute("aria-activedescendant") == options.first.get_attribute("id")
    field.press("Enter")
    assert fragment(page)["encoder"] == [name] and options.first.is_hidden()
    until(page, "location.hash.includes('at=')")
    x, y, zoom = map(float, fragment(page)["at"][0].split(","))
    assert (x, y) == pytest.approx((data["x"][17], data["y"][17]), rel=1e-4) and zoom == 3
    field.fill("no encoder is called so")
    assert page.locator("#live").inner_text() == "no encoder found" and options.count() == 0


def test_the_card_tells_of_what_is_under_the_pointer_and_a_click_takes_it(open_page, path):
    page, data = open_page(path).page, page_data(path)
    i = lonely(page, data)
    page.mouse.move(*place(page, data, i))
    card = page.locator("#view-map .card")
    card.wait_for()
    assert card.locator("strong").inner_text() == data["name"][i] and "QRE" in card.inner_text()
    page.mouse.down()
    page.mouse.up()
    assert fragment(page)["encoder"] == [data["name"][i]]
    page.keyboard.press("Escape")
    assert "encoder" not in fragment(page)
    page.go_back()
    until(page, f"State.now.encoder === {data['name'][i]!r}")


def test_lines_lead_to_the_nearest_in_the_feature_space(open_page, path):
    page, data = open_page(path).page, page_data(path)
    i, k = lonely(page, data), data["neighbours"]
    (x, y), near = place(page, data, i), data["near"][i * k : (i + 1) * k]
    ends = [place(page, data, j) for j in near]
    spots = [(x + 0.35 * (a - x), y + 0.35 * (b - y)) for a, b in ends]
    before = [around(page, *spot, reach=3) for spot in spots]
    page.evaluate("name => State.set({ encoder: name })", data["name"][i])
    frame(page)
    page.locator("#panel").wait_for()
    moved = place(page, data, i)  # the panel takes room, and the map is drawn anew beside it
    ends = [place(page, data, j) for j in near]
    spots = [(moved[0] + 0.35 * (a - moved[0]), moved[1] + 0.35 * (b - moved[1])) for a, b in ends]
    after = [around(page, *spot, reach=3) for spot in spots]
    ground = np.array([255, 255, 255])
    drawn = [np.abs(found.astype(int) - ground).max() > 60 for found in after]
    assert sum(drawn) >= k - 1 and sum(drawn) > sum(np.abs(one.astype(int) - ground).max() > 60 for one in before)


def test_arrows_walk_enter_selects_and_escape_leaves(open_page, path):
    page, data = open_page(path).page, page_data(path)
    page.evaluate("name => State.set({ encoder: name })", data["name"][5])
    page.locator("#map").focus()
    page.keyboard.press("ArrowRight")
    there = page.evaluate("Scatter.hovered")
    assert there >= 0 and data["x"][there] > data["x"][5]
    assert data["name"][there] in page.locator("#live").inner_text()
    page.keyboard.press("Enter")
    assert fragment(page)["encoder"] == [data["name"][there]]
    page.keyboard.press("ArrowUp")
    above = page.evaluate("Scatter.hovered")
    assert data["y"][above] > data["y"][there]
    page.keyboard.press("Escape")
    assert "encoder" not in fragment(page)


def test_the_camera_moves_and_the_address_follows(open_page, path):
    page, data = open_page(path).page, page_data(path)
    i = lonely(page, data)
    page.mouse.move(*place(page, data, i))
    before = place(page, data, i)
    page.mouse.wheel(0, -400)
    until(page, "location.hash.includes('at=')")
    assert place(page, data, i) == pytest.approx(before, abs=1), "what is under the pointer stays there"
    assert float(fragment(page)["at"][0].split(",")[2]) > 1
    page.mouse.down()
    page.mouse.move(before[0] + 60, before[1] - 40, steps=4)
    page.mouse.up()
    x, y = place(page, data, i)
    assert (x - before[0], y - before[1]) == pytest.approx((60, -40), abs=8)
    assert "encoder" not in fragment(page), "a drag is no click"
    page.get_by_role("button", name="Show all").click()
    until(page, "!location.hash.includes('at=')")


def test_a_category_of_the_legend_filters_map_and_table(open_page, path):
    page, data = open_page(path).page, page_data(path)
    family = column(data, "family")
    entry = page.locator("#legend li button").first
    level = family["levels"][0]
    assert level in entry.inner_text() and entry.get_attribute("aria-pressed") == "false"
    other = next(i for i, code in enumerate(family["values"]) if code > 0)
    shown = pixel(page, data, other)
    entry.press("Enter")
    assert fragment(page)["f.family"] == [level]
    assert page.locator("#legend li button").first.get_attribute("aria-pressed") == "true"
    count = sum(code == 0 for code in family["values"])
    assert page.locator("#live").inner_text() == f"{count} encoders of 236 shown"
    assert pixel(page, data, other) != shown
    page.locator("#tab-table").click()
    assert f"of {count} encoders" in page.locator("#view-table caption").inner_text()
    page.go_back()
    page.go_back()
    until(page, "!('family' in State.now.filters)")


def test_colours_of_categories_numbers_scores_and_what_is_missing(open_page, path):
    page, data = open_page(path).page, page_data(path)
    i = lonely(page, data)
    seen = {"family": pixel(page, data, i)}
    for wanted in ("qre", "task:Task01", "parameters"):
        page.locator("#colour").select_option(wanted)
        assert fragment(page)["colour"] == [wanted]
        seen[wanted] = pixel(page, data, i)
    assert seen["qre"] != seen["family"]
    ends = page.locator("#legend .ends span").all_inner_texts()
    assert ends[1] == "log scale" and ends[0] != ends[2]
    unknown = sum(value is None for value in column(data, "parameters")["values"])
    assert f"not known: {unknown}" in page.locator("#legend").inner_text()
    page.locator("#colour").select_option("qre")
    qre = np.array(column(data, "qre")["values"], dtype=float)
    low, high = page.locator("#legend .ends span").first, page.locator("#legend .ends span").last
    assert float(low.inner_text()) == pytest.approx(qre.min(), rel=1e-3)
    assert float(high.inner_text()) == pytest.approx(qre.max(), rel=1e-3)


def test_size_by_parameters(open_page, path):
    page = open_page(path).page
    before = page.locator(".canvas").screenshot()
    page.locator("#size").select_option("parameters")
    assert fragment(page)["size"] == ["parameters"]
    frame(page)
    assert page.locator(".canvas").screenshot() != before


def test_colour_size_and_filter_by_a_measure_of_geometry(open_page, path):
    page, data = open_page(path).page, page_data(path)
    told = column(data, "uniformity")
    known = np.array([value for value in told["values"] if value is not None])
    geometry = page.locator("#colour optgroup[label=Geometry] option")
    assert geometry.first.inner_text() == "Uniformity" and "uniformity_se" not in {one["id"] for one in data["columns"]}
    page.locator("#colour").select_option("uniformity")
    ends = page.locator("#legend .ends span").all_inner_texts()
    assert float(ends[0]) == pytest.approx(known.min(), rel=1e-3)
    assert float(ends[2]) == pytest.approx(known.max(), rel=1e-3)
    words = page.locator("#legend").inner_text()
    assert "Lower is more isotropic." in words and f"not known: {len(told['values']) - len(known)}" in words
    before = page.locator(".canvas").screenshot()
    page.locator("#size").select_option("uniformity")
    frame(page)
    assert page.locator(".canvas").screenshot() != before
    page.locator("#add-filter").select_option("uniformity")
    middle = float(np.median(known))
    page.get_by_label("Uniformity, to").fill(f"{middle:.6f}")
    page.get_by_label("Uniformity, to").press("Enter")
    assert f"{(known <= round(middle, 6)).sum()} of " in page.locator("#shown").inner_text()


def test_the_panel_and_the_table_say_what_a_measure_means(open_page, path):
    page, data = open_page(path).page, page_data(path)
    i = next(k for k, value in enumerate(column(data, "uniformity")["values"]) if value is not None)
    field = page.get_by_role("combobox", name="Find an encoder")
    field.fill(data["name"][i])
    field.press("Enter")
    term = page.locator("#panel dt", has_text="Uniformity")
    assert term.get_attribute("title") == column(data, "uniformity")["about"]
    page.goto(f"{page.url.split('#')[0]}#view=table&show=uniformity")
    until(page, "document.querySelector('th[title]') !== null")
    assert page.locator("th", has_text="Uniformity").get_attribute("title").startswith("Log mean exp(-2‖x - y‖²)")


def test_light_and_dark_by_the_button(open_page, path):
    page, data = open_page(path).page, page_data(path)
    i = lonely(page, data)
    light = pixel(page, data, i)
    page.get_by_role("button", name="Switch to dark colours").click()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark" and pixel(page, data, i) != light
    page.get_by_role("button", name="Switch to light colours").click()
    assert pixel(page, data, i) == light

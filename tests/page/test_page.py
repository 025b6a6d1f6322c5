"""The page of an atlas, opened in a real browser from disk: it keeps to itself, is quiet, and can be used by all."""

import shutil
from urllib.parse import urlencode

import pytest

from tests.page.chromium import DESKTOP, PHONE
from tests.page.page_data import page_data

VIEWS = ("map", "table", "tradeoff", "clusters", "about")
ADDRESS = "https://example.com/seen.png"


def test_it_opens_from_any_folder_without_asking_for_anything(open_page, make_page, tmp_path):
    """open_page fails where the page asks for more than its own file, or writes to the console."""
    copied = shutil.copy(make_page(encoders=236), tmp_path / "a copy #1 %41 ü.html")
    for path in (make_page(encoders=236), copied):
        page = open_page(path).page
        assert page.locator("#map").is_visible() and not page.locator("#trouble").is_visible()
        for view in VIEWS:
            page.locator(f"#tab-{view}").click()
            assert page.locator(f"#view-{view}").is_visible()


@pytest.mark.parametrize("tasks", [0, 68])
@pytest.mark.parametrize("encoders", [2, 236])
def test_an_atlas_of_any_kind_is_quiet(open_page, make_page, encoders, tasks):
    visit = open_page(make_page(encoders=encoders, tasks=tasks))
    for view in VIEWS:
        visit.page.locator(f"#tab-{view}").click()
    assert visit.page.locator("#view-about").is_visible()


@pytest.mark.parametrize("view", VIEWS)
def test_hostile_strings_stay_text(open_page, make_page, view):
    page = open_page(make_page(encoders=60, tasks=30, hostile=True), fragment=f"view={view}").page
    assert "broken" not in page.title() and page.locator(f"#view-{view}").is_visible()
    assert not page.locator("body script[src], body img[src='x'], iframe, object, embed").count()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_serious_against_the_rules_of_accessibility(open_page, make_page, axe, size, scheme):
    page = open_page(make_page(encoders=236), size=size, colour_scheme=scheme).page
    found = {}
    for view in VIEWS:
        page.locator(f"#tab-{view}").click()
        found[view] = axe(page)
    assert found == dict.fromkeys(VIEWS, [])


@pytest.mark.parametrize("view", VIEWS)
def test_a_phone_scrolls_down_only(open_page, make_page, view):
    page = open_page(make_page(encoders=236), size=PHONE, touch=True, fragment=f"view={view}").page
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


@pytest.mark.parametrize(
    "what, refused",
    [
        (
            "const one = document.createElement('script'); one.textContent = 'window.ran = true'; root.append(one);",
            "script",
        ),
        ("root.innerHTML = '<button onclick=\"window.ran = true\">b</button>'; root.firstChild.click();", "script"),
        ("setTimeout(() => { try { window.ran = (0, eval)('true'); } catch { /* refused */ } });", "script"),
        (
            "const one = new Image(); one.onload = () => { window.ran = true; }; one.src = ADDRESS; root.append(one);",
            "img",
        ),
        ("fetch(ADDRESS).then(() => { window.ran = true; }, () => 0);", "connect"),
        (
            "const one = document.createElement('style'); one.textContent = 'body{color:red}'; root.append(one);",
            "style",
        ),
        ("const one = document.createElement('iframe'); one.src = ADDRESS; root.append(one);", "frame"),
        ("const one = document.createElement('base'); one.href = ADDRESS; document.head.append(one);", "base"),
        ("const one = document.createElement('form'); one.action = ADDRESS; root.append(one); one.submit();", "form"),
    ],
)
def test_its_policy_refuses_what_is_put_into_it(open_page, make_page, what, refused):
    """And so what a name or a sentence would put into it, if ever one became HTML."""
    visit = open_page(make_page(encoders=236))
    directive = visit.page.evaluate(
        """([ADDRESS, refused]) => new Promise((resolve) => {
          document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
            if (effectiveDirective.startsWith(refused)) resolve(effectiveDirective);
          });
          const root = document.querySelector("main").appendChild(document.createElement("div"));
          WHAT
          setTimeout(() => resolve(null), 60000);
        })""".replace("WHAT", what),
        [ADDRESS, refused],
    )
    assert directive
    assert visit.page.evaluate("window.ran") is None
    assert visit.page.evaluate("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"
    visit.forget()  # Chromium tells of what its policy stopped


def test_the_policy_allows_the_page_only_what_is_in_it(make_page):
    policy = make_page(encoders=236).read_text().partition('Content-Security-Policy" content="')[2].partition('"')[0]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy


def test_a_slash_goes_to_the_search_from_a_checkbox_and_is_text_in_a_field(open_page, make_page):
    page = open_page(make_page(encoders=60)).page
    page.locator("#filters input[type=checkbox]").first.press("/")
    assert page.locator("#search-words").evaluate("node => node === document.activeElement")
    page.locator("#find").press("/")
    assert page.locator("#find").input_value() == "/"


def test_what_is_printed_is_not_cut_off(open_page, make_page):
    path = make_page(encoders=236)
    name = page_data(path)["name"][0]
    page = open_page(path, fragment=urlencode({"view": "table", "encoder": name})).page
    page.emulate_media(media="print")
    box = page.locator("#view-table .scroller")
    assert box.evaluate("node => node.clientHeight >= node.querySelector('table').offsetHeight")
    assert page.locator("body").evaluate("node => node.offsetHeight > 3000")
    assert page.locator("#panel .near button").first.is_visible() and not page.locator("#filters").is_visible()


def test_the_paper_is_white_and_the_screen_dark_again(open_page, make_page):
    page = open_page(make_page(encoders=60), colour_scheme="dark").page
    theme = page.locator("html")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert theme.get_attribute("data-theme") == "light"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert theme.get_attribute("data-theme") == "dark"


def test_the_way_round_by_keyboard_keeps_what_was_chosen(open_page, make_page):
    page = open_page(make_page(encoders=60, tasks=3), fragment="f.dimension=..512&colour=qre").page
    page.keyboard.press("Tab")
    page.get_by_role("link", name="Skip to the table").press("Enter")
    page.get_by_role("tabpanel", name="Table").wait_for()
    address = page.evaluate("location.hash")
    assert "view=table" in address and "f.dimension=..512" in address and "colour=qre" in address
    assert page.evaluate("document.activeElement.id") == "view-table"

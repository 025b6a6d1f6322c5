"""How the map was made, as its page tells it."""

import re

import pytest
import yaml

from qre.atlas.reader import AtlasFiles
from qre.page import page_of
from tests.page.made_atlas import made_atlas
from tests.page.made_encoders import HOSTILE

MADE = {"encoders": 60, "tasks": 4}
CONFIG = {
    "name": "made",
    "encoders": [{"kind": "hub", "models": ["org/a", "yes", "1.5", "# no comment", "a: b"]}, "demo"],
    "sentences": {"kind": "file", "path": "texts.csv", "limit": None},
    "atlas": {"perplexity": 30.0, "colour": False, "empty": [], "nothing": {}},
    "on": "off",
}


@pytest.fixture(scope="module")
def page_with(tmp_path_factory):
    """`page_with(how, **manifest)`: the page of a made atlas with other entries in its manifest, and figures."""

    def made(how, figures=None, **manifest):
        folder = made_atlas(**how).write(tmp_path_factory.mktemp("about"))
        files = AtlasFiles(folder)
        held = {name: files.read(name) for name in files.manifest["files"]} | (figures or {})
        path = folder / "other.html"
        path.write_bytes(page_of(AtlasFiles.in_memory(held, {**files.manifest, **manifest})))
        return path

    return made


def about(open_page, path, **how):
    visit = open_page(path, fragment="view=about", **how)
    return visit.page, visit.page.locator("#view-about")


def test_what_it_is_and_what_it_cost(make_page, open_page):
    _, view = about(open_page, make_page(**MADE))
    text = view.inner_text()
    manifest = made_atlas(**MADE).manifest
    for told in (
        "made",
        "2026-01-02 03:04:05 UTC",
        manifest["identity"],
        manifest["sentences"],
        "1.50 (L4 1.50)",
        "1.20 of a budget of 20.00",
        "2602.08740",
        "Apache-2.0",
    ):
        assert told in text, told
    assert f"{len(made_atlas(**MADE).sentences)} sentences" in text
    assert (
        view.get_by_role("listitem").filter(has_text=re.compile(r"^The old cat sleeps under the bridge\.$")).count()
        == 1
    )
    for label, value in (("Perturbation", "clip"), ("ε", "0.000001"), ("Perplexity", "30"), ("scipy", "1.17.1")):
        assert re.search(rf"^{label}\s+{re.escape(value)}$", text, re.M), label


def test_how_good_it_is_in_words(open_page, page_with):
    headline = made_atlas(**MADE).manifest["headline"] | {
        "spearman_ours_kinds": 0.05, "kinds": 9, "predicted_encoders": 60, "coverage": 0.907, "coverage_nominal": 0.9,
        "coverage_width": 0.094, "coverage_kinds": 0.99, "coverage_kinds_width": 0.49,
    }  # fmt: skip
    text = about(open_page, page_with(MADE, headline=headline))[1].inner_text()
    assert "Of each encoder's 7 nearest neighbours, 46 % are of its own family (at random 9 %, p = 0.0001)." in text
    assert "Trustworthiness of the drawing: 0.990" in text
    assert "mean Spearman correlation with the true scores 0.89" in text or "true scores 0.88" in text
    assert "Of an encoder of a new kind (each kind left out in turn): 0.05, over 9 kinds." in text
    assert (
        "Known kinds: intervals that should hold 90 % of the true scores held 91 %; their median width is 0.094."
        in text
    )
    assert "New kinds: intervals that should hold 90 % of the true scores held 99 %" in text
    assert "cannot be relied on here; measure it" in text


def test_failures_are_told_with_their_reasons(make_page, open_page):
    _, view = about(open_page, make_page(**MADE))
    assert view.get_by_role("heading", name="What failed (3)").is_visible()
    rows = view.get_by_role("region", name="What failed").locator("tbody tr")
    assert [row.locator("th").inner_text() for row in rows.all()][:2] == ["broken/encoder", "large/encoder"]
    assert "out of memory on 24 GB" in rows.nth(1).inner_text()
    assert "qre sweep CONFIG" in view.inner_text()


def test_figures_are_images_and_nothing_in_them_runs(open_page, page_with):
    evil = b"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 50 30" width="50" height="30"
      onload="document.title='broken'"><script>document.title='broken'; fetch('https://example.com/a')</script>
      <rect width="50" height="30" fill="teal"/></svg>"""
    page, view = about(open_page, page_with(MADE, {"epsilon.svg": evil}))
    images = view.locator("figure img")
    assert images.evaluate_all("nodes => nodes.map(node => node.alt)") == [
        "How well scores are predicted",
        "Predictions over ε",
    ]
    for image in images.all():
        image.scroll_into_view_if_needed()
        assert image.evaluate("async node => { await node.decode(); return node.naturalWidth }") > 0
        assert image.get_attribute("src").startswith("blob:")
    assert page.locator("#view-about svg, #view-about script").count() == 0
    assert "made" in page.title()


def test_figures_wait_until_the_view_is_shown(make_page, open_page):
    page = open_page(make_page(**MADE)).page
    assert page.locator("#view-about img").count() == 0
    page.locator("#tab-about").click()
    assert page.locator("#view-about img").count() == 1
    page.locator("#tab-map").click()
    page.locator("#tab-about").click()
    assert page.locator("#view-about img").count() == 1


def test_the_config_reads_back_as_yaml(open_page, page_with):
    config = {**CONFIG, "hostile": list(HOSTILE), **dict.fromkeys(HOSTILE, 1)}
    _, view = about(open_page, page_with(MADE, config=config))
    text = view.get_by_role("region", name="the config").evaluate("node => node.textContent")
    assert yaml.safe_load(text) == config


def test_commands_and_citation_can_be_copied(make_page, open_page):
    visit = open_page(make_page(**MADE), fragment="view=about")
    visit.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = visit.page
    page.get_by_role("button", name="Copy: the commands").click()
    page.get_by_role("button", name="Copied").wait_for()
    commands = page.evaluate("navigator.clipboard.readText()")
    assert "pip install numpy==2.4.1 scipy==1.17.1\n" in commands and "qre sweep map.yaml\n" in commands
    page.get_by_role("button", name="Copy: the citation").click()
    page.get_by_role("button", name="Copied").nth(1).wait_for()
    assert "eprint        = {2602.08740}" in page.evaluate("navigator.clipboard.readText()")


def test_versions_that_a_shell_would_run_are_left_out(open_page, page_with):
    versions = {"numpy": "2.4.1", "scipy; rm -rf x": "1", "torch": "2.1+cpu", "pandas": "$(id)", "encoder-map": "`id`"}
    _, view = about(open_page, page_with(MADE, versions=versions))
    commands = view.get_by_role("region", name="the commands").inner_text()
    assert "pip install numpy==2.4.1 torch==2.1\n" in commands
    assert not re.search(r"[;$`]", commands)


def test_a_manifest_that_tells_little(open_page, page_with):
    empty = {
        "headline": {},
        "notes": [],
        "failures": [],
        "versions": {},
        "spent": None,
        "made": None,
        "prediction": None,
    }
    text = about(open_page, page_with({**MADE, "tasks": 0}, **empty))[1].inner_text()
    assert "No encoder failed." in text and "How to read it" in text
    assert not re.search(r"undefined|NaN|\bnull\b|\[object", text)


@pytest.mark.parametrize("view", ["map", "clusters", "about"])
def test_hostile_strings_stay_text_in_every_view(make_page, open_page, view):
    page = open_page(make_page(encoders=60, tasks=20, hostile=True), fragment=f"view={view}").page
    assert "made" in page.title()
    if view == "about":
        text = page.locator("#view-about").evaluate("node => node.textContent")
        assert all(one in text for one in HOSTILE)  # as notes and sentences


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (375, 667)])
@pytest.mark.parametrize(
    "fragment",
    [
        "view=about",
        "view=clusters",
        "view=map&encoder={0}&pin={0}&pin={1}",
        "view=map&pin={0}&pin={1}&compare=yes",
        "region=-9,-9,9,-9,9,9,-9,9",
    ],
)
def test_people_who_listen_or_see_little(make_page, open_page, axe, fragment, size, scheme):
    path = make_page(encoders=236, tasks=4)
    names = made_atlas(encoders=236, tasks=4).table["name"]
    visit = open_page(path, fragment=fragment.format(*names), size=size, colour_scheme=scheme)
    assert not axe(visit.page)

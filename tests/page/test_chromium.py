"""The ground that the page is tested on catches what it is there to catch."""

import pytest

from tests.page.chromium import Visit

HEAD = "<!doctype html><html lang='en' data-ready='yes'><head><title>t</title></head><body><main><h1>t</h1>"
PIXEL = "data:image/gif;base64,R0lGODlhAQABAAAAACw="


@pytest.fixture
def visit(browser, tmp_path):
    visits = []

    def opened(body, **how):
        path = tmp_path / f"{len(visits)}.html"
        path.write_text(HEAD + body)
        visits.append(Visit(browser, path, **how).ready())
        return visits[-1]

    yield opened
    for one in visits:
        one.close()


def test_a_quiet_page_has_no_faults(visit):
    body = f"<img alt='' src='{PIXEL}'><script>new Image().src = URL.createObjectURL(new Blob(['x']));</script>"
    assert not visit(body, fragment="view=map").faults()


@pytest.mark.parametrize(
    "script, told",
    [
        ("console.log('said')", "log: said"),
        ("console.warn('said')", "warning: said"),
        ("throw new Error('thrown')", "thrown"),
        ("setTimeout(() => { throw new Error('later') })", "later"),
        ("Promise.reject(new Error('rejected'))", "rejected"),
        ("new Image().src = 'https://example.com/a.png'", "asked for https://example.com/a.png"),
        ("fetch('https://example.com/b').catch(() => 0)", "asked for https://example.com/b"),
        ("fetch('http://127.0.0.1:9/c').catch(() => 0)", "asked for http://127.0.0.1:9/c"),
        ("navigator.sendBeacon('https://example.com/d')", "asked for https://example.com/d"),
        ("new WebSocket('wss://example.com/e')", "asked for wss://example.com/e"),
        ("document.head.innerHTML = '<link rel=stylesheet href=f.css>'", "/f.css"),
    ],
)
def test_faults_are_caught(visit, script, told):
    opened = visit(f"<script>{script}</script>")
    for _ in range(600):
        if any(told in fault for fault in opened.faults()):
            return
        opened.page.wait_for_timeout(50)
    pytest.fail(f"{told} is not among {opened.faults()}")


def test_requests_are_refused_without_interception_too(visit):
    script = "fetch('http://127.0.0.1:9/c').then(() => 0, error => { document.title = 'refused' })"
    opened = visit(f"<script>{script}</script>", intercept=False)
    opened.page.wait_for_function("document.title === 'refused'")
    assert opened.requests == ["http://127.0.0.1:9/c"]


def test_axe_finds_what_people_would_miss(visit, axe):
    assert not axe(visit("<p>text</p>").page)
    assert any(found.startswith("image-alt (critical)") for found in axe(visit(f"<img src='{PIXEL}'>").page))
    faint = axe(visit("<p style='color:#bbb;background:#fff'>faint</p>").page)
    assert any(found.startswith("color-contrast (serious)") for found in faint)


def test_what_the_visitor_prefers(visit):
    opened = visit("", size=(375, 667), colour_scheme="dark", reduced_motion=True, touch=True)
    for query in (
        "(width: 375px)",
        "(prefers-color-scheme: dark)",
        "(prefers-reduced-motion: reduce)",
        "(any-pointer: coarse)",
    ):
        assert opened.page.evaluate("query => matchMedia(query).matches", query), query

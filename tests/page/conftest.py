"""What the tests of the page share: a browser, pages that it opens, made atlases and their pages."""

import functools

import pytest

from tests.page.chromium import Visit, launched, violations, why_not
from tests.page.made_atlas import made_atlas


@pytest.fixture(scope="package")
def browser():
    """A headless Chromium for all tests of this folder. It ends with them: Playwright leaves a running asyncio loop in
    the thread, which tests elsewhere would meet."""
    if why := why_not():
        pytest.skip(why)
    with launched() as chromium:
        yield chromium


@pytest.fixture
def open_page(browser):
    """`open_page(path, size=, colour_scheme=, reduced_motion=, fragment=, touch=)`: a Visit that is ready. The test
    fails at its end where one of its pages wrote to the console, or asked for anything."""
    visits = []

    def opened(path, ready=True, **how):
        visits.append(Visit(browser, path, **how))
        return visits[-1].ready() if ready else visits[-1]

    yield opened
    faults = [fault for visit in visits for fault in visit.faults()]
    for visit in visits:
        visit.close()
    assert not faults


@pytest.fixture
def axe():
    """`axe(page)`: what axe-core finds serious or critical, each in words."""
    pytest.importorskip("axe_playwright_python", reason="no axe-core here: pip install axe-playwright-python")
    return violations


@pytest.fixture(scope="package")
def make_page(tmp_path_factory):
    """`make_page(encoders=, attributes=, tasks=, seed=, hostile=)`: the path of the page of a made atlas; the same for
    the same arguments, so nobody may write to it."""
    from qre.atlas.reader import AtlasFiles
    from qre.page.gather import page_of

    @functools.cache
    def made(**how):
        folder = made_atlas(**how).write(tmp_path_factory.mktemp("made"))
        path = folder / "atlas.html"
        path.write_bytes(page_of(AtlasFiles(folder)))
        return path

    return made

"""A real Chromium that opens one file of this machine and reaches nothing else: for the tests of the page and its
benchmark."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

NAMES = ("chromium", "chromium-browser", "google-chrome")
DESKTOP, PHONE = (1280, 800), (375, 667)
LOCAL = ("blob:", "data:", "about:")  # made by the page itself: nothing is asked of anybody
SERIOUS = ("serious", "critical")


def why_not() -> str:
    """Why no browser can be driven here; "" where one can."""
    if importlib.util.find_spec("playwright") is None:
        return "no playwright here: pip install playwright"
    if not any(map(shutil.which, NAMES)):
        return "no Chromium here: apt-get install chromium"
    return ""


@contextmanager
def launched(*arguments: str) -> Iterator[Any]:
    """A headless browser, with command-line arguments of its own. While it runs, asyncio.run fails in this thread:
    Playwright's loop is in it."""
    from playwright.sync_api import sync_playwright  # only where it is installed

    path = next(found for found in map(shutil.which, NAMES) if found)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=list(arguments), chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Any) -> list[str]:
    """What axe-core finds serious or critical in an open page: rule, help, and the elements."""
    from axe_playwright_python.sync_playwright import Axe  # only where it is installed

    found = Axe().run(page).response["violations"]
    return [
        f"{rule['id']} ({rule['impact']}): {rule['help']}: "
        + "; ".join(" ".join(map(str, node["target"])) for node in rule["nodes"])
        for rule in found
        if rule["impact"] in SERIOUS
    ]


class Visit:
    """A page that is open in a context of its own, offline. Every request but that for the file itself is refused and
    recorded.

    Args:
        path: the file.
        size: width and height of the window in CSS pixels.
        fragment: of the address, without "#".
        intercept: refuse requests one by one; without it the context is offline all the same, and nothing slows the
            page down.

    Attributes:
        page: Playwright's.
        messages: what the page wrote to the console, and errors that nobody caught.
        requests: addresses that it asked for beside the file.
    """

    def __init__(
        self,
        browser: Any,
        path: Path,
        *,
        size: tuple[int, int] = DESKTOP,
        colour_scheme: Literal["light", "dark"] = "light",
        reduced_motion: bool = False,
        fragment: str = "",
        touch: bool = False,
        intercept: bool = True,
        before: str = "",
    ):
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.counters: Any = None  # see measured.py
        self.address = Path(path).resolve().as_uri()
        self.context = browser.new_context(
            offline=True,
            viewport={"width": size[0], "height": size[1]},
            color_scheme=colour_scheme,
            reduced_motion="reduce" if reduced_motion else "no-preference",
            has_touch=touch,
            service_workers="block",
            accept_downloads=True,
        )
        if intercept:
            self.context.route("**/*", self._answer)
        self.context.on("request", self._record)
        self.context.on("weberror", lambda error: self.messages.append(f"error: {error.error}"))
        self.context.on("console", lambda said: self.messages.append(f"{said.type}: {said.text}"))
        self.page = self.context.new_page()
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        if before:
            self.page.add_init_script(before)
        self.page.goto(self.address + (f"#{fragment}" if fragment else ""))

    def ready(self, seconds: float = 120) -> Visit:
        """Wait until the page says that it can be used: data-ready="yes" on its root. AssertionError where it says that
        it cannot."""
        self.page.locator("html[data-ready=yes], #trouble:not([hidden])").first.wait_for(
            state="attached", timeout=1000 * seconds
        )
        trouble = self.page.locator("#trouble:not([hidden])")
        assert not trouble.count(), trouble.text_content()
        return self

    def faults(self) -> list[str]:
        """What a quiet page that stays at home has none of, up to now."""
        if not self.page.is_closed():
            self.page.evaluate("0")  # what was told before comes before the answer
        return [*self.messages, *(f"asked for {address}" for address in self.requests)]

    def forget(self) -> None:
        """Leave out of the faults what there was up to now."""
        self.faults()
        self.messages.clear()
        self.requests.clear()

    def violations(self) -> list[str]:
        """Of this page: see the function of that name."""
        return violations(self.page)

    def close(self) -> None:
        self.context.close()

    def _own(self, address: str) -> bool:
        return address.partition("#")[0] == self.address or address.startswith(LOCAL)

    def _record(self, request: Any) -> None:
        if not self._own(request.url):
            self.requests.append(request.url)

    def _answer(self, route: Any) -> None:
        if self._own(route.request.url):
            route.continue_()
        else:
            route.abort()

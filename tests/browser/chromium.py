"""Debian's Chromium, driven by Playwright, and what is wrong with any page that it shows: watched in every test."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from axe_playwright_python.sync_playwright import Axe
from justhtml import JustHTML
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    ViewportSize,
    WebError,
    expect,
    sync_playwright,
)

CHROMIUM = shutil.which("chromium")

NARROW, WIDE = 390, 1280
HEIGHTS = {NARROW: 844, WIDE: 900}

_ARGUMENTS = [
    "--disable-gpu",
    "--no-first-run",
    # A request to another host fails, whoever makes it, the browser itself included.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
_SHIFTS = """
let sum = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  if (sum >= 0.1) console.error(`layout shift ${sum} on ${location}`);
}).observe({ type: "layout-shift", buffered: true });
"""
"""Says it as an error when a page's contents moved without anybody's doing: 0.1 is where it begins to be felt."""

_SIDEWAYS = """() => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return "";
  const all = [...document.querySelectorAll("body *")];
  const wide = all.filter((each) => each.getBoundingClientRect().right > clientWidth + 1);
  return `${scrollWidth} of ${clientWidth}: ` + wide.slice(-3).map((e) => e.outerHTML.slice(0, 200));
}"""

SCREENSHOTS = Path(os.environ.get("MYPI_SCREENSHOTS") or Path(__file__).parents[2] / "build" / "screenshots")
"""Where screenshots are kept, for people to look at."""


@contextlib.contextmanager
def launched(home: Path) -> Iterator[Browser]:
    """Run the browser, with nothing of who runs the tests, until the block ends.

    Nothing that runs an event loop can run meanwhile in the same thread.
    """
    expect.set_options(timeout=15_000)
    home.mkdir(parents=True, exist_ok=True)
    arguments = [*_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments, env=environment)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Watch:
    """Everything that went wrong in the pages of one visitor.

    ``statuses`` are answers from 400 on that a test expects.
    """

    origin: str
    statuses: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Begin to watch."""
        context.add_init_script(_SHIFTS)
        context.on("request", self._request)
        context.on("requestfailed", self._failed)
        context.on("response", self._response)
        context.on("console", self._console)
        context.on("weberror", self._error)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.origin}/", "data:", "blob:")):
            self.wrong.append(f"a request to elsewhere: {request.url}")

    def _failed(self, request: Request) -> None:
        # Aborted: a newer search took the place of one under way, or the visitor went on.
        if request.failure != "net::ERR_ABORTED":
            self.wrong.append(f"{request.method} {request.url} failed: {request.failure}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.statuses:
            self.wrong.append(f"{response.request.method} {response.url} was answered with {response.status}")

    def _console(self, message: ConsoleMessage) -> None:
        # Failed answers are counted above.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.wrong.append(f"the console says {message.type}: {message.text}")

    def _error(self, error: WebError) -> None:
        self.wrong.append(f"a script failed: {error.error}")


@dataclass
class Visitor:
    """Somebody at a browser of their own, with one page open; ``page`` is Playwright's."""

    site: str
    page: Page
    watch: Watch
    js: bool

    def go(self, path: str = "", *, status: int = 200) -> Page:
        """Open a page of the index, by its path without the leading slash."""
        if status >= 400:
            self.watch.statuses.add(status)
        response = self.page.goto(f"{self.site}/{path}")
        assert response is not None and response.status == status, (path, response and response.status)
        return self.page

    @property
    def path(self) -> str:
        """The path of the page that is shown, without the leading slash."""
        parts = urlsplit(self.page.url)
        return parts.path.removeprefix("/") + (f"?{parts.query}" if parts.query else "")

    def screenshot(self, name: str) -> None:
        """Keep a picture of the whole page."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True, animations="disabled")


def visitor(
    browser: Browser,
    site: str,
    *,
    width: int = WIDE,
    height: int | None = None,
    scheme: str = "light",
    js: bool = True,
    scale: float = 1,
    state: dict | None = None,
) -> Visitor:
    """Open a browser context as one person's: nothing is shared with another's. Who calls closes ``page.context``."""
    context = browser.new_context(
        viewport=ViewportSize(width=width, height=height or HEIGHTS.get(width, 900)),
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=js,
        device_scale_factor=scale,
        storage_state=state,  # type: ignore[arg-type]
        permissions=["clipboard-read", "clipboard-write"],
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(30_000)
    watch = Watch(site)
    watch.over(context)
    return Visitor(site, context.new_page(), watch, js)


def faults(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical; the page must run scripts."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {each['help']}: {node['html'][:300]} {node.get('failureSummary', '')}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


def scrolls_sideways(page: Page) -> str:
    """Return what stands out to the right of the window, "" if nothing makes the page scroll that way."""
    said: str = page.evaluate(_SIDEWAYS)
    return said


def misspelt(html: str) -> list[str]:
    """Return the parse errors of a page, as the HTML standard counts them."""
    return [str(error) for error in JustHTML(html, collect_errors=True, track_node_locations=True).errors]

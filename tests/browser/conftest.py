"""Two servers over copies of one index, and a browser, for each module of these tests; visitors for each test."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from playwright.sync_api import Browser

from mypi.model import Accounts, Project
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import NotFound
from tests import upstreams
from tests.browser import chromium, exhibits
from tests.browser.chromium import Visitor
from tests.system import processes

Visit = Callable[..., Visitor]


@dataclass
class Index:
    """A running index; ``states`` are the cookies of those who logged in before."""

    url: str
    folder: Path
    states: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def _repository(self) -> Iterator[Repository]:
        settings = Settings.load({"mypi.storage": "filesystem", "mypi.storage.path": str(self.folder / "var")}, {})
        repository = Repository.open(settings, reading=True)
        try:
            yield repository
        finally:
            repository.close()

    def project(self, name: str) -> Project | None:
        """Read a project past the server, as the store has it now."""
        with self._repository() as repository:
            try:
                return repository.project(name).value
            except NotFound:
                return None

    def accounts(self) -> Accounts:
        """Read the accounts past the server, as the store has them now."""
        with self._repository() as repository:
            return repository.members.get()


@pytest.fixture(scope="session")
def exhibits_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index with one of everything, to be copied."""
    if chromium.CHROMIUM is None:
        pytest.skip("there is no Chromium here; on Debian: apt-get install chromium")
    folder = tmp_path_factory.mktemp("exhibits") / "var"
    # Nothing of it has to outlive a power failure, and thousands of writes wait for a slow disk otherwise.
    with patch("os.fsync", lambda fd: None):
        exhibits.make(folder)
    return folder


@contextmanager
def _serving(exhibits_folder: Path, folder: Path, **settings: str) -> Iterator[Index]:
    shutil.copytree(exhibits_folder, folder / "var", symlinks=True)
    path = processes.ini(folder, processes.free_port(), manage="group:admins owners", **settings)
    with processes.pserve(path) as server:
        _await_overview(server)
        yield Index(f"http://127.0.0.1:{server.port}", folder)
    assert "Traceback" not in server.said, server.said


def _await_overview(server: processes.Server) -> None:
    """Wait until everything is read that pages over all projects show."""
    deadline = time.monotonic() + 120
    while b"still being read" in server.get("/+search?q=tideline", Accept="text/html").body:
        assert time.monotonic() < deadline, server.said
        time.sleep(0.05)


@pytest.fixture(scope="module")
def index(exhibits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """A running index that everyone may read and users may publish to, before another, of which a policy hides some."""
    folder = tmp_path_factory.mktemp("index")
    with upstreams.running(folder, tls=False) as upstream:
        exhibits.elsewhere(upstream)
        given = {name.replace(".", "__"): value for name, value in (upstream.settings() | exhibits.POLICY).items()}
        with _serving(exhibits_folder, folder, read="everyone", upload="users", **given) as index:
            exhibits.bring(index.url)
            yield index


@pytest.fixture(scope="module")
def closed(exhibits_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    """A running index where one must log in to see anything, and bob may do no more."""
    folder = tmp_path_factory.mktemp("closed")
    with _serving(exhibits_folder, folder, read="users", upload="user:alice group:admins") as index:
        yield index


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium. It runs for one module only: what else runs an event loop cannot run beside Playwright."""
    if chromium.CHROMIUM is None:
        pytest.skip("there is no Chromium here; on Debian: apt-get install chromium")
    with chromium.launched(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open a browser as somebody, logged in if a user is named; when the test ends nothing may have gone wrong."""
    visitors: list[Visitor] = []

    def open_(index: Index, user: str | None = None, **options: Any) -> Visitor:
        state = options.pop("state", None) or (_logged_in(browser, index, user) if user else None)
        visitors.append(one := chromium.visitor(browser, index.url, state=state, **options))
        return one

    yield open_
    for one in visitors:
        one.page.context.close()
    assert [wrong for one in visitors for wrong in one.watch.wrong] == []


def _logged_in(browser: Browser, index: Index, user: str) -> Any:
    """Return the cookies of a user, who logs in once."""
    if user not in index.states:
        one = chromium.visitor(browser, index.url)
        try:
            log_in(one, user)
            assert one.watch.wrong == []
            index.states[user] = one.page.context.storage_state()
        finally:
            one.page.context.close()
    return index.states[user]


def log_in(one: Visitor, user: str, password: str | None = None) -> None:
    """Fill the form of the login and send it."""
    page = one.page
    if "+login" not in page.url:
        one.go("+login")
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(password or exhibits.PASSWORDS[user])
    page.locator("main").get_by_role("button", name="Log in").click()

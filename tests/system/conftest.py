"""What the tests with real servers and real clients share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import deviations, servers
from .clients import Home
from .environments import Environments
from .installers import INSTALLERS
from .packages import Builder
from .projects import PROJECTS
from .publishers import PUBLISHERS
from .seen import errors_page, page, seen
from .servers import Server


def pytest_sessionfinish() -> None:
    """Write what was seen of the clients to MYPI_CLIENTS_PAGE, if that is set."""
    if path := os.environ.get("MYPI_CLIENTS_PAGE"):
        publishers = [client.name for client in PUBLISHERS]
        parts = {
            deviations.PUBLISHING: publishers,
            deviations.ERRORS: publishers,
            deviations.INSTALLING: [client.name for client in (*INSTALLERS, *PROJECTS)],
        }
        Path(path).write_text(page(seen, parts), encoding="utf-8")
        Path(path).with_name("clients-errors.rst").write_text(errors_page(seen, parts), encoding="utf-8")


@pytest.fixture(scope="session")
def kept() -> Path:
    """The folder that is kept between runs: MYPI_CLIENTS, or `.clients` in the checkout."""
    return Path(os.environ.get("MYPI_CLIENTS") or Path(__file__).parents[2] / ".clients")


@pytest.fixture(scope="session")
def environments(kept: Path) -> Environments:
    """The virtual environments of clients."""
    return Environments(kept / "environments")


@pytest.fixture(scope="session")
def builder(environments: Environments, tmp_path_factory: pytest.TempPathFactory) -> Builder:
    """What builds real packages."""
    return Builder(environments, Home(tmp_path_factory.mktemp("builder")))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A user who has configured nothing."""
    return Home(tmp_path / "home")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start servers, with the arguments of `servers.running`; they stop with the test."""
    with contextlib.ExitStack() as stack:

        def start(name: str = "server", **arguments: object) -> Server:
            return stack.enter_context(servers.running(tmp_path / name, **arguments))

        yield start


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    """A running mypi where everyone may read and upload."""
    return serve()

"""An overview over whatever store a module takes, and pages that look at it anew each time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mypi.overview import Overview, keeper
from mypi.repository import Repository
from mypi.store import Store
from tests.repository.shorthand import Clock, settings


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repository(store: Store, clock: Clock) -> Iterator[Repository]:
    made = Repository(store, store, settings(), clock=clock)
    yield made
    with made._closing:
        pass  # the store is the fixture's to close


@pytest.fixture
def overview(repository: Repository) -> Overview:
    return Overview(repository)


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page looks at the store again."""
    monkeypatch.setattr(keeper, "INTERVAL", 0.0)
    monkeypatch.setattr(keeper, "_SHARE", 0)

"""A repository over each store."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from mypi.repository import Repository
from mypi.store import Store
from tests import stores
from tests.repository.moves import MakeStore, maker
from tests.repository.shorthand import Clock, settings


@pytest.fixture(params=sorted(stores.STORES))
def kind(request: pytest.FixtureRequest) -> str:
    """The name of each backend."""
    return request.param


@pytest.fixture
def store(kind: str, tmp_path: Path) -> Iterator[Store]:
    """An empty store of each kind."""
    made = stores.make(kind, tmp_path)
    yield made
    made.close()


@pytest.fixture
def fresh_store(kind: str, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Make another empty store of the same kind."""
    numbers = itertools.count()
    with ExitStack() as opened:

        def make() -> Store:
            made = stores.make(kind, tmp_path / f"other-{next(numbers)}")
            opened.callback(made.close)
            return made

        yield make


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repository(store: Store, clock: Clock) -> Repository:
    return Repository(store, store, settings(), clock=clock)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeStore]:
    """Make empty stores of any kind by its name, for an index that moves; they are closed with the test."""
    made: list[Store] = []
    yield maker(tmp_path, made)
    for store in made:
        store.close()


@pytest.fixture
def target(make: MakeStore) -> Store:
    """Where an index moves to."""
    return make("memory")

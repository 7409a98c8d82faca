"""A store that takes no writes, as one that is opened beside its server: it is recognised, and given nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mypi.backends.memory import MemoryStore
from mypi.repository import Repository
from mypi.repository.identity import WrongStore, establish
from mypi.settings import Settings, StoreSettings
from mypi.store import NotFound, Store, Unavailable
from mypi.testing import WrappedStore
from tests.repository.shorthand import live, publish, settings

SERVED: dict[str, Store] = {"one": MemoryStore(), "other": MemoryStore()}


class Beside(WrappedStore):
    """Serves one process, and lets others look on."""

    closed = 0

    def __init__(self, name: str) -> None:
        super().__init__(SERVED[name])

    @classmethod
    def for_reading(cls, **values: Any) -> Store:
        store = cls(**values)
        store.read_only = True
        return store

    def check(self, *, catalogue: bool = True) -> None:
        raise Unavailable("store", "is in use by its server")

    def close(self) -> None:
        Beside.closed += 1


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    SERVED.update(one=MemoryStore(), other=MemoryStore())
    Beside.closed = 0
    yield


def over(storage: str, catalogue: str | None = None) -> Settings:
    found = settings()
    second = StoreSettings(Beside, {"name": catalogue}) if catalogue else None
    return Settings(**{**vars(found), "storage": StoreSettings(Beside, {"name": storage}), "catalogue": second})


def test_what_is_served_can_be_read_beside_the_server() -> None:
    publish(Repository(SERVED["one"], SERVED["one"], settings()))
    beside = Repository.open(over("one"), reading=True)
    assert len(live(beside)) == 1
    beside.close()
    assert Beside.closed == 1


def test_opened_for_more_than_reading_the_store_is_proven_and_closed_when_it_fails() -> None:
    with pytest.raises(Unavailable, match="in use by its server"):
        Repository.open(over("one"))
    assert Beside.closed == 1


def test_a_store_without_an_index_is_given_none() -> None:
    with pytest.raises(WrongStore, match="start the server once"):
        Repository.open(over("one"), reading=True)
    assert list(SERVED["one"].list()) == []
    assert Beside.closed == 1


def test_two_stores_that_are_no_pair_are_refused() -> None:
    for name in ("one", "other"):
        establish(SERVED[name], SERVED[name])
    with pytest.raises(WrongStore, match="belong to different indexes"):
        Repository.open(over("one", "other"), reading=True)
    assert Beside.closed == 2


def test_a_pair_is_recognised() -> None:
    establish(SERVED["one"], SERVED["other"])
    pair = Repository.open(over("one", "other"), reading=True)
    with pytest.raises(NotFound):
        pair.project("acme-lib")
    pair.close()


def test_a_backend_that_bears_several_processes_is_opened_as_ever() -> None:
    store = MemoryStore.for_reading()
    assert isinstance(store, MemoryStore)
    assert not store.read_only

"""The identity of a store: what an index may be opened over, and what is refused with a sentence."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mypi.backends.memory import MemoryStore
from mypi.repository import identity
from mypi.repository.identity import FORMAT, WrongStore
from mypi.store import Conflict, Store, Tag, Unavailable
from mypi.testing.doubles import FaultyStore, Point, WrappedStore
from tests import stores


def one(store: Store) -> str:
    """Open an index that keeps files and documents in one store."""
    return identity.establish(store, store)


def known(store: Store) -> object:
    return json.loads(store.read("store.json")[0])


def used(store: Store) -> Store:
    """A store with something in it that mypi did not put there."""
    store.add("holiday.jpg", io.BytesIO(b"beach"), 5)
    return store


@pytest.fixture(params=sorted(stores.STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = stores.make(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def other(tmp_path: Path, request: pytest.FixtureRequest) -> Store:
    return stores.make("filesystem", tmp_path / "other")


def test_an_empty_store_gets_an_identity_that_stays(store: Store) -> None:
    given = one(store)
    assert known(store) == {"id": given, "format": FORMAT}
    assert one(store) == given
    assert len(given) == 32


def test_every_store_gets_another_one(store: Store, other: Store) -> None:
    assert one(store) != one(other)


def test_both_roles_get_the_same_one(store: Store, other: Store) -> None:
    given = identity.establish(store, other)
    assert known(store) == known(other) == {"id": given, "format": FORMAT}
    assert identity.establish(store, other) == given


def test_a_start_that_was_killed_between_the_two_is_completed(store: Store, other: Store) -> None:
    given = one(other)
    assert identity.establish(store, other) == given
    assert known(store) == known(other)


def test_a_place_where_something_else_is_kept_is_refused(store: Store) -> None:
    with pytest.raises(
        WrongStore,
        match=r"^store\.json: is missing although there is something in mypi\.storage, .*; name an empty place, or "
        r"restore store\.json from a backup$",
    ):
        one(used(store))


def test_a_catalogue_beside_something_else_is_refused(store: Store, other: Store) -> None:
    with pytest.raises(WrongStore, match=r"there is something in mypi\.catalogue"):
        identity.establish(store, used(other))


def test_files_that_lost_their_identity_are_refused(store: Store, other: Store) -> None:
    one(other)
    with pytest.raises(WrongStore, match=r"there is something in mypi\.storage"):
        identity.establish(used(store), other)


def test_files_whose_catalogue_is_gone_are_refused(store: Store, other: Store) -> None:
    one(store)
    with pytest.raises(WrongStore, match=r"there is something in mypi\.storage"):
        identity.establish(store, other)
    assert not list(other.list())


def test_stores_of_two_indexes_are_refused(store: Store, other: Store) -> None:
    one(store), one(other)
    with pytest.raises(WrongStore, match=r"mypi\.storage and mypi\.catalogue belong to different indexes; name a pair"):
        identity.establish(store, other)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"5", b"{}", b'{"id":"a"}', b'{"id":"a","format":"new"}', b"\xff"])
def test_a_damaged_identity_is_refused(store: Store, data: bytes) -> None:
    store.swap("store.json", data, None)
    with pytest.raises(WrongStore, match=r"^store\.json: is damaged; restore it from a backup$"):
        one(store)


def test_a_store_of_a_newer_mypi_is_refused(store: Store) -> None:
    store.swap("store.json", json.dumps({"id": "a", "format": FORMAT + 1}).encode(), None)
    with pytest.raises(WrongStore, match=r"was written by a newer mypi \(format 2, this one reads 1\); upgrade"):
        one(store)


def test_a_store_that_cannot_be_reached_is_not_taken_for_an_empty_one() -> None:
    store = FaultyStore(MemoryStore())
    store.fail(Point("before", 1, "open"), Unavailable("store.json", "away"))
    with pytest.raises(Unavailable, match="away"):
        one(store)
    assert not list(store.list())


def test_what_was_established_is_confirmed(store: Store, other: Store) -> None:
    given = identity.establish(store, other)
    identity.confirm(store, other, given)
    assert known(store) == {"id": given, "format": FORMAT}


@pytest.mark.parametrize("role", [0, 1])
def test_a_store_that_was_exchanged_is_refused(role: int, tmp_path: Path) -> None:
    pair = [MemoryStore(), MemoryStore()]
    given = identity.establish(*pair)
    pair[role] = MemoryStore()
    with pytest.raises(WrongStore, match="absent or different from what it was at the start; is the right disk mount"):
        identity.confirm(*pair, given)
    one(pair[role])
    with pytest.raises(WrongStore, match="absent or different"):
        identity.confirm(*pair, given)


@pytest.mark.parametrize("roles", [1, 2])
def test_of_many_first_starts_at_once_all_get_the_same(store: Store, other: Store, roles: int) -> None:
    catalogue = store if roles == 1 else other
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda _: identity.establish(store, catalogue), range(8)))
    assert set(given) == {known(store)["id"]}  # type: ignore[index]


class Overtaken(WrappedStore):
    """Lets another process start, and publish, just before the n-th call of this one."""

    def __init__(self, store: Store, nth: int, other: Store | None = None) -> None:
        super().__init__(store)
        self.left = nth
        self.other = other or store

    def _step(self) -> None:
        self.left -= 1
        if self.left == 0:
            identity.establish(self.store, self.other)
            self.store.add("files/main/acme/0123456789abcdef/a.whl", io.BytesIO(b""), 0)

    def _open(self, *args):  # type: ignore[no-untyped-def]
        self._step()
        return super()._open(*args)

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        self._step()
        return super()._swap(key, data, expect)

    def _list(self, prefix: str):  # type: ignore[no-untyped-def]
        self._step()
        return super()._list(prefix)


@pytest.mark.parametrize("nth", range(1, 6))
def test_a_first_start_that_is_overtaken_at_any_moment_joins_the_other(nth: int) -> None:
    memory = MemoryStore()
    store = Overtaken(memory, nth)
    assert one(store) == known(memory)["id"]  # type: ignore[index]
    assert store.left <= 0


@pytest.mark.parametrize("nth", range(1, 7))
def test_so_does_one_with_two_roles(nth: int) -> None:
    memory, documents = MemoryStore(), MemoryStore()
    files = Overtaken(memory, nth, documents)
    given = identity.establish(files, documents)
    assert known(memory) == known(documents) == {"id": given, "format": FORMAT}


def test_a_conflict_without_an_identity_is_still_the_id_of_this_start() -> None:
    store = FaultyStore(MemoryStore())
    store.fail(Point("after", 1, "swap"), Conflict("store.json"))
    assert one(store) == known(store)["id"]  # type: ignore[index]

"""The part of the contract that is about keys: which are taken, and how they are listed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ..store import InvalidKey, Store
from .samples import DOCUMENT, FILE, add, keys


class ListingContract:
    """Inherited by StoreContract, which gives the fixtures."""

    objects = 300
    """How many objects are listed while others come and go."""

    def test_listing_has_every_object_below_its_prefix(self, store: Store) -> None:
        add(store, FILE, b"12345")
        add(store, FILE + ".metadata", b"")
        add(store, "files/main/acme-lib/0/x", b"1")
        store.swap(DOCUMENT, b"{}", None)
        store.swap("store.json", b"{}", None)
        assert keys(store) == sorted([FILE, FILE + ".metadata", "files/main/acme-lib/0/x", DOCUMENT, "store.json"])
        assert keys(store, "files/main/acme/") == [FILE, FILE + ".metadata"]
        assert keys(store, "indexes/") == [DOCUMENT]
        assert keys(store, "nothing/") == []
        assert keys(store, FILE + "/") == []

    def test_listing_tells_size_and_time(self, store: Store) -> None:
        add(store, FILE, b"12345")
        (entry,) = store.list("files/")
        assert entry.size == 5
        assert entry.modified > 1_500_000_000

    def test_listing_goes_on_while_objects_come_and_go(self, store: Store) -> None:
        stay = [f"files/stay/{number}/f" for number in range(self.objects)]
        go = [f"files/go/{number}/f" for number in range(20)]
        for key in stay + go:
            add(store, key, b"x")
        listed = []
        for entry in store.list("files/"):
            listed.append(entry.key)
            if go:
                store.delete(go.pop())
                add(store, f"files/come/{len(go)}/f", b"x")
        assert sorted(key for key in listed if key.startswith("files/stay/")) == sorted(stay)

    @pytest.mark.parametrize(
        "key",
        ["", "/", "a/", "/a", "a//b", ".", "..", "a/../b", ".hidden", "a b", "a\n", "é", "a\x00", "a\\b", "a" * 221],
    )
    def test_malformed_key_is_refused(self, store: Store, key: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: store.open(key),
            lambda: store.read(key),
            lambda: add(store, key, b""),
            lambda: store.swap(key, b"", None),
            lambda: store.delete(key),
            lambda: store.copy(key, FILE),
        ]
        for call in calls:
            with pytest.raises(InvalidKey):
                call()
        assert keys(store) == []

    @pytest.mark.parametrize("prefix", ["/", "a", "a//", "../", "a/..//", ".locks/"])
    def test_malformed_prefix_is_refused(self, store: Store, prefix: str) -> None:
        with pytest.raises(InvalidKey):
            store.list(prefix)

    def test_longest_key_is_taken(self, store: Store) -> None:
        key = "/".join(["k" * 220] * 4)
        add(store, key, b"x")
        assert keys(store) == [key]
        store.delete(key)

    def test_characters_of_keys_keep_their_meaning(self, store: Store) -> None:
        awkward = ["A", "a", "1!2.0+local_x-y.tar.gz", "+x", "!41"]
        for key in awkward:
            add(store, f"files/{key}/f", key.encode())
        assert keys(store) == sorted(f"files/{key}/f" for key in awkward)
        for key in awkward:
            assert store.read(f"files/{key}/f")[0] == key.encode()

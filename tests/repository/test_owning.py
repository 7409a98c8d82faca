"""Who is removed owns nothing any more, whatever else is wrong with the index."""

from __future__ import annotations

from mypi.repository import Repository
from mypi.store import Store
from tests.repository.shorthand import ALICE, Clock, publish, settings


def test_a_user_is_taken_out_of_all_owners_and_what_cannot_be_read_is_told(store: Store) -> None:
    index = Repository(store, store, settings(), clock=Clock())
    for name in ("acme-lib", "damaged", "other", "swept", "third"):
        publish(index, name)
    for name, owner in (("acme-lib", "bob"), ("acme-lib", "carol"), ("third", "bob"), ("other", "carol")):
        index.add_owner(name, owner, ALICE)
    store.swap("indexes/main/damaged.json", b"{", store.read("indexes/main/damaged.json")[1])
    store.delete("indexes/main/swept.json")

    owned, damaged = index.disown("bob", ALICE)

    assert owned == ["acme-lib", "third"]
    assert [problem.key for problem in damaged] == ["indexes/main/damaged.json"]
    assert [index.project(name).value.owners for name in ("acme-lib", "other", "third")] == [("carol",), ("carol",), ()]
    event = index.project("third").value.history[-1]
    assert (event.did, event.subject, event.by) == ("owner remove", "bob", ALICE.user)
    assert index.disown("bob", ALICE)[0] == []

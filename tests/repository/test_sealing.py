"""Sealing: the last copy of an index that moves takes everything, and nothing can come after it."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from mypi import metadata
from mypi.model import ModelError, Project
from mypi.repository import Moved, Repository
from mypi.store import NotFound, Store, Unavailable
from mypi.testing.doubles import FaultyStore, Point, RecordingStore
from tests import builders
from tests.repository.moves import MakeStore, copy, documents, equal, fill, opened, problems_of, states
from tests.repository.shorthand import ALICE, content, filename, live, problems, publish, sweep


@pytest.fixture
def moved(repository: Repository, store: Store, target: Store) -> Repository:
    """An index on each kind of store that was moved away under the server."""
    fill(store)
    repository.project("acme-lib")
    copy(repository, opened(target), catch_up=True)
    return repository


REGISTERED = metadata.read(builders.metadata("acme-lib", "9.0"))
EDITS: dict[str, Callable[[Repository], object]] = {
    "publish": lambda index: publish(index, version="9.0"),
    "publish to a new project": lambda index: publish(index, "brand-new"),
    "register": lambda index: index.register(REGISTERED, ALICE),
    "register a new project": lambda index: index.register(metadata.read(builders.metadata("brand-new", "1")), ALICE),
    "yank": lambda index: index.yank("acme-lib", [filename()], "why", ALICE),
    "unyank": lambda index: index.unyank("acme-lib", [filename(version="2.0")], ALICE),
    "remove": lambda index: index.remove("acme-lib", [filename()], ALICE),
    "restore": lambda index: index.restore("acme-lib", [filename(version="3.0")], ALICE),
    "status": lambda index: index.set_status("acme-lib", "archived", "", ALICE),
    "sweep": lambda index: sweep(index, trash_days=0),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_sealed_index_takes_no_change_of_any_kind(moved: Repository, store: Store, edit: str) -> None:
    before = documents(store)
    with pytest.raises(Moved, match=r"this index was sealed at 20\S+Z for a move; publish at its new place"):
        EDITS[edit](moved)
    with pytest.raises(Moved):
        EDITS[edit](opened(store))
    assert documents(store) == before


def test_reading_goes_on(moved: Repository) -> None:
    file = moved.project("acme-lib").value.files[filename()]
    assert content(moved, file)
    assert moved.names().value.projects == {"acme-lib": "acme-lib", "other": "other"}  # type: ignore[union-attr]
    assert not problems(moved)
    assert sweep(moved, dry_run=True) == {}


def test_what_is_so_already_needs_no_change(moved: Repository) -> None:
    assert publish(moved, signature=b"signed").filename == filename()
    moved.yank("acme-lib", [filename(version="2.0")], "loses data", ALICE)
    moved.set_status("other", "quarantined", "harmful", ALICE)


def test_what_is_refused_for_another_reason_is_told_that(moved: Repository) -> None:
    with pytest.raises(ModelError):
        publish(moved, content="other bytes")
    with pytest.raises(NotFound):
        moved.yank("nothing", ["x"], "", ALICE)
    with pytest.raises(ModelError):
        moved.yank("acme-lib", ["nothing"], "", ALICE)


def test_an_upload_to_a_sealed_project_leaves_no_bytes(moved: Repository, store: Store) -> None:
    before = {entry.key for entry in store.list("files/")}
    with pytest.raises(Moved):
        publish(moved, version="9.0")
    assert {entry.key for entry in store.list("files/")} == before


def test_the_last_copy_takes_everything_and_seals_each_document_once(
    repository: Repository, store: Store, target: Store
) -> None:
    fill(store)
    copy(repository, opened(target))
    publish(repository, version="5.0")
    outcomes = copy(repository, opened(target), catch_up=True)
    assert states(outcomes) == {"acme-lib": "copied", "other": "there"}
    assert sum(outcome.files for outcome in outcomes) == 1
    assert equal(store, target)
    assert not problems(opened(target))
    sealed = {key: store.read(key)[0] for key in documents(store)}
    assert all(json.loads(data)["sealed"] for data in sealed.values())
    assert not any("sealed" in json.loads(target.read(key)[0]) for key in documents(target))
    # Again, as after a kill: the first seal stays.
    assert states(copy(opened(store), opened(target), catch_up=True)) == {"acme-lib": "there", "other": "there"}
    assert {key: store.read(key)[0] for key in sealed} == sealed
    publish(opened(target), version="6.0")


def test_taken_off_the_seal_lets_changes_in_again_and_a_new_copy_follows_them(
    moved: Repository, store: Store, target: Store
) -> None:
    assert moved.unseal() == 4
    assert moved.unseal() == 0
    publish(moved, version="9.0")
    publish(moved, "brand-new")
    assert states(copy(moved, opened(target), catch_up=True)) == {
        "acme-lib": "copied",
        "brand-new": "copied",
        "other": "copied",
    }
    assert equal(store, target)


def test_no_bytes_of_a_document_ever_repeat(store: Store, target: Store) -> None:
    index = fill(store)
    seen: list[bytes] = [store.read("indexes/main/other.json")[0]]
    for _ in range(2):
        copy(index, opened(target), catch_up=True)
        seen.append(store.read("indexes/main/other.json")[0])
        index.unseal()
        seen.append(store.read("indexes/main/other.json")[0])
    assert len(set(seen)) == len(seen)


def test_an_index_that_is_empty_is_sealed_too(repository: Repository, target: Store) -> None:
    assert states(copy(repository, opened(target), catch_up=True)) == {}
    with pytest.raises(Moved):
        publish(repository)
    repository.unseal()
    publish(repository)


def test_a_first_publish_that_was_announced_is_refused_by_its_swap(
    repository: Repository, store: Store, target: Store
) -> None:
    other = opened(target)
    announcing = repository._catalogue.announce

    def late(name: str, display: str) -> None:
        announcing(name, display)
        copy(opened(store), other, catch_up=True)

    repository._catalogue.announce = late  # type: ignore[method-assign]
    with pytest.raises(Moved):
        publish(repository)
    assert equal(store, target)
    assert not problems(other)
    assert live(other) == []
    publish(other)


def test_an_edit_between_the_look_and_the_seal_is_taken(store: Store, target: Store) -> None:
    index = fill(store)
    faulty = FaultyStore(store)
    moving = opened(faulty)
    swap = faulty._swap

    def meddled(key, data, expect):  # type: ignore[no-untyped-def]
        if key.endswith("acme-lib.json"):
            faulty._swap = swap  # type: ignore[method-assign]
            publish(index, version="5.0")
        return swap(key, data, expect)

    faulty._swap = meddled  # type: ignore[method-assign]
    copy(moving, opened(target), catch_up=True)
    assert filename(version="5.0") in live(opened(target))
    assert equal(store, target)


def test_a_copy_to_a_sealed_index_keeps_it_current_and_sealed(moved: Repository, store: Store, target: Store) -> None:
    other = opened(target)
    publish(other, version="5.0")
    publish(other, "brand-new")
    copy(other, moved)
    assert equal(target, store)
    for edit in (lambda: publish(moved, version="6.0"), lambda: publish(moved, "brand-new", "2.0")):
        with pytest.raises(Moved):
            edit()
    # The way back for good: seal there, take the last, open here.
    copy(other, moved, catch_up=True)
    moved.unseal()
    publish(moved, version="6.0")
    assert not problems(moved)


def test_damaged_documents_are_named_and_the_rest_is_sealed(store: Store, target: Store) -> None:
    index = fill(store)
    store.swap("indexes/main/broken.json", b"{", None)
    outcomes = copy(index, opened(target), catch_up=True)
    assert [problem.split(":")[0] for problem in problems_of(outcomes)] == ["indexes/main/broken.json"]
    with pytest.raises(Moved):
        publish(index, version="9.0")


def test_a_seal_that_told_its_success_as_a_failure_is_recognised(store: Store, target: Store) -> None:
    fill(store)
    faulty = FaultyStore(store)
    index = opened(faulty)
    for swap in (1, 2, 3):
        faulty.fail(Point("after", swap, "swap"), Unavailable("key", "injected"))
    copy(index, opened(target), catch_up=True)
    assert equal(store, target)


def test_edits_that_wait_together_are_told_apart(moved: Repository) -> None:
    """Of two edits in one swap the one that has nothing to do holds, and the other is refused."""
    done: list[object] = []
    entered, go = threading.Event(), threading.Event()

    def slow(project: Project) -> Project:
        entered.set()
        go.wait(60)
        return project

    def run(edit: Callable[[], object]) -> None:
        try:
            done.append(edit())
        except Moved as exc:
            done.append(exc)

    first = threading.Thread(target=run, args=(lambda: moved._catalogue.edit("acme-lib", slow),))
    first.start()
    entered.wait(60)
    edits = (
        lambda: moved.yank("acme-lib", [filename(version="2.0")], "loses data", ALICE),
        lambda: moved.yank("acme-lib", [filename()], "why", ALICE),
    )
    others = [threading.Thread(target=run, args=(edit,)) for edit in edits]
    for other in others:
        other.start()
    while len(moved._catalogue._projects._gates["indexes/main/acme-lib.json"].waiting) < 2:
        time.sleep(0.001)
    go.set()
    for thread in (first, *others):
        thread.join()
    assert sorted(type(each).__name__ for each in done) == ["Moved", "Project", "Project"]


class Publishers:
    """Four clients that publish to two servers until they are refused, and remember what they were answered."""

    def __init__(self, store: Store) -> None:
        self.answered: list[tuple[str, str]] = []
        self.refused: list[tuple[str, str]] = []
        self._nodes = [opened(store) for _ in range(2)]
        self._threads = [threading.Thread(target=self._work, args=(number,)) for number in range(4)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()
        while len(self.answered) < 12:
            time.sleep(0.001)

    def join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _work(self, number: int) -> None:
        for version in range(200):
            name = ("acme-lib", f"own{number}", f"new{number}-{version}")[version % 3]
            mine = (name, f"1{number}.{version}")
            try:
                publish(self._nodes[number % 2], *mine)
            except Moved:
                self.refused.append(mine)
                if len(self.refused) > 40:
                    return
            else:
                self.answered.append(mine)


def test_an_upload_that_is_answered_is_at_the_new_place_and_one_that_is_refused_is_not(
    store: Store, target: Store
) -> None:
    copy(fill(store), opened(target))
    publishers = Publishers(store)
    publishers.start()
    assert not problems_of(copy(opened(store), opened(target), catch_up=True))
    publishers.join()
    other = opened(target)
    assert publishers.refused
    assert all(filename(name, version) in live(other, name) for name, version in publishers.answered)
    assert not any(filename(name, version) in live(other, name) for name, version in publishers.refused)
    assert equal(store, target)
    assert not problems(other)


@pytest.mark.parametrize("point", [Point("before", n, "swap") for n in (1, 2, 3)])
def test_unsealing_can_be_killed_and_repeated(store: Store, target: Store, point: Point) -> None:
    fill(store)
    copy(opened(store), opened(target), catch_up=True)
    faulty = FaultyStore(store)
    index = opened(faulty)
    faulty.fail(point, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        index.unseal(jobs=1)
    with pytest.raises(Moved):
        publish(opened(store), "brand-new")
    assert 1 <= opened(store).unseal() <= 5 - point.nth
    publish(opened(store), "brand-new")


def test_the_last_copy_of_many_projects_asks_each_document_once_and_writes_only_what_changed(make: MakeStore) -> None:
    count = 2000
    source, target = RecordingStore(make("memory")), RecordingStore(make("memory"))
    index, other = opened(source), opened(target)
    publish(index)
    shape = json.loads(source.read("indexes/main/acme-lib.json")[0])
    names = {f"p{number}": f"p{number}" for number in range(count)}
    for number, name in enumerate(names):
        document = {**shape, "name": name, "display": name, "revision": f"{number:016x}", "files": {}}
        del document["sha256"]
        source.swap(f"indexes/main/{name}.json", json.dumps(document).encode(), None)
    index._catalogue._names.edit("indexes/main.json", lambda n: type(n)({**n.projects, **names}, n.revision))
    copy(index, other)
    publish(index, "p7", "2.0")
    publish(index, "brand-new")
    source.log.clear()
    target.log.clear()
    outcomes = copy(index, other, catch_up=True)
    assert Counter(states(outcomes).values()) == {"there": count, "copied": 2}
    asked = Counter(operation for operation, _ in source.log)
    projects = count + 2
    # One read and one seal of each document (with the names and the accounts), and two wheels, each with its metadata.
    assert asked["swap"] == projects + 2
    assert asked["open"] == projects + 2 + 2 * 2
    assert asked["list"] == 2
    assert not asked["add"]
    written = Counter(operation for operation, _ in target.log)
    assert written == {"open": projects + 2, "swap": 4, "add": 4, "list": 2}

"""A fault before and after every call of the store: a crash leaves rubbish, never a lie, and a retry mends it.

For each story (a first publish, a later one, a yank ...) the calls are counted on a run without a fault; then the story
is told anew for each moment before and after each call, with an error there, or with a kill that nobody catches.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from mypi import metadata
from mypi.model import Project
from mypi.repository import Repository, publishing
from mypi.store import Full, NotFound, Sealed, Store, Unavailable
from mypi.testing.doubles import FaultyStore, Point, RecordingStore
from tests import builders, stores
from tests.repository.shorthand import (
    ALICE,
    YEAR,
    Clock,
    attested,
    content,
    filename,
    live,
    package,
    problems,
    publish,
    scaled,
    settings,
    submission,
    sweep,
)
from tests.tally import Tally


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


def opened(store: Store, clock: Clock | None = None) -> Repository:
    return Repository(store, store, settings(), clock=clock or Clock())


def later(store: Store) -> Repository:
    """The index a year from now."""
    clock = Clock()
    clock.ahead = YEAR
    return opened(store, clock)


# Stories: what was there before, what is done, and what is so when it was done


def published_before(store: Store) -> None:
    publish(opened(store))


def removed_before(store: Store) -> None:
    published_before(store)
    opened(store).remove("acme-lib", [filename()], ALICE)


def rubbish_before(store: Store) -> None:
    removed_before(store)
    publish(opened(store), version="2.0")
    store.add(f"files/main/acme-lib/0123456789abcdef/{filename()}", io.BytesIO(b"rubbish"), 7)
    store.add(f"files/main/other/0123456789abcdef/{filename('other')}", io.BytesIO(b"rubbish"), 7)


def publish_signed(repository: Repository) -> None:
    publish(repository, signature=b"signed", attestations=attested())


def register(repository: Repository) -> None:
    repository.register(metadata.read(builders.metadata("acme-lib", "3.0")), ALICE)


def has_one_entry(project: Project, name: str) -> bool:
    return [file.filename for file in project.live].count(name) == 1 == sum(e.file == name for e in project.history)


STORIES: dict[str, tuple[Callable[[Store], None], Callable[[Repository], object], Callable[[Project], bool]]] = {
    "first publish": (lambda store: None, publish_signed, lambda p: has_one_entry(p, filename())),
    "later publish": (
        published_before,
        lambda repository: publish(repository, version="2.0"),
        lambda p: has_one_entry(p, filename(version="2.0")),
    ),
    "same publish": (published_before, publish, lambda p: has_one_entry(p, filename())),
    "register": (lambda store: None, register, lambda p: "3.0" in p.releases and len(p.history) == 1),
    "yank": (
        published_before,
        lambda repository: repository.yank("acme-lib", [filename()], "why", ALICE),
        lambda p: p.files[filename()].yanked == "why" and len(p.history) == 2,
    ),
    "remove": (
        published_before,
        lambda repository: repository.remove("acme-lib", [filename()], ALICE),
        lambda p: not p.live and len(p.history) == 2,
    ),
    "restore": (
        removed_before,
        lambda repository: repository.restore("acme-lib", [filename()], ALICE),
        lambda p: len(p.live) == 1 and len(p.history) == 3,
    ),
    "sweep": (
        rubbish_before,
        lambda repository: list(later(repository._files).sweep(ALICE, trash_days=1)),
        lambda p: p.files[filename()].purged and [f.version for f in p.live] == ["2.0"],
    ),
}


def pages_lie(repository: Repository) -> bool:
    """Tell whether a page names bytes that are not there, whole; this is the detector whose control is below."""
    named = repository.names()
    for name in named.value.projects if named else ():
        with suppress(NotFound):
            for file in repository.project(name).value.live:
                try:
                    assert len(content(repository, file, name)) == file.size
                except NotFound:
                    return True
    return bool(problems(repository))


def points_of(fresh_store: Callable[[], Store], story: str) -> list[Point]:
    before, act, _ = STORIES[story]
    store = fresh_store()
    before(store)
    repository = opened(counted := FaultyStore(store))
    started = counted.calls.copy()
    act(repository)
    store.close()
    return [point for point in counted.points() if point.nth > started[point.operation]]


ERRORS: dict[str, Callable[[], BaseException]] = {
    "unavailable": lambda: Unavailable("key", "injected"),
    "full": lambda: Full("key", "injected"),
    "sealed": lambda: Sealed("key", "injected"),
    "killed": Killed,
}

CASES = [("memory", error) for error in ERRORS] + [(kind, "killed") for kind in stores.STORES if kind != "memory"]
"""What is done about an error does not depend on the store, so the slower ones are only killed."""


def failed_at_each(
    fresh_store: Callable[[], Store], story: str, error: str, every: int = 1
) -> Iterator[tuple[Store, bool]]:
    """Tell the story once for each moment, or for every n-th of many.

    Yields the store, and whether the teller believes that all went well.
    """
    before, act, _ = STORIES[story]
    points = points_of(fresh_store, story)
    for point in points if len(points) < 6 else points[::every]:
        if error == "full" and (point.operation, point.when) == ("swap", "after"):
            continue  # a store that is full says that nothing was changed
        store = fresh_store()
        before(store)
        repository = opened(faulty := FaultyStore(store))
        faulty.fail(replace(point), ERRORS[error]())
        try:
            act(repository)
        except (Unavailable, Killed):
            yield store, False
        else:
            yield store, True
        store.close()


@pytest.mark.parametrize("kind, error", CASES, indirect=["kind"])
@pytest.mark.parametrize("story", sorted(STORIES))
def test_after_a_fault_nothing_lies_and_a_retry_makes_it_so(
    fresh_store: Callable[[], Store], kind: str, story: str, error: str, tally: Tally
) -> None:
    _, act, so = STORIES[story]
    tried = 0
    every = scaled(kind, memory=1, filesystem=1, slower=3, torture=1)  # an odd one meets both sides of the calls
    for store, answered_well in failed_at_each(fresh_store, story, error, every):
        tried += 1
        repository = opened(store)
        assert not pages_lie(repository)
        if answered_well:
            assert so(repository.project("acme-lib").value)
        act(repository)
        assert so(repository.project("acme-lib").value)
        assert not pages_lie(repository)
        # What the crash left goes with the next sweep, and nothing that is live with it.
        kept = live(repository)
        sweep(later(store), trash_days=10**6)
        assert live(opened(store)) == kept
        assert not problems(opened(store))
        named = {file.token for file in repository.project("acme-lib").value.files.values()}
        assert {entry.key.split("/")[3] for entry in store.list("files/")} <= named
    assert tried >= 2
    tally.add(f"crash points of the store, {kind}", tried)


def test_a_fault_while_bytes_are_added_leaves_nothing_of_them(fresh_store: Callable[[], Store]) -> None:
    adds = [point for point in points_of(fresh_store, "first publish") if point.operation == "add"]
    assert len(adds) == 8
    for point in adds:
        store = fresh_store()
        repository = opened(faulty := FaultyStore(store))
        faulty.fail(point, Full("key", "injected"))
        with pytest.raises(Full):
            publish_signed(repository)
        assert [entry.key for entry in store.list()] == ["store.json"]


def test_a_fault_of_the_clearing_up_hides_not_the_first_one(store: Store) -> None:
    repository = opened(faulty := FaultyStore(store))
    faulty.fail(Point("after", 2, "add"), Full("key", "the first"))
    faulty.fail(Point("before", 1, "delete"), Unavailable("key", "the second"))
    with pytest.raises(Full, match="the first"):
        publish(repository)
    assert not problems(opened(store))


def test_once_a_swap_was_sent_the_bytes_stay_whatever_it_answered(store: Store) -> None:
    recording = RecordingStore(faulty := FaultyStore(store))
    repository = opened(recording)
    for swaps in (2, 3, 4):
        faulty.fail(Point("before", swaps, "swap"), Unavailable("key", "injected"))
    with pytest.raises(Unavailable):
        publish(repository)
    with pytest.raises(Unavailable):
        publish(repository)
    assert not [operation for operation, _ in recording.log if operation == "delete"]


def test_control_a_publisher_that_swaps_before_it_adds_is_caught(
    fresh_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The positive control: with the document first and the bytes later, the same check finds a lie."""
    adding = publishing.Publisher._add
    late: list[Callable[[], None]] = []

    def postponed(self, *given):  # type: ignore[no-untyped-def]
        late.append(lambda: adding(self, *given))

    def careless(repository: Repository) -> None:
        late.clear()
        repository.publish(submission(*package()), ALICE)
        late.pop()()

    monkeypatch.setattr(publishing.Publisher, "_add", postponed)
    monkeypatch.setitem(STORIES, "careless", (lambda store: None, careless, lambda p: True))
    lies = [pages_lie(opened(store)) for store, _ in failed_at_each(fresh_store, "careless", "killed")]
    assert any(lies)
    assert not all(lies)

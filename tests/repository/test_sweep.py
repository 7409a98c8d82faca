"""The sweep: rubbish goes, and nothing that was answered is lost, whoever works beside it, whatever the clock says."""

from __future__ import annotations

import io
import random
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

import pytest

from mypi.model import Missing, ModelError, Taken
from mypi.repository import Damaged, Repository, publishing
from mypi.repository.identity import WrongStore
from mypi.store import Entry, NotFound, Reader, Source, Store, Tag, Unavailable
from mypi.testing.doubles import FaultyStore, Point, RecordingStore, WrappedStore
from tests.repository.shorthand import (
    ALICE,
    DAY,
    YEAR,
    Clock,
    content,
    entries,
    filename,
    live,
    package,
    problems,
    publish,
    scaled,
    settings,
    sweep,
)

ORPHAN = "files/main/acme-lib/0123456789abcdef/a.whl"
OF_NOBODY = "files/main/nobody/0123456789abcdef/a.whl"


def add(store: Store, key: str) -> None:
    store.add(key, io.BytesIO(b"rubbish"), 7)


def opened(store: Store, ahead: float = 0) -> Repository:
    clock = Clock()
    clock.ahead = ahead
    return Repository(store, store, settings(), clock=clock)


@pytest.fixture
def later(store: Store) -> Repository:
    """The same index, by a clock that is a year ahead."""
    return opened(store, YEAR)


def test_bytes_that_no_document_names_go(store: Store, repository: Repository, later: Repository) -> None:
    file = publish(repository)
    for key in (ORPHAN, ORPHAN + ".metadata", OF_NOBODY):
        add(store, key)
    done = sweep(later)
    assert sorted(done["acme-lib"].deleted) == [ORPHAN, ORPHAN + ".metadata"]
    assert (done["acme-lib"].freed, done["nobody"].deleted) == (14, (OF_NOBODY,))
    assert {entry.key.split("/")[3] for entry in entries(store, "files/")} == {file.token}
    assert content(repository, file) == package()[1]
    assert sweep(later) == {}


def test_rubbish_younger_than_the_grace_stays(store: Store, repository: Repository, clock: Clock) -> None:
    publish(repository)
    add(store, ORPHAN)
    clock.ahead = DAY - 60
    assert sweep(repository) == {}
    clock.ahead = DAY + 60
    assert sweep(repository)["acme-lib"].deleted == (ORPHAN,)


def test_a_removed_file_can_be_restored_until_its_days_are_over(
    store: Store, repository: Repository, clock: Clock
) -> None:
    file = publish(repository)
    repository.remove("acme-lib", [file.filename], ALICE)
    clock.ahead = 29 * DAY
    assert sweep(repository) == {}
    repository.restore("acme-lib", [file.filename], ALICE)
    assert content(repository, file) == package()[1]
    repository.remove("acme-lib", [file.filename], ALICE)
    clock.ahead = 58 * DAY
    assert sweep(repository) == {}
    clock.ahead = 60 * DAY
    assert sweep(repository)["acme-lib"].purged == (file.filename,)
    assert entries(store, "files/") == []


def test_a_purged_name_stays_taken(repository: Repository, later: Repository) -> None:
    file = publish(repository)
    repository.remove("acme-lib", [file.filename], ALICE)
    sweep(later)
    with pytest.raises(Missing, match="was purged"):
        repository.restore("acme-lib", [file.filename], ALICE)
    for text in ("x", "other"):
        with pytest.raises(Taken, match="removed for good; publish a new version"):
            publish(repository, content=text)
    assert repository.project("acme-lib").value.history[-1].did == "purge"


def test_a_removal_whose_bytes_are_gone_is_purged_all_the_same(
    store: Store, repository: Repository, later: Repository
) -> None:
    file = publish(repository)
    repository.remove("acme-lib", [file.filename], ALICE)
    for entry in entries(store, "files/"):
        store.delete(entry.key)
    assert sweep(later)["acme-lib"].purged == (file.filename,)
    assert sweep(later) == {}
    assert repository.project("acme-lib").value.files[file.filename].purged


def test_files_that_are_not_on_offer_are_kept(repository: Repository, later: Repository) -> None:
    file = publish(repository)
    repository.yank("acme-lib", [file.filename], "", ALICE)
    repository.set_status("acme-lib", "quarantined", "", ALICE)
    assert sweep(later) == {}
    assert not problems(repository)


def test_a_dry_run_says_it_all_and_changes_nothing(store: Store, repository: Repository, later: Repository) -> None:
    file = publish(repository)
    publish(repository, version="2.0")
    repository.remove("acme-lib", [file.filename], ALICE)
    add(store, ORPHAN)
    before = [(entry, store.read(entry.key)) for entry in entries(store)]
    planned = sweep(later, dry_run=True)
    assert [(entry, store.read(entry.key)) for entry in entries(store)] == before
    assert planned["acme-lib"].purged == (file.filename,)
    assert sweep(later) == planned


def test_a_project_without_rubbish_is_not_written(store: Store, repository: Repository, later: Repository) -> None:
    publish(repository)
    before = store.read("indexes/main/acme-lib.json")
    sweep(later)
    assert store.read("indexes/main/acme-lib.json") == before


def test_the_stores_own_rubbish_is_cleared_too(repository: Repository, later: Repository, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(later._files, "tidy", asked.append)
    sweep(later, dry_run=True)
    assert asked == []
    sweep(later)
    assert asked == [pytest.approx(later._clock() - DAY, abs=60)]


def test_days_beyond_the_calendar_keep_everything(repository: Repository, later: Repository) -> None:
    file = publish(repository)
    repository.remove("acme-lib", [file.filename], ALICE)
    assert sweep(later, trash_days=10**11) == {}


def test_keys_that_mypi_never_made_are_left_alone(store: Store, repository: Repository, later: Repository) -> None:
    publish(repository)
    for key in ("files/main/acme-lib/notes.txt", "files/main/acme-lib/no-token/a.whl", "elsewhere/a.whl"):
        add(store, key)
    before = entries(store)
    assert sweep(later) == {}
    assert entries(store) == before


def test_a_project_that_only_a_sweep_wrote_is_still_not_found(
    store: Store, repository: Repository, later: Repository
) -> None:
    add(store, OF_NOBODY)
    assert sweep(later)["nobody"].deleted == (OF_NOBODY,)
    with pytest.raises(NotFound):
        repository.project("nobody")
    assert repository.names() is None
    assert not problems(repository)


def test_what_a_lost_document_named_is_kept_for_the_day_when_it_is_restored(
    store: Store, repository: Repository, later: Repository
) -> None:
    publish(repository)
    before = entries(store, "files/")
    store._delete("indexes/main/acme-lib.json")  # nothing in the contract does it; a failing disk does
    assert sweep(later) == {}
    assert entries(store, "files/") == before


@pytest.mark.parametrize("data", [None, b'{"id":"other","format":1}', b"{"])
def test_the_store_of_somebody_else_is_refused_before_anything_is_deleted(
    store: Store, repository: Repository, later: Repository, data: bytes | None
) -> None:
    publish(repository)
    add(store, ORPHAN)
    tag = store.read("store.json")[1]
    if data is None:
        store._delete("store.json")
    else:
        store.swap("store.json", data, tag)
    before = entries(store)
    with pytest.raises(WrongStore):
        sweep(later)
    assert entries(store) == before


@pytest.mark.parametrize("operation", ["open", "list", "swap"])
def test_after_any_error_but_not_found_nothing_more_is_deleted(store: Store, operation) -> None:
    publish(opened(store))
    add(store, ORPHAN)
    counted = FaultyStore(store)
    repository = opened(counted, YEAR)
    started = counted.calls.copy()
    sweep(repository, dry_run=True)
    calls = counted.calls[operation] - started[operation] if operation != "swap" else 1
    for nth in range(1, calls + 1):
        recording = RecordingStore(faulty := FaultyStore(store))
        repository = opened(recording, YEAR)
        faulty.fail(Point("before", faulty.calls[operation] + nth, operation), Unavailable("key", "away"))
        with pytest.raises(Unavailable, match="away"):
            sweep(repository)
        done = [each for each, _ in recording.log]
        failed_at = len(done) - 1 - done[::-1].index(operation)
        assert "delete" not in done[failed_at:]
    assert calls


def test_a_damaged_document_stops_it(store: Store, repository: Repository, later: Repository) -> None:
    publish(repository)
    store.swap("indexes/main/acme-lib.json", b"{", store.read("indexes/main/acme-lib.json")[1])
    before = entries(store)
    with pytest.raises(Damaged):
        sweep(later)
    assert entries(store) == before


def test_bytes_that_somebody_else_deleted_first_are_no_error(store: Store, repository: Repository) -> None:
    publish(repository)
    add(store, ORPHAN)

    class Overtaken(WrappedStore):
        def _delete(self, key: str) -> None:
            super()._delete(key)
            super()._delete(key)

    assert sweep(opened(Overtaken(store), YEAR))["acme-lib"].deleted == (ORPHAN,)
    assert not entries(store, ORPHAN.rpartition("/")[0] + "/")


# Others at work


Deed = Callable[[Repository], object]


def prepare(store: Store) -> None:
    """A live file, a removed one, and rubbish; so that a sweep has everything to do."""
    repository = opened(store)
    publish(repository, version="0.1")
    publish(repository, version="0.2")
    repository.remove("acme-lib", [filename(version="0.2")], ALICE)
    add(store, ORPHAN)


DEEDS: dict[str, Deed] = {
    "publish": publish,
    "publish elsewhere": lambda repository: publish(repository, "nobody"),
    "remove": lambda repository: repository.remove("acme-lib", [filename(version="0.1")], ALICE),
    "restore": lambda repository: repository.restore("acme-lib", [filename(version="0.2")], ALICE),
    "sweep": lambda repository: list(repository.sweep(ALICE, trash_days=30)),
}


def kept(store: Store, deed: str, refused: bool) -> None:
    """Whatever came between: what was answered well is so, and no bytes are missing, also after one more sweep."""
    for _ in range(2):
        repository = opened(store)
        project = repository.project("acme-lib").value
        assert not problems(repository)
        if deed == "publish" and not refused:
            assert filename() in live(repository)
        if deed == "publish elsewhere" and not refused:
            assert live(repository, "nobody") == [filename("nobody")]
        if deed == "restore":
            assert (filename(version="0.2") in live(repository)) is not refused
            assert project.files[filename(version="0.2")].purged is refused
        assert (filename(version="0.1") in live(repository)) is (deed != "remove")
        for file in project.live:
            content(repository, file)
        sweep(opened(store, 2 * YEAR))
    assert not [entry.key for entry in entries(store) if entry.key == ORPHAN]


class Hooked(WrappedStore):
    """Calls ``hook`` before every operation."""

    hook: Callable[[], object] = staticmethod(lambda: None)

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        self.hook()
        return super()._open(key, start, stop, unless)

    def _add(self, key: str, source: Source, size: int) -> None:
        self.hook()
        super()._add(key, source, size)

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        self.hook()
        return super()._swap(key, data, expect)

    def _delete(self, key: str) -> None:
        self.hook()
        super()._delete(key)

    def _list(self, prefix: str) -> Iterator[Entry]:
        self.hook()
        yield from super()._list(prefix)


def attempt(deed: Deed, repository: Repository) -> bool:
    """Do it; tell whether it was refused."""
    try:
        deed(repository)
    except ModelError:
        return True
    return False


T = TypeVar("T")


def patiently(act: Callable[[], T]) -> T:
    """Do it, again when the store is unavailable: the spool of an upload may fall to a sweep a year ahead."""
    for _ in range(5):
        with suppress(Unavailable):
            return act()
    return act()


def interrupted_at(nth: int, by: Callable[[], object]) -> Callable[[], None]:
    left = [nth]

    def hook() -> None:
        left[0] -= 1
        if left[0] == 0:
            by()

    return hook


def calls_of(fresh_store: Callable[[], Store], deed: str) -> int:
    store = fresh_store()
    prepare(store)
    hooked = Hooked(store)
    repository = opened(hooked, YEAR if deed == "sweep" else 0)
    count: list[None] = []
    hooked.hook = lambda: count.append(None)  # type: ignore[method-assign]
    attempt(DEEDS[deed], repository)
    store.close()
    return len(count)


@pytest.mark.parametrize("outer, inner", [(d, "sweep") for d in DEEDS] + [("sweep", d) for d in DEEDS if d != "sweep"])
def test_one_comes_between_any_two_calls_of_the_other(
    fresh_store: Callable[[], Store], kind: str, outer: str, inner: str
) -> None:
    """Every point of a deed at which a whole sweep may come between, and every point of a sweep for a whole deed."""
    every = scaled(kind, memory=1, filesystem=1, slower=3, torture=1)
    assert come_between(fresh_store, outer, inner, every) > 1


def come_between(fresh_store: Callable[[], Store], outer: str, inner: str, every: int = 1) -> int:
    """Let ``inner`` come before each call of ``outer``, or every n-th; look at what is kept; return their number."""
    count = calls_of(fresh_store, outer)
    for nth in range(1, count + 1, every):
        store = fresh_store()
        prepare(store)
        hooked = Hooked(store)
        theirs, ours = opened(store, YEAR if inner == "sweep" else 0), opened(hooked, YEAR if outer == "sweep" else 0)
        told: list[bool] = []
        hooked.hook = interrupted_at(nth, lambda r=theirs, t=told: t.append(attempt(DEEDS[inner], r)))  # type: ignore[misc, method-assign]
        refused = attempt(DEEDS[outer], ours)
        assert len(told) == 1
        kept(store, outer if inner == "sweep" else inner, refused if inner == "sweep" else told[0])
        store.close()
    return count


def test_control_a_publisher_that_ignores_the_counter_is_caught(
    fresh_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The positive control: without the sweep counter an acknowledged upload is lost, and this is seen."""
    monkeypatch.setattr(publishing, "_publishing", lambda file, name, sweeps, by: lambda p: p.publish(file, by[0]))
    with pytest.raises(AssertionError):
        come_between(fresh_store, "publish", "sweep")


class Schedule:
    """Lets one of two workers go on at a time, from one call of the store to the next, in a given order."""

    def __init__(self, order: Iterable[int]) -> None:
        self._order = deque(order)
        self._running: int | None = None
        self._done: set[int] = set()
        self._changed = threading.Condition()

    def step(self, who: int) -> None:
        with self._changed:
            if self._running == who:
                self._running = None
                self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._running is None and self._is_next(who), 60)
            if self._order:
                self._order.popleft()
            self._running = who

    def finish(self, who: int) -> None:
        with self._changed:
            self._done.add(who)
            if self._running == who:
                self._running = None
            self._changed.notify_all()

    def _is_next(self, who: int) -> bool:
        while self._order and self._order[0] in self._done:
            self._order.popleft()
        return not self._order or self._order[0] == who


@pytest.mark.parametrize("deed", [deed for deed in DEEDS if deed != "sweep"])
def test_any_order_of_the_calls_of_both(fresh_store: Callable[[], Store], kind: str, deed: str) -> None:
    rounds = scaled(kind, memory=40, filesystem=8, slower=2, torture=5000)
    for seed in range(rounds):
        store = fresh_store()
        prepare(store)
        chance = random.Random(seed)
        schedule = Schedule([chance.randrange(2) for _ in range(30)])

        def work(who: int, store: Store = store, schedule: Schedule = schedule) -> bool:
            hooked = Hooked(store)
            repository = opened(hooked, YEAR * who)
            hooked.hook = lambda: schedule.step(who)  # type: ignore[method-assign]
            try:
                return attempt(DEEDS["sweep" if who else deed], repository)
            finally:
                schedule.finish(who)

        with ThreadPoolExecutor(2) as pool:
            refused, _ = pool.map(work, range(2))
        kept(store, deed, refused)
        store.close()


def test_sweeps_a_year_ahead_beside_uploads_removals_and_restores_lose_nothing(
    store: Store, repository: Repository, kind: str
) -> None:
    uploads = scaled(kind, memory=25, filesystem=12, slower=3, torture=300)
    done, projects = threading.Event(), ("acme-lib", "other")

    def work(number: int) -> set[tuple[str, str]]:
        """Publish, remove and restore; return what is live now."""
        name, ours = projects[number % 2], set()
        for minor in range(uploads):
            file = patiently(lambda n=name, v=f"{number}.{minor}": publish(repository, n, v))  # type: ignore[misc]
            removed = minor % 3 == 0
            if removed:
                patiently(lambda n=name, f=file: repository.remove(n, [f.filename], ALICE))  # type: ignore[misc]
            if minor % 6 == 0:
                removed = patiently(
                    lambda n=name, f=file: attempt(lambda r: r.restore(n, [f.filename], ALICE), repository)  # type: ignore[misc]
                )
            if not removed:
                ours.add((name, file.filename))
        return ours

    def sweep_on() -> int:
        swept = 0
        while not done.is_set():
            sweep(opened(store, YEAR))
            add(store, f"files/main/acme-lib/{swept:016x}/a.whl")
            swept += 1
        return swept

    with ThreadPoolExecutor(5) as pool:
        sweeper = pool.submit(sweep_on)
        try:
            acknowledged = set().union(*pool.map(work, range(4)))
        finally:
            done.set()
        assert sweeper.result()
    assert {(name, file) for name in projects for file in live(repository, name)} == acknowledged
    assert not problems(repository)

"""Copying an index between stores: whole, resumable, never undoing newer work, never a lie at the target."""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from mypi.repository import Outcome, Progress, Repository, SameStore
from mypi.repository.raws import Raw
from mypi.repository.replacing import Replacement
from mypi.store import Full, Store, Unavailable
from mypi.testing.doubles import FaultyStore, Operation, Point, RecordingStore, WrappedStore
from tests import stores
from tests.repository.moves import (
    KEY,
    SETTINGS,
    MakeStore,
    clone,
    copy,
    documents,
    equal,
    fill,
    holds,
    named,
    opened,
    problems_of,
    states,
)
from tests.repository.shorthand import ALICE, YEAR, Clock, entries, filename, live, problems, publish, sweep


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


@pytest.fixture
def source(make: MakeStore) -> Store:
    return make("memory")


@pytest.mark.parametrize("to", stores.STORES)
@pytest.mark.parametrize("kind", stores.STORES)
def test_everything_arrives_between_every_pair_of_stores(make: MakeStore, kind: str, to: str) -> None:
    source, target = make(kind), make(to)
    index, other = fill(source), opened(target)
    outcomes = copy(index, other)
    assert not problems_of(outcomes)
    assert states(outcomes) == {"acme-lib": "copied", "other": "copied"}
    assert sum(outcome.files for outcome in outcomes) == 5
    assert sum(outcome.size for outcome in outcomes) == sum(len(data) for data in named(source).values())
    assert equal(source, target)
    assert holds(source, KEY)
    assert not holds(target, KEY)
    assert not problems(other)
    # As often as wanted, and there is nothing to do.
    again = copy(index, other)
    assert states(again) == {"acme-lib": "there", "other": "there"}
    # The index at the new place lives on.
    publish(other, version="5.0")
    other.restore("acme-lib", [filename(version="3.0")], ALICE)
    assert {filename(version="3.0"), filename(version="5.0")} <= set(live(other))
    assert not problems(other)


def test_the_catalogue_may_lie_in_another_store_than_the_files(make: MakeStore) -> None:
    files, catalogue, target = make("filesystem"), make("memory"), make("memory")
    index, other = Repository(files, catalogue, SETTINGS), opened(target)
    publish(index)
    copy(index, other)
    assert live(other) == [filename()]
    assert not problems(other)
    # And back, into another pair.
    last = Repository(make("memory"), make("filesystem"), SETTINGS)
    copy(other, last)
    assert live(last) == [filename()]
    assert not problems(last)


def test_what_came_later_is_taken_the_next_time_and_nothing_else(source: Store, target: Store) -> None:
    index = fill(source)
    copy(index, opened(target))
    publish(index, version="5.0")
    publish(index, "new")
    index.yank("acme-lib", [filename()], "", ALICE)
    outcomes = copy(index, opened(target))
    assert states(outcomes) == {"acme-lib": "copied", "new": "copied", "other": "there"}
    assert sum(outcome.files for outcome in outcomes) == 2
    assert equal(source, target)


def test_documents_of_kinds_that_nobody_knows_yet_are_copied(source: Store, target: Store) -> None:
    fill(source)
    source.swap("quotas.json", b'{"users":{"alice":{}},"revision":"a"}', None)
    source.swap("indexes/dev.json", b'{"projects":{"x":"X"},"revision":"b"}', None)
    source.swap("indexes/dev/x.json", b'{"name":"x","display":"X","files":{},"history":[],"revision":"c"}', None)
    source.swap("once/token/1", b"{}", None)
    copy(opened(source), opened(target))
    assert documents(target) == {key: value for key, value in documents(source).items() if key != "once/token/1"}
    # One that somebody edits there is left alone, as is every document.
    tag = target.read("quotas.json")[1]
    target.swap("quotas.json", b'{"users":{},"revision":"d","copied":"a"}', tag)
    (left,) = [outcome for outcome in copy(opened(source), opened(target)) if outcome.state == "left"]
    assert left.problems[0].startswith("quotas.json was changed at the target")


def test_a_document_that_somebody_wrote_by_hand_is_copied_once(source: Store, target: Store) -> None:
    source.swap("quotas.json", b'{"users":{}}', None)
    source.swap("store.json", b'{"id":"a","format":1}', None)
    first, second = (copy(opened(source), opened(target)) for _ in range(2))
    assert [[o.state for o in outcomes if o.key == "quotas.json"] for outcomes in (first, second)] == [
        ["copied"],
        ["there"],
    ]


# Newer work


def test_newer_work_at_the_target_is_never_undone(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    copy(index, other)
    publish(other, version="6.0")
    publish(index, version="5.0")
    publish(index, "new")
    for _ in range(2):
        outcomes = copy(index, other)
        assert states(outcomes)["acme-lib"] == "left"
        (problem,) = problems_of(outcomes)
        assert problem.startswith("acme-lib was changed at the target since it was copied")
    assert filename(version="6.0") in live(other)
    assert filename(version="5.0") not in live(other)
    assert live(other, "new") == [filename("new")]
    assert not problems(other)


def test_a_project_of_the_same_name_that_was_never_copied_is_left_alone(source: Store, target: Store) -> None:
    index, other = opened(source), opened(target)
    publish(index, content="one")
    publish(index, "mine")
    publish(other, content="another")
    publish(other, "theirs")
    assert states(copy(index, other)) == {"acme-lib": "left", "mine": "copied"}
    assert other.names().value.projects == {"acme-lib": "acme-lib", "mine": "mine", "theirs": "theirs"}  # type: ignore[union-attr]
    assert not problems(other)


def test_an_old_backup_put_over_a_copy_takes_nothing_back(make: MakeStore) -> None:
    index, backup, other = opened(make("memory")), opened(make("memory")), opened(make("memory"))
    publish(index)
    copy(index, backup)
    publish(index, version="2.0")
    publish(index, "later")
    copy(index, other)
    assert states(copy(backup, other)) == {"acme-lib": "left"}
    assert len(live(other)) == 2
    assert live(other, "later")
    # Nor does it when the backup was served meanwhile, and has as long a history of its own.
    publish(backup, version="3.0")
    assert states(copy(backup, other)) == {"acme-lib": "left"}
    assert live(other) == [filename(version="1.0"), filename(version="2.0")]


def test_a_count_of_sweeps_never_goes_back(make: MakeStore) -> None:
    index, backup, store = opened(make("memory")), opened(make("memory")), make("memory")
    publish(index)
    copy(index, backup)
    index._catalogue.edit("acme-lib", lambda project: replace(project, sweeps=3))
    copy(index, opened(store))
    assert states(copy(backup, opened(store))) == {"acme-lib": "copied"}
    assert json.loads(store.read("indexes/main/acme-lib.json")[0])["sweeps"] == 3


@pytest.mark.parametrize("kind", stores.STORES)
def test_two_copies_to_one_place_at_a_time_both_end_well(make: MakeStore, kind: str) -> None:
    source, target = make("memory"), make(kind)
    index, other, third = fill(source), opened(target), opened(target)
    copied: list[list[Outcome]] = []

    class Late(Progress):
        """Lets the other copy pass by when this one has its first bytes under way."""

        def moved(self, size: int) -> None:
            if not copied:
                copied.append([])
                copied.append(copy(index, third))

    assert not problems_of(copy(index, other, progress=Late(), jobs=1))
    assert not problems_of(copied[1])
    assert equal(source, target)
    assert not problems(other)


def test_an_index_moves_back_with_what_was_done_meanwhile(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    copy(index, other)
    publish(other, version="5.0")
    publish(other, "new")
    outcomes = copy(other, index)
    assert states(outcomes) == {"acme-lib": "copied", "new": "copied", "other": "there"}
    assert equal(target, source)
    assert not problems(index)


def test_a_sweep_of_the_target_is_an_edit_of_it(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    copy(index, other)
    sweep(other, trash_days=0)
    assert states(copy(index, other)) == {"acme-lib": "left", "other": "there"}
    assert not problems(other)


def test_what_only_a_sweep_ever_wrote_is_no_work(source: Store, target: Store) -> None:
    index = opened(source)
    publish(index)
    target_clock = Clock()
    target_clock.ahead = YEAR
    other = opened(target, target_clock)
    target.add(f"files/main/acme-lib/0123456789abcdef/{filename()}", io.BytesIO(b"rubbish"), 7)
    sweep(other)
    counted = json.loads(target.read("indexes/main/acme-lib.json")[0])["sweeps"]
    assert counted
    assert states(copy(index, other)) == {"acme-lib": "copied"}
    # The count goes on, so that an upload which began before that sweep adds its bytes again.
    assert json.loads(target.read("indexes/main/acme-lib.json")[0])["sweeps"] == counted
    assert live(other) == [filename()]


def test_a_store_is_not_copied_onto_itself(source: Store) -> None:
    with pytest.raises(SameStore, match="are one store"):
        copy(fill(source), opened(source))


# Damage


def lose(store: Store, key: str) -> None:
    store.delete(key)


def cut(store: Store, key: str) -> None:
    data = store.read(key)[0][:-1]
    store.delete(key)
    store.add(key, io.BytesIO(data), len(data))


def flip(store: Store, key: str) -> None:
    data = store.read(key)[0][:-1] + b"?"
    store.delete(key)
    store.add(key, io.BytesIO(data), len(data))


@pytest.mark.parametrize("kind", ["memory", "filesystem"])
@pytest.mark.parametrize(
    "harm, said",
    [(lose, "is missing"), (cut, "bytes instead of"), (flip, "has the sha256")],
    ids=["lost", "cut", "flipped"],
)
def test_a_damaged_file_is_named_and_the_rest_is_copied(
    make: MakeStore, kind: str, harm: Callable[[Store, str], None], said: str
) -> None:
    source, target = make(kind), make(kind)
    index, other = fill(source), opened(target)
    (key,) = [key for key in named(source) if key.endswith(f"/{filename()}")]
    harm(source, key)
    outcomes = copy(index, other)
    assert states(outcomes) == {"acme-lib": "damaged", "other": "copied"}
    (problem,) = problems_of(outcomes)
    assert problem.startswith(f"{key}: {said}" if said != "bytes instead of" else f"{key}: has ")
    assert said in problem
    assert "put it back from a backup" in problem
    assert live(other) == []
    assert not problems(other)


def test_a_sidecar_that_is_damaged_is_named_too(source: Store, target: Store) -> None:
    index = fill(source)
    (key,) = [key for key in named(source) if key.endswith(".asc")]
    flip(source, key)
    assert problems_of(copy(index, opened(target)))[0].startswith(f"{key}: has the sha256")


def test_a_file_that_cannot_be_read_is_damage_and_a_store_that_is_away_an_end(source: Store, target: Store) -> None:
    fill(source)
    outcomes = copy(opened(FilesAway(source)), opened(target))
    assert states(outcomes) == {"acme-lib": "damaged", "other": "damaged"}
    assert len(problems_of(outcomes)) == 5 * 2 + 1
    assert all("cannot be read at the source: away" in problem for problem in problems_of(outcomes))
    failing = FaultyStore(source)
    index = opened(failing)
    # After the names comes the first project.
    failing.fail(Point("before", failing.calls["open"] + 2, "open"), Unavailable("indexes/main/acme-lib.json", "away"))
    with pytest.raises(Unavailable):
        copy(index, opened(target), jobs=1)
    assert states(copy(opened(source), opened(target))) == {"acme-lib": "copied", "other": "copied"}


class FilesAway(WrappedStore):
    """A disk on which no file can be opened, and none read to its end."""

    def _open(self, key, start, stop, unless):  # type: ignore[no-untyped-def]
        if key.startswith("files/") and key.endswith(".metadata"):
            raise Unavailable(key, "away")
        reader = super()._open(key, start, stop, unless)
        if key.startswith("files/"):
            reader._stream = Broken(key)
        return reader


class Broken:
    def __init__(self, key: str) -> None:
        self.key = key

    def read(self, size: int) -> bytes:
        raise Unavailable(self.key, "away")

    def close(self) -> None:
        pass


def test_bytes_of_another_size_at_the_target_are_named(source: Store, target: Store) -> None:
    index = fill(source)
    (key,) = [key for key in named(source) if key.endswith(f"/{filename()}")]
    other = opened(target)
    target.add(key, io.BytesIO(b"short"), 5)
    outcomes = copy(index, other)
    assert states(outcomes)["acme-lib"] == "damaged"
    assert problems_of(outcomes)[0].startswith(f"{key}: has 5 bytes instead of ")
    assert "delete it there" in problems_of(outcomes)[0]


@pytest.mark.parametrize("data", [b"[]", b"{", b'{"name":"other","display":"other","files":{},"history":[]}'])
def test_a_damaged_document_is_named_wherever_it_is(make: MakeStore, data: bytes) -> None:
    source, target = make("memory"), make("memory")
    index, other = fill(source), opened(target)
    source.swap("indexes/main/broken.json", data, None)
    target.swap("indexes/main/other.json", b"{", None)
    outcomes = copy(index, other)
    assert states(outcomes) == {"acme-lib": "copied"}
    said = sorted(problems_of(outcomes))
    assert said[0].startswith("indexes/main/broken.json: the document is damaged")
    assert said[0].endswith("(at the source)")
    assert said[1].startswith("indexes/main/other.json: the document is damaged")
    assert said[1].endswith("(at the target)")


def test_damaged_names_of_the_source_keep_no_project_back(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    tag = source.read("indexes/main.json")[1]
    source.swap("indexes/main.json", b'{"projects":[]', tag)
    outcomes = copy(index, other)
    assert {outcome.key for outcome in outcomes if outcome.state == "damaged"} == {"indexes/main.json"}
    assert other.names().value.projects == {"acme-lib": "acme-lib", "other": "other"}  # type: ignore[union-attr]
    assert not problems(other)


def test_damaged_names_of_the_target_are_told(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    target.swap("indexes/main.json", b"{", None)
    outcomes = copy(index, other)
    assert {outcome.state for outcome in outcomes if outcome.key != "accounts.json"} == {"damaged"}
    assert not list(target.list("files/"))


@pytest.mark.parametrize("operation", ["add", "swap"])
def test_a_target_that_is_full_ends_it(source: Store, target: Store, operation: Operation) -> None:
    index = fill(source)
    faulty = FaultyStore(target)
    other = opened(faulty)
    faulty.fail(Point("before", 2, operation), Full("files", "no room left"))
    with pytest.raises(Full):
        copy(index, other)
    copy(index, other)
    assert equal(source, target)


class HalfFull(WrappedStore):
    """Has no room for one project, and takes the bytes of the other very slowly."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.begun = threading.Event()
        self.ended: BaseException | None = None

    def _add(self, key, source, size):  # type: ignore[no-untyped-def]
        if "/other/" in key:
            self.begun.wait(60)
            raise Full(key, "no room left")
        self.begun.set()
        try:
            while source.read(1):
                time.sleep(0.01)
        except BaseException as exc:
            self.ended = exc
            raise


def test_an_error_stops_what_else_is_under_way(source: Store, target: Store) -> None:
    index = fill(source)
    half = HalfFull(target)
    with pytest.raises(Full):
        copy(index, opened(half), jobs=2)
    assert type(half.ended).__name__ == "_Stopped"


# Killed


def run(source: Store, target: Store, how: str) -> None:
    copy(opened(source), opened(target), catch_up=how == "catch up", jobs=1)


@pytest.mark.parametrize("how", ["copy", "catch up"])
@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("kind, error", [("memory", "killed"), ("memory", "unavailable"), ("filesystem", "killed")])
def test_killed_anywhere_the_target_never_lies_and_a_second_run_completes_it(
    make: MakeStore, kind: str, error: str, side: str, how: str
) -> None:
    full = make("memory")
    fill(full)
    source, target = clone(full, make(kind)), make(kind)
    counted = FaultyStore(source if side == "source" else target)
    run(*((counted, target) if side == "source" else (source, counted)), how)  # type: ignore[arg-type]
    points = [point for point in counted.points() if point.nth > 1 or point.operation != "open"]
    assert len(points) > 20
    # What is done about a fault does not depend on the store, so the slower one is killed at some.
    for point in points[:: 1 if kind == "memory" else 9]:
        source, target = clone(full, make(kind)), make(kind)
        faulty = FaultyStore(source if side == "source" else target)
        faulty.fail(point, Killed() if error == "killed" else Unavailable("key", "injected"))
        with suppress(Killed, Unavailable):
            run(*((faulty, target) if side == "source" else (source, faulty)), how)  # type: ignore[arg-type]
        assert not problems(opened(target))
        run(source, target, how)
        assert equal(source, target)
        assert not problems(opened(target))


def test_control_a_copy_that_swaps_before_it_carries_is_caught(
    make: MakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The positive control: with the document first and the bytes later, the same check finds a lie."""
    honest = Replacement.outcome

    def careless(self: Replacement, target: Raw | None) -> Raw | None:
        self.state = "copied"
        return None if target else self._copy(target)

    def late(self: Replacement, *given: str) -> Outcome:
        self.load()
        return honest(self, *given)

    monkeypatch.setattr(Replacement, "__call__", careless)
    monkeypatch.setattr(Replacement, "outcome", late)
    source, target = make("memory"), make("memory")
    fill(source)
    faulty = FaultyStore(target)
    index = opened(faulty)
    faulty.fail(Point("before", 1, "add"), Killed())
    with pytest.raises(Killed):
        copy(opened(source), index, jobs=1)
    assert problems(opened(target))


# Others at work


class Meddling(WrappedStore):
    """Does something once, right before a call that a test chooses."""

    def __init__(self, store: Store, operation: str, ending: str, act: Callable[[], object]) -> None:
        super().__init__(store)
        self._when = (operation, ending)
        self._act: Callable[[], object] | None = act

    def _meddle(self, operation: str, key: str) -> None:
        act = self._act
        if act and operation == self._when[0] and key.endswith(self._when[1]):
            self._act = None
            act()

    def _open(self, key, start, stop, unless):  # type: ignore[no-untyped-def]
        self._meddle("open", key)
        return super()._open(key, start, stop, unless)

    def _add(self, key, source, size):  # type: ignore[no-untyped-def]
        self._meddle("add", key)
        super()._add(key, source, size)

    def _swap(self, key, data, expect):  # type: ignore[no-untyped-def]
        self._meddle("swap", key)
        return super()._swap(key, data, expect)


def test_a_sweep_of_the_source_under_the_copy_is_followed(source: Store, target: Store) -> None:
    index = fill(source)
    key = filename(version="3.0")
    meddling = Meddling(source, "open", f"/{key}", lambda: sweep(index, trash_days=0))
    outcomes = copy(opened(meddling), opened(target))
    assert not problems_of(outcomes)
    assert equal(source, target)
    assert not problems(opened(target))


def test_a_source_that_changes_all_the_time_is_given_up(source: Store, target: Store) -> None:
    index = fill(source)
    lose(source, next(key for key in named(source) if key.endswith(f"/{filename()}")))
    restless = Meddling(source, "open", f"/{filename()}", lambda: None)
    reason = iter(range(100))

    def again() -> None:
        index.yank("acme-lib", [filename()], str(next(reason)), ALICE)
        restless._act = again

    restless._act = again
    assert states(copy(opened(restless), opened(target)))["acme-lib"] == "damaged"


def test_an_edit_of_the_target_under_the_copy_is_newer_work(source: Store, target: Store) -> None:
    index, other = fill(source), opened(target)
    copy(index, other)
    publish(index, version="5.0")
    meddling = Meddling(target, "swap", "acme-lib.json", lambda: publish(other, version="6.0"))
    assert states(copy(index, opened(meddling)))["acme-lib"] == "left"
    assert filename(version="6.0") in live(other)
    assert not problems(other)


def ahead() -> Clock:
    clock = Clock()
    clock.ahead = YEAR
    return clock


@pytest.mark.parametrize(
    "operation, ending", [("add", f"/{filename()}"), ("swap", "acme-lib.json"), ("swap", "main.json")]
)
@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
def test_a_sweep_of_the_target_under_the_copy_takes_nothing_that_is_named(
    source: Store, target: Store, operation: str, ending: str, before: bool
) -> None:
    index = opened(source)
    publish(index, version="0.1")
    if before:
        copy(index, opened(target))
    publish(index)
    other = opened(target, ahead())
    # Rubbish, so that the sweep has to swap the document.
    target.add("files/main/acme-lib/0123456789abcdef/old.zip", io.BytesIO(b"rubbish"), 7)
    meddling = Meddling(target, operation, ending, lambda: sweep(other))
    copy(index, opened(meddling))
    assert not problems(opened(target))
    copy(index, opened(target))
    assert not problems(opened(target))


def test_a_project_that_is_announced_under_the_copy_is_listed_before_its_bytes_come(
    source: Store, target: Store
) -> None:
    index = opened(source)
    publish(index)
    meddling = Meddling(source, "open", "main.json", lambda: None)
    late = opened(meddling)
    # After the names were read and before the documents are listed is no moment of its own: the list comes first.
    recording = RecordingStore(target)
    meddling._when, meddling._act = ("open", "acme-lib.json"), lambda: publish(index, "late")
    copy(late, opened(recording))
    copy(opened(source), opened(recording))
    wrote = [key for operation, key in recording.log if operation in ("swap", "add")]
    listed = [number for number, key in enumerate(wrote) if key == "indexes/main.json"]
    assert listed[-1] < min(number for number, key in enumerate(wrote) if "/late/" in key)
    assert equal(source, target)


def test_a_project_that_the_source_does_not_list_is_listed_at_the_target(source: Store, target: Store) -> None:
    index = fill(source)
    tag = source.read("indexes/main.json")[1]
    source.swap("indexes/main.json", b'{"projects":{},"revision":"0"}', tag)
    other = opened(target)
    copy(index, other)
    assert set(other.names().value.projects) == {"acme-lib", "other"}  # type: ignore[union-attr]
    assert not problems(other)


def test_a_swap_that_told_its_success_as_a_failure_is_recognised(source: Store, target: Store) -> None:
    index = fill(source)
    faulty = FaultyStore(target)
    other = opened(faulty)
    for swap in (2, 3, 4):
        faulty.fail(Point("after", swap, "swap"), Unavailable("key", "injected"))
    assert states(copy(index, other, jobs=1)) == {"acme-lib": "copied", "other": "copied"}
    assert equal(source, target)


def test_a_document_that_can_never_be_written_ends_it(
    source: Store, target: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mypi.repository.raws.ATTEMPTS", 2)
    index = fill(source)
    faulty = FaultyStore(target)
    other = opened(faulty)
    for swap in (2, 3):
        faulty.fail(Point("before", swap, "swap"), Unavailable("key", "injected"))
    with pytest.raises(Unavailable, match=r"2 attempts to write it failed \(at the target\)"):
        copy(index, other)


@pytest.mark.parametrize("kind", ["memory", "filesystem"])
def test_publishes_yanks_and_sweeps_under_the_copy_then_a_last_one(make: MakeStore, kind: str) -> None:
    source, target = make(kind), make(kind)
    fill(source)
    busy = threading.Event()

    def work(number: int) -> None:
        index = opened(source)
        for version in range(100):
            if busy.is_set():
                return
            publish(index, f"p{number}", f"{version}.0")
            index.yank(f"p{number}", [filename(f"p{number}", f"{version}.0")], "why", ALICE)
            index.remove(f"p{number}", [filename(f"p{number}", f"{version}.0")], ALICE)
            if version % 4 == 3:
                sweep(index, trash_days=0)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for worker in workers:
        worker.start()
    for _ in range(3):
        assert not problems_of(copy(opened(source), opened(target)))
        assert not problems(opened(target))
    busy.set()
    for worker in workers:
        worker.join()
    copy(opened(source), opened(target), catch_up=True)
    assert equal(source, target)
    assert not problems(opened(target))


# How far it is


def test_progress_adds_up(make: MakeStore) -> None:
    class Counted(Progress):
        measured = True
        all = done = kept = 0

        def total(self, size: int) -> None:
            self.all += size

        def moved(self, size: int) -> None:
            self.done += size

        def spared(self, size: int) -> None:
            self.kept += size

    source, target = make("memory"), make("memory")
    index = fill(source)
    first, second = Counted(), Counted()
    copy(index, opened(target), progress=first, jobs=1)
    assert first.all == first.done == sum(entry.size for entry in entries(source, "files/"))
    assert first.kept == 0
    copy(index, opened(target), progress=second, jobs=1)
    assert (second.all, second.done) == (first.all, 0)
    assert 0 < second.kept <= first.all
    apart = Counted()
    pair = Repository(make("memory"), make("memory"), SETTINGS)
    publish(pair)
    copy(pair, opened(make("memory")), progress=apart, jobs=1)
    assert apart.all == apart.done > 0

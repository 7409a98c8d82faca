"""Many at once: one winner of a name, nothing lost, nothing doubled; by threads and by processes."""

from __future__ import annotations

import functools
import multiprocessing
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from mypi.backends.filesystem import FilesystemStore
from mypi.model import File, Missing, Taken
from mypi.repository import Repository
from mypi.store import Store
from mypi.testing.doubles import RecordingStore
from tests.repository.shorthand import (
    ALICE,
    content,
    entries,
    filename,
    live,
    package,
    problems,
    publish,
    scaled,
    settings,
)


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Do it in so many threads that begin together; return the results and the errors."""
    barrier = threading.Barrier(count)

    def one(number: int) -> object:
        barrier.wait(60)
        try:
            return act(number)
        except Exception as exc:
            return exc

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def two_nodes(store: Store) -> Callable[[int], Repository]:
    """Two repositories over one store, as two processes have them; a number chooses one."""
    both = Repository(store, store, settings()), Repository(store, store, settings())
    return lambda number: both[number % 2]


def test_ten_writers_of_one_name_with_different_bytes_have_one_winner(store: Store) -> None:
    node = two_nodes(store)
    done = at_once(10, lambda number: publish(node(number), content=str(number)))
    winners = [(number, file) for number, file in enumerate(done) if isinstance(file, File)]
    assert len(winners) == 1
    assert sum(isinstance(each, Taken) for each in done) == 9
    ((number, file),) = winners
    assert live(node(0)) == [file.filename]
    assert content(node(1), file) == package(content=str(number))[1]
    assert len(node(0).project("acme-lib").value.history) == 1
    assert not problems(node(0))


def test_ten_writers_of_the_same_bytes_all_succeed_with_one_entry(store: Store) -> None:
    node = two_nodes(store)
    done = at_once(10, lambda number: publish(node(number)))
    (file,) = node(0).project("acme-lib").value.live
    assert done == [file] * 10
    assert len(node(0).project("acme-lib").value.history) == 1
    assert not problems(node(0))


def test_a_hundred_writers_of_one_project_lose_nothing(store: Store, kind: str) -> None:
    count = scaled(kind, memory=100, filesystem=100, slower=16, torture=200)
    recording = RecordingStore(store)
    node = two_nodes(recording)
    done = at_once(count, lambda number: publish(node(number), version=f"1.{number}"))
    assert [each for each in done if not isinstance(each, File)] == []
    assert live(node(0)) == [filename(version=f"1.{number}") for number in range(count)]
    assert len(node(0).project("acme-lib").value.history) == count
    assert not problems(node(1))


def test_many_first_publishes_are_all_listed(store: Store, kind: str) -> None:
    count = scaled(kind, memory=40, filesystem=40, slower=8, torture=100)
    node = two_nodes(store)
    done = at_once(count, lambda number: publish(node(number), f"project-{number}"))
    assert [each for each in done if not isinstance(each, File)] == []
    names = node(0).names()
    assert names
    assert set(names.value.projects) == {f"project-{number}" for number in range(count)}
    assert not problems(node(0))


def test_upload_remove_restore_and_yank_of_one_file_follow_one_another(store: Store, kind: str) -> None:
    node = two_nodes(store)
    name = [publish(node(0)).filename]
    deeds: list[Callable[[Repository], object]] = [
        lambda r: r.remove("acme-lib", name, ALICE),
        lambda r: r.restore("acme-lib", name, ALICE),
        lambda r: r.yank("acme-lib", name, "why", ALICE),
        lambda r: r.unyank("acme-lib", name, ALICE),
        publish,
    ]
    times = scaled(kind, memory=10, filesystem=6, slower=2, torture=50)
    done = at_once(10, lambda number: [_tell(deeds[(number + n) % 5], node(number)) for n in range(times)])
    assert not [each for each in done if isinstance(each, Exception)]
    removed, yanked = False, None
    for event in node(0).project("acme-lib").value.history[1:]:
        # Each change in the history was one: nothing was removed that was removed already.
        assert event.did in {"restore" if removed else "remove", "yank" if yanked is None else "unyank"}
        removed = {"remove": True, "restore": False}.get(event.did, removed)
        yanked = {"yank": "why", "unyank": None}.get(event.did, yanked)
    file = node(1).project("acme-lib").value.files[name[0]]
    assert (file.removed is not None, file.yanked) == (removed, yanked)
    assert not problems(node(0))


def _tell(deed: Callable[[Repository], object], repository: Repository) -> None:
    try:
        deed(repository)
    except (Taken, Missing):
        return


def test_readers_see_only_whole_versions_that_grow(store: Store, kind: str) -> None:
    count = scaled(kind, memory=30, filesystem=30, slower=5, torture=300)
    node = two_nodes(store)
    publish(node(0), version="0")
    done = threading.Event()

    def read() -> int:
        seen = 0
        while not done.is_set():
            project = node(1).project("acme-lib").value
            assert len(project.live) == len(project.history) >= seen
            seen = len(project.live)
            content(node(1), project.live[-1])
        return seen

    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for number in range(count):
                publish(node(0), version=f"1.{number}")
        finally:
            done.set()
        assert all(reader.result() for reader in readers)


# Processes


def publish_many(make: Callable[[], Store], number: int, count: int) -> list[str]:
    """What one process does: publish to a project that all share, yank each, and publish to one of its own."""
    store = make()
    repository = Repository(store, store, settings())
    done = []
    for minor in range(count):
        file = publish(repository, version=f"{number}.{minor}")
        repository.yank("acme-lib", [file.filename], "", ALICE)
        publish(repository, f"own-{number}", f"1.{minor}")
        done.append(file.filename)
    repository.close()
    return done


@pytest.mark.parametrize("processes, count", [(2, 15), (8, 4)])
def test_processes_that_share_a_folder_lose_nothing(tmp_path: Path, processes: int, count: int) -> None:
    make = functools.partial(FilesystemStore, str(tmp_path / "store"))
    store = make()
    store.check()
    # Spawned, not forked: nothing may depend on what a child inherits. Each is the first one to start.
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        futures = [pool.submit(publish_many, make, number, count) for number in range(processes)]
        acknowledged = {name for future in futures for name in future.result()}
    repository = Repository(store, store, settings())
    project = repository.project("acme-lib").value
    assert {file.filename for file in project.live} == acknowledged
    assert len(acknowledged) == processes * count
    assert all(file.yanked == "" for file in project.live)
    assert len(project.history) == 2 * len(acknowledged)
    names = repository.names()
    assert names
    assert set(names.value.projects) == {"acme-lib", *(f"own-{number}" for number in range(processes))}
    assert not problems(repository)
    assert len({entry.key.split("/")[3] for entry in entries(store, "files/main/acme-lib/")}) == len(acknowledged)

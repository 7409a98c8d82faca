"""Files that lock files name, fetched before anybody asks for them, through the same code as for clients."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

from packaging.version import Version

from ..locks import Pin
from ..model.remote import RemoteFile, RemotePage
from ..repository import in_threads
from ..store import StoreError
from . import Upstream
from .errors import UpstreamError

JOBS = 8
"""Pages or files that are asked for at a time."""

_ALGORITHMS = hashlib.algorithms_guaranteed - {"shake_128", "shake_256"}


@dataclass(frozen=True)
class Task:
    """A file to fetch; ``hashes`` are all that its lock file gives and its page does not."""

    name: str
    file: RemoteFile
    hashes: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Planned:
    """What a pin comes to: files to fetch, or ``ours``, or sentences about what is wrong."""

    pin: Pin
    tasks: tuple[Task, ...] = ()
    ours: bool = False
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fetched:
    """What became of a task: the bytes that came, or a sentence about what was wrong."""

    task: Task
    size: int = 0
    problem: str = ""


def plan(upstream: Upstream, pins: Iterable[Pin], *, jobs: int = JOBS) -> Iterator[Planned]:
    """Look every pin up on its page; yield what it comes to, in no promised order."""
    return in_threads(lambda pin: _planned(upstream, pin), _pins(pins), jobs, name="mypi-warm")


def fetch(
    upstream: Upstream, tasks: Iterable[Task], moved: Callable[[int], None] = lambda size: None, *, jobs: int = JOBS
) -> Iterator[Fetched]:
    """Fetch every file; yield what became of each. ``moved`` is told of bytes as they come, on several threads."""
    return in_threads(lambda task: _fetched(upstream, task, moved), tasks, jobs, name="mypi-warm")


def unkept(upstream: Upstream, tasks: Iterable[Task]) -> Iterator[str]:
    """Yield a sentence for each file that was fetched and is not kept, once what is under way has come to its end."""
    upstream.close()
    for task in tasks:
        served = upstream.kept(task.name)
        if served is None or task.file.filename not in served.cached.kept:
            yield f"{task.file.filename} came and is not kept; is mypi.upstream.limit too small, or the store full?"


def _pins(pins: Iterable[Pin]) -> Iterator[Pin]:
    """Yield each pin once; a Pin has a mapping in it, and so no hash of its own."""
    seen = set()
    for pin in pins:
        key = (pin.name, pin.version, frozenset(pin.files.items()), pin.hashes)
        if key not in seen:
            seen.add(key)
            yield pin


def _planned(upstream: Upstream, pin: Pin) -> Planned:
    try:
        if not upstream.theirs(pin.name):
            return Planned(pin, ours=True)
        page = upstream.page(pin.name).page
    except (UpstreamError, StoreError) as exc:
        return Planned(pin, problems=(f"{pin.name} {pin.version}: {exc}",))
    if pin.files:
        return _by_name(pin, page)
    version = Version(pin.version)
    return _by_version(pin, [file for file in page.files if Version(file.version) == version])


def _by_name(pin: Pin, page: RemotePage) -> Planned:
    """Find the files that a lock file names."""
    tasks: list[Task] = []
    problems: list[str] = []
    for filename, hashes in pin.files.items():
        file = page.file(filename)
        problem = _mismatch(file, hashes) if file else f"{filename} is not offered"
        if file and not problem:
            tasks.append(Task(pin.name, file, hashes - {_hash(file)}))
        else:
            problems.append(problem)
    return Planned(pin, tuple(tasks), problems=tuple(problems))


def _by_version(pin: Pin, files: list[RemoteFile]) -> Planned:
    """Find the files of a release: those with the hashes that a lock file gives, else all."""
    if not files:
        return Planned(pin, problems=(f"{pin.name} {pin.version} has no files",))
    chosen = tuple(Task(pin.name, file) for file in files if not pin.hashes or _hash(file) in pin.hashes)
    missing = sorted(pin.hashes - {_hash(file) for file in files})
    return Planned(
        pin, chosen, problems=tuple(f"{pin.name} {pin.version} has no file with the hash {each}" for each in missing)
    )


def _hash(file: RemoteFile) -> str:
    return f"{file.algorithm}:{file.digest}"


def _mismatch(file: RemoteFile, hashes: Iterable[str]) -> str:
    """Return a sentence if a lock file gives other hashes than the page, or such as cannot be computed."""
    for each in sorted(hashes):
        algorithm = each.partition(":")[0]
        if algorithm == file.algorithm and each != _hash(file):
            return f"{file.filename} has {_hash(file)} on its page, and the lock file wants {each}"
        if algorithm not in _ALGORITHMS:
            return f"{file.filename}: the lock file gives {each}, of a kind that is not known"
    return ""


def _fetched(upstream: Upstream, task: Task, moved: Callable[[int], None]) -> Fetched:
    digests = {each: hashlib.new(each.partition(":")[0], usedforsecurity=False) for each in task.hashes}
    size = 0
    try:
        with closing(upstream.open(task.name, task.file).pieces) as pieces:
            for piece in pieces:
                for digest in digests.values():
                    digest.update(piece)
                size += len(piece)
                moved(len(piece))
    except (UpstreamError, StoreError, OSError) as exc:
        return Fetched(task, size, f"{task.file.filename}: {exc}")
    return Fetched(task, size, _wrong(task, {each: digest.hexdigest() for each, digest in digests.items()}))


def _wrong(task: Task, found: Mapping[str, str]) -> str:
    for wanted, digest in found.items():
        algorithm, _, expected = wanted.partition(":")
        if digest != expected:
            return f"{task.file.filename} has {algorithm}:{digest}, and the lock file wants {wanted}"
    return ""

"""Stores around a store: one writes down what is asked of it, one fails at a chosen moment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, Literal, TypeVar

from ..store import Entry, Reader, Source, Store, Tag

T = TypeVar("T")
Operation = Literal["open", "add", "swap", "delete", "list"]


class WrappedStore(Store):
    """Passes everything on to another store; ``copy`` and ``add_all`` are made of its own ``open`` and ``add``."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.processes = store.processes
        self.nodes = store.nodes
        self.read_only = store.read_only

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        return self.store._open(key, start, stop, unless)

    def _add(self, key: str, source: Source, size: int) -> None:
        self.store._add(key, source, size)

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        return self.store._swap(key, data, expect)

    def _delete(self, key: str) -> None:
        self.store._delete(key)

    def _list(self, prefix: str) -> Iterator[Entry]:
        return self.store._list(prefix)

    def url(self, key: str, filename: str) -> str | None:
        return self.store.url(key, filename)

    def spool(self) -> IO[bytes]:
        return self.store.spool()

    def probe(self) -> None:
        self.store.probe()

    def check(self, *, catalogue: bool = True) -> None:
        self.store.check(catalogue=catalogue)

    def maintain(self, before: float) -> int:
        return self.store.maintain(before)

    def tidy(self, before: float) -> int:
        return self.store.tidy(before)

    def close(self) -> None:
        self.store.close()


class RecordingStore(WrappedStore):
    """Writes down each operation, with its key or prefix, in ``log`` when it is asked for.

    >>> from mypi.backends.memory import MemoryStore
    >>> store = RecordingStore(MemoryStore())
    >>> tag = store.swap("a", b"{}", None)
    >>> store.log
    [('swap', 'a')]
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.log: list[tuple[Operation, str]] = []

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        self.log.append(("open", key))
        return super()._open(key, start, stop, unless)

    def _add(self, key: str, source: Source, size: int) -> None:
        self.log.append(("add", key))
        super()._add(key, source, size)

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        self.log.append(("swap", key))
        return super()._swap(key, data, expect)

    def _delete(self, key: str) -> None:
        self.log.append(("delete", key))
        super()._delete(key)

    def _list(self, prefix: str) -> Iterator[Entry]:
        self.log.append(("list", prefix))
        return super()._list(prefix)


@dataclass(frozen=True)
class Point:
    """A moment of a run: before or after the effect of the n-th call (from 1) of one operation."""

    when: Literal["before", "after"]
    nth: int
    operation: Operation


class FaultyStore(WrappedStore):
    """Raises an error before or after the n-th call of an operation, once; an error after it hides that it was done.

    ``points`` lists the moments that a run has passed, so that a test can run once without a fault and then once with a
    fault at each. The error may be a BaseException that nobody catches, to stand for a kill.

    >>> from mypi.backends.memory import MemoryStore
    >>> store = FaultyStore(MemoryStore())
    >>> store.fail(Point("after", 1, "swap"), TimeoutError("no answer"))
    >>> store.swap("a", b"{}", None)
    Traceback (most recent call last):
    ...
    TimeoutError: no answer
    >>> store.read("a")[0]
    b'{}'
    >>> len(store.points())
    4
    """

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.calls: Counter[Operation] = Counter()
        self._faults: dict[Point, BaseException] = {}

    def fail(self, point: Point, error: BaseException) -> None:
        """Raise ``error`` when ``point`` is reached; calls are counted from the making of this store."""
        self._faults[point] = error

    def points(self) -> list[Point]:
        """Return every moment at which the calls so far could have failed."""
        return [
            Point(when, nth, operation)
            for operation, count in self.calls.items()
            for nth in range(1, count + 1)
            for when in ("before", "after")
        ]

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        return self._call("open", lambda: self.store._open(key, start, stop, unless), Reader.close)

    def _add(self, key: str, source: Source, size: int) -> None:
        self._call("add", lambda: self.store._add(key, source, size))

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        return self._call("swap", lambda: self.store._swap(key, data, expect))

    def _delete(self, key: str) -> None:
        self._call("delete", lambda: self.store._delete(key))

    def _list(self, prefix: str) -> Iterator[Entry]:
        nth = self._begin("list")
        yield from self.store._list(prefix)
        self._raise(Point("after", nth, "list"))

    def _call(self, operation: Operation, call: Callable[[], T], undo: Callable[[T], None] = lambda _: None) -> T:
        nth = self._begin(operation)
        result = call()
        try:
            self._raise(Point("after", nth, operation))
        except BaseException:
            undo(result)
            raise
        return result

    def _begin(self, operation: Operation) -> int:
        self.calls[operation] += 1
        nth = self.calls[operation]
        self._raise(Point("before", nth, operation))
        return nth

    def _raise(self, point: Point) -> None:
        if point in self._faults:
            raise self._faults.pop(point)

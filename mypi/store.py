"""The contract of a store: five operations on keys and bytes.

A store holds *files*, which are written once under fresh keys, and *documents*, which are small and replaced by
compare-and-swap. It never learns what a project or a request is. ``mypi.testing.StoreContract`` proves each sentence
of this module on any implementation.
A key is one or more segments joined by ``/``. No key is a folder of another: where ``a/b`` is stored, ``a/b/c`` is not.
"""

from __future__ import annotations

import re
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, ClassVar, NewType, Protocol

from .options import Option

Tag = NewType("Tag", str)
"""Names one version of one object: two versions of a document never share a tag."""

CHUNK = 256 * 1024
"""Bytes moved at a time: large enough that Python's share of a copy is small, small enough for a hundred at once."""

_SEGMENT = re.compile(r"[A-Za-z0-9_!+-][A-Za-z0-9_.!+-]{0,219}\Z")
_LONGEST_KEY = 900  # S3 takes 1,024 bytes, a configured prefix included


class StoreError(Exception):
    """A store could not do what was asked of ``key``; the cause is chained."""

    def __init__(self, key: str, reason: str) -> None:
        super().__init__(key, reason)
        self.key = key
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


class NotFound(StoreError, KeyError):
    """Nothing is stored under the key. Also a KeyError, so that traversal answers 404."""

    def __init__(self, key: str, reason: str = "not found") -> None:
        super().__init__(key, reason)


class Unchanged(StoreError):
    """The object still has the tag that the caller knows."""

    def __init__(self, key: str) -> None:
        super().__init__(key, "unchanged")


class Conflict(StoreError):
    """The document is not the version that was expected; nothing was written."""

    def __init__(self, key: str) -> None:
        super().__init__(key, "changed by somebody else")


class Truncated(StoreError):
    """The bytes ended before their size was reached, or went on after it."""


class Unavailable(StoreError):
    """The store cannot answer now. After a swap this means "perhaps": the document may have been replaced."""


class Full(Unavailable):
    """There is no room left; nothing was written. Reads go on."""


class Sealed(Unavailable):
    """The store takes no more writes until its cause is mended and mypi restarted; nothing more was promised."""


class InvalidKey(StoreError, ValueError):
    """The key or prefix is malformed: a mistake of the caller, found before any backend sees it."""

    def __init__(self, key: str) -> None:
        super().__init__(key[:200], "not a key of a store")


class Source(Protocol):
    """Where bytes come from: ``read`` gives at most ``size`` of them, and none only at the end."""

    def read(self, size: int, /) -> bytes: ...


class Stream(Source, Protocol):
    """What a backend hands to Reader: bytes from where the range starts."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Entry:
    """One line of a listing; ``modified`` is in seconds since 1970 by the store's clock."""

    key: str
    size: int
    modified: float


class Reader:
    """The bytes of one object, or of a range of them, as a stream.

    ``size`` is that of the whole object and ``tag`` its version, both from the same descriptor, response or
    transaction as the bytes; ``path`` names a local file that holds the object whole, or is None; ``remaining`` counts
    the bytes still to come. A stream that ends early raises Truncated: short bytes are never mistaken for the end. When
    the object is swapped or deleted meanwhile, it goes on with its version or raises Truncated or Unavailable.
    """

    def __init__(
        self, key: str, stream: Stream, *, size: int, tag: Tag, remaining: int, path: str | None = None
    ) -> None:
        self.key = key
        self.size = size
        self.tag = tag
        self.path = path
        self.remaining = remaining
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, or all that remain; b"" only at the end. Raises Truncated, Unavailable."""
        wanted = self.remaining if size < 0 else min(size, self.remaining)
        parts = []
        while wanted:
            part = self._stream.read(min(wanted, CHUNK) if size < 0 else wanted)
            if not part:
                raise Truncated(self.key, f"ended {self.remaining} bytes early")
            parts.append(part)
            wanted -= len(part)
            self.remaining -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def __iter__(self) -> Iterator[bytes]:
        while part := self.read(CHUNK):
            yield part

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Store(ABC):
    """A place for files and documents. Methods may be called from any thread.

    A backend implements the five methods that begin with _ and receives only well-formed keys; it wraps each error of
    its driver in a StoreError, with the cause.
    """

    options: ClassVar[tuple[Option, ...]] = ()
    """What may be set under ``mypi.storage.*``; the values are the keyword arguments of the class."""

    processes: bool = False
    """Several processes of one host may use the store at the same time."""

    nodes: bool = False
    """Several hosts may use the store at the same time."""

    metered: bool = False
    """Each read costs money, so that nothing is read for no request unless the settings ask for it."""

    read_only: bool = False
    """The store was opened by ``for_reading`` and takes no writes, since another process may be at work in it."""

    spool_folder: str | None = None
    """A local folder for bytes on their way in, which a server may use for its own buffers too; None: any will do."""

    @classmethod
    def for_reading(cls, **values: Any) -> Store:
        """Return a store that is only read from, given the values of the options.

        A backend that serves one process lets it stand beside that process, and says ``read_only``. Raises StoreError.
        """
        return cls(**values)

    @classmethod
    def local(cls, **values: Any) -> str | None:
        """Return the folder in which every ``path`` of a reader lies, by the options' values; None: there is none."""
        return None

    def open(self, key: str, start: int = 0, stop: int | None = None, *, unless: Tag | None = None) -> Reader:
        """Open an object, or its bytes from ``start`` to before ``stop``; a range beyond the end is cut to it.

        What it shows is durable, even where the swap that wrote it was not answered. Raises NotFound; Unchanged if
        ``unless`` is the object's tag, without moving its bytes; Unavailable.
        """
        return self._open(_checked(key), start, stop, unless)

    def still(self, key: str, tag: Tag) -> bool:
        """Tell whether an object is known, without asking anybody far away, to have a tag still.

        True says what ``Unchanged`` would, for less: most pages are asked for again as they were. False says nothing.
        """
        return False

    def read(self, key: str, *, unless: Tag | None = None) -> tuple[bytes, Tag]:
        """Return a whole object, such as a document, with its tag. Raises as ``open`` does, and Truncated."""
        with self.open(key, unless=unless) as reader:
            return reader.read(), reader.tag

    def add(self, key: str, source: Source, size: int) -> None:
        """Store the bytes of ``source``, from where it stands, as a new file under a key that was never used.

        When this returns the file is durable. ``source`` must give exactly ``size`` bytes, else Truncated and nothing
        is stored; errors of its own come through. A key that exists: undefined. Raises Full, Sealed, Unavailable.
        """
        self._add(_checked(key), source, size)

    def swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        """Replace a document if and only if its tag is ``expect`` (None: it must not exist); return the new tag.

        When this returns the document is durable, and every later ``open`` anywhere sees it. ``data`` must differ from
        every earlier version, which a fresh revision in it ensures. Raises Conflict, with the version that caused it
        durable; Full, with nothing changed; Unavailable and Sealed, which mean "perhaps".
        """
        return self._swap(_checked(key), data, expect)

    def delete(self, key: str) -> None:
        """Delete a file, or a spent ``once/`` or ``upstream/`` record; no other one. Raises NotFound, Unavailable."""
        self._delete(_checked(key))

    def list(self, prefix: str = "") -> Iterator[Entry]:
        """Yield the objects below ``prefix``, a folder that ends in ``/`` (or all), in no promised order.

        What is there all the while is listed once. Memory does not grow with the listing. Raises Unavailable.
        """
        if prefix and not (prefix.endswith("/") and is_key(prefix[:-1])):
            raise InvalidKey(prefix)
        return self._list(prefix)

    def copy(self, key: str, fresh: str) -> None:
        """Store the bytes of a file again under a fresh key. Raises as ``open`` and ``add`` do."""
        self._copy(_checked(key), _checked(fresh))

    def url(self, key: str, filename: str) -> str | None:
        """Return a link that a client may follow to the bytes instead, or None: stream them through mypi."""
        return None

    def spool(self) -> IO[bytes]:
        """Return a nameless or self-removing file for bytes on their way in, where ``add`` takes it cheaply."""
        return tempfile.TemporaryFile()

    def probe(self) -> None:
        """Raise what a write would raise now, as far as that is known without one."""

    def check(self, *, catalogue: bool = True) -> None:
        """Prove at start-up that the store can keep the contract. Raises StoreError with what to do.

        One that is no ``catalogue`` keeps files; its only document, ``store.json``, is made once and never contended.
        """

    def maintain(self, before: float) -> int:
        """Clear away the store's own rubbish from before a time in seconds since 1970; return how much there was."""
        return 0

    def tidy(self, before: float) -> int:
        """Do the part of ``maintain`` that every sweep can afford: all of it, unless a backend says otherwise."""
        return self.maintain(before)

    def close(self) -> None:
        """Give back what the store holds open. It is not used afterwards."""

    def _copy(self, key: str, fresh: str) -> None:
        with self._open(key, 0, None, None) as reader:
            self._add(fresh, reader, reader.size)

    @abstractmethod
    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader: ...
    @abstractmethod
    def _add(self, key: str, source: Source, size: int) -> None: ...
    @abstractmethod
    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag: ...
    @abstractmethod
    def _delete(self, key: str) -> None: ...
    @abstractmethod
    def _list(self, prefix: str) -> Iterator[Entry]: ...


def copy_exactly(key: str, source: Source, target: IO[bytes], size: int) -> None:
    """Move ``size`` bytes from source to target; Truncated if the source has fewer or more. For backends' ``add``."""
    left = size
    while left and (part := source.read(min(left, CHUNK))):
        target.write(part)
        left -= len(part)
    if left or source.read(1):
        raise Truncated(key, f"the source did not give the {size} bytes that were announced")


def is_key(key: str) -> bool:
    """Tell whether a key is well-formed. For backends that share a place with what is none of theirs."""
    return len(key) <= _LONGEST_KEY and all(map(_SEGMENT.match, key.split("/")))


def _checked(key: str) -> str:
    if not is_key(key):
        raise InvalidKey(key)
    return key

"""Bytes of upstream files that are kept in our store, and verified again whenever the whole of them is read.

A document names what is kept. Bytes are added before they are named, and no more named before they are deleted: what
goes wrong on the way leaves rubbish, which the sweep finds.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timezone
from typing import IO, Protocol

from ..model.remote import Cached, Kept, RemoteFile, Site
from ..repository import Outside
from ..store import NotFound, Reader, StoreError, Tag
from .errors import Garbage
from .flights import SMALL
from .space import Space

log = logging.getLogger(__name__)

_PIECE = 256 * 1024
_REMEMBERED = 10_000


class Stream(Protocol):
    """Pieces of bytes, which must be closed."""

    def __iter__(self) -> Iterator[bytes]: ...
    def __next__(self) -> bytes: ...
    def close(self) -> None: ...


class Shelf:
    """Finds kept bytes and keeps more, as far as ``space`` allows. Methods may be called from any thread.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, outside: Outside, space: Space, *, clock: Callable[[], float] = time.time) -> None:
        self._outside = outside
        self._space = space
        self._clock = clock
        self._right: set[tuple[str, Tag]] = set()
        """What this process has read whole and found right, so that somebody else may send it."""

    def known(self, cached: Cached) -> Cached:
        """Return what is known of a name by now."""
        try:
            held = self._outside.get(cached.site, cached.name)
        except StoreError as exc:
            log.warning("what is kept of %s cannot be read: %s", cached.name, exc)
            return cached
        return held.value if held else cached

    def open(
        self, cached: Cached, filename: str, digest: str, start: int = 0, stop: int | None = None
    ) -> Volume | None:
        """Open bytes of a digest that are kept for a file; None if there are none, or none that are as they were."""
        known = cached.kept.get(filename)
        if known is None or known.digest != digest:
            return None
        reader = self._reader(cached, filename, known, start, stop)
        if reader is None:
            return None
        if reader.remaining == known.size <= SMALL:
            with reader:
                found = self._small(reader, known)
            if found is None:
                self.forget(cached, filename, known)
                return None
            self._found_right(known, reader)
            volume = Volume(iter([found] if found else []), known.size, lambda: None, reader.path)
        else:
            path = reader.path if (known.key, reader.tag) in self._right else None
            whole = reader.remaining == known.size
            pieces = self._whole(reader, cached, filename, known) if whole else _pieces(reader)
            volume = Volume(pieces, known.size, reader.close, path)
        self._touch(cached, filename, known)
        return volume

    def takes(self, file: RemoteFile) -> bool:
        """Tell whether a file will be kept once it has come, as far as can be told."""
        return self._space.takes(file.size or 0)

    def read(self, known: Kept, start: int, stop: int) -> bytes:
        """Return a part of kept bytes. Raises StoreError."""
        with self._outside.open(known.key, start, stop) as reader:
            return reader.read()

    def keep(
        self, site: Site, name: str, file: RemoteFile, source: tuple[IO[bytes], int] | None, *, origin: str = ""
    ) -> None:
        """Keep bytes that are right, if they may be and can be: nobody's download fails for want of that."""
        if source is None:
            log.warning("%s is not kept: the disk of the store has no room", file.filename)
            return
        stream, size = source
        if not self._space.takes(size):
            return
        try:
            key = self._outside.add(site.name, name, file, stream, size)
            self._name(site, name, file.filename, Kept(key, size, file.digest, self._today(), origin))
        except StoreError as exc:
            log.warning("%s cannot be kept: %s", file.filename, exc)
            return
        self._space.added(size)

    def forget(self, cached: Cached, filename: str, known: Kept) -> None:
        """Keep something no more."""

        def change(present: Cached) -> Cached:
            found = present.kept.get(filename)
            if found is None or found.key != known.key:
                return present
            return replace(present, kept={name: kept for name, kept in present.kept.items() if name != filename})

        with _logged(f"{filename} is damaged in the store and cannot be forgotten"):
            self._outside.edit(cached.site, cached.name, change)
            self._outside.drop(known.key)

    def _name(self, site: Site, name: str, filename: str, kept: Kept) -> None:
        """Write down where the bytes are, unless another node was first, whose bytes are as good."""
        replaced: list[str] = []

        def change(present: Cached) -> Cached:
            before = present.kept.get(filename)
            same = before is not None and (before.digest, before.source) == (kept.digest, kept.source)
            replaced[:] = [kept.key if same else before.key] if before and before.key != kept.key else []
            return present if same else replace(present, kept={**present.kept, filename: kept})

        self._outside.edit(site.name, name, change)
        for key in replaced:
            with _logged(f"{key} is needed no more and cannot be deleted"):
                self._outside.drop(key)

    def _reader(self, cached: Cached, filename: str, known: Kept, start: int, stop: int | None) -> Reader | None:
        try:
            reader = self._outside.open(known.key, start, stop)
        except NotFound:
            # The document that we know may be older than the space that somebody made.
            self.forget(cached, filename, known)
            return None
        except StoreError as exc:
            log.warning("%s of %s cannot be read here and is fetched again: %s", filename, cached.site, exc)
            return None
        if reader.size != known.size:
            reader.close()
            self.forget(cached, filename, known)
            return None
        return reader

    def _small(self, reader: Reader, known: Kept) -> bytes | None:
        """Read a small file whole; None if it is not what was kept."""
        try:
            data = reader.read()
        except StoreError as exc:
            log.warning("%s", exc)
            return None
        return data if _hasher(known.digest, data).hexdigest() == known.digest else None

    def _whole(self, reader: Reader, cached: Cached, filename: str, known: Kept) -> Iterator[bytes]:
        """Yield a file, its last piece only if all of it is what was kept."""
        digest = _hasher(known.digest)
        last = b""
        for piece in _pieces(reader):
            if last:
                yield last
            digest.update(piece)
            last = piece
        if digest.hexdigest() != known.digest:
            self.forget(cached, filename, known)
            raise Garbage(f"{filename} is damaged in the store; it will be fetched again")
        self._found_right(known, reader)
        yield last

    def _found_right(self, known: Kept, reader: Reader) -> None:
        if len(self._right) >= _REMEMBERED:
            self._right.clear()
        self._right.add((known.key, reader.tag))

    def _touch(self, cached: Cached, filename: str, known: Kept) -> None:
        """Note the day of the last use, so that what nobody wants goes first."""
        today = self._today()
        if known.used >= today:
            return

        def use(present: Cached) -> Cached:
            kept = present.kept.get(filename)
            if kept is None or kept.used >= today:
                return present
            return replace(present, kept={**present.kept, filename: replace(kept, used=today)})

        with _logged(f"the use of {filename} cannot be noted"):
            self._outside.edit(cached.site, cached.name, use)

    def _today(self) -> str:
        return datetime.fromtimestamp(self._clock(), timezone.utc).date().isoformat()


class Volume:
    """Pieces of a kept file, whose whole size is known; ``path`` is a local file with all of it, known to be right."""

    def __init__(self, pieces: Iterator[bytes], size: int, close: Callable[[], None], path: str | None) -> None:
        self.size = size
        self.path = path
        self._pieces = pieces
        self.close = close

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)


def _pieces(reader: Reader) -> Iterator[bytes]:
    while piece := reader.read(_PIECE):
        yield piece


def _hasher(digest: str, data: bytes = b"") -> hashlib._Hash:
    """Return a hash of the kind that a digest is of, by its length."""
    return hashlib.new({64: "sha256", 96: "sha384"}.get(len(digest), "sha512"), data)


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except NotFound:
        pass
    except StoreError as exc:
        log.warning("%s: %s", what, exc)

"""A store in a folder of the local file system.

An object's path is its key. Beside them, ``.spool`` holds bytes on their way in and ``.locks`` the locks of documents.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

from mypi import options
from mypi.options import Option
from mypi.store import Conflict, Entry, Reader, Source, Store, Tag, Unchanged, copy_exactly

from .disk import Disk
from .files import File, Spool, errors, make_later
from .probe import prove


class FilesystemStore(Store):
    """Keeps each object as a file of its own; several processes of one host may share the folder.

    Writes are durable when they return: the bytes, the name, and the name of every folder on the way. Run ``check``
    before the first use: it makes the folders that the store needs.
    """

    options = (Option("path", options.path, None, "The folder that holds everything; on a local disk."),)
    processes = True

    def __init__(self, path: str) -> None:
        self._disk = Disk(Path(path))

    @classmethod
    def for_reading(cls, **values: Any) -> FilesystemStore:
        """Return the store, which takes no writes where its file system takes none: a snapshot, a failing disk."""
        store = cls(**values)
        store.read_only = store._disk.take_no_writes()
        return store

    @classmethod
    def local(cls, **values: Any) -> str | None:
        """Return the folder, in which an object's path is its key."""
        return str(values["path"])

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        path = self._disk.name(key)
        if unless is not None and self.still(key, unless):
            raise Unchanged(key)
        with errors(key), ExitStack() as held:
            with self._disk.finding(key):
                stream = held.enter_context(File(path, "rb", key))
            found = os.fstat(stream.fileno())
            self._disk.confirm(key)
            first = min(start, found.st_size)
            last = found.st_size if stop is None else min(stop, found.st_size)
            if first:
                stream.seek(first)
            held.pop_all()
        return Reader(key, stream, size=found.st_size, tag=_tag(found), remaining=max(0, last - first), path=path)

    def still(self, key: str, tag: Tag) -> bool:
        """Tell it by one system call; trouble is told by who opens the file."""
        try:
            return _tag(os.stat(self._disk.name(key))) == tag  # noqa: PTH116 - a Path is dearer than the call
        except OSError:
            return False

    def _add(self, key: str, source: Source, size: int) -> None:
        self._disk.refuse_if_sealed(key)
        if isinstance(source, Spool) and source.holds(self._disk.incoming, size):
            self._add_spool(key, source)
            source.seal()
            return
        with self._disk.spool(key) as spool:
            copy_exactly(key, source, spool, size)
            self._add_spool(key, spool)

    def _add_spool(self, key: str, spool: Spool) -> None:
        with errors(key):
            spool.flush()
            self._disk.finish(spool.fileno(), key)
            self._disk.place(key, spool, os.link, self._disk.new_folder)

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        with errors(key), self._disk.locked(key) as lock:
            self._disk.refuse_if_sealed(key)
            lock.settle()
            before = self._existing(key)
            if (_tag(before) if before else None) != expect:
                raise Conflict(key)
            with self._disk.spool(key) as spool:
                spool.write(data)
                spool.flush()
                if before:
                    make_later(spool.fileno(), before.st_mtime_ns)
                self._disk.finish(spool.fileno(), key)
                lock.doubt(key)
                # Whoever stored the predecessor made its folders durable first, so that only a new document must.
                folder = self._disk.folder if before else self._disk.new_folder
                self._disk.place(key, spool, os.replace, folder)
                lock.clear()
                return _tag(os.fstat(spool.fileno()))

    def _existing(self, key: str) -> os.stat_result | None:
        try:
            return self._disk.path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _delete(self, key: str) -> None:
        self._disk.refuse_if_sealed(key)
        with errors(key), self._disk.finding(key), self._disk.folder(key) as folder:
            os.unlink(key.rpartition("/")[2], dir_fd=folder)
            self._disk.sync_folder(folder, key)
        self._disk.prune(key)

    def _list(self, prefix: str) -> Iterator[Entry]:
        with errors(prefix or "(all)"):
            self._disk.refuse_if_absent()
            yield from self._disk.walk(prefix)
            # Unmounted meanwhile, its objects would look deleted.
            self._disk.refuse_if_absent()

    def spool(self) -> IO[bytes]:
        """Return a file that removes itself when closed, which ``add`` of this store links instead of copying.

        It is linked when it is added from its beginning and whole; the caller must not write to it afterwards, and a
        write through this object raises UnsupportedOperation. Its own writes raise Full and Unavailable.
        """
        return self._disk.spool("(spool)")

    def probe(self) -> None:
        """Raise Sealed after a failed sync."""
        self._disk.refuse_if_sealed("(probe)")

    def check(self, *, catalogue: bool = True) -> None:
        """Make the store's folders; refuse what cannot keep the contract, such as a network file system."""
        prove(self._disk)
        self._disk.settle_all()

    def maintain(self, before: float) -> int:
        """Remove what uploads that were killed before a time left in the spool folder; return the number of files.

        A spool that is still open in any process stays, so that a wrong clock cannot harm an upload.
        """
        return self._disk.clear(self._disk.incoming, before)


def _tag(found: os.stat_result) -> Tag:
    return Tag(f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}")

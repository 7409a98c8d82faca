"""Carrying the bytes that a project names to another store, under the same keys, compared with their digests."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ..model import Project
from ..store import NotFound, Reader, Store, StoreError, Unavailable
from . import keys
from .contents import Content, contents


class Progress:
    """Is told how far a copy is; does nothing by itself. Its methods are called from several threads."""

    measured: bool = False
    """The size of all there is to copy is wanted, for which the source's files are listed."""

    def total(self, size: int) -> None:
        """There are so many bytes at the source."""

    def moved(self, size: int) -> None:
        """So many bytes more were copied."""

    def spared(self, size: int) -> None:
        """So many bytes more need no copying."""


@dataclass
class Load:
    """What was carried: published files of which anything was copied, bytes, and what is wrong, a sentence each."""

    files: int = 0
    size: int = 0
    problems: tuple[str, ...] = ()


class _Bad(Exception):
    """The bytes of the source are not what its document says."""


class _Stopped(Exception):
    """The copy is over, since something else failed."""


class Carrier:
    """Carries files of one store to another."""

    def __init__(self, source: Store, target: Store, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._progress = progress
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let every file that is under way end with an error."""
        self._stopped.set()

    def carry(self, index: str, project: Project) -> Load:
        """Copy what the project names and the target lacks. Raises errors of the target; for the source's see Load.

        Purged files have no bytes; removed ones can be restored, so theirs are copied.
        """
        there = {entry.key: entry.size for entry in self._target.list(keys.files(index, project.name))}
        load = Load()
        for file in project.files.values():
            if not file.purged:
                # What is marked as damaged is not on offer, here or there: it holds up nothing.
                named = [each for each in contents(index, project.name, file) if not each.marked]
                sizes = [self._one(content, there, load) for content in named]
                load.files += any(size is not None for size in sizes)
                load.size += sum(filter(None, sizes))
        return load

    def _one(self, content: Content, there: Mapping[str, int], load: Load) -> int | None:
        """Copy an object unless it is there; return its size if it was copied, and note in ``load`` what is wrong."""
        try:
            if content.key in there:
                self._compare(content, there[content.key])
                self._progress.spared(there[content.key])
                return None
            return self._copy(content)
        except _Bad as exc:
            load.problems += (f"{content.key}: {exc}",)
            return None

    def _compare(self, content: Content, size: int) -> None:
        # A store has a file whole or not at all, so that another size is no copy that was cut off.
        if content.size not in (None, size):
            raise _Bad(f"has {size} bytes instead of {content.size} at the target; delete it there and copy again")

    def _copy(self, content: Content) -> int:
        try:
            reader = self._source.open(content.key)
        except NotFound as exc:
            raise _Bad(f"is missing at the source; {_MEND}") from exc
        except StoreError as exc:
            raise _Bad(f"cannot be read at the source: {exc.reason}; {_MEND}") from exc
        with reader:
            if content.size not in (None, reader.size):
                raise _Bad(f"has {reader.size} bytes instead of {content.size} at the source; {_MEND}")
            try:
                self._target.add(content.key, _Checked(reader, content, self._progress, self._stopped), reader.size)
            except Unavailable:
                # Perhaps another copy to the same place was quicker: a store has a file whole or not at all.
                if not self._is_there(content.key, reader.size):
                    raise
            return reader.size

    def _is_there(self, key: str, size: int) -> bool:
        try:
            with self._target.open(key) as found:
                return found.size == size
        except NotFound:
            return False


_MEND = "put it back from a backup, or have its file removed and swept, and copy again"


class _Checked:
    """The bytes of a file on their way: a digest that is wrong is an error before the target has taken the last."""

    def __init__(self, reader: Reader, content: Content, progress: Progress, stopped: threading.Event) -> None:
        self._reader = reader
        self._content = content
        self._progress = progress
        self._stopped = stopped
        self._hash = hashlib.sha256()

    def read(self, size: int, /) -> bytes:
        if self._stopped.is_set():
            raise _Stopped
        try:
            part = self._reader.read(size)
        except StoreError as exc:
            raise _Bad(f"cannot be read at the source: {exc.reason}; {_MEND}") from exc
        self._hash.update(part)
        self._progress.moved(len(part))
        if not self._reader.remaining and self._hash.hexdigest() != self._content.sha256:
            wrong = f"has the sha256 {self._hash.hexdigest()} instead of {self._content.sha256}"
            raise _Bad(f"{wrong} at the source; {_MEND}")
        return part

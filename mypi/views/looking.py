"""What is in stored files: read once, as a page asks for it, and kept by the file's token."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from cachetools import LRUCache
from pyramid.config import Configurator

from .. import contents
from ..contents import Member, Unreadable
from ..model import File, Project
from ..repository import Repository
from .files import published

_KEPT = 8 * 2**20
_AT_A_TIME = 2
_QUEUE = 10.0  # seconds for which a page waits for its turn


class Inside:
    """Lists what is in the files of a repository. Methods may be called from any thread."""

    def __init__(self, repository: Repository, *, kept: int = _KEPT, queue: float = _QUEUE) -> None:
        self._repository = repository
        self._queue = queue
        self._lock = threading.Lock()
        self._kept: LRUCache[str, tuple[Member, ...] | str] = LRUCache(kept, getsizeof=_cost)
        self._turns = threading.BoundedSemaphore(_AT_A_TIME)

    def listing(self, project: Project, file: File) -> tuple[Member, ...]:
        """Return the files in a file. Raises Unreadable with a sentence for the page, and StoreError."""
        key = f"{project.name}/{file.token}/{file.filename}"
        found = self._find(key)
        if found is None:
            if not self._turns.acquire(timeout=self._queue):
                raise Unreadable("Too many files are being looked into; try again in a moment")
            try:
                found = self._find(key)  # whoever had the turn may have wanted the same
                if found is None:
                    found = self._read(project, file)
                    self._keep(key, found)
            finally:
                self._turns.release()
        if isinstance(found, str):
            raise Unreadable(found)
        return found

    def _find(self, key: str) -> tuple[Member, ...] | str | None:
        with self._lock:
            return self._kept.get(key)

    def _keep(self, key: str, found: tuple[Member, ...] | str) -> None:
        with self._lock:
            if _cost(found) <= self._kept.maxsize:
                self._kept[key] = found

    def _read(self, project: Project, file: File) -> tuple[Member, ...] | str:
        """Return what is in a file, or why that cannot be told, which no later try would change."""
        with ExitStack() as opened:
            try:
                return tuple(contents.listing(self._local(project, file, opened), file.filename))
            except Unreadable as exc:
                return str(exc)

    def _local(self, project: Project, file: File, opened: ExitStack) -> IO[bytes]:
        """Return the bytes as a file that can be read anywhere: the store's own, or a copy from where it is far."""
        with published():
            reader = opened.enter_context(self._repository.open_file(project, file))
        if reader.path is not None:
            return opened.enter_context(Path(reader.path).open("rb"))
        contents.check_size(file.filename, file.size)  # or it would be fetched for nothing
        spool = opened.enter_context(self._repository.spool())
        for part in reader:
            spool.write(part)
        return spool


def _cost(found: tuple[Member, ...] | str) -> int:
    if isinstance(found, str):
        return len(found) + 500
    return sum(len(member.name) + 200 for member in found) + 500


def includeme(config: Configurator) -> None:
    config.registry["mypi.inside"] = Inside(config.registry["mypi.repository"])

"""What is kept of other indexes: a document for each name at each, and bytes of their files. All of it can be lost.

It lies beside what is ours and never in it: no copy and no backup takes it along, and our sweep does not look at it.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

from ..model.remote import Cached, RemoteFile
from ..settings import Settings
from ..store import Entry, NotFound, Reader, Store
from . import keys
from .documents import Change, Damaged, Documents, Held
from .reading import stamped

log = logging.getLogger(__name__)


class Outside:
    """The documents are in the catalogue, the bytes in the store of files. Methods may be called from any thread."""

    def __init__(self, files: Store, catalogue: Store, settings: Settings) -> None:
        self._files = files
        self._catalogue = catalogue
        self._documents: Documents[Cached] = Documents(
            catalogue,
            lambda key, data: Cached.load(data),
            lambda key: Cached(*keys.outside_named_by(key)),
            cache_size=settings.cache_size,
            cache_seconds=settings.cache_seconds,
        )

    def get(self, site: str, name: str) -> Held[Cached] | None:
        """Return what is known of a name at an index, None if nothing is. Raises Unavailable."""
        try:
            return self._documents.get(keys.outside(site, name))
        except NotFound:
            return None
        except Damaged as exc:
            log.warning("%s; it can be lost, and is read anew from its index", exc)
            return None

    def passing(self, site: str, name: str) -> Cached | None:
        """Return the same as the store has it now, and remember it not: for who reads all. Raises as ``get``."""
        try:
            return self._documents.passing(keys.outside(site, name)).value
        except (NotFound, Damaged):
            return None

    def edit(self, site: str, name: str, change: Change[Cached]) -> Cached:
        """Make a change so; see Documents.edit. A document that is damaged counts as an empty one."""
        key = keys.outside(site, name)
        try:
            return self._documents.edit(key, change)
        except Damaged:
            tag = self._catalogue.read(key)[1]
            empty = Cached(site, name).revised(secrets.token_hex(8))
            self._catalogue.swap(key, stamped(empty.dump()), tag)
            return self._documents.edit(key, change)

    def names(self, *, before: float | None = None) -> Iterator[tuple[str, str]]:
        """Yield the index and the name of each document, in no promised order.

        ``before`` leaves out what was written since, in seconds since 1970.
        """
        for entry in self._catalogue.list(keys.OUTSIDE):
            if before is None or entry.modified < before:
                yield keys.outside_named_by(entry.key)

    def owner(self, key: str) -> tuple[str, str]:
        """Return the index and the name to which bytes belong."""
        return keys.outside_file_of(key)

    def add(self, site: str, name: str, file: RemoteFile, source: IO[bytes], size: int) -> str:
        """Keep the bytes of a file under a fresh key and return it. Raises Full, Unavailable."""
        key = keys.outside_file(site, name, file.filename)
        self._files.add(key, source, size)
        return key

    def open(self, key: str, start: int = 0, stop: int | None = None) -> Reader:
        """Open bytes that were kept. Raises NotFound, Unavailable."""
        return self._files.open(key, start, stop)

    def drop(self, key: str) -> None:
        """Delete bytes that no document names any more. Raises NotFound, Unavailable."""
        self._files.delete(key)

    def forget(self, site: str, name: str) -> None:
        """Forget what is known of a name at an index; its bytes must be dropped before. Raises Unavailable."""
        with suppress(NotFound):
            self._catalogue.delete(keys.outside(site, name))

    def bytes(self) -> Iterator[Entry]:
        """Yield all bytes that are kept, whoever names them, in no promised order. Raises Unavailable."""
        return self._files.list(keys.OUTSIDE_FILES)

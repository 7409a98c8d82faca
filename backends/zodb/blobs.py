"""The bytes of files: spooled on the database's own file system, handed to ZODB by renaming, and made durable.

ZODB itself renames a blob into its place without a sync, so that after a power loss it may be empty or gone.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from mypi.store import Full, Source, Truncated, Unavailable, copy_exactly

from ..filesystem.disk import Disk
from ..filesystem.files import File, Spool, errors

_REMEMBERED = 10_000  # folders known to be durable
_HANDED, _UNCOMMITTED = "add-", "BUC"  # how the names begin of what is handed to ZODB, ours and then its own


class Layout(Protocol):
    """ZODB's helper for a folder of blobs, as far as it is used here."""

    base_dir: str
    temp_dir: str

    def getPathForOID(self, oid: bytes) -> str: ...  # noqa: N802 - ZODB's name


class Blobs:
    """The folder of blobs: of the database itself where it is ``kept`` here, else a cache of what a server keeps."""

    def __init__(self, layout: Layout, *, kept: bool) -> None:
        self.kept = kept
        self._layout = layout
        self._base = Path(layout.base_dir)
        self._disk = Disk(self._base)
        self._known: set[Path] | None = set()

    def prepare(self) -> None:
        """Make the folder of spools, and try what ``add`` will need. Raises Unavailable with what to do."""
        with errors(str(self._base)):
            self._disk.incoming.mkdir(0o700, exist_ok=True)
            with self.spool(str(self._base)) as spool:
                try:
                    self._linked(spool).unlink()
                except OSError as exc:
                    if exc.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS):
                        raise
                    raise Unavailable(
                        str(self._base), "its file system has no hard links; keep it on one that has, such as ext4"
                    ) from exc

    def spool(self, key: str) -> Spool:
        """Return an empty file that removes itself, on the file system of the blobs."""
        return self._disk.spool(key)

    @property
    def spool_folder(self) -> str:
        return str(self._disk.incoming)

    @contextmanager
    def spooled(self, key: str, source: Source, size: int) -> Iterator[Spool]:
        """Give the bytes of ``source`` as a finished spool, which is the source itself if it is one of ours and whole.

        Raises Truncated, Full, Sealed.
        """
        self._disk.refuse_if_sealed(key)
        if isinstance(source, Spool) and source.holds(self._disk.incoming, size):
            self._finish(key, source)
            yield source
            source.seal()
            return
        with self._disk.spool(key) as spool:
            copy_exactly(key, source, spool, size)
            self._finish(key, spool)
            yield spool

    def _finish(self, key: str, spool: Spool) -> None:
        spool.flush()
        if self.kept:
            with errors(key):
                self._disk.finish(spool.fileno(), key)

    @contextmanager
    def handed_over(self, spool: Spool) -> Iterator[str]:
        """Give the bytes another name for ZODB to take away: each try of a commit may need one."""
        path = self._linked(spool)
        try:
            yield str(path)
        finally:
            path.unlink(missing_ok=True)

    def _linked(self, spool: Spool) -> Path:
        path = Path(self._layout.temp_dir, f"{_HANDED}{secrets.token_hex(8)}")
        os.link(spool.name, path)
        return path

    def settle(self, key: str, oid: bytes) -> None:
        """Make the name of a committed blob durable, with every folder on the way. Raises Sealed."""
        if not self.kept:
            return
        # Read after the commit: a pack that begins later finds the folders in use, and one before it has emptied this.
        known = self._known
        folder = Path(self._layout.getPathForOID(oid))
        self._sync(key, folder)
        fresh = []
        while folder != self._base and (known is None or folder not in known):
            fresh.append(folder)
            folder = folder.parent
            self._sync(key, folder)
        if known is not None:
            if len(known) >= _REMEMBERED:
                known.clear()
            known.update(fresh[1:])

    def _sync(self, key: str, folder: Path) -> None:
        with errors(key):
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                self._disk.sync_folder(fd, key)
            finally:
                os.close(fd)

    @contextmanager
    def packing(self) -> Iterator[None]:
        """Trust no folder to be durable while a pack removes empty ones, which a later ``add`` makes again."""
        self._known = None
        try:
            yield
        finally:
            self._known = set()

    def count(self) -> int:
        """Count the blobs that are kept here."""
        return sum(1 for _ in self._base.glob("0x*/**/*.blob")) if self.kept else 0

    def opened(self, key: str, blob: Any, size: int) -> tuple[str | None, File]:
        """Open the bytes of a blob, apart from its connection, with their path if they are kept here.

        Raises POSKeyError if they are gone, Truncated if they are not ``size`` bytes; Unavailable.
        """
        blob._p_activate()
        for _ in range(1 if self.kept else 2):
            # A connection closes the files that its blobs opened when it takes their newer state in, but not this one.
            with self._fetching(key), blob.open("c") as committed:
                stream = File(os.dup(committed.fileno()), "rb", key)
            found = os.fstat(stream.fileno()).st_size
            if found == size:
                return (committed.name if self.kept else None), stream
            stream.close()
            if not self.kept:
                # Nobody syncs a cache: after a power loss here it may hold less than the server does. Nor does ZEO mind
                # if what it fetches finds no room.
                full = self._room() < size - found
                Path(committed.name).unlink(missing_ok=True)
                if full:
                    raise self._no_room(key)
        raise Truncated(key, f"has {found} bytes instead of {size}; run mypi verify, and restore it from a backup")

    @contextmanager
    def _fetching(self, key: str) -> Iterator[None]:
        try:
            with errors(key):
                yield
        except Full as exc:
            raise self._no_room(key) from exc

    def _room(self) -> int:
        found = os.statvfs(self._base)
        return found.f_bavail * found.f_frsize

    def _no_room(self, key: str) -> Unavailable:
        return Unavailable(key, f"there is no room left for the cache of blobs, {self._base}; free some or give more")

    def refuse_if_sealed(self, key: str) -> None:
        """Raise Sealed if a sync failed before."""
        self._disk.refuse_if_sealed(key)

    def refuse_if_absent(self, key: str) -> None:
        """Raise Unavailable if the whole folder is away: an unmounted disk must not look like lost files."""
        with errors(key):
            self._disk.refuse_if_absent()

    def clear(self, before: float) -> int:
        """Remove the spools that killed processes left before a time; return how many there were.

        One that was being committed has another name in ZODB's own folder, and is the same file: its lock tells there
        too whether somebody works. What ZODB itself makes there, such as a blob on its way from a server, has none.
        """
        own = self._disk.clear(self._disk.incoming, before)
        return own + self._disk.clear(Path(self._layout.temp_dir), before, (_HANDED, _UNCOMMITTED))


def layout_of(storage: Any) -> Layout | None:
    """Return the helper for the folder of blobs of a storage, or None if it keeps none."""
    helper = getattr(getattr(storage, "blobhelper", storage), "fshelper", None)
    return helper if hasattr(helper, "base_dir") else None

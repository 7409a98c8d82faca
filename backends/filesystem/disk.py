"""Durable writes and locks in one folder: what a disk must have acknowledged before the store may."""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mypi.store import Entry, Full, NotFound, Sealed, Unavailable

from .files import ABSENT, Spool, errors, translated
from .locks import Lock

_ATTEMPTS = 8  # of placing a file whose folder a delete prunes at the same moment
_REMEMBERED = 10_000  # folders known to be durable; more than the projects of most indexes


class Disk:
    """The folder of a store, with what its writes have in common."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.incoming = root / ".spool"
        self.locks = root / ".locks"
        # A path is put together as text where there are many: a Path is dearer than the call that it is made for.
        self._name, self._incoming, self._locks = str(root), str(self.incoming), str(self.locks)
        self._durable: set[str] = set()
        self._broken: OSError | None = None
        self.read_only = False

    def take_no_writes(self) -> bool:
        """Take no writes from now on if the file system takes none; tell whether that is so."""
        with suppress(OSError):
            self.read_only = bool(os.statvfs(self.root).f_flag & os.ST_RDONLY)
        return self.read_only

    def path(self, key: str) -> Path:
        return self.root / key

    def name(self, key: str) -> str:
        """Return the same as text, which is a fifth of the work: every page that is asked for needs one."""
        return f"{self._name}/{key}"

    def spool(self, key: str) -> Spool:
        """Return a new empty file on the store's own file system."""
        with errors(key):
            while True:
                spool = Spool(f"{self._incoming}/{secrets.token_hex(16)}", key)
                # Between its making and its lock a maintain whose clock is ahead may have taken it for abandoned.
                if os.fstat(spool.fileno()).st_nlink:
                    return spool
                spool.close()

    def clear(self, folder: Path, before: float, names: tuple[str, ...] = ("",)) -> int:
        """Remove spools from before a time whose names begin so and that no process has open; return their number."""
        removed = 0
        with errors(folder.name), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.name.startswith(names) and entry.stat(follow_symlinks=False).st_mtime < before:
                        removed += self._remove_abandoned(entry.path)
        return removed

    def _remove_abandoned(self, path: str) -> bool:
        fd = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            Path(path).unlink()
        except BlockingIOError:
            return False
        finally:
            os.close(fd)
        return True

    def refuse_if_sealed(self, key: str) -> None:
        if self._broken:
            raise self._sealed(key) from self._broken

    def _sealed(self, key: str) -> Sealed:
        return Sealed(
            key, f"a sync of {self.root} failed ({self._broken}); mend the disk, run mypi verify, restart mypi"
        )

    def finish(self, fd: int, key: str) -> None:
        """Make a written file durable. Raises Full, and the file may be dropped; Sealed."""
        try:
            os.fsync(fd)
        except OSError as exc:
            error = translated(key, exc)
            if isinstance(error, Full):
                raise error from exc
            self._broken = exc
            raise self._sealed(key) from exc

    def sync_folder(self, fd: int, key: str) -> None:
        """Make the entries of a folder durable.

        A failure seals the store: the kernel may have dropped what it could not write, and would call the next sync of
        the same folder a success.
        """
        self.refuse_if_sealed(key)
        try:
            os.fsync(fd)
        except OSError as exc:
            self._broken = exc
            raise self._sealed(key) from exc

    @contextmanager
    def finding(self, key: str) -> Iterator[None]:
        """Turn the errors by which a file system says that there is no such file into NotFound.

        Not so when the store itself is away: an unmounted disk must not look like an empty store, for a sweep deletes
        the files that no document names.
        """
        try:
            yield
        except OSError as exc:
            if exc.errno not in ABSENT:
                raise
            self.refuse_if_absent()
            raise NotFound(key) from exc

    def refuse_if_absent(self) -> None:
        """Raise FileNotFoundError unless the store's own folders are there, which a copy made by hand may lack."""
        (self.root if self.read_only else self.incoming).stat()

    def foreign(self, name: str, prefix: str) -> bool:
        """Tell whether an entry of the folder ``prefix`` is none of an object's: our own, or made by mkfs."""
        return name.startswith(".") or prefix + name == "lost+found"

    def walk(self, prefix: str) -> Iterator[Entry]:
        """Yield the objects below a folder. One that vanishes meanwhile is no error; any other trouble is."""
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.path(prefix)) as entries:
            for entry in entries:
                if self.foreign(entry.name, prefix):
                    continue
                if entry.is_dir():
                    yield from self.walk(f"{prefix}{entry.name}/")
                    continue
                with suppress(FileNotFoundError):
                    found = entry.stat()
                    if stat.S_ISREG(found.st_mode):
                        yield Entry(prefix + entry.name, found.st_size, found.st_mtime)

    @contextmanager
    def folder(self, key: str) -> Iterator[int]:
        """Open the folder that holds a key."""
        fd = os.open(self.name(key).rpartition("/")[0], os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def new_folder(self, key: str, *, seen: bool) -> Iterator[int]:
        """Open the folder that is to hold a key, after making it and every folder on the way.

        When the block has ended, in which a file is put into it, their names are durable; they are so before it where
        the file is ``seen`` at once, for who reads it then may rely on it. The descriptor pins the folder: if it is
        still linked when a file is placed through it, it is the one whose name was synced.
        """
        last = key.rpartition("/")[0]
        if last:
            self._make(last)
        with self.folder(key) as fd:
            if seen:
                self._sync_names(last, key)
            yield fd
        if not seen:
            self._sync_names(last, key)

    def _sync_names(self, last: str, key: str) -> None:
        """Make the name of a folder durable, and those of the folders on the way to it.

        One that exists is synced too, until this process has done it once: whoever made it may not have come so far
        yet. The last one is never remembered, as ``prune`` may remove it and somebody else make it again; others hold
        folders, and ``prune`` only removes what held files.
        """
        inner = last
        while inner:
            if inner not in self._durable:
                with self.folder(inner) as fd:
                    self.sync_folder(fd, key)
            if inner != last:
                self._remember(inner)
            inner = inner.rpartition("/")[0]

    def _make(self, folder: str) -> None:
        """Make a folder, and those on the way to it where they are missing."""
        try:
            os.mkdir(self.name(folder))  # noqa: PTH102
        except FileExistsError:
            pass
        except FileNotFoundError:
            above = folder.rpartition("/")[0]
            if not above:
                raise  # the store itself is away
            self._make(above)
            with suppress(FileExistsError):
                os.mkdir(self.name(folder))  # noqa: PTH102

    def _remember(self, place: str) -> None:
        if len(self._durable) >= _REMEMBERED:
            self._durable.clear()
        self._durable.add(place)

    def place(self, spools: Mapping[str, Spool], move: Callable[..., None], *, new: bool = True) -> None:
        """Give finished files their keys durably, all in one folder, by ``os.link`` or ``os.replace``.

        What is linked is a file, which nobody looks for before a document names it; a document is seen at once. Unless
        ``new`` is false the folder may be missing.
        """
        key = next(iter(spools))
        for _ in range(_ATTEMPTS):
            try:
                with self.new_folder(key, seen=move is os.replace) if new else self.folder(key) as fd:
                    for each, spool in spools.items():
                        move(spool.name, each.rpartition("/")[2], dst_dir_fd=fd)
                    self.sync_folder(fd, key)
            except FileNotFoundError:
                continue
            except OSError:
                self.prune(key)
                raise
            else:
                return
        self.prune(key)
        raise Unavailable(key, "its folder or its spool file keeps vanishing; try again")

    def prune(self, key: str) -> None:
        """Remove the folder of a deleted key if it is empty. Whether that is durable does not matter."""
        if "/" in key:
            with suppress(OSError):
                self.path(key).parent.rmdir()

    @contextmanager
    def locked(self, key: str) -> Iterator[Lock]:
        """Hold the lock that all swaps of a key share, with every thread and process of this host."""
        with self._locked(self._lock_name(key)) as lock:
            yield lock

    @contextmanager
    def _locked(self, path: Path | str) -> Iterator[Lock]:
        # Opened anew each time, for flock belongs to the open file: so it keeps threads apart as well.
        fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield Lock(fd, self._settle)
        finally:
            # Closing would not release it while a child that was forked meanwhile keeps its copy open.
            fcntl.flock(fd, fcntl.LOCK_UN)
            os.close(fd)

    def _lock_name(self, key: str) -> str:
        return f"{self._locks}/{hashlib.blake2b(key.encode(), digest_size=1).hexdigest()}"

    def confirm(self, key: str) -> None:
        """Make durable what a swap has put under the key but, killed or still busy, has not synced.

        Else a caller could promise what it read here and lose it. Raises Sealed if a sync failed before.
        """
        path = self._lock_name(key)
        try:
            if not os.stat(path).st_size:  # noqa: PTH116
                return
            doubt = Path(path).read_bytes()
        except FileNotFoundError:
            return
        if doubt == key.encode():
            self.refuse_if_sealed(key)
            self._settle(key)

    def _settle(self, key: str) -> None:
        with self.folder(key) as fd:
            self.sync_folder(fd, key)

    def settle_all(self) -> None:
        """Make durable what swaps that were killed left in doubt, so that reads need not."""
        with errors(".locks"):
            for path in self.locks.iterdir():
                if path.stat().st_size:
                    with self._locked(path) as lock:
                        lock.settle()

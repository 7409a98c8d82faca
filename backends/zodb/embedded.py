"""A database in a folder of this host: ``Data.fs`` and its blobs, opened by one process, durable from the start."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from zc.lockfile import LockFile
from ZODB._compat import FILESTORAGE_MAGIC
from ZODB.FileStorage import FileStorage
from ZODB.FileStorage.FileStorage import FileStorageFormatError

from mypi.store import StoreError, Unavailable

from ..filesystem.files import errors
from .database import Database
from .opening import database, explained, quiet


def by_path(path: str, *, reading: bool) -> Database:
    """Open the database in a folder, made if it is absent; with ``reading`` beside the process that has it open.

    Raises Unavailable with what to do.
    """
    folder = Path(path)
    try:
        with quiet(), errors(path):
            return database(_beside(folder) if reading else _alone(folder), {})
    except StoreError:
        raise
    except Exception as exc:
        raise explained(path, exc, str) from exc


def _beside(folder: Path) -> FileStorage:
    if not (folder / "Data.fs").exists() or not (folder / "blobs" / ".layout").exists():
        raise Unavailable(str(folder), "holds no database yet; start the server once, which makes one")
    return FileStorage(str(folder / "Data.fs"), read_only=True, blob_dir=str(folder / "blobs"))


def _alone(folder: Path) -> FileStorage:
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(0o700, parents=True, exist_ok=True)
    lock = LockFile(str(folder / "Data.fs.lock"))
    try:
        _mend(folder)
    finally:
        lock.close()
    fresh = not (folder / "Data.fs").exists()
    storage = FileStorage(
        str(folder / "Data.fs"), blob_dir=str(folder / "blobs"), pack_keep_old=False, packer=_durable_packer
    )
    try:
        if fresh:
            (folder / "blobs").chmod(0o700)
        for place in (folder / "blobs" / ".layout", folder / "blobs", folder, *(place.parent for place in missing)):
            with suppress(PermissionError):
                sync(place)
    except BaseException:
        storage.close()
        raise
    return storage


def _mend(folder: Path) -> None:
    """Finish what a kill in the middle of a pack left; refuse a folder that has lost its ``Data.fs``.

    FileStorage would make an empty one, and remove every blob.
    """
    data, old, packed = (folder / name for name in ("Data.fs", "Data.fs.old", "Data.fs.pack"))
    if data.exists():
        with data.open("rb") as file:
            if file.read(4) not in (b"", FILESTORAGE_MAGIC):
                # FileStorage would say so too, but leave its files open.
                raise FileStorageFormatError(data.name)
        return
    if old.exists() and packed.exists():
        # Between its two renames. What was there before the pack is whole, and no blob was removed yet.
        old.rename(data)
        return
    if old.exists() or any((folder / "blobs").glob("0x*")):
        raise Unavailable(str(folder), "its Data.fs is missing, although its blobs are there; restore it from a backup")


def _durable_packer(storage: Any, referencesf: Any, stop: bytes, gc: bool) -> Any:
    """Pack as FileStorage does, but make the new file durable before it takes the place of the old one."""
    packed = FileStorage.packer(storage, referencesf, stop, gc)
    if packed is not None:
        try:
            sync(Path(f"{storage.getName()}.pack"))
        except BaseException:
            storage._commit_lock.release()  # taken by the packer, for the caller to release after a success only
            raise
    return packed


def sync(place: Path) -> None:
    """Make a file, or the entries of a folder, durable."""
    fd = os.open(place, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)

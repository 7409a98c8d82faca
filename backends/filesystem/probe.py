"""Whether a folder can keep what the store promises: asked at start-up, answered with a sentence."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from mypi.store import Full, Unavailable

from .disk import Disk
from .files import errors, make_later

log = logging.getLogger(__name__)

_NETWORK = {
    "9p", "afs", "beegfs", "ceph", "cifs", "coda", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.sshfs",
    "gfs2", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "smb3", "smbfs",
}  # fmt: skip
_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}
_MOUNTS = Path("/proc/self/mountinfo")


def prove(disk: Disk) -> None:
    """Make the folders of a store and try in each what writes will need. Raises Unavailable with what to do."""
    key = str(disk.root)
    _refuse_network(key, file_system(disk.root.resolve(), _mounts()))
    with errors(key):
        _make(disk)
    try:
        with errors(key):
            _prove_locks(key, disk)
            for folder in (disk.root, *_subfolders(disk)):
                _prove_folder(disk, folder)
    except Full as exc:
        # Installs must not end with the room for uploads; what could not be tried was proven when there was some.
        log.warning("%s", exc)


def _make(disk: Disk) -> None:
    missing = [folder for folder in (disk.root, *disk.root.parents) if not folder.exists()]
    disk.root.mkdir(0o700, parents=True, exist_ok=True)
    disk.incoming.mkdir(exist_ok=True)
    disk.locks.mkdir(exist_ok=True)
    # The name of the root is synced at every start, as the one that made it may have been killed before it was.
    for folder in {*missing, disk.root}:
        with suppress(PermissionError):
            _sync(folder.parent)


def _subfolders(disk: Disk) -> Iterable[Path]:
    """Yield each folder of the root, for it may be a mount of its own."""
    return [folder for folder in disk.root.iterdir() if folder.is_dir() and not disk.foreign(folder.name, "")]


def _prove_locks(key: str, disk: Disk) -> None:
    path = disk.locks / "probe"
    with path.open("wb") as first, path.open("rb") as second:
        # Waits for another process that proves the same at this moment.
        fcntl.flock(first, fcntl.LOCK_EX)
        with suppress(BlockingIOError):
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            raise Unavailable(key, "its file system ignores locks (flock); keep the store on a local disk")


def _prove_folder(disk: Disk, folder: Path) -> None:
    target = folder / ".probe"
    with disk.spool(str(folder)) as linked, disk.spool(str(folder)) as renamed:
        target.unlink(missing_ok=True)
        try:
            # A process that starts at the same moment may have made it: then links work.
            with suppress(FileExistsError):
                os.link(linked.name, target)
        except OSError as exc:
            if exc.errno not in _NO_LINKS:
                raise
            raise Unavailable(
                str(folder), "its file system has no hard links; keep the store on one that has, such as ext4 or xfs"
            ) from exc
        Path(renamed.name).replace(target)
        make_later(renamed.fileno(), os.fstat(renamed.fileno()).st_mtime_ns)
        target.unlink(missing_ok=True)
        _sync(folder)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _refuse_network(key: str, kind: str) -> None:
    if kind in _NETWORK:
        raise Unavailable(
            key,
            f"lies on a network file system ({kind}), whose caches and locks cannot keep what a store promises; "
            "use a local disk, or mypi.storage = zodb or s3 for several nodes",
        )


def file_system(path: Path, mounts: str) -> str:
    r"""Return the type of the file system that holds a resolved path, by Linux' table of mounts; "" if unknown.

    >>> file_system(Path("/srv/my index/files"), r"36 35 0:5 / /srv/my\040index rw - nfs4 host:/x rw")
    'nfs4'
    """
    kind, longest = "", -1
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        place = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), before.split(" ")[4])
        # Of two mounts on one folder the later hides the earlier.
        if path.is_relative_to(place) and len(place) >= longest:
            kind, longest = after.split(" ")[0], len(place)
    return kind


def _mounts() -> str:
    try:
        return _MOUNTS.read_text(errors="surrogateescape")
    except OSError:  # not Linux: nothing is known
        return ""

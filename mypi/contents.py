"""What is in a wheel or sdist: the names and sizes of its files, read within limits."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from .archives import ArchiveError, Limits
from .archives.tars import TarArchive
from .archives.zips import ZipArchive

LARGEST = 512 * 2**20
"""Bytes of the largest file that is looked into, for a page that somebody waits for."""

SECONDS = 10.0
"""How long is looked; a tar archive must be unpacked to find what is in it."""

_UNPACKED = 4 * 2**30


@dataclass(frozen=True)
class Member:
    """A file in an archive; ``size`` in bytes, once unpacked."""

    name: str
    size: int


class Unreadable(Exception):
    """What is in the archive cannot be told; the message says why, in a sentence for the page."""


def listing(file: IO[bytes], filename: str) -> list[Member]:
    """Return the files in a wheel or sdist, by name. ``file`` must be seekable and is not closed. Raises Unreadable."""
    check_size(filename, file.seek(0, 2))
    file.seek(0)
    try:
        found = [Member(_shown(name), size) for name, size in _members(cast(BinaryIO, file), filename)]
    except ArchiveError as exc:
        raise Unreadable(f"{filename} cannot be looked into: {exc}") from exc
    return sorted(found, key=lambda member: member.name)


def check_size(filename: str, size: int) -> None:
    """Raise Unreadable for a file that is too large to look into."""
    if size > LARGEST:
        raise Unreadable(f"{filename} is larger than {LARGEST // 2**20} MiB, which is too large to look into here")


def _members(file: BinaryIO, filename: str) -> Iterable[tuple[str, int]]:
    """Return what there is, as leniently as an import takes it: what is stored was inspected when it came."""
    limits = Limits(unpacked=_UNPACKED)
    if filename.endswith((".whl", ".zip")):
        return [(each.name, each.size) for each in ZipArchive(file, limits, descriptors=True).members.values()]
    return _tar(TarArchive(file, limits, trailer=True), filename)


def _tar(archive: TarArchive, filename: str) -> Iterator[tuple[str, int]]:
    end = time.monotonic() + SECONDS
    names = set()
    for member in archive:
        if member.kind != "folder" and member.name not in names:  # some build tools write a licence twice
            names.add(member.name)
            yield member.name, member.size
        for _ in archive.chunks():
            if time.monotonic() > end:
                raise Unreadable(f"{filename} takes longer than {SECONDS:.0f} seconds to look into")


def _shown(name: str) -> str:
    """Return a name that can be written on a page, of whatever encoding it is.

    >>> _shown("caf\\udce9")
    'caf\\ufffd'
    """
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

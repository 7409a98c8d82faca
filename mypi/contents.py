"""What is in a wheel or sdist: the names and sizes of its files, read within limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, BinaryIO, cast

from .archives import ArchiveError, Limits
from .archives.tars import TarArchive
from .archives.zips import ZipArchive


@dataclass(frozen=True)
class Member:
    """A file in an archive; ``size`` in bytes, once unpacked."""

    name: str
    size: int


class Unreadable(Exception):
    """What is in the archive cannot be told; the message says why, in a sentence for the page."""


def listing(file: IO[bytes], filename: str) -> list[Member]:
    """Return the files in a wheel or sdist, by name. ``file`` must be seekable and is not closed. Raises Unreadable."""
    limits = Limits()
    try:
        if filename.endswith((".whl", ".zip")):
            archive = ZipArchive(cast(BinaryIO, file), limits, descriptors=True)
            found = [Member(each.name, each.size) for each in archive.members.values()]
        else:
            tar = TarArchive(cast(BinaryIO, file), limits, trailer=True)
            found = [Member(each.name, each.size) for each in tar if each.kind != "folder"]
    except ArchiveError as exc:
        raise Unreadable(f"{filename} cannot be looked into: {exc}") from exc
    return sorted(found, key=lambda member: member.name)

"""Inspection of wheels and sdists: is the archive safe, whole, and what its file name says?"""

from typing import IO, BinaryIO, cast

from mypi.archives import ArchiveError, Limits
from mypi.artifacts import sdists, wheels
from mypi.artifacts.artifact import RELAXABLE, Artifact, ArtifactError, Leniency
from mypi.metadata import MetadataError
from mypi.names import Filename

__all__ = ["RELAXABLE", "Artifact", "ArtifactError", "inspect"]


def inspect(
    file: IO[bytes],
    filename: Filename,
    *,
    limits: Limits | None = None,
    allow: frozenset[str] = frozenset(),
) -> Artifact:
    """Check the whole of a wheel or sdist and give what it says about itself.

    `file` must be seekable and is not closed. `allow` names checks of RELAXABLE that the file may fail. All data is
    unpacked once, piece by piece; nothing is written. Raises ArtifactError, whatever the bytes.
    """
    leniency = Leniency(allow)
    look = wheels.look if filename.kind == "wheel" else sdists.look
    try:
        return look(cast("BinaryIO", file), filename, limits or Limits(), leniency)
    except (ArchiveError, MetadataError, ArtifactError) as exc:
        raise ArtifactError(f"{filename.text}: {exc}") from exc

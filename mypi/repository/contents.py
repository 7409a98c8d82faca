"""What lies in the store for a file: its bytes and its sidecars, each with what its document says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..model import File
from . import keys


class Content(NamedTuple):
    """An object that a project document vouches for; the size of a sidecar is not written there.

    ``ending`` is what its name adds to that of the file, ``marked`` that it was found damaged.
    """

    key: str
    size: int | None
    sha256: str
    ending: str = ""
    marked: bool = False


def contents(index: str, project: str, file: File) -> Iterator[Content]:
    """Yield what there must be as long as the file is not purged."""
    yield Content(key_of(index, project, file), file.size, file.sha256, "", not file.is_whole())
    for ending, sha256 in file.sidecars.items():
        yield Content(key_of(index, project, file, ending), None, sha256, ending, not file.is_whole(ending))


def key_of(index: str, project: str, file: File, ending: str = "") -> str:
    """Return the key of a file, or of what lies beside it."""
    return keys.beside(keys.file(index, project, file.place(ending), file.filename), ending)

"""What lies in the store for a file: its bytes and its sidecars, each with what its document says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..model import File
from . import keys


class Content(NamedTuple):
    """An object that a project document vouches for; the size of a sidecar is not written there."""

    key: str
    size: int | None
    sha256: str


def contents(index: str, project: str, file: File) -> Iterator[Content]:
    """Yield what there must be as long as the file is not purged."""
    key = keys.file(index, project, file.token, file.filename)
    yield Content(key, file.size, file.sha256)
    for ending, sha256 in file.sidecars.items():
        yield Content(keys.beside(key, ending), None, sha256)

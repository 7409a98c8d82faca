"""Keys, sources and shorthands that the tests of the contract share."""

from __future__ import annotations

import io

from ..store import Store

FILE = "files/main/acme/0123456789abcdef/acme-1.0.tar.gz"
OTHER = "files/main/acme/fedcba9876543210/acme-1.0.tar.gz"
BESIDE = FILE + ".metadata"
DOCUMENT = "indexes/main/acme.json"


class Sips(io.BytesIO):
    """Gives fewer bytes than were asked for, as a socket does."""

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(7, size or 0))


class Zeros:
    """A long source that takes no memory."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int, /) -> bytes:
        part = min(size, self.left)
        self.left -= part
        return bytes(part)


class Broken:
    """A source whose client goes away."""

    def read(self, _size: int, /) -> bytes:
        raise ConnectionResetError("gone")


def add(store: Store, key: str, data: bytes) -> None:
    store.add(key, io.BytesIO(data), len(data))


def keys(store: Store, prefix: str = "") -> list[str]:
    return sorted(entry.key for entry in store.list(prefix))

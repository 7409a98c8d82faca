"""The stores that every test of the repository and of the application runs on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mypi.backends.filesystem import FilesystemStore
from mypi.backends.memory import MemoryStore
from mypi.store import Store

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda folder: MemoryStore(),
    "filesystem": lambda folder: FilesystemStore(str(folder / "store")),
}
"""By name of the backend: a factory that makes an empty store, given a folder that the test may use."""


def make(name: str, folder: Path) -> Store:
    """Make an empty store of a kind and prove it, as a start of the server does."""
    store = STORES[name](folder)
    store.check()
    return store

"""The stores that tests of the repository and of the application run on, with the real servers beneath them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from mypi import options
from mypi.settings import backend
from mypi.store import Store
from tests import services
from tests.services import Postgres, Seaweed, Zeo


class Kind(NamedTuple):
    """A way to keep an index: the backend's name, and its options given a folder that the test may use."""

    backend: str
    options: Callable[[Path], Mapping[str, str]]


def _own(folder: Path) -> str:
    """A name that belongs to a folder, for its place on a server that all tests share."""
    return "t" + hashlib.sha256(str(folder).encode()).hexdigest()[:16]


def zeo_uri(server: Zeo, folder: Path) -> str:
    return f"zeo://127.0.0.1:{server.port}?wait_timeout=10&blob_dir={folder / 'blobs'}"


def postgres_uri(server: Postgres, folder: Path, database: str = "postgres") -> str:
    return f"postgres://mypi@127.0.0.1:{server.port}/{database}?blob_dir={folder / 'blobs'}&shared_blob_dir=false"


def _zeo(folder: Path) -> Mapping[str, str]:
    return {"uri": zeo_uri(services.shared(Zeo), folder), "root": _own(folder)}


def _postgresql(folder: Path) -> Mapping[str, str]:
    return {"uri": postgres_uri(services.shared(Postgres), folder), "root": _own(folder)}


def _s3(folder: Path) -> Mapping[str, str]:
    return {"bucket": services.BUCKET, "prefix": _own(folder), "endpoint": services.shared(Seaweed).endpoint}


STORES: dict[str, Kind] = {
    "memory": Kind("memory", lambda folder: {}),
    "filesystem": Kind("filesystem", lambda folder: {"path": str(folder / "store")}),
    "zodb": Kind("zodb", lambda folder: {"path": str(folder / "store")}),
    "zeo": Kind("zodb", _zeo),
    "postgresql": Kind("zodb", _postgresql),
    "s3": Kind("s3", _s3),
}
"""By name; the same folder gives the same place again."""


def settings(kind: str, folder: Path) -> dict[str, str]:
    """Return how an ``.ini`` file names a store of a kind, without the prefix ``mypi.``."""
    name, given = STORES[kind]
    return {"storage": name} | {f"storage.{option}": value for option, value in given(folder).items()}


def opened(kind: str, folder: Path) -> Store:
    """Open a store of a kind, unproven."""
    name, given = STORES[kind]
    chosen = backend(name)
    return chosen(**options.read(chosen.options, "mypi.storage.", _keyed(given(folder)), {}))


def _keyed(given: Mapping[str, str]) -> dict[str, str]:
    return {f"mypi.storage.{option}": value for option, value in given.items()}


def make(kind: str, folder: Path) -> Store:
    """Make an empty store of a kind and prove it, as a start of the server does."""
    store = opened(kind, folder)
    store.check()
    return store

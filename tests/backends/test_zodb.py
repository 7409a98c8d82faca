"""The contract on ZODB: a folder of this host, ZEO, PostgreSQL."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from mypi.backends.zodb import ZodbStore
from mypi.store import Store
from mypi.testing import StoreContract
from tests import stores


class TestEmbedded(StoreContract):
    swaps = 200
    objects = 100

    @pytest.fixture
    def factory(self, tmp_path: Path) -> Callable[[], Store]:
        return functools.partial(ZodbStore, path=str(tmp_path / "store"))


class OverServers(StoreContract):
    """What each step costs more on servers: the tests that repeat them shrink."""

    swaps = 50
    objects = 60
    large = 24 * 2**20
    workers = 4
    kind: str

    @pytest.fixture
    def factory(self, tmp_path: Path) -> Callable[[], Store]:
        return functools.partial(ZodbStore, **stores.STORES[self.kind].options(tmp_path))


class TestZeo(OverServers):
    kind = "zeo"


class TestPostgresql(OverServers):
    kind = "postgresql"

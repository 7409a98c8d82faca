"""Both stores of the core keep the contract, every sentence of it."""

from functools import partial

import pytest

from mypi.backends.filesystem import FilesystemStore
from mypi.backends.memory import MemoryStore
from mypi.testing import StoreContract, WrappedStore


class TestFilesystem(StoreContract):
    @pytest.fixture
    def factory(self, tmp_path):
        return partial(FilesystemStore, str(tmp_path / "store"))


class TestMemory(StoreContract):
    headroom = 1 << 40  # it lives in memory

    @pytest.fixture
    def factory(self):
        return MemoryStore


class TestWrapped(StoreContract):
    """A wrapper changes nothing until it is told to."""

    headroom = 1 << 40
    swaps = 100
    objects = 30

    @pytest.fixture
    def factory(self):
        return lambda: WrappedStore(MemoryStore())

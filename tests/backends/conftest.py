"""A filesystem store that is ready for use, for the tests that look behind the contract."""

import pytest

from mypi.backends.filesystem import FilesystemStore


@pytest.fixture
def root(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(root):
    store = FilesystemStore(str(root))
    store.check()
    return store

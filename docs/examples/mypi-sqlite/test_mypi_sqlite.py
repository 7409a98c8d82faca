"""The backend keeps the contract: this is all that a third party has to write."""

from functools import partial

import pytest
from mypi_sqlite import SqliteStore

from mypi.testing import StoreContract


class TestSqlite(StoreContract):
    swaps = 200

    @pytest.fixture
    def factory(self, tmp_path):
        return partial(SqliteStore, str(tmp_path / "mypi.sqlite"))

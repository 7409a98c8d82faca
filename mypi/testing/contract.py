"""The contract of a store, sentence by sentence, as tests that a backend inherits."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ..store import Store
from .documents import DocumentContract
from .files import FileContract
from .listing import ListingContract
from .reading import ReadingContract
from .samples import DOCUMENT, keys


class StoreContract(FileContract, ReadingContract, DocumentContract, ListingContract):
    """Proves each sentence of ``mypi.store`` on a backend.

    A subclass gives ``factory``: a fixture that returns a callable without arguments, each of whose results is a store
    over the same, at first empty, place. Where the store serves several processes it must be picklable. To see the
    values in a failure, call ``pytest.register_assert_rewrite("mypi.testing")`` in the ``conftest.py``.

    .. code-block:: python

        class TestMine(StoreContract):
            @pytest.fixture
            def factory(self, tmp_path):
                return functools.partial(MyStore, str(tmp_path))

    The class attributes give the sizes of the tests; a slow store may make ``swaps`` and ``objects`` smaller.
    """

    @pytest.fixture
    def factory(self) -> Callable[[], Store]:
        raise NotImplementedError("give a fixture `factory` that returns a callable that makes a store")

    @pytest.fixture
    def store(self, factory: Callable[[], Store]) -> Iterator[Store]:
        store = factory()
        store.check()
        yield store
        store.close()

    def test_check_may_be_repeated_and_leaves_nothing(self, store: Store) -> None:
        tag = store.swap(DOCUMENT, b"{}", None)
        store.check()
        assert store.read(DOCUMENT) == (b"{}", tag)
        assert keys(store) == [DOCUMENT]

    def test_probe_passes_where_writes_are_taken_and_leaves_nothing(self, store: Store) -> None:
        store.probe()
        assert keys(store) == []

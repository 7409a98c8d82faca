"""A scripted upstream, and an index before it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mypi.store import Store
from tests import stores, upstreams
from tests.functional.conftest import Index, htpasswd
from tests.upstream.support import BIG, CONTENT, LARGE, NAME, PROJECT, indexed

__all__ = ["htpasswd"]


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[upstreams.Upstream]:
    """An upstream with a small wheel and a large sdist."""
    with upstreams.running(tmp_path, tls=False) as running:
        running.add(PROJECT, NAME, CONTENT)
        running.add(PROJECT, LARGE, BIG)
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store in memory: what depends on the kind of store says so."""
    return stores.make("memory", tmp_path)


@pytest.fixture
def index(upstream: upstreams.Upstream, store: Store) -> Iterator[Index]:
    """An index before the upstream."""
    with indexed(upstream, store) as made:
        yield made

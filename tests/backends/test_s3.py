"""The contract on a bucket of a real server, SeaweedFS, and what the store does beyond it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from mypi.backends.s3 import S3Store
from mypi.store import Store
from mypi.testing import StoreContract
from tests.stores import STORES

MIB = 2**20


class TestS3(StoreContract):
    """Smaller than the defaults: each request takes milliseconds, and more where several processes want one key."""

    swaps = 50
    objects = 30
    workers = 4
    large = 24 * MIB
    headroom = 16 * MIB  # a part, and the server's answer

    @pytest.fixture
    def factory(self, tmp_path: Path) -> Callable[[], Store]:
        return functools.partial(S3Store, part_size=5 * MIB, **STORES["s3"].options(tmp_path))

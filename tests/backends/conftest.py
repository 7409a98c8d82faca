"""What the tests behind the contract share: a filesystem store that is ready for use, and a proxy before S3."""

from collections.abc import Iterator

import pytest

from mypi.backends.filesystem import FilesystemStore
from tests import services
from tests.proxies import HttpProxy
from tests.services import Seaweed


@pytest.fixture
def root(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(root):
    store = FilesystemStore(str(root))
    store.check()
    return store


@pytest.fixture
def proxy() -> Iterator[HttpProxy]:
    """A proxy before the S3 server that all tests share."""
    with HttpProxy(services.shared(Seaweed).ports[3]) as proxy:
        yield proxy

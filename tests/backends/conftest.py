"""What the tests behind the contract share: a filesystem store ready for use, file systems to mount, a proxy."""

import shutil
import subprocess
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


@pytest.fixture
def mount(tmp_path):
    """Return a function that mounts a small new file system and returns its folder."""
    mounted = []

    def mount_on(kind, folder=None, *, size=8 * 2**20, made_with=(), image=None):
        folder = folder or tmp_path / f"disk{len(mounted)}"
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder]
        if kind != "tmpfs":
            if not shutil.which(f"mkfs.{kind}"):
                pytest.skip(f"mkfs.{kind} is not installed")
            if not image:
                image = tmp_path / f"image{len(mounted)}"
                with image.open("wb") as file:
                    file.truncate(size)
                subprocess.run([f"mkfs.{kind}", *made_with, image], check=True, capture_output=True)
            command = ["mount", "-t", kind, "-o", "loop", image, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"this machine cannot mount {kind}: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount_on
    for folder in reversed(mounted):
        subprocess.run(["umount", folder], check=True)

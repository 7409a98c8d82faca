"""A filesystem store that is ready for use, for the tests that look behind the contract, and file systems to mount."""

import shutil
import subprocess

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

"""A disk that is full, for real: a small mounted file system without room, or without inodes.

What cannot be kept is answered 507 or 503 with Retry-After, and leaves nothing; reading goes on; with room again,
uploads go on too, without a restart.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.system import processes
from tests.system.processes import MIB, Answer, Package, Server, wheel

SIZE = 24 * MIB
FULL = (507, 503)


@dataclass
class Disk:
    """A mounted file system with a server whose whole store is on it."""

    kind: str
    folder: Path
    ini: Path
    server: Server

    def used(self) -> int:
        """Return how many bytes are taken."""
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    @property
    def size(self) -> int:
        """The size of an upload that is taken a dozen times before there is no room, or no inode, for it."""
        return 1000 if self.kind == "inodes" else 1_500_000

    def fill(self) -> Path:
        """Take all the room that is left, to the last block or inode; return the folder that holds it."""
        folder = self.folder / "filling"
        folder.mkdir()
        with suppress(OSError):
            for number in range(1000 if self.kind == "inodes" else 0):
                (folder / str(number)).touch()
        if self.kind != "inodes":
            with (folder / "big").open("wb", buffering=0) as target:
                for piece in (MIB, 4096, 512, 1):
                    with suppress(OSError):
                        while True:
                            target.write(b"x" * piece)
        return folder


def mount(folder: Path, kind: str) -> None:
    """Mount a small file system at a folder."""
    if kind == "ext4":
        image = folder.with_suffix(".img")
        with image.open("wb") as target:
            target.truncate(SIZE)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
    else:
        options = f"size={SIZE}" + (",nr_inodes=90" if kind == "inodes" else "")
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "mypi-test", str(folder)], check=True)


@pytest.fixture(params=["tmpfs", "ext4", "inodes"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    """A server on a file system of 24 MiB; one of them has few inodes instead of little room."""
    if os.geteuid() != 0 or not shutil.which("mount") or not shutil.which("mkfs.ext4"):
        pytest.skip("only root can mount a small file system, with mount and mkfs.ext4")
    folder = tmp_path / "small"
    folder.mkdir()
    try:
        mount(folder, request.param)
    except subprocess.CalledProcessError as exc:
        pytest.skip(f"{request.param} cannot be mounted here: {exc}")
    try:
        ini = processes.ini(tmp_path, processes.free_port(), storage__path=str(folder / "var"), trash_days="0")
        with processes.pserve(ini) as server:
            yield Disk(request.param, folder, ini, server)
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def publish_until_full(disk: Disk) -> tuple[list[Package], Package, Answer]:
    """Publish until one is not taken; return those that were, that one, and its answer."""
    taken: list[Package] = []
    for number in range(200):
        package = wheel("acme-lib", f"{number}.0", disk.size)
        answer = disk.server.upload(package)
        if answer.status != 200:
            return taken, package, answer
        taken.append(package)
    raise AssertionError("200 uploads went onto a disk that has no room for them")


def check_refusal(answer: Answer) -> None:
    assert answer.status in FULL, answer
    assert int(answer.headers["Retry-After"]) > 0
    assert "publish" in answer.reason or "try again" in answer.reason, answer


def check_whole(disk: Disk, packages: list[Package]) -> None:
    """Assert that the index lists these packages and no others, and that each is whole."""
    listed = disk.server.files("acme-lib")
    assert listed.keys() == {package.filename for package in packages}
    for package in packages:
        assert disk.server.fetch("acme-lib", package.filename) == package.data


def test_full_disk_refuses_uploads_and_leaves_nothing_half_done(disk: Disk) -> None:
    taken, refused, answer = publish_until_full(disk)
    assert len(taken) > 3
    check_refusal(answer)
    used = disk.used()
    for _ in range(5):
        check_refusal(disk.server.upload(refused))
    assert disk.used() <= used + 64 * 1024
    check_whole(disk, taken)


def test_not_one_block_left_still_answers_and_recovers_without_a_restart(disk: Disk) -> None:
    kept = [wheel("acme-lib", f"{number}.0", 50_000) for number in range(3)]
    for package in kept:
        assert disk.server.upload(package).status == 200
    filling = disk.fill()
    fresh, small, big = wheel("acme-fresh"), wheel("acme-lib", "7.0"), wheel("acme-lib", "8.0", 3 * MIB)
    for package in (fresh, small, big, small):
        check_refusal(disk.server.upload(package))
    check_whole(disk, kept)
    assert disk.server.get("/simple/").status == 200
    assert disk.server.get("/simple/acme-fresh/").status == 404
    shutil.rmtree(filling)
    for package in (fresh, small, big):
        assert disk.server.upload(package).status == 200
    check_whole(disk, [*kept, small, big])
    assert list(disk.server.files("acme-fresh")) == [fresh.filename]
    verified = processes.mypi(disk.ini, "verify")
    assert verified.returncode == 0, verified
    assert disk.server.stop() == 0


def test_full_disk_can_be_verified_and_served_again(disk: Disk) -> None:
    """A start needs no room: else a full disk, and a restart, would take the installs too."""
    kept = [wheel("acme-lib", f"{number}.0", 50_000) for number in range(3)]
    for package in kept:
        assert disk.server.upload(package).status == 200
    disk.fill()
    verified = processes.mypi(disk.ini, "verify")
    assert verified.returncode == 0, verified
    assert disk.server.stop() == 0
    with processes.pserve(disk.ini) as disk.server:
        check_whole(disk, kept)
        check_refusal(disk.server.upload(wheel("acme-lib", "9.0")))


def test_operator_makes_room_on_a_full_disk(disk: Disk) -> None:
    """A removal is a new document: it needs a little room, which the operator makes first."""
    spare = disk.folder / "spare"
    spare.mkdir()
    for number in range(8):
        (spare / str(number)).write_bytes(bytes(16 * 1024))
    taken, refused, answer = publish_until_full(disk)
    check_refusal(answer)
    shutil.rmtree(spare)
    for package in taken[:3]:
        removed = processes.mypi(disk.ini, "remove", "--yes", "acme-lib", package.filename)
        assert removed.returncode == 0, removed
    swept = processes.mypi(disk.ini, "sweep", "--yes", "--grace", "0")
    assert swept.returncode == 0, swept
    assert disk.server.upload(refused).status == 200
    check_whole(disk, [*taken[3:], refused])


def remount(folder: Path, way: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{way}", str(folder)], check=True)


@pytest.mark.parametrize("disk", ["ext4"], indirect=True)
def test_disk_that_becomes_read_only_is_told_and_recovers_without_a_restart(disk: Disk) -> None:
    """As the kernel remounts a disk on which it met an error."""
    kept, refused = wheel("acme-lib", "1.0"), wheel("acme-lib", "2.0")
    assert disk.server.upload(kept).status == 200
    remount(disk.folder, "ro")
    for package in (refused, wheel("acme-fresh")):
        answer = disk.server.upload(package)
        assert answer.status == 503, answer
        assert int(answer.headers["Retry-After"]) > 0
    check_whole(disk, [kept])
    assert processes.mypi(disk.ini, "verify").returncode == 0
    remount(disk.folder, "rw")
    assert disk.server.upload(refused).status == 200
    check_whole(disk, [kept, refused])

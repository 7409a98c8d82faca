"""Files of 2 GB up and down, four at a time: memory stays where it is, and the temporary disk below twice the files."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partialmethod
from pathlib import Path

import pytest

from tests.system import processes
from tests.system.processes import MIB, Server, write_wheel
from tests.system.test_memory import download, forget_peak, peak, publish
from tests.tally import Tally

SIZE, AT_ONCE = 2_000_000_000, 4
MOST = AT_ONCE * 64 * MIB
"""How much more the server may hold at its peak than after a small file; tests/system/test_memory allows as much."""


class Disk(threading.Thread):
    """Watches what a server's unfinished uploads take on the disk, also of files that have no name any more."""

    def __init__(self, server: Server, var: Path) -> None:
        super().__init__()
        self.server, self.var, self.most, self.done = server, var, 0, threading.Event()

    def run(self) -> None:
        while not self.done.wait(0.2):
            self.most = max(self.most, self._taken())

    def _taken(self) -> int:
        found: dict[int, int] = {}
        for path in [*(self.var / ".spool").iterdir(), *Path(f"/proc/{self.server.process.pid}/fd").iterdir()]:
            with suppress(OSError):
                held = path.stat()
                unnamed = held.st_nlink == 0 or ".spool" in path.parts
                if unnamed and held.st_size and "/dev" not in str(path.resolve()):
                    found[held.st_ino] = held.st_blocks * 512
        return sum(found.values())


def test_memory_and_disk_are_bounded_with_four_large_files_at_a_time(
    tmp_path: Path, tally: Tally, monkeypatch: pytest.MonkeyPatch
) -> None:
    # From the last byte to the answer the server reads the whole archive.
    monkeypatch.setattr(Server, "connect", partialmethod(Server.connect, timeout=900))
    ini = processes.ini(tmp_path, processes.free_port(), upload_limit="3 GiB", unpacked_limit="4 GiB")
    small, large = tmp_path / "tiny-1.0-py3-none-any.whl", []
    write_wheel(small, "tiny", "1.0", MIB)
    for number in range(AT_ONCE):
        large.append((f"huge{number}", tmp_path / f"huge{number}-1.0-py3-none-any.whl"))
        write_wheel(large[-1][1], f"huge{number}", "1.0", SIZE)
    with processes.pserve(ini) as server, ThreadPoolExecutor(AT_ONCE) as pool:
        publish(server, small, "tiny", "bdist_wheel")
        download(server, "tiny", small)
        before, began = forget_peak(server), time.monotonic()
        disk = Disk(server, tmp_path / "var")
        disk.start()
        try:
            list(pool.map(lambda each: publish(server, each[1], each[0], "bdist_wheel"), large))
            tally.most("peak memory beyond rest, four uploads of 2 GB", (peak(server) - before) / MIB, "MiB")
            list(pool.map(lambda each: download(server, each[0], each[1]), large))
        finally:
            disk.done.set()
            disk.join()
        grown = peak(server) - before
        tally.most("peak memory beyond rest, four of 2 GB up and down", grown / MIB, "MiB")
        tally.most("peak memory in all, four of 2 GB up and down", peak(server) / MIB, "MiB")
        tally.most("temporary disk, for each byte uploaded", disk.most / (AT_ONCE * SIZE), "bytes")
        tally.most("four of 2 GB up and down took", time.monotonic() - began, "s")
        assert grown < MOST
        assert disk.most <= 2.05 * AT_ONCE * SIZE
    for _, path in large:
        path.unlink()

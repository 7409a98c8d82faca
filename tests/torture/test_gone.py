"""Clients that go away during an upload or a download: descriptors and temporary files return to where they were."""

from __future__ import annotations

import os
import random
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.system import processes
from tests.system.processes import MIB, wheel
from tests.tally import Tally
from tests.torture.gone import descriptors, leave_download, leave_upload, left_behind, wait_for

TIMES = 1000 if os.environ.get("MYPI_TORTURE") else 40


def test_clients_that_go_away_leave_no_descriptor_and_no_file(tmp_path: Path, tally: Tally) -> None:
    chance = random.Random(7)
    kept, cut_off = wheel("acme-lib", "1.0", 2 * MIB), wheel("acme-lib", "2.0", 2 * MIB)
    with processes.pserve(processes.ini(tmp_path, processes.free_port())) as server:
        assert server.upload(kept).status == 200
        path = server.url("acme-lib", server.files("acme-lib")[kept.filename])
        assert len(server.get(path).body) == len(kept.data)
        before = descriptors(server)
        places = [(chance.randrange(1, 2 * MIB), chance.random() < 0.5) for _ in range(TIMES)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda at: leave_upload(server, cut_off, at[0], reset=at[1]), places))
            list(pool.map(lambda at: leave_download(server, path, at[0] // 16 + 1, reset=at[1]), places))
        tally.add("clients gone in the middle", 2 * TIMES)
        wait_for(lambda: descriptors(server) <= before, lambda: f"{descriptors(server)} descriptors, {before} before")
        wait_for(lambda: not left_behind(tmp_path / "var"), lambda: left_behind(tmp_path / "var"))
        assert server.files("acme-lib").keys() == {kept.filename}
        assert server.upload(cut_off).status == 200
        assert server.fetch("acme-lib", cut_off.filename) == cut_off.data
        assert "Traceback" not in server.said


def test_control_a_client_that_stays_is_seen(tmp_path: Path) -> None:
    """The positive control: descriptors are counted where they are held."""
    with processes.pserve(processes.ini(tmp_path, processes.free_port())) as server, ExitStack() as held:
        before = descriptors(server)
        for _ in range(20):
            held.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        wait_for(lambda: descriptors(server) > before + 10, lambda: descriptors(server))

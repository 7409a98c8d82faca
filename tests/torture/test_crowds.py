"""A crowd of idle connections beside clients that work: the clients are served, and who is too many is told at once."""

from __future__ import annotations

import os
import resource
import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.system import processes
from tests.system.processes import Server, wheel
from tests.tally import Tally

IDLE, SECONDS = (10_000, 20) if os.environ.get("MYPI_TORTURE") else (400, 2)
RATE = 50
"""Requests a second beside them."""

SPARE = 100
"""Places that the crowd does not take."""


def possible(wanted: int) -> int:
    """Return how many connections can be held here; the server wants three descriptors for each, see its ``room``."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = 3 * (wanted + SPARE) + 64
    if most < need:
        with suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (need, need))  # as root may
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return min(wanted, (most - 64) // 3 - SPARE)


def waited(server: Server, seconds: float) -> list[float]:
    """Ask for a page RATE times a second; return how long each answer took."""
    took: list[float] = []
    trouble: list[BaseException] = []

    def ask() -> None:
        began = time.monotonic()
        try:
            assert server.get("/simple/acme-lib/").status == 200
        except BaseException as exc:
            trouble.append(exc)
        took.append(time.monotonic() - began)

    threads, end, due = [], time.monotonic() + seconds, time.monotonic()
    while due < end:
        time.sleep(max(0, due - time.monotonic()))
        threads.append(threading.Thread(target=ask))
        threads[-1].start()
        due += 1 / RATE
    for thread in threads:
        thread.join()
    assert not trouble
    return sorted(took)


def test_a_crowd_of_idle_connections_leaves_the_others_served(tmp_path: Path, tally: Tally) -> None:
    idle = possible(IDLE)
    options = f"connection_limit = {idle + SPARE}\nheader_timeout = 600\n"
    ini = processes.ini(tmp_path, processes.free_port(), server=options)
    with processes.pserve(ini) as server, ExitStack() as held:
        assert server.upload(wheel("acme-lib")).status == 200
        for _ in range(idle):
            held.enter_context(socket.create_connection(("127.0.0.1", server.port), 30))
        took = waited(server, SECONDS)
        p99 = took[int(len(took) * 0.99)]
        tally.add("idle connections beside active clients", idle)
        tally.most("p99 of requests beside them", p99 * 1000, "ms")
        assert p99 < 30
        # Who is too many gets an answer instead of a place.
        for _ in range(SPARE):
            held.enter_context(socket.create_connection(("127.0.0.1", server.port), 30))
        with socket.create_connection(("127.0.0.1", server.port), 30) as late:
            assert late.recv(100).startswith(b"HTTP/1.1 503"), "the crowd is larger than the limit"

"""`kill -9` of the server at random moments: what was acknowledged is there, the rest can be retried.

20 kills in `make test`; in `make torture` until 10,000 uploads were acknowledged, or a quarter of an hour is over.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.system import processes
from tests.system.processes import MIB, Package, Server, wheel
from tests.tally import Tally

TORTURE = bool(os.environ.get("MYPI_TORTURE"))
ENOUGH, SECONDS = 10_000, 900
LONGEST = 2.0 if TORTURE else 0.5
"""Seconds that a server lives, at most."""

BIG_EVERY = 12 if TORTURE else 3
"""One of so many packages is a big one; ten thousand of them have to go onto a disk."""

CLIENTS = 4
SHARED = "acme-shared"
"""A project that every client publishes to; each has one of its own besides."""


@dataclass(frozen=True)
class Kept:
    """What is to be remembered of a package; 500 kills leave gigabytes of them."""

    project: str
    filename: str
    sha256: str

    @classmethod
    def of(cls, package: Package) -> Kept:
        return cls(package.project, package.filename, package.sha256)


@dataclass
class Client:
    """Somebody who publishes release after release until the server is gone."""

    number: int
    acknowledged: list[Kept] = field(default_factory=list)
    perhaps: Package | None = None
    surprises: list[object] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._packages = self._make()

    def _make(self) -> Iterator[Package]:
        version = 0
        while True:
            version += 1
            size = 3 * MIB if version % BIG_EVERY == self.number % BIG_EVERY else 1000
            if TORTURE and version % 250 == 25:
                size = 64 * MIB
            project = SHARED if version % 2 else f"acme-{self.number}"
            yield wheel(project, f"{version}.{self.number}", size)

    def publish(self, server: Server) -> None:
        """Publish until the connection breaks."""
        self.perhaps = None
        while True:
            package = next(self._packages)
            try:
                answer = server.upload(package)
            except (OSError, http.client.HTTPException):
                self.perhaps = package
                return
            if answer.status != 200:
                self.surprises.append((package.filename, answer))
            self.acknowledged.append(Kept.of(package))


def check(server: Server, packages: list[Kept]) -> None:
    """Assert that packages are listed, present and whole."""
    pages = {project: server.files(project) for project in {package.project for package in packages}}
    for package in packages:
        listed = pages[package.project][package.filename]
        assert listed["hashes"] == {"sha256": package.sha256}
        body = server.get(server.url(package.project, listed)).body
        assert hashlib.sha256(body).hexdigest() == package.sha256, package.filename


def check_lists(server: Server, clients: list[Client]) -> None:
    """Assert that the index lists what was acknowledged, nothing twice, and nothing else."""
    expected: dict[str, set[str]] = {}
    for package in (package for client in clients for package in client.acknowledged):
        expected.setdefault(package.project, set()).add(package.filename)
    for project, filenames in expected.items():
        assert server.files(project).keys() == filenames


def go_on(kills: int, clients: list[Client], began: float) -> bool:
    """Tell whether there are to be more kills."""
    if not TORTURE or kills < 20:
        return kills < 20
    return sum(len(client.acknowledged) for client in clients) < ENOUGH and time.monotonic() - began < SECONDS


def test_killed_server_keeps_what_it_acknowledged_and_takes_a_retry_of_the_rest(tmp_path: Path, tally: Tally) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    rng = random.Random(seed)
    ini = processes.ini(tmp_path, processes.free_port())
    clients = [Client(number) for number in range(CLIENTS)]
    slowest, interrupted, listed_unasked, kills, began = 0.0, 0, 0, 0, time.monotonic()
    server = processes.pserve(ini)
    while go_on(kills, clients, began):
        kills += 1
        before = [len(client.acknowledged) for client in clients]
        threads = [threading.Thread(target=client.publish, args=(server,)) for client in clients]
        for thread in threads:
            thread.start()
        time.sleep(rng.uniform(0.02, LONGEST))
        server.kill()
        for thread in threads:
            thread.join()
        server = processes.pserve(ini)
        slowest = max(slowest, server.seconds_to_ready)
        for client, known in zip(clients, before, strict=True):
            assert not client.surprises
            check(server, client.acknowledged[known:])
            if client.perhaps is not None:
                interrupted += 1
                listed_unasked += client.perhaps.filename in server.files(client.perhaps.project)
                retried = server.upload(client.perhaps)
                assert retried.status == 200, (kills, retried)
                client.acknowledged.append(Kept.of(client.perhaps))
                check(server, client.acknowledged[-1:])
    check_lists(server, clients)
    check(server, [package for client in clients for package in client.acknowledged])
    kept = sum(len(client.acknowledged) for client in clients)
    print(
        f"{kills} kills: {kept} uploads acknowledged and kept, {interrupted} interrupted, of which {listed_unasked} "
        f"were published all the same; ready again after at most {slowest:.2f} s"
    )
    tally.add("kills of a server", kills)
    tally.add("uploads acknowledged under kills", kept)
    tally.add("uploads acknowledged under kills and lost", 0)  # as was asserted of each
    # An empty index starts no faster: nothing is repaired, read or counted at the start.
    assert slowest < 15
    verified = processes.mypi(ini, "verify")
    assert verified.returncode == 0, verified
    swept = processes.mypi(ini, "sweep", "--yes", "--grace", "0")
    assert swept.returncode == 0, swept
    check_lists(server, clients)
    assert processes.mypi(ini, "verify").returncode == 0
    assert "Traceback" not in server.said
    assert server.stop() == 0

"""Several nodes over one store, and a store that goes away under load: nothing is lost, nothing is doubled.

Each node is a `pserve` of its own with a port, a folder and a cache of its own; what they share is the store.
"""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests import services, stores
from tests.services import Postgres, Seaweed, Service, Zeo
from tests.system import processes
from tests.system.processes import Package, Server, wheel

CLIENTS = 16
SHARED = "acme-shared"
KINDS = ("filesystem", "postgresql", "s3", "zeo")
RELEASES = {"filesystem": 6, "zeo": 4, "postgresql": 4, "s3": 2}
"""What each client publishes; many writers of one document cost SeaweedFS seconds."""

WIDE = {"server": "threads = 16"}


@dataclass
class Nodes:
    """Servers over one store; a number chooses one, and one that was killed can be started again."""

    inis: list[Path]
    servers: list[Server] = field(default_factory=list)

    def start(self) -> None:
        self.servers = [processes.pserve(ini) for ini in self.inis]

    def restart(self, number: int) -> None:
        self.servers[number].kill()
        self.servers[number] = processes.pserve(self.inis[number])

    def stop(self) -> None:
        for server in self.servers:
            server.kill()


@contextmanager
def nodes(folder: Path, settings: dict[str, str], count: int = 2) -> Iterator[Nodes]:
    """Start nodes over the store that the settings name."""
    inis = []
    for number in range(count):
        own = folder / f"node-{number}"
        own.mkdir()
        given = {
            name.replace(".", "__"): value.replace("/blobs", f"/blobs-{number}") for name, value in settings.items()
        }
        inis.append(processes.ini(own, processes.free_port(), **WIDE, **given))
    started = Nodes(inis)
    try:
        started.start()
        yield started
    finally:
        started.stop()


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def pair(kind: str, tmp_path: Path) -> Iterator[Nodes]:
    """Two nodes over one store."""
    with nodes(tmp_path, stores.settings(kind, tmp_path)) as started:
        yield started


@dataclass
class Client:
    """Somebody who publishes packages one after the other, to any node, until each is acknowledged or told off."""

    number: int
    acknowledged: list[Package] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    def packages(self) -> Iterator[Package]:
        project = SHARED if self.number % 2 else f"acme-{self.number}"
        for release in itertools.count():
            yield wheel(project, f"{release}.{self.number}")

    def publish(self, package: Package, started: Nodes, deadline: float) -> bool:
        """Send a package to one node and then the other until one acknowledges it; False when time is up."""
        for turn in itertools.count(self.number):
            if time.monotonic() > deadline:
                return False
            try:
                status = started.servers[turn % len(started.servers)].upload(package).status
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
                continue
            self.statuses[status] += 1
            if status == 200:
                self.acknowledged.append(package)
                return True
            time.sleep(0.1)
        return False


def check(started: Nodes, clients: list[Client]) -> None:
    """Assert that each node lists what was acknowledged, whole, once, and nothing that nobody sent."""
    expected: dict[str, dict[str, Package]] = {}
    for package in (package for client in clients for package in client.acknowledged):
        expected.setdefault(package.project, {})[package.filename] = package
    for server in started.servers:
        for project, packages in expected.items():
            listed = server.files(project)
            assert packages.keys() <= listed.keys(), f"lost: {packages.keys() - listed.keys()}"
            for filename, package in packages.items():
                assert listed[filename]["hashes"] == {"sha256": package.sha256}
    server = started.servers[0]
    for project, packages in expected.items():
        for filename, package in packages.items():
            assert server.fetch(project, filename) == package.data


def in_threads(jobs: list[Callable[[], object]]) -> ExitStack:
    """Start the jobs; closing what is returned waits for them and raises what one of them raised."""
    raised: list[BaseException] = []

    def run(job: Callable[[], object]) -> None:
        try:
            job()
        except BaseException as exc:
            raised.append(exc)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    stack = ExitStack()

    def finish() -> None:
        for thread in threads:
            thread.join()
        if raised:
            raise raised[0]

    stack.callback(finish)
    for thread in threads:
        thread.start()
    return stack


def test_a_file_published_through_one_node_is_on_the_next_page_of_the_other(pair: Nodes) -> None:
    for number in range(12):
        package = wheel("acme-lib", f"{number}.0")
        through, asked = pair.servers if number % 2 else pair.servers[::-1]
        assert through.upload(package).status == 200
        listed = asked.files("acme-lib")
        assert len(listed) == number + 1
        assert asked.get(asked.url("acme-lib", listed[package.filename])).body == package.data


def test_sixteen_clients_of_two_nodes_lose_nothing_while_one_is_killed_again_and_again(pair: Nodes, kind: str) -> None:
    clients = [Client(number) for number in range(CLIENTS)]
    deadline = time.monotonic() + 180
    done = threading.Event()

    def work(client: Client) -> None:
        for package in itertools.islice(client.packages(), RELEASES[kind]):
            assert client.publish(package, pair, deadline)

    kills = 0
    with in_threads([lambda client=client: work(client) for client in clients]) as working:
        working.callback(done.set)
        while all(len(client.acknowledged) < RELEASES[kind] for client in clients):
            time.sleep(0.4)
            pair.restart(1)
            kills += 1
    assert kills
    assert {status for client in clients for status in client.statuses} <= {200, 503}
    check(pair, clients)
    shared = pair.servers[0].files(SHARED)
    assert len(shared) == RELEASES[kind] * CLIENTS // 2
    assert processes.mypi(pair.inis[0], "verify").returncode == 0


SERVERS: dict[str, type[Service]] = {"postgresql": Postgres, "zeo": Zeo, "s3": Seaweed}


def _over(kind: str, service: Service, folder: Path) -> dict[str, str]:
    """Name a store on a server of the test's own."""
    if isinstance(service, Postgres):
        return {"storage": "zodb", "storage.uri": stores.postgres_uri(service, folder)}
    if isinstance(service, Zeo):
        return {"storage": "zodb", "storage.uri": stores.zeo_uri(service, folder)}
    assert isinstance(service, Seaweed)
    return {"storage": "s3", "storage.bucket": services.BUCKET, "storage.endpoint": service.endpoint}


@pytest.mark.parametrize("kind", sorted(SERVERS))
def test_a_store_that_is_away_is_503_and_comes_back_by_itself(kind: str, tmp_path: Path) -> None:
    """Under load it is stopped and started, then killed and started; what was acknowledged is there afterwards."""
    clients = [Client(number) for number in range(4)]
    done = threading.Event()
    with (
        services.running(SERVERS[kind], tmp_path / "service") as service,
        nodes(tmp_path, _over(kind, service, tmp_path)) as pair,
    ):
        assert pair.servers[0].upload(wheel("acme-first")).status == 200
        deadline = time.monotonic() + 240

        def work(client: Client) -> None:
            for package in client.packages():
                if done.is_set() or not client.publish(package, pair, deadline):
                    return
                time.sleep(0.05)

        with in_threads([lambda client=client: work(client) for client in clients]) as working:
            working.callback(done.set)
            for end in (service.stop, service.kill):
                before = [len(client.acknowledged) for client in clients]
                _wait(lambda before=before: _grew(clients, before), 60, "uploads are not acknowledged")
                end()
                began = time.monotonic()
                answer = pair.servers[0].get("/simple/acme-first/")
                assert answer.status == 503, answer
                assert answer.headers["Retry-After"]
                assert time.monotonic() - began < 30, "an answer hangs while the store is away"
                service.start()
                back = time.monotonic()
                _wait(lambda: pair.servers[0].get("/simple/acme-first/").status == 200, 60, "pages stay away")
                assert time.monotonic() - back < 60
                before = [len(client.acknowledged) for client in clients]
                _wait(lambda before=before: _grew(clients, before), 60, "uploads stay refused")
        assert {status for client in clients for status in client.statuses} <= {200, 503}
        assert any(client.statuses[503] for client in clients)
        check(pair, clients)
        verified = processes.mypi(pair.inis[0], "verify")
        assert verified.returncode == 0, verified


def _grew(clients: list[Client], before: list[int]) -> bool:
    return sum(len(client.acknowledged) for client in clients) > sum(before) + 2


def _wait(so: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.1)

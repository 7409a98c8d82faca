"""PostgreSQL, ZEO and S3 behind a proxy that breaks, stalls and refuses connections at random while clients publish."""

from __future__ import annotations

import itertools
import random
import threading
import time
from pathlib import Path

import pytest

from tests import services, stores
from tests.proxies import Forwarder
from tests.services import Postgres, Seaweed, Service, Zeo
from tests.system import processes
from tests.system.processes import wheel
from tests.system.test_nodes import Client, Nodes, check, in_threads, nodes
from tests.tally import Tally

FAULTS = 20
SERVERS: dict[str, type[Service]] = {"postgresql": Postgres, "zeo": Zeo, "s3": Seaweed}


def through(kind: str, service: Service, proxy: Forwarder, folder: Path) -> dict[str, str]:
    """Name a store on a service that is reached by way of a proxy."""
    if isinstance(service, Seaweed):
        return {"storage": "s3", "storage.bucket": services.BUCKET, "storage.endpoint": proxy.endpoint}
    uri = stores.postgres_uri(service, folder) if isinstance(service, Postgres) else None
    uri = uri or stores.zeo_uri(service, folder)  # type: ignore[arg-type]
    return {"storage": "zodb", "storage.uri": uri.replace(f":{_port(service)}", f":{proxy.port}")}


def _port(service: Service) -> int:
    return int(service.endpoint.rpartition(":")[2]) if isinstance(service, Seaweed) else service.port  # type: ignore[attr-defined]


def harm(proxy: Forwarder, chance: random.Random) -> None:
    """Do one of the things that networks do."""
    what = chance.choice(["cut", "stall", "refuse"])
    if what == "cut":
        proxy.cut()
    elif what == "stall":
        with proxy.stalled():
            time.sleep(chance.uniform(0.1, 2))
        proxy.cut()  # else an answer that comes late meets a client that has given up
    else:
        proxy.refuse()
        time.sleep(chance.uniform(0.1, 1.5))
        proxy.accept()


def recovered(pair: Nodes) -> float:
    """Return how long it takes until both nodes publish again, in seconds."""
    began = time.monotonic()
    for number, server in enumerate(pair.servers):
        for attempt in itertools.count():
            package = wheel(f"acme-probe{number}", f"{time.monotonic_ns()}.{attempt}")
            if server.upload(package).status == 200:
                break
            assert time.monotonic() - began < 60, "it does not recover"
            time.sleep(0.05)
    return time.monotonic() - began


@pytest.mark.parametrize("kind", sorted(SERVERS))
def test_a_network_that_fails_under_load_loses_nothing(kind: str, tmp_path: Path, tally: Tally) -> None:
    chance, done = random.Random(7), threading.Event()
    clients = [Client(number) for number in range(4)]
    with (
        services.running(SERVERS[kind], tmp_path / "service") as service,
        Forwarder(_port(service)) as proxy,
        nodes(tmp_path, through(kind, service, proxy, tmp_path)) as pair,
    ):
        deadline = time.monotonic() + 600

        def work(client: Client) -> None:
            for package in client.packages():
                if done.is_set() or not client.publish(package, pair, deadline):
                    return

        with in_threads([lambda client=client: work(client) for client in clients]) as working:
            working.callback(done.set)
            for _ in range(FAULTS):
                time.sleep(chance.uniform(0.2, 1))
                harm(proxy, chance)
                tally.most(f"recovery from a fault of the network, {kind}", recovered(pair), "s")
        assert {status for client in clients for status in client.statuses} <= {200, 503}
        check(pair, clients)
        assert processes.mypi(pair.inis[0], "verify").returncode == 0
    tally.add(f"faults of the network under load, {kind}", FAULTS)
    tally.add("uploads acknowledged under faults of the network", sum(len(each.acknowledged) for each in clients))

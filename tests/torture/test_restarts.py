"""Restarts under load: the server stops and starts while clients publish; nothing that was acknowledged is lost."""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

from tests.system import processes
from tests.system.test_kill import CLIENTS, Client, Kept, check, check_lists
from tests.tally import Tally

RESTARTS = 20 if os.environ.get("MYPI_TORTURE") else 2


def test_a_server_that_is_restarted_under_load_loses_nothing(tmp_path: Path, tally: Tally) -> None:
    chance = random.Random(7)
    ini = processes.ini(tmp_path, processes.free_port())
    clients = [Client(number) for number in range(CLIENTS)]
    server = processes.pserve(ini)
    try:
        for _ in range(RESTARTS):
            threads = [threading.Thread(target=client.publish, args=(server,)) for client in clients]
            for thread in threads:
                thread.start()
            time.sleep(chance.uniform(0.1, 0.6))
            assert server.stop() == 0, server.said
            for thread in threads:
                thread.join()
            server = processes.pserve(ini)
            for client in clients:
                assert not client.surprises
                if client.perhaps is not None:  # its connection was ended before it was answered
                    assert server.upload(client.perhaps).status == 200
                    client.acknowledged.append(Kept.of(client.perhaps))
        check_lists(server, clients)
        check(server, [package for client in clients for package in client.acknowledged])
        assert processes.mypi(ini, "verify").returncode == 0
        assert "Traceback" not in server.said
        tally.add("restarts under load", RESTARTS)
        tally.add("uploads acknowledged under restarts", sum(len(client.acknowledged) for client in clients))
    finally:
        server.kill()

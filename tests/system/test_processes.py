"""Two server processes over one folder, and a server that is asked to stop."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import processes
from tests.system.processes import MIB, Answer, Package, Server, wheel

CLIENTS = 8
RELEASES = 6
WIDE = {"server": "threads = 8"}


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    """Two servers that keep everything in the same folder."""
    with (
        processes.pserve(processes.ini(tmp_path, processes.free_port(), **WIDE)) as one,
        processes.pserve(processes.ini(tmp_path, processes.free_port(), **WIDE)) as other,
    ):
        yield one, other


def together(*jobs: object) -> None:
    """Run functions at the same time, each in a thread; what one raises is raised here."""
    raised: list[BaseException] = []
    gate = threading.Barrier(len(jobs))

    def run(job: object) -> None:
        try:
            gate.wait(10)
            job()  # type: ignore[operator]
        except BaseException as exc:
            raised.append(exc)

    threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def test_an_upload_through_one_process_is_on_the_next_page_of_the_other(pair: tuple[Server, Server]) -> None:
    for number in range(40):
        package = wheel("acme-lib", f"{number}.0")
        through, asked = pair if number % 2 else pair[::-1]
        assert through.upload(package).status == 200
        listed = asked.files("acme-lib")
        assert len(listed) == number + 1
        assert asked.get(asked.url("acme-lib", listed[package.filename])).body == package.data


def test_clients_of_two_processes_lose_and_double_nothing(pair: tuple[Server, Server], tmp_path: Path) -> None:
    answers: list[Answer] = []

    def client(number: int) -> None:
        for version in range(RELEASES):
            for project in ("acme-shared", f"acme-{number}"):
                package = wheel(project, f"{version}.{number}")
                answers.append(pair[(number + version) % 2].upload(package))

    together(*(lambda number=number: client(number) for number in range(CLIENTS)))
    assert [answer.status for answer in answers] == [200] * (2 * CLIENTS * RELEASES)
    for server in pair:
        assert len(server.files("acme-shared")) == CLIENTS * RELEASES
        for number in range(CLIENTS):
            assert len(server.files(f"acme-{number}")) == RELEASES
    assert processes.mypi(next(tmp_path.glob("*.ini")), "verify").returncode == 0


def test_one_of_those_who_publish_a_name_at_the_same_time_wins(pair: tuple[Server, Server]) -> None:
    """Same name, other bytes: one 200, and 409 for all others, whichever process they ask."""
    for number in range(5):
        version = f"{number}.0"
        rivals = [
            Package("acme-race", version, wheel("acme-race", version, 2000 + each).data) for each in range(CLIENTS)
        ]
        answers: dict[int, Answer] = {}

        def publish(each: int, rivals: list[Package] = rivals, answers: dict[int, Answer] = answers) -> None:
            answers[each] = pair[each % 2].upload(rivals[each])

        together(*(lambda each=each: publish(each) for each in range(CLIENTS)))
        statuses = sorted(answer.status for answer in answers.values())
        assert statuses == [200] + [409] * (CLIENTS - 1), answers
        winner = next(rivals[each] for each, answer in answers.items() if answer.status == 200)
        for server in pair:
            assert server.fetch("acme-race", winner.filename) == winner.data


def test_the_same_file_published_by_many_is_one_entry(pair: tuple[Server, Server]) -> None:
    package = wheel("acme-same", "1.0", MIB)
    answers: list[Answer] = []
    together(*(lambda each=each: answers.append(pair[each % 2].upload(package)) for each in range(CLIENTS)))
    assert [answer.status for answer in answers] == [200] * CLIENTS, answers
    assert list(pair[0].files("acme-same")) == [package.filename]


def test_commands_work_beside_the_servers(pair: tuple[Server, Server], tmp_path: Path) -> None:
    ini = next(tmp_path.glob("*.ini"))
    package = wheel("acme-lib")
    pair[0].upload(package)
    done = processes.mypi(ini, "yank", "acme-lib", "1.0", "--reason", "broken")
    assert done.returncode == 0, done
    for server in pair:
        assert server.files("acme-lib")[package.filename]["yanked"] == "broken"
    done = processes.mypi(ini, "remove", "--yes", "acme-lib", package.filename)
    assert done.returncode == 0, done
    for server in pair:
        assert package.filename not in server.files("acme-lib")


def test_sigterm_finishes_what_is_in_flight(tmp_path: Path) -> None:
    """An upload that is half here, and a download that is half there, end as if nothing had been said."""
    package, big = wheel("acme-late"), wheel("acme-big", "1.0", 20 * MIB)
    with processes.pserve(processes.ini(tmp_path, processes.free_port())) as server:
        assert server.upload(big).status == 200
        path = server.url("acme-big", server.files("acme-big")[big.filename])
        content_type, body = package.form()
        with contextlib.closing(server.connect()) as uploading, contextlib.closing(server.connect()) as downloading:
            uploading.putrequest("POST", "/")
            uploading.putheader("Content-Type", content_type)
            uploading.putheader("Content-Length", str(len(body)))
            uploading.endheaders()
            uploading.send(body[: len(body) // 2])
            downloading.request("GET", path)
            answer = downloading.getresponse()
            half = answer.read(10 * MIB)
            time.sleep(0.2)
            server.process.terminate()
            time.sleep(0.5)
            with pytest.raises(OSError), socket.create_connection(("127.0.0.1", server.port), timeout=5) as late:
                late.sendall(b"GET / HTTP/1.0\r\n\r\n")
                if not late.recv(100):
                    raise ConnectionResetError
            uploading.send(body[len(body) // 2 :])
            assert uploading.getresponse().status == 200
            assert half + answer.read() == big.data
        assert server.process.wait(20) == 0
    with processes.pserve(processes.ini(tmp_path, processes.free_port())) as again:
        assert again.fetch("acme-late", package.filename) == package.data

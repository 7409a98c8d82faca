"""A backup that is made while clients publish, restored elsewhere: whole, with all that was acknowledged before it."""

from __future__ import annotations

import os
import tarfile
import threading
from pathlib import Path

import pytest

from tests.system import processes
from tests.system.processes import Package, Server, wheel
from tests.tally import Tally

CLIENTS = 3
BACKUPS, FORMS = (10, ["folder", "tar"]) if os.environ.get("MYPI_TORTURE") else (1, ["folder"])


class Publisher(threading.Thread):
    """Publishes release after release until it is told to stop."""

    def __init__(self, server: Server, number: int) -> None:
        super().__init__()
        self.server, self.number = server, number
        self.acknowledged: list[Package] = []
        self.done = threading.Event()
        self.begun = threading.Event()

    def run(self) -> None:
        while not self.done.is_set():
            package = wheel(f"acme-{self.number % 2}", f"{len(self.acknowledged)}.{self.number}", 20_000)
            assert self.server.upload(package).status == 200
            self.acknowledged.append(package)
            self.begun.set()


@pytest.mark.parametrize("form", FORMS)
def test_a_backup_during_writes_is_restored_elsewhere(tmp_path: Path, form: str, tally: Tally) -> None:
    ini = processes.ini(tmp_path, processes.free_port())
    with processes.pserve(ini) as server:
        publishers = [Publisher(server, number) for number in range(CLIENTS)]
        try:
            for publisher in publishers:
                publisher.start()
            for publisher in publishers:
                assert publisher.begun.wait(60)
            for number in range(BACKUPS):
                before = [package for publisher in publishers for package in publisher.acknowledged]
                place = tmp_path / (f"backup{number}.tar" if form == "tar" else "backup")
                saved = processes.mypi(ini, "backup", str(place))
                assert saved.returncode == 0, saved
        finally:
            for publisher in publishers:
                publisher.done.set()
            for publisher in publishers:
                publisher.join()
    _restored(tmp_path, place, before)
    tally.add("backups under load that were restored", BACKUPS)


def _restored(folder: Path, place: Path, expected: list[Package]) -> None:
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    if place.suffix == ".tar":
        with tarfile.open(place) as archive:
            archive.extractall(elsewhere / "var", filter="data")
    else:
        place.rename(elsewhere / "var")
    ini = processes.ini(elsewhere, processes.free_port())
    verified = processes.mypi(ini, "verify")
    assert verified.returncode == 0, verified
    with processes.pserve(ini) as server:
        listed = {project: server.files(project) for project in {package.project for package in expected}}
        for package in expected:
            assert listed[package.project][package.filename]["hashes"] == {"sha256": package.sha256}
        for package in expected[-5:]:
            assert server.fetch(package.project, package.filename) == package.data
        assert server.upload(wheel("acme-lib")).status == 200

"""Power loss of a server at work: the image of its disk is copied as it stands, and another server starts from it."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system import processes
from tests.system.test_kill import CLIENTS, Client, Kept, check
from tests.tally import Tally

CUTS, SIZE = 15, 192 * processes.MIB


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[Path]:
    """Mount an image; a journal that was left in the middle is recovered by that."""
    folder.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_what_was_acknowledged_survives_a_cut_of_the_power(tmp_path: Path, tally: Tally) -> None:
    chance = random.Random(7)
    image = tmp_path / "disk.img"
    with image.open("wb") as target:
        target.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    clients, moments = [Client(number) for number in range(CLIENTS)], []
    with mounted(image, tmp_path / "disk") as disk:
        ini = processes.ini(tmp_path, processes.free_port(), storage__path=str(disk / "var"))
        with processes.pserve(ini) as server:
            threads = [threading.Thread(target=client.publish, args=(server,)) for client in clients]
            for thread in threads:
                thread.start()
            for cut in range(CUTS):
                time.sleep(chance.uniform(0.05, 0.3))
                # Whoever was answered by now was promised; what is under way may be there or not.
                promised = [package for client in clients for package in list(client.acknowledged)]
                server.process.send_signal(signal.SIGSTOP)
                shutil.copy(image, tmp_path / f"cut{cut}.img")
                server.process.send_signal(signal.SIGCONT)
                moments.append(promised)
            server.kill()
            for thread in threads:
                thread.join()
    for cut, promised in enumerate(moments):
        _restored(tmp_path, cut, promised)
    tally.add("power cuts of a server on ext4", CUTS)
    tally.add("uploads acknowledged before a cut of the power", len({each.filename for each in moments[-1]}))


def _restored(folder: Path, cut: int, promised: list[Kept]) -> None:
    image = folder / f"cut{cut}.img"
    with mounted(image, folder / f"cut{cut}") as disk:
        ini = processes.ini(folder, processes.free_port(), storage__path=str(disk / "var"))
        with processes.pserve(ini) as server:
            check(server, promised)
        verified = processes.mypi(ini, "verify")
        assert verified.returncode == 0, verified
    image.unlink()

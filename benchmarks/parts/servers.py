"""mypi under other servers, for those who want more from one process."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from pathlib import Path

from .. import corpora, load
from ..bench import Bench
from ..peers import Mypi
from ..running import Process, environment, free_port, running

SERVERS = {
    "gunicorn, 2 workers of 4 threads": (
        "gunicorn",
        "-w",
        "2",
        "--threads",
        "4",
        "-b",
        "127.0.0.1:{port}",
        "mypi.wsgi",
    ),
    "granian, 2 workers": (
        *("granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "4"),
        *("--host", "127.0.0.1", "--port", "{port}", "mypi.wsgi:application"),
    ),
}


def measure(bench: Bench) -> None:
    """Serve one store by each of them, and ask for a page of five files."""
    load.need_wrk()
    folder = bench.folder / "servers"
    peer = Mypi()
    with contextlib.ExitStack() as held:
        mypi = held.enter_context(peer.serving(folder))
        peer.fill(mypi, folder, corpora.packages(0, 0, 0))
        served: dict[str, Process] = {"mypi": mypi}
        for name, command in SERVERS.items():
            port = free_port()
            program, *words = (word.format(port=port) for word in command)
            path: list[str | Path] = [Path(sys.executable).with_name(program), *words]
            env = environment(MYPI_INI=str(folder / "mypi.ini"))
            served[name] = held.enter_context(running(path, port, folder / "log", cwd=folder, env=env))
        with _pyruvate(folder) as pyruvate:
            served["pyruvate"] = pyruvate
            table = bench.table("servers", "page of 5 files, JSON, by the server", "answers a second")
            bench.in_turns(
                table,
                {
                    name: partial(
                        load.requests,
                        f"http://127.0.0.1:{process.port}/simple/{corpora.FEW}/",
                        bench.seconds,
                        {"Accept": load.JSON},
                    )
                    for name, process in served.items()
                },
            )


@contextlib.contextmanager
def _pyruvate(folder: Path):  # type: ignore[no-untyped-def]
    port = free_port()
    ini = folder / "pyruvate.ini"
    text = (folder / "mypi.ini").read_text()
    head, _, rest = text.partition("[server:main]")
    rest = rest.partition("\n\n")[2]
    ini.write_text(f"{head}[server:main]\nuse = egg:pyruvate#main\nsocket = 127.0.0.1:{port}\nworkers = 2\n\n{rest}")
    with running([Path(sys.executable).with_name("pserve"), ini], port, folder / "pyruvate.log") as process:
        yield process

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
from .fronts import first_file

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
    folder = (bench.folder / "servers").resolve()
    peer = Mypi()
    with contextlib.ExitStack() as held:
        mypi = held.enter_context(peer.serving(folder))
        peer.fill(mypi, folder, corpora.packages(0, 0, 0))
        served: dict[str, Process] = {"mypi": mypi}
        for name, command in SERVERS.items():
            port = free_port()
            program, *words = (word.format(port=port) for word in command)
            command_line: list[str | Path] = [Path(sys.executable).with_name(program), *words]
            # gunicorn writes into the home folder.
            env = environment(MYPI_INI=str(folder / "mypi.ini"), HOME=str(folder))
            served[name] = held.enter_context(
                running(command_line, port, folder / f"{program}.log", cwd=folder, env=env)
            )
        with _pyruvate(folder) as pyruvate:
            served["pyruvate"] = pyruvate
            page = f"/simple/{corpora.FEW}/"
            for title, path, headers in (
                ("page of 5 files, JSON", page, {"Accept": load.JSON}),
                ("file of 2 KiB", first_file(f"http://127.0.0.1:{mypi.port}{page}"), {}),
            ):
                table = bench.table("servers", f"{title}, by the server", "answers a second")
                urls = {name: f"http://127.0.0.1:{process.port}{path}" for name, process in served.items()}
                bench.in_turns(
                    table, {name: partial(load.requests, url, bench.seconds, headers) for name, url in urls.items()}
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

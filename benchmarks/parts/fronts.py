"""mypi behind nginx, by both profiles that ``mypi nginx-config`` writes, beside nginx alone and beside pypiron."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from .. import baselines, corpora, load
from ..bench import Bench
from ..peers import Mypi, Peer, Pypiron
from ..running import Process, free_port, running

MIB = 2**20
BELIEVED = "trusted_proxy = 127.0.0.1\ntrusted_proxy_headers = x-forwarded-for x-forwarded-proto\n"


def measure(bench: Bench) -> None:
    """Ask for a page, a small file and one of 50 MB, through each."""
    load.need_wrk()
    large = MIB if bench.small else 50 * MIB
    packages = [
        *corpora.packages(0, 0, 0),
        corpora.wheel("acme-middle", "1.0", 100 * 1024),
        corpora.wheel("acme-heavy", "1.0", large),
    ]
    pypiron = Pypiron()
    pypiron.install()
    with contextlib.ExitStack() as held:
        bases = {name: held.enter_context(_behind(bench, name, packages)) for name in ("safe", "fast")}
        iron = held.enter_context(pypiron.serving(bench.folder / "fronts" / "pypiron"))
        pypiron.fill(iron, bench.folder, packages)
        bases = {f"mypi, {name}": port for name, port in bases.items()} | {"pypiron": iron.port}
        _measure(bench, "page of 5 files, JSON", _pages(bases), "mypi, fast", {"nginx": 0.8, "pypiron": 1.0})
        # Of the larger one the kernel's copying is most of the time, whoever sends.
        for project, size, wanted in ((corpora.FEW, "2 KiB", 2.0), ("acme-middle", "100 KiB", 1.0)):
            title = f"file of {size}, fast profile"
            _measure(bench, title, _files(bases, project), "mypi, fast", {"pypiron": wanted})
        heavy = _files(bases, "acme-heavy")
        _measure(bench, f"file of {large / MIB:.0f} MiB, handed to nginx", heavy, "mypi, safe", {"nginx": 0.8})


def _pages(ports: dict[str, int]) -> dict[str, str]:
    return {name: f"http://127.0.0.1:{port}/simple/{corpora.FEW}/" for name, port in ports.items()}


def _files(ports: dict[str, int], project: str) -> dict[str, str]:
    pages = {name: f"http://127.0.0.1:{port}/simple/{project}/" for name, port in ports.items()}
    return {name: urljoin(page, first_file(page)) for name, page in pages.items()}


def first_file(page: str) -> str:
    """Return the path of the first file that a page lists."""
    request = urllib.request.Request(page, headers={"Accept": load.JSON})  # noqa: S310 - loopback
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        found: str = json.load(answer)["files"][0]["url"]
    return urlsplit(urljoin(page, found)).path


def _measure(bench: Bench, title: str, urls: dict[str, str], ours: str, wanted: dict[str, float]) -> None:
    table = bench.table("fronts", title, "answers a second", ours=ours, wanted=wanted)
    headers = {"Accept": load.JSON} if "page" in title else {}
    place = bench.folder / "machine" / re.sub(r"\W", "-", title)
    baselines.save(place, urls[ours], headers)
    with contextlib.ExitStack() as held:
        everybody = dict(urls)
        for kind in ("nginx", baselines.KEPT_OPEN):
            everybody[kind] = f"http://127.0.0.1:{held.enter_context(baselines.serving(kind, place)).port}/"
        bench.in_turns(
            table,
            {name: partial(load.requests, url, bench.seconds, headers) for name, url in everybody.items()},
        )


@contextlib.contextmanager
def _behind(bench: Bench, profile: str, packages: list[corpora.Package]) -> Iterator[int]:
    """Run mypi with nginx before it, as the command configures it; yield the port of nginx."""
    folder = (bench.folder / "fronts" / profile).resolve()
    peer: Peer = Mypi(settings="mypi.accel = nginx", server=BELIEVED)
    with peer.serving(folder) as mypi:
        peer.fill(mypi, folder, packages)
        command = [str(peer.bin / "mypi"), "-c", str(folder / "mypi.ini"), "nginx-config", "--server-name", "localhost"]
        command += ["--profile", profile, "--cache-folder", str(folder / "cache")]
        site = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
        with _nginx(folder, site) as nginx:
            yield nginx.port


@contextlib.contextmanager
def _nginx(folder: Path, site: str) -> Iterator[Process]:
    port = free_port()
    site = re.sub(r" *listen \[::\]:80;\n", "", site).replace("listen 80;", f"listen 127.0.0.1:{port};")
    places = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    conf = folder / "nginx.conf"
    conf.write_text(
        f"daemon off;\nworker_processes auto;\n{baselines.user()}\npid {folder}/nginx.pid;\n"
        f"error_log {folder}/nginx.log;\nevents {{}}\nhttp {{\naccess_log off;\n{places}{site}\n}}\n"
    )
    with running([baselines.nginx(), "-c", conf, "-p", folder], port, folder / "front.log") as process:
        yield process

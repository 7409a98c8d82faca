"""Real uv and real pip, which install forty small wheels from each index: what a person waits for.

Each is run in clean settings and without a cache, as a fresh container of CI is.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import time
from pathlib import Path

from .. import corpora
from ..bench import Bench
from ..peers import Devpi, Mypi, Peer, Pypiron, Pypiserver
from ..running import Process, environment

COUNT = 40

Served = dict[str, tuple[Peer, Process]]


def measure(bench: Bench) -> None:
    """Let them fetch, from each index in turns; most of the time is the client's own, and that is told by the ratio."""
    count = bench.of(COUNT)
    packages = [corpora.wheel(_name(number), "1.0", requires=_needs(number, count)) for number in range(count)]
    with contextlib.ExitStack() as held:
        served: Served = {}
        for peer in (Mypi(), Pypiserver(), Pypiron(), Devpi()):
            if bench.takes(peer.name):
                bench.say(f"filling {peer.name}")
                peer.install()
                folder = bench.folder / "clients" / peer.name
                process = held.enter_context(peer.serving(folder))
                peer.fill(process, folder, packages)
                served[peer.name] = peer, process
        program = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
        uv = [program, "pip", "install", "--no-config", "--no-cache", "--python", sys.executable, "--quiet"]
        pip = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "download", "--quiet"]
        pip += ["--no-cache-dir", "--no-deps"]
        names = [package.project for package in packages]
        _client(bench, served, f"uv pip install, {count} wheels that need each other", [*uv, "--target"], [names[0]])
        _client(bench, served, f"pip download --no-deps, {count} wheels", [*pip, "--dest"], names)


def _client(bench: Bench, served: Served, title: str, command: list[str], names: list[str]) -> None:
    table = bench.table("clients", title, "seconds", better="less")
    target = bench.folder / "clients" / "target"

    def once(peer: Peer, process: Process) -> float:
        index = f"http://127.0.0.1:{process.port}{peer.page('')}".rstrip("/") + "/"
        words = [*command, str(target), "--index-url", index, *names]
        began = time.perf_counter()
        subprocess.run(words, check=True, capture_output=True, env=environment(PIP_CONFIG_FILE="/dev/null"))  # noqa: S603
        took = time.perf_counter() - began
        found = len([*target.glob("*.whl"), *target.glob("*.dist-info")])
        shutil.rmtree(target)
        if found < bench.of(COUNT):
            raise RuntimeError(f"{found} wheels came")
        return took

    bench.in_turns(table, {name: lambda each=each: once(*each) for name, each in served.items()})  # type: ignore[misc]


def _name(number: int) -> str:
    return f"acme-need-{number}"


def _needs(number: int, count: int) -> list[str]:
    """Return what a package requires: two others, so that all follow from the first, level by level."""
    return [_name(each) for each in (2 * number + 1, 2 * number + 2) if each < count]

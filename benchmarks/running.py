"""Processes that a benchmark starts, each on a free port of loopback, and ends whatever happens."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PATIENCE = 120.0
"""Seconds in which a server must listen."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
    return port


def environment(**more: str) -> dict[str, str]:
    """The environment without what would lead pip, uv or mypi elsewhere."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "MYPI_"))}
    return kept | more


class Process:
    """A running server: ``began`` is when it was started, by the monotonic clock."""

    def __init__(self, popen: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.popen = popen
        self.port = port
        self.log = log
        self.began = time.monotonic()

    @property
    def memory(self) -> int:
        """Bytes of memory that it and its children have now."""
        return sum(_resident(pid) for pid in _family(self.popen.pid))

    @property
    def peak(self) -> int:
        """The most bytes of memory that the process itself ever had."""
        for line in Path(f"/proc/{self.popen.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        return 0

    def wait(self) -> None:
        """Wait until it listens. Raises RuntimeError with the end of its log if it does not."""
        while time.monotonic() < self.began + PATIENCE:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            if self.popen.poll() is not None:
                break
            time.sleep(0.005)
        raise RuntimeError(f"{self.popen.args} does not listen:\n{self.log.read_text(errors='replace')[-2000:]}")


@contextlib.contextmanager
def running(
    command: Sequence[str | Path],
    port: int,
    log: Path,
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[Process]:
    """Run a server until the block ends. Its whole group is ended then."""
    with log.open("ab") as out, contextlib.ExitStack() as held:
        popen = subprocess.Popen(  # noqa: S603 - what is run stands in this package
            [str(part) for part in command],
            stdout=out,
            stderr=out,
            cwd=cwd,
            env=environment() if env is None else dict(env),
            start_new_session=True,
        )
        held.callback(_end, popen)
        process = Process(popen, port, log)
        process.wait()
        yield process


def _end(popen: subprocess.Popen[bytes]) -> None:
    """Ask a group of processes to end, and end what does not: also what it left behind, also at a second Ctrl-C."""
    try:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            popen.wait(3)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(popen.pid, signal.SIGKILL)
        popen.wait()


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0

"""System calls of a running process, counted by strace: the only view of a server that needs none of its help."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

_CALL = re.compile(r"(?P<thread>[0-9]+) +(?P<name>[a-z0-9_]+)\((?P<given>.*)")


@dataclass(frozen=True)
class SystemCall:
    """One call: its name, and what it was given, with the path or kind of each descriptor."""

    name: str
    given: str


def need_strace() -> None:
    """Skip the test where there is no strace, or where it may not look at processes."""
    if not shutil.which("strace"):
        pytest.skip("strace is not here; on Debian: apt-get install strace")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        tracer = subprocess.Popen(["strace", "-p", str(child.pid)], stderr=subprocess.PIPE, text=True)
        assert tracer.stderr
        said = tracer.stderr.readline()
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
    finally:
        child.communicate(b"\n")
    if "attached" not in said:
        pytest.skip(f"strace may not look at processes here: {said.strip()}")


def traced(pid: int, work: Callable[[], object], output: Path) -> list[SystemCall]:
    """Return what a process with all its threads asks of the system while some work is done, but for its own locks."""
    command = ["strace", "-f", "-y", "-e", "trace=!futex", "-o", str(output), "-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr
    try:
        attached = tracer.stderr.readline()  # at all threads that there are
        assert "attached" in attached
        work()
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.communicate()
    found = (_CALL.match(line) for line in output.read_text(errors="replace").splitlines())
    return [SystemCall(match["name"], match["given"]) for match in found if match]  # the rest end calls that began

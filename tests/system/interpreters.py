"""The Pythons of this machine, 2.7 to 3.13: those on PATH and those that pyenv keeps."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

MISSING_PYTHON = "no Python of this series"
"""How the reason of a skip begins where the machine lacks an interpreter: the one kind that CI may have."""

SERIES = ("2.7", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13")


@dataclass(frozen=True)
class Interpreter:
    """A Python that was run and said what it is."""

    path: str
    version: str

    @property
    def series(self) -> tuple[int, int]:
        """Return the version's first two numbers."""
        major, minor, _ = self.version.split(".")
        return int(major), int(minor)


def this() -> Interpreter:
    """Return the Python that runs the tests."""
    return Interpreter(sys.executable, ".".join(map(str, sys.version_info[:3])))


@functools.cache
def find(series: str) -> Interpreter | None:
    """Return a Python of the series, such as "3.8", or None."""
    for candidate in _candidates(series):
        try:
            # Python 2.7 knows no -I; a shim of pyenv for a version that is not chosen exits with 127.
            asked = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
            argv = [candidate, "-E", "-c", asked]
            run = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)
        except OSError:
            continue
        version = run.stdout.strip()
        if run.returncode == 0 and version.startswith(f"{series}."):
            return Interpreter(str(candidate), version)
    return None


def need(*series: str) -> Interpreter:
    """Return the first Python there is of the named series; skip the test if there is none."""
    for each in series:
        if found := find(each):
            return found
    pytest.skip(f"{MISSING_PYTHON}: {' or '.join(series)}, on PATH or among pyenv's versions")


def _candidates(series: str) -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    yield from sorted(root.glob(f"versions/{series}.*/bin/python{series}"))
    for folder in os.get_exec_path():
        if (path := Path(folder, f"python{series}")).is_file():
            yield path

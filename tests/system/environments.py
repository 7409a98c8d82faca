"""Virtual environments with pinned distributions for any Python, kept between runs of the tests.

They are made with the machine's own configuration of pip and uv; what runs in them later sees none of it (clients.py).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv
from packaging.utils import canonicalize_name

from . import registry
from .interpreters import Interpreter, this

_INSTALLED = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist-info|egg-info|egg)")

VIRTUALENV = "virtualenv==20.21.1"
"""The last one that makes environments for Python 2.7; uv knows 3.6 and newer."""


class CannotMake(Exception):
    """An environment cannot be made; the message says for which Python, with what, and why."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment."""

    path: Path
    interpreter: Interpreter

    @property
    def python(self) -> str:
        """Return its Python."""
        return str(self.path / "bin" / "python")

    def script(self, name: str) -> str:
        """Return the path of one of its scripts."""
        return str(self.path / "bin" / name)

    def copy(self, target: Path) -> Environment:
        """Return a copy to install into; run its modules (`python -m pip`), for scripts name the original's Python."""
        shutil.copytree(self.path, target, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        return Environment(target, self.interpreter)


def installed(env: Environment) -> dict[str, str]:
    """Return the version of each distribution in an environment, by canonical name."""
    [folder] = env.path.glob("lib/python*/site-packages")
    names = [path.name for path in folder.iterdir() if path.suffix != ".egg"]
    active = folder / "easy-install.pth"
    if active.is_file():  # eggs of several versions may lie side by side
        names += [Path(line).name for line in active.read_text().splitlines()]
    found = [_INSTALLED.fullmatch(name) for name in names]
    return {canonicalize_name(each["name"]): each["version"].replace("_", "+") for each in found if each}


class Environments:
    """Makes each environment once, under a folder that is kept."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def need(self, interpreter: Interpreter, *pins: str) -> Environment:
        """Return the environment; skip the test with the reason if it cannot be made."""
        try:
            return self.make(interpreter, *pins)
        except CannotMake as exc:
            pytest.skip(str(exc))

    def make(self, interpreter: Interpreter, *pins: str) -> Environment:
        """Return the environment of a Python with exactly these requirements and what they need. Raises CannotMake.

        `make(this(), "twine==7.0.0")`
        """
        key = hashlib.sha256("\n".join([interpreter.path, interpreter.version, *sorted(pins)]).encode()).hexdigest()[:8]
        label = re.sub(r"[^\w.]+", "-", "-".join(pins)) or "bare"
        path = self._folder / f"{interpreter.version}-{label}-{key}"
        ready = path / ".ready"
        path.parent.mkdir(parents=True, exist_ok=True)
        # Two runs of the tests may share the folder; scripts hold their path, so nothing can be renamed into place.
        with (self._folder / f".{key}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                shutil.rmtree(path, ignore_errors=True)
                (self._make_old if interpreter.series < (3, 6) else self._make)(path, interpreter, pins)
                ready.touch()
        return Environment(path, interpreter)

    def _make(self, path: Path, interpreter: Interpreter, pins: Sequence[str]) -> None:
        tool = uv.find_uv_bin()
        _run([tool, "venv", "--quiet", "--python", interpreter.path, str(path)], interpreter, pins)
        if pins:
            # Copied, not linked to uv's cache: what a client changes in its environment stays there.
            words = ["pip", "install", "--quiet", "--link-mode=copy", "--python", str(path / "bin" / "python"), *pins]
            _run([tool, *words], interpreter, pins)

    def _make_old(self, path: Path, interpreter: Interpreter, pins: Sequence[str]) -> None:
        maker = self.make(this(), VIRTUALENV)
        _run([maker.python, "-m", "virtualenv", "--quiet", "-p", interpreter.path, str(path)], interpreter, pins)
        if pins:
            _run([str(path / "bin" / "python"), "-m", "pip", "install", "--quiet", *pins], interpreter, pins)


def _run(argv: Sequence[str], interpreter: Interpreter, pins: Sequence[str]) -> None:
    ours = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    environ = {name: value for name, value in os.environ.items() if name not in ours}
    if registry.setting("index-url") and not any(name in environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        environ["UV_DEFAULT_INDEX"] = registry.index_url()
    done = subprocess.run(argv, check=False, env=environ, capture_output=True, text=True, timeout=600)
    if done.returncode:
        what = ", ".join(pins) or "nothing"
        said = (done.stderr or done.stdout).strip()[-500:]
        raise CannotMake(f"no environment of Python {interpreter.version} with {what} can be made here: {said}")

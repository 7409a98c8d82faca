"""Running real clients so that they see the index under test and nothing else of this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ALL = bool(os.environ.get("MYPI_CLIENTS_ALL"))
"""Set by `make clients`: every client of every age runs, not only those that `make test` has time for."""


@dataclass(frozen=True)
class Result:
    """What a command did: its exit code, and all that it printed."""

    argv: tuple[str, ...]
    code: int
    output: str

    def succeeded(self) -> Result:
        """Return itself, or fail the test with what was printed."""
        assert self.code == 0, f"{self}"
        return self

    def failed(self) -> Result:
        """Return itself, or fail the test with what was printed."""
        assert self.code != 0, f"{self}"
        return self

    def __str__(self) -> str:
        return f"{' '.join(self.argv)}\nexit code {self.code}\n{self.output}"


class Home:
    """The home folder of a user who has configured nothing: no index, no proxy, no keyring, own caches.

    A client that could reach another index, or a cache of it, would prove nothing.
    """

    def __init__(self, folder: Path, *, through: tuple[str, ...] = ()) -> None:
        """Make the folder; `through` is put before each command, such as ("ip", "netns", "exec", NAME)."""
        self.folder = folder
        self._through = through
        (folder / "tmp").mkdir(parents=True, exist_ok=True)

    @property
    def environ(self) -> dict[str, str]:
        """Return the whole environment of a client."""
        return {
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "300",  # some clients wrap the server's sentence otherwise
            "NO_COLOR": "1",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "UV_NO_CONFIG": "1",
            "UV_PYTHON_DOWNLOADS": "never",
            "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
            "FLIT_NO_NETWORK": "1",
        }

    def run(
        self,
        *argv: str | Path,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        timeout: float = 180,
    ) -> Result:
        """Run a command to its end; standard input is empty, so that a question is an error and not a wait."""
        words = (*self._through, *map(str, argv))
        done = subprocess.run(
            words,
            check=False,
            cwd=cwd or self.folder,
            env=self.environ | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
        )
        return Result(words, done.returncode, done.stdout.decode("utf-8", "replace"))

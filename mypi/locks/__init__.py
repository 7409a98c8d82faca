"""Lock files of other tools: which files of which releases they name, with what hashes.

``pylock.toml`` (PEP 751), ``uv.lock``, ``poetry.lock``, and ``requirements.txt`` as ``uv pip compile`` and
``pip-compile`` write it. What they say of platforms is passed over: an index serves machines of every kind.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from packaging.pylock import is_valid_pylock_path

from . import requirements, tables
from .parts import LockError, Pin, Wanted

__all__ = ["LockError", "Pin", "Wanted", "read"]

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
"""Python's own reader of TOML; tomli is the same for 3.10."""


def read(path: Path) -> Wanted:
    """Read a lock file of any kind that is known: by its name, else by what is in it. Raises LockError."""
    if path.suffix not in (".toml", ".lock"):
        return requirements.read(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise LockError(f"{path} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise LockError(f"{path} is no lock file: {exc}") from exc
    return tables.read(_reader(path, table), table, path)


def _reader(path: Path, table: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Wanted]:
    if is_valid_pylock_path(path) or "lock-version" in table:
        return tables.pylock
    if path.name == "poetry.lock" or "metadata" in table:
        return tables.poetry
    if path.name == "uv.lock" or "package" in table:
        return tables.uv
    raise LockError(
        f"{path} is no lock file that mypi knows; it reads pylock.toml, uv.lock, poetry.lock and requirements.txt"
    )

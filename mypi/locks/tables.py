"""Lock files that are TOML: pylock.toml (PEP 751), uv.lock and poetry.lock."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.pylock import Pylock, PylockValidationError

from ..names import InvalidName, InvalidVersion
from .parts import LockError, Pin, Wanted, pin

Table = Mapping[str, Any]


def read(reader: Callable[[Table], Wanted], table: Table, path: Path) -> Wanted:
    """Read a parsed lock file by the reader of its kind. Raises LockError, naming the file."""
    try:
        return reader(table)
    except PylockValidationError as exc:
        raise LockError(f"{path} is no lock file as PEP 751 has it: {exc}") from exc
    except (KeyError, TypeError, AttributeError, ValueError) as exc:
        raise LockError(f"{path} is no {reader.__name__} lock file that mypi can read: {_said(exc)}") from exc


def pylock(table: Table) -> Wanted:
    """Read a ``pylock.toml``."""
    wanted = Wanted()
    for package in Pylock.from_dict(table).packages:
        files = [*([package.sdist] if package.sdist else ()), *(package.wheels or ())]
        if not files or package.version is None:
            wanted += Wanted(passed=(package.name,))
            continue
        named = {each.filename: [f"{kind}:{digest}" for kind, digest in each.hashes.items()] for each in files}
        wanted += Wanted(pins=(pin(package.name, str(package.version), named),))
    return wanted


def uv(table: Table) -> Wanted:
    """Read a ``uv.lock``."""
    wanted = Wanted()
    for package in table.get("package", ()):
        files = [*([package["sdist"]] if "sdist" in package else ()), *package.get("wheels", ())]
        if "registry" not in package["source"] or not files:
            wanted += Wanted(passed=(package["name"],))
            continue
        wanted += _pinned(package, ((_uv_name(each), each.get("hash")) for each in files))
    return wanted


def _uv_name(file: Table) -> str:
    """Return the name of a file, which is the end of its address; of a flat index, of its path."""
    return str(file.get("filename") or unquote(urlsplit(file.get("url") or file["path"]).path).rpartition("/")[2])


def poetry(table: Table) -> Wanted:
    """Read a ``poetry.lock``; up to poetry 1.2 it has the files of all packages at its end."""
    wanted = Wanted()
    apart = table.get("metadata", {}).get("files", {})
    for package in table.get("package", ()):
        files = package.get("files") or apart.get(package["name"], ())
        if package.get("source", {}).get("type", "legacy") not in ("legacy", "pypi") or not files:
            wanted += Wanted(passed=(package["name"],))
            continue
        wanted += _pinned(package, ((each["file"], each.get("hash")) for each in files))
    return wanted


def _pinned(package: Table, files: Iterable[tuple[str, str | None]]) -> Wanted:
    named = {filename: [digest] if digest else [] for filename, digest in files}
    return Wanted(pins=(_pin(package, named),))


def _pin(package: Table, named: Mapping[str, list[str]]) -> Pin:
    try:
        return pin(package["name"], package["version"], named)
    except (InvalidName, InvalidVersion) as exc:
        raise ValueError(f"{package['name']}: {exc}") from exc


def _said(exc: Exception) -> str:
    return f"there is no {exc}" if isinstance(exc, KeyError) else str(exc)

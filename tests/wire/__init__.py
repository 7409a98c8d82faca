"""Requests as real publishing tools sent them, for tests to replay."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent


class Capture(NamedTuple):
    """One request; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


def names() -> list[str]:
    """Return the name of every capture, such as `du27-2`."""
    return sorted(path.stem for path in FOLDER.glob("*.bin"))


def load(name: str) -> Capture:
    """Return a capture by its name."""
    head, _, body = FOLDER.joinpath(f"{name}.bin").read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.split(":", 1) for line in lines)
    return Capture(method, path, {name.strip().lower(): value.strip() for name, value in pairs}, body)

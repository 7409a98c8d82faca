"""Short ways to publish for the overview, and to ask it."""

from __future__ import annotations

from collections.abc import Callable

from mypi.model import Actor
from mypi.overview import Overview
from mypi.repository import Repository
from tests import builders
from tests.repository.shorthand import ALICE, submission

BOB = Actor("bob", "127.0.0.1")


def everything(project: str) -> bool:
    return True


def but_secret(project: str) -> bool:
    return not project.startswith("secret")


def put(repository: Repository, name: str = "acme-lib", version: str = "1.0", **fields) -> str:
    """Publish a wheel with what its metadata says; return its file name."""
    filename, data = builders.wheel(name, version, **fields)
    repository.publish(submission(filename, data), ALICE)
    return filename


def found(overview: Overview, words: str = "", seen: Callable[[str], bool] = everything) -> list[str]:
    return [each.name for each in overview.search(words, seen)[0]]

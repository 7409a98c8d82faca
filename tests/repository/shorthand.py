"""Short ways to publish to a repository, to sweep it, and to look at it."""

from __future__ import annotations

import hashlib
import io
import json
import os
import time

from mypi import names
from mypi.model import Actor, File
from mypi.repository import Finding, Repository, Submission, Sweep
from mypi.settings import Settings
from mypi.store import Entry, NotFound, Store
from tests import builders
from tests.attested import of as attestation_of

ALICE = Actor("alice", "127.0.0.1")
DAY = 86400.0
YEAR = 365 * DAY


def settings(**given: str) -> Settings:
    """Settings as an ``.ini`` file would give them; the store that they name is not used."""
    chosen = {"storage": "memory", "upload": "everyone", **given}
    return Settings.load({f"mypi.{key}": value for key, value in chosen.items()}, {})


def package(name: str = "acme-lib", version: str = "1.0", content: str = "x") -> tuple[str, bytes]:
    """A wheel whose bytes depend on ``content``."""
    return builders.wheel(name, version, files={"acme.py": content.encode()})


def submission(filename: str, data: bytes, **fields) -> Submission:
    return Submission(names.filename(filename), io.BytesIO(data), len(data), hashlib.sha256(data).hexdigest(), **fields)


def publish(repository: Repository, name: str = "acme-lib", version: str = "1.0", content: str = "x", **fields) -> File:
    """Publish a wheel and return its entry."""
    return repository.publish(submission(*package(name, version, content), **fields), ALICE)


def attested(name: str = "acme-lib", version: str = "1.0", content: str = "x") -> str:
    """The attestations of that wheel, as an upload brings them."""
    return json.dumps([attestation_of(*package(name, version, content))])


def filename(name: str = "acme-lib", version: str = "1.0") -> str:
    return package(name, version)[0]


def problems(repository: Repository) -> list[Finding]:
    """What ``verify`` finds wrong."""
    return [finding for finding in repository.verify() if finding.problem]


def sweep(repository: Repository, *, trash_days: float = 30, dry_run: bool = False) -> dict[str, Sweep]:
    """Sweep; return what was done to each project that anything was done to."""
    done = repository.sweep(ALICE, trash_days=trash_days, dry_run=dry_run)
    return {each.project: each for each in done if each.deleted or each.purged}


def live(repository: Repository, name: str = "acme-lib") -> list[str]:
    """The names of the files on offer."""
    try:
        return [file.filename for file in repository.project(name).value.live]
    except NotFound:
        return []


def entries(store: Store, prefix: str = "") -> list[Entry]:
    return sorted(store.list(prefix), key=lambda entry: entry.key)


def content(repository: Repository, file: File, name: str = "acme-lib") -> bytes:
    with repository.open_file(repository.project(name).value, file) as reader:
        return reader.read()


class Clock:
    """The time of day, until it is set forward or back."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


TORTURE = bool(os.environ.get("MYPI_TORTURE"))


def scaled(kind: str, memory: int, filesystem: int, slower: int, torture: int) -> int:
    """How much of a test a store is given: by how long its calls take, or by who has the time."""
    if TORTURE:
        return torture
    return {"memory": memory, "filesystem": filesystem}.get(kind, slower)

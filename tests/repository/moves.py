"""An index that has everything, for tests of moving it; and what must be equal afterwards."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mypi import metadata
from mypi.model import Token
from mypi.repository import Outcome, Repository
from mypi.store import Store
from tests import builders, stores
from tests.repository.shorthand import ALICE, YEAR, Clock, filename, publish, settings, submission, sweep

KEY = "5ec7e7" * 10
"""The secret that no copy of the store of ``fill`` may hold."""

SETTINGS = settings()
"""Read once, since it takes longer than to move a small index."""

_OF_A_PLACE = ("sha256", "sealed", "copied", "key", "ended")

MakeStore = Callable[[str], Store]


def opened(store: Store, clock: Clock | None = None) -> Repository:
    return Repository(store, store, SETTINGS, clock=clock or Clock())


def maker(folder: Path, made: list[Store]) -> MakeStore:
    """Make stores by kind, each in a folder of its own, and note them for closing."""
    numbers = itertools.count()

    def make(kind: str) -> Store:
        made.append(stores.make(kind, folder / f"{next(numbers)}"))
        return made[-1]

    return make


def fill(store: Store) -> Repository:
    """Two projects with a signed wheel, an sdist, a yank, a removal, a purge, a bare release and a quarantine."""
    past = Clock()
    past.ahead = -YEAR
    before = opened(store, past)
    publish(before, version="0.1")
    before.remove("acme-lib", [filename(version="0.1")], ALICE)
    repository = opened(store)
    sweep(repository)
    publish(repository, signature=b"signed")
    repository.publish(submission(*builders.sdist("acme-lib", "1.0")), ALICE)
    publish(repository, version="2.0")
    repository.yank("acme-lib", [filename(version="2.0")], "loses data", ALICE)
    publish(repository, version="3.0")
    repository.remove("acme-lib", [filename(version="3.0")], ALICE)
    repository.register(metadata.read(builders.metadata("acme-lib", "4.0")), ALICE)
    publish(repository, "other")
    repository.set_status("other", "quarantined", "harmful", ALICE)
    populate(repository)
    return repository


def populate(repository: Repository) -> None:
    """An administrator with a token that was used, and a key with which somebody's session was signed and ended."""
    members = repository.members
    token = Token("AAAAAAAAAAAA", "alice", "ci", "0" * 64, "2026-01-01T00:00:00.000000Z", ("read",))
    members.record(
        ALICE, lambda a, event: a.set_password("alice", "$argon2id$x", event).join("admins", ["alice"], event)
    )
    members.record(ALICE, lambda accounts, event: accounts.add_token(token, event))
    members.edit(lambda a: a.signing(KEY).end("session", "2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"))
    members.used(token.id, "2026-01-01T05:00:00Z")


def clone(store: Store, fresh: Store) -> Store:
    """Fill a store with the objects of another, for that is quicker than to publish them again."""
    for entry in store.list():
        fresh.swap(entry.key, store.read(entry.key)[0], None)
    return fresh


def copy(source: Repository, target: Repository, **how: Any) -> list[Outcome]:
    return list(source.copy(target, **how))


def problems_of(outcomes: list[Outcome]) -> list[str]:
    return [problem for outcome in outcomes for problem in outcome.problems]


def states(outcomes: list[Outcome]) -> dict[str, str]:
    """What became of each project."""
    return {outcome.project: outcome.state for outcome in outcomes if outcome.project}


def documents(store: Store) -> dict[str, Any]:
    """Every document but for what a move writes into it, and the secrets that move nowhere."""
    found = {}
    for entry in store.list():
        if not entry.key.startswith("files/") and entry.key != "store.json":
            content = json.loads(store.read(entry.key)[0])
            found[entry.key] = {k: v for k, v in content.items() if k not in _OF_A_PLACE}
    return found


def holds(store: Store, secret: str) -> bool:
    """Whether any document of a store has a secret in it."""
    return any(secret.encode() in store.read(entry.key)[0] for entry in store.list() if entry.key.endswith(".json"))


def named(store: Store) -> dict[str, bytes]:
    """The bytes of every file and sidecar that must be kept."""
    found = {}
    for key, document in documents(store).items():
        for file in document.get("files", {}).values():
            prefix = f"files/main/{key.split('/')[2].removesuffix('.json')}/{file['token']}/"
            if not file.get("purged"):
                found |= {entry.key: store.read(entry.key)[0] for entry in store.list(prefix)}
    return found


def equal(source: Store, target: Store) -> bool:
    """Whether an index arrived whole: revisions, times, uploaders, yanks, removals, history, bytes."""
    assert documents(target) == documents(source)
    assert named(target) == named(source)
    return True

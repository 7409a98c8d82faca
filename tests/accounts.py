"""Accounts for tests: users, groups and tokens in a store in memory, and credentials that name them."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from typing import Any

from mypi.accounts import Hasher, fresh
from mypi.model import Actor, Token
from mypi.repository import Repository
from mypi.settings import Settings

PASSWORDS = {"alice": "wonderland", "bob": "the builder", "carol": "sings a song", "ada": "computes a lot"}
PASSWORDS |= {
    "sam": "knows nobody",
    "rita": "reads a lot",
    "ulf": "builds it",
    "olga": "owns a lib",
    "mona": "administers",
}
"""Names and passwords of users that tests make."""

BY = Actor("tests", "command")
CREATED = "2026-01-01T00:00:00.000000Z"
_HASHER = Hasher()
_HASHES: dict[str, str] = {}


def load(**settings: str) -> Settings:
    """Return settings of the test's choice, over a store in memory."""
    return Settings.load({"mypi.storage": "memory", **{f"mypi.{key}": value for key, value in settings.items()}}, {})


def open_memory(settings: Settings | None = None) -> Repository:
    """Return the repository of an empty store in memory."""
    return Repository.open(settings or load())


def add_users(repository: Repository, *names: str) -> None:
    """Make users with the passwords above."""
    for name in names:
        word = PASSWORDS[name]
        if word not in _HASHES:
            _HASHES[word] = _HASHER.hash(word)  # slow on purpose, and the same for every test
        repository.members.record(
            BY, lambda held, event, name=name, word=word: held.set_password(name, _HASHES[word], event)
        )


def add_group(repository: Repository, group: str, *users: str) -> None:
    """Put users into a group."""
    repository.members.record(BY, lambda held, event: held.join(group, users, event))


def add_token(repository: Repository, user: str, permissions: Iterable[str], *projects: str, **more: Any) -> str:
    """Make a token and return its text."""
    made = fresh()
    name = more.pop("name", "ci")
    token = Token(made.id, user, name, made.digest, CREATED, tuple(permissions), projects or ("*",), **more)
    repository.members.record(BY, lambda held, event: held.add_token(token, event))
    return made.text


def basic(user: str, password: str | None = None) -> dict[str, str]:
    """Return the header of Basic credentials; without a password with the user's right one."""
    pair = f"{user}:{PASSWORDS[user] if password is None else password}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def bearer(token: str) -> dict[str, str]:
    """Return the header of a token."""
    return {"Authorization": f"Bearer {token}"}

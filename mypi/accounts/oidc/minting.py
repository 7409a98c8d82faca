"""Tokens to publish with: minted for a build, signed by the store's key, good on every node for fifteen minutes."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from itsdangerous import BadData, URLSafeSerializer

from ...publishers import Publisher
from ...repository import Repository
from ..sessions import Sessions
from ..tokens import PREFIX
from .errors import BadToken
from .verifying import Shown

LIFE = 900
"""Seconds: no less, as clients count on as much (PEP 807), and no more than an upload needs."""

MINTED = f"{PREFIX}oidc-"
"""How a minted token begins, for scanners of secrets."""


class Reads(Protocol):
    """Reads what builds show, such as Verifier."""

    def verify(self, text: str) -> Shown: ...


@dataclass(frozen=True)
class Grant:
    """Who publishes by a minted token, what stood for them, and the patterns of the projects that they may publish."""

    user: str
    via: str
    projects: tuple[str, ...]


@dataclass(frozen=True)
class _Held:
    """What a minted token holds: see Grant; ``lines`` are those of its publishers."""

    id: str
    user: str
    via: str
    lines: Sequence[str]
    expires: int


class Exchange:
    """Gives tokens to publish with for identity tokens. ``clock`` gives seconds since 1970."""

    def __init__(
        self,
        reads: Reads,
        publishers: Sequence[Publisher],
        audience: str,
        repository: Repository,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.audience = audience
        self._reads = reads
        self._patterns = {str(each): each.pattern for each in publishers}
        self._repository = repository
        self._sessions = Sessions(repository.members)
        self._clock = clock

    def mint(self, text: str) -> tuple[str, int]:
        """Return a token for an identity token, and when it ends. Raises BadToken, IssuerAway, StoreError."""
        shown = self._reads.verify(text)
        key = self._sessions.key()
        if not self._repository.once("jti", shown.id, shown.until):
            raise BadToken("The token was used already; ask for a fresh one", "invalid-reuse-token")
        user, via = shown.publishers[0].named(shown.claims)
        expires = math.ceil(self._clock()) + LIFE
        held = [secrets.token_hex(16), user, via, [str(each) for each in shown.publishers], expires]
        return MINTED + str(_serializer(key).dumps(held)), expires

    def read(self, text: str) -> Grant | None:
        """Return what a minted token grants. Raises StoreError.

        None if it is none, its time is over, it was burnt, or its publishers are named no more.
        """
        held = self._held(text)
        if held is None or self._repository.happened("burnt", held.id):
            return None
        projects = tuple(self._patterns[line] for line in held.lines if line in self._patterns)
        return Grant(held.user, held.via, projects) if projects else None

    def burn(self, text: str) -> None:
        """End a minted token on every node before its time, as clients do that need it no more. Raises StoreError."""
        held = self._held(text)
        if held:
            self._repository.once("burnt", held.id, held.expires)

    def _held(self, text: str) -> _Held | None:
        """Return what a minted token holds whose time is not over."""
        key = self._repository.members.get().key
        if not text.startswith(MINTED) or not key:
            return None
        try:
            held = _Held(*_serializer(key).loads(text.removeprefix(MINTED)))
        except BadData:
            return None
        return held if self._clock() < held.expires else None


def _serializer(key: str) -> URLSafeSerializer:
    return URLSafeSerializer(key, salt="mypi minted token")

"""The accounts document as a value: users, groups, tokens, the sessions that were ended, and its own history.

Every change is a pure function that makes it so, safe to apply twice, as those of a project are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .errors import Missing
from .parts import Event
from .sparse import sparse


@dataclass(frozen=True)
class User:
    """Somebody with a password in the store. ``password`` is an argon2 hash in its usual text form."""

    name: str
    password: str
    created: str


@dataclass(frozen=True)
class Token:
    """A secret that stands for a user, within limits.

    ``id`` is its public part, ``digest`` the SHA-256 of its secret part in lower-case hex. ``permissions`` are some of
    read, upload, manage; ``projects`` patterns of canonical names. Times are RFC 3339 in UTC; ``expires`` and ``used``
    may be None, and ``used`` is kept to the hour.
    """

    id: str
    user: str
    name: str
    digest: str
    created: str
    permissions: tuple[str, ...]
    projects: tuple[str, ...] = ("*",)
    expires: str | None = None
    used: str | None = None

    def __str__(self) -> str:
        """Say which it is and what its limits are, as the history keeps them when the token is gone."""
        limits = f"{' '.join(self.permissions)} on {' '.join(self.projects)}"
        return f"{self.id}, {limits}, {f'until {self.expires[:10]}' if self.expires else 'for ever'}"


@dataclass(frozen=True)
class Accounts:
    """The document. ``ended`` maps the ids of sessions that were ended to when they would have ended anyway.

    ``key`` is the secret that signs sessions and minted tokens, in hex, "" until the first is signed; it moves nowhere,
    so that who holds a backup can sign nothing, see ``moved``. ``groups`` maps each name to its members, of any source
    of users. For ``sealed`` and ``copied`` see Project.
    """

    revision: str = ""
    sealed: str = ""
    copied: str = ""
    key: str = ""
    users: Mapping[str, User] = field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tokens: Mapping[str, Token] = field(default_factory=dict)
    ended: Mapping[str, str] = field(default_factory=dict)
    history: tuple[Event, ...] = ()

    def groups_of(self, user: str) -> frozenset[str]:
        """Return the names of the groups that a user is in."""
        return frozenset(name for name, members in self.groups.items() if user in members)

    def tokens_of(self, user: str) -> tuple[Token, ...]:
        """Return a user's tokens, the newest first."""
        return tuple(sorted((t for t in self.tokens.values() if t.user == user), key=lambda t: t.created, reverse=True))

    def set_password(self, name: str, password: str, event: Event) -> Accounts:
        """Set a user's password hash; a user who is new is made."""
        known = self.users.get(name)
        if known and known.password == password:
            return self
        user = User(name, password, known.created if known else event.at)
        did = "password" if known else "user add"
        return self._with(event.about(did=did, subject=name), users={**self.users, name: user})

    def remove_user(self, name: str, event: Event) -> Accounts:
        """Take a user out, with all tokens and memberships, of whatever source the user is."""
        users = {other: user for other, user in self.users.items() if other != name}
        tokens = {id: token for id, token in self.tokens.items() if token.user != name}
        left = {group: tuple(m for m in members if m != name) for group, members in self.groups.items()}
        groups = {group: members for group, members in left.items() if members}
        if (users, tokens, groups) == (self.users, self.tokens, self.groups):
            return self
        gone = " ".join(token.id for token in self.tokens_of(name))
        entry = event.about(did="user remove", subject=name, reason=f"with the tokens {gone}" if gone else None)
        return self._with(entry, users=users, tokens=tokens, groups=groups)

    def join(self, group: str, users: Iterable[str], event: Event) -> Accounts:
        """Put users into a group, which is made if it is new."""
        accounts = self
        for user in users:
            members = accounts.groups.get(group, ())
            if user not in members:
                groups = {**accounts.groups, group: (*members, user)}
                accounts = accounts._with(event.about(did=f"group add {group}", subject=user), groups=groups)
        return accounts

    def leave(self, group: str, users: Iterable[str], event: Event) -> Accounts:
        """Take users out of a group; one without members is gone."""
        accounts = self
        for user in users:
            members = accounts.groups.get(group, ())
            if user in members:
                rest = tuple(member for member in members if member != user)
                groups = {name: each for name, each in accounts.groups.items() if name != group or rest}
                if rest:
                    groups[group] = rest
                accounts = accounts._with(event.about(did=f"group remove {group}", subject=user), groups=groups)
        return accounts

    def add_token(self, token: Token, event: Event) -> Accounts:
        """Add a token."""
        if token.id in self.tokens:
            return self
        entry = event.about(did=f"token add {token.name}", subject=token.user, reason=str(token))
        return self._with(entry, tokens={**self.tokens, token.id: token})

    def revoke(self, id: str, event: Event, *, user: str | None = None) -> Accounts:
        """Take a token away. Raises Missing if there is none of that id, or it is another's than ``user``'s."""
        token = self.tokens.get(id)
        if token is None or (user is not None and token.user != user):
            if any(entry.reason == id and entry.did.startswith("token remove ") for entry in self.history):
                return self
            raise Missing(f"there is no token {id}; it may have been revoked already")
        tokens = {other: each for other, each in self.tokens.items() if other != id}
        return self._with(event.about(did=f"token remove {token.name}", subject=token.user, reason=id), tokens=tokens)

    def touch(self, used: Mapping[str, str]) -> Accounts:
        """Note the last use of tokens, by id. It is no change to anybody's rights and has no entry in the history."""
        later = {
            id: replace(token, used=used[id])
            for id, token in self.tokens.items()
            if id in used and (token.used or "") < used[id]
        }
        return replace(self, tokens={**self.tokens, **later}) if later else self

    def end(self, session: str, until: str, now: str) -> Accounts:
        """End a session for good; those whose time is over anyway are forgotten."""
        if session in self.ended:
            return self
        return replace(self, ended={**{id: each for id, each in self.ended.items() if each > now}, session: until})

    def signing(self, key: str) -> Accounts:
        """Give the document a key, unless it has one."""
        return self if self.key else replace(self, key=key)

    def continues(self, other: Accounts) -> bool:
        """Tell whether all that was ever done to the other was done to this one, too.

        Signing, ending a session and using a token are nothing that was done to accounts.
        """
        made = other.history or not (other.users or other.groups or other.tokens)
        return bool(made) and self.history[: len(other.history)] == other.history

    def moved(self, there: Accounts) -> Accounts:
        """Return this document as another place shall have it, which has ``there`` now.

        The key stays where it is, and so do the ended sessions, which it signed: whoever holds a copy can sign nothing
        (promise 10). That place keeps its own, and its seal. Of two last uses of a token the later counts.
        """
        here = self.touch({id: token.used for id, token in there.tokens.items() if token.used})
        return replace(here, key=there.key, ended=there.ended, sealed=there.sealed, copied=self.revision)

    def _with(self, event: Event, **fields: Any) -> Accounts:
        return replace(self, history=(*self.history, event), **fields)

    def revised(self, revision: str) -> Accounts:
        return replace(self, revision=revision)

    def dump(self) -> bytes:
        """Return the document's bytes: JSON, without what has its default."""
        document = sparse(self, "users", "tokens", "history")
        document["users"] = {name: sparse(user, "name") for name, user in self.users.items()}
        document["tokens"] = {id: sparse(token, "id") for id, token in self.tokens.items()}
        document["history"] = [sparse(event) for event in self.history]
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Accounts:
        """Read a document back. Raises ValueError, KeyError or TypeError if it is damaged."""
        document: dict[str, Any] = json.loads(data)
        users = {name: User(name=name, **fields) for name, fields in document.pop("users").items()}
        tokens = {id: _token(id, fields) for id, fields in document.pop("tokens").items()}
        groups = {name: tuple(members) for name, members in document.pop("groups", {}).items()}
        history = tuple(Event(**fields) for fields in document.pop("history"))
        return cls(users=users, tokens=tokens, groups=groups, history=history, **document)


def _token(id: str, fields: Mapping[str, Any]) -> Token:
    lists = {name: tuple(fields[name]) for name in ("permissions", "projects") if name in fields}
    return Token(id=id, **{**fields, **lists})

"""Passwords of users that the store keeps, hashed with argon2id, and what names and passwords may be."""

from __future__ import annotations

import re
import secrets
import threading
from functools import cached_property

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from .errors import AccountError

NAME = re.compile(r"[A-Za-z0-9_.@+-]{1,100}\Z")
"""What a user or a group of ours may be called."""

_LONGEST = 1000
_AT_ONCE = threading.Semaphore(4)
"""Verifications at a time: each takes the memory of its hash, and guesses may come at any rate."""


class Hasher:
    """Hashes and verifies passwords: argon2id with 19 MiB of memory, 2 passes, 1 lane (OWASP's floor; threat 34)."""

    def __init__(self) -> None:
        self._argon2 = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)

    @cached_property
    def _dummy(self) -> str:
        """The hash of a password that nobody has, made when it is first wanted: a start needs none."""
        return self._argon2.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        """Return the hash of a password in argon2's text form. Raises AccountError."""
        return self._argon2.hash(check_password(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Say whether this is the password; None costs what a wrong password costs, in vain (threat 31)."""
        if len(password) > _LONGEST:
            return False
        try:
            with _AT_ONCE:
                self._argon2.verify(stored or self._dummy, password)
        except (VerificationError, InvalidHashError):
            return False
        return stored is not None


def check_user(name: str) -> str:
    """Return the name of a user or group. Raises AccountError."""
    if not NAME.match(name) or name == "__token__":
        raise AccountError(f"{name!r} is no name of a user or group; use letters, digits and any of _ . @ + -")
    return name


def check_password(password: str) -> str:
    """Return a password without the blanks around it, as it is verified (B1.11). Raises AccountError."""
    password = password.strip()
    if not 8 <= len(password) <= _LONGEST:
        raise AccountError(f"a password has 8 to {_LONGEST} characters")
    return password

"""Users and their passwords: a file of bcrypt hashes, as Apache's ``htpasswd -B`` and ``mypi htpasswd`` write it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from pathlib import Path

import bcrypt

from .errors import AccountError
from .passwords import NAME

_HASH = re.compile(rb"\$2[aby]\$(?:0[4-9]|1[0-7])\$[./A-Za-z0-9]{53}\Z")
_LONGEST = 72
"""bcrypt reads no more bytes of a password; ``htpasswd -B`` cuts it there too, the library refuses instead."""


class Htpasswd:
    """The users of an ``htpasswd`` file, read again whenever it changes; a source of users."""

    def __init__(self, path: str) -> None:
        """Read the file. Raises AccountError if it is absent or holds other hashes than bcrypt's."""
        self._path = Path(path)
        self._version: tuple[int, int, int] | None = None
        self._hashes: dict[str, bytes] = {}
        self._refresh()
        # An unknown user costs what a wrong password costs (threat 31): the dearest hash of the file, verified in vain.
        dearest = max((found[4:6] for found in self._hashes.values()), default=b"12")
        self._dummy = bcrypt.hashpw(secrets.token_bytes(16), bcrypt.gensalt(int(dearest)))

    def verify(self, user: str | None, password: str) -> bool:
        """Say whether this is the user's password; an unknown user, and None, cost what a wrong password costs."""
        self._refresh()
        secret = password.encode()[:_LONGEST]
        stored = self._hashes.get(user) if user is not None else None
        right = b"\0" not in secret and bcrypt.checkpw(secret, stored or self._dummy)
        return right and stored is not None

    def stamp(self, user: str) -> str | None:
        """Return what changes when the user's password does, None for an unknown user."""
        self._refresh()
        stored = self._hashes.get(user)
        return hashlib.sha256(stored).hexdigest()[:16] if stored else None

    def groups(self, user: str) -> frozenset[str]:
        """Return none: the file has no groups."""
        return frozenset()

    def names(self) -> frozenset[str]:
        """Return the names of all users."""
        self._refresh()
        return frozenset(self._hashes)

    def _refresh(self) -> None:
        try:
            found = self._path.stat()
            version = (found.st_mtime_ns, found.st_size, found.st_ino)
            if version == self._version:
                return
            hashes = parse(self._path.read_bytes())
        except OSError as exc:
            raise AccountError(f"{self._path}: cannot be read ({exc.strerror}); make it with `mypi htpasswd`") from exc
        self._version, self._hashes = version, hashes


def parse(data: bytes) -> dict[str, bytes]:
    """Read user names and hashes; raise AccountError for a line that is neither, a comment, nor empty.

    >>> parse(b"# the team\\n")
    {}
    """
    hashes = {}
    for number, line in enumerate(data.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        user, _, stored = text.partition(b":")
        if not _HASH.match(stored):
            raise AccountError(
                f"line {number} of the htpasswd file holds no bcrypt hash (of a cost from 4 to 17); others are too "
                "quickly guessed: set the password again with `mypi htpasswd` or `htpasswd -B`"
            )
        hashes[user.decode("utf-8", "replace")] = stored
    return hashes


def set_password(path: str, user: str, password: str | None) -> None:
    """Set a user's password in the file, or take the user out (None); every other line stays as it is.

    Raises AccountError for a user name or password that cannot be taken, and for an unknown user to take out.
    """
    if not NAME.match(user):
        raise AccountError(f"{user!r} is no user name; use letters, digits and any of _ . @ + -")
    target = Path(path).resolve()
    lines = target.read_bytes().splitlines() if target.exists() else []
    others = [line for line in lines if line.partition(b":")[0].strip() != user.encode()]
    if password is None and len(others) == len(lines):
        raise AccountError(f"there is no user {user} in {path}")
    if password is not None:
        password = password.strip()  # as the server does with what it is sent (B1.11)
        if not password or "\0" in password or len(password.encode()) > _LONGEST:
            raise AccountError(f"a password has 1 to {_LONGEST} bytes")
        others.append(user.encode() + b":" + bcrypt.hashpw(password.encode(), bcrypt.gensalt()))
    _replace(target, b"".join(line + b"\n" for line in others))


def _replace(target: Path, data: bytes) -> None:
    """Replace the file in one step, so that a server that reads it never sees half of it.

    It keeps its mode and its owner: a server that may not read it any more lets nobody in.
    """
    descriptor, name = tempfile.mkstemp(dir=target.parent)
    fresh = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor is no path
            file.write(data)
            if target.exists():
                before = target.stat()
                os.fchmod(descriptor, before.st_mode & 0o777)
                with contextlib.suppress(PermissionError):
                    os.fchown(descriptor, before.st_uid, before.st_gid)
            file.flush()
            os.fsync(descriptor)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)

"""Questions to an LDAP directory: whose name this is, in which groups they are, and whether a password is theirs.

All that needs python-ldap stands here. Each question opens a connection and closes it: whom it bound must not be whom
the next one asks as.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import logging
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..directory import PREFIX, Directory
from .errors import AccountError
from .passwords import check_user

log = logging.getLogger(__name__)

_STAMPS = ("entryUUID", "objectGUID", "pwdChangedTime", "pwdLastSet", "krbLastPwdChange")
"""What changes when an entry is made anew, or its password; a directory returns what it knows and may be seen."""


@dataclass(frozen=True)
class Entry:
    """A user whom the directory knows."""

    dn: str
    stamp: str
    groups: frozenset[str]


class Lookup:
    """Asks one directory. Methods may be called from any thread, and raise AccountError if they cannot find out."""

    def __init__(self, directory: Directory) -> None:
        """Load python-ldap. Raises AccountError if it is not installed."""
        try:
            self._ldap: Any = importlib.import_module("ldap")
            self._dn: Any = importlib.import_module("ldap.dn")
            self._filter: Any = importlib.import_module("ldap.filter")
        except ImportError as exc:
            raise AccountError(
                f"{PREFIX}uri is set, but a directory is asked through python-ldap, which is not installed ({exc}); "
                "run pip install 'mypi[ldap]', which needs gcc and the headers of OpenLDAP and SASL (Debian: apt-get "
                "install gcc python3-dev libldap2-dev libsasl2-dev)"
            ) from exc
        self._directory = directory

    def find(self, user: str) -> Entry | None:
        """Return the entry of a user, None if there is none; the name has to be right letter by letter."""
        with self._connection() as connection:
            if self._directory.bind_dn:
                try:
                    connection.simple_bind_s(self._directory.bind_dn, self._directory.bind_password)
                except self._ldap.INVALID_CREDENTIALS as exc:
                    raise AccountError(
                        f"{self._servers} refuses {PREFIX}bind_dn = {self._directory.bind_dn}; is its password right?"
                    ) from exc
            return self._search(connection, user)

    def prove(self, user: str | None, password: str) -> tuple[Entry | None, bool]:
        """Return the entry of a user, and whether the password is theirs; nobody costs what a wrong password costs."""
        name = user if user is not None else secrets.token_hex(8)
        entry = self.find(name)
        return entry, self._binds(entry.dn if entry else self._named(name), password)

    def _binds(self, dn: str, password: str) -> bool:
        with self._connection() as connection:
            try:
                connection.simple_bind_s(dn, password)
            except self._ldap.INVALID_CREDENTIALS:
                return False
            except self._unreachable:
                raise
            except self._ldap.LDAPError as exc:
                log.warning("%s does not let %s log in: %s", self._servers, ascii(dn), self._said(exc))
                return False
            return True

    def _search(self, connection: Any, user: str) -> Entry | None:
        given, escape = self._directory, self._filter.escape_filter_chars
        matches = (given.user_filter or f"({given.name}={{user}})").replace("{user}", escape(user))
        scope = self._ldap.SCOPE_BASE if given.is_template else self._ldap.SCOPE_SUBTREE
        base = self._named(user) if given.is_template else given.user
        wanted = [given.name, *_STAMPS]
        found = self._entries(connection, base, scope, matches, wanted)
        if len(found) > 1:
            log.warning("%s has several entries of a user %s; none of them may log in", self._servers, user)
        dn, attributes = found[0] if len(found) == 1 else (self._named(user), {})
        groups = self._groups(connection, user, dn)  # of nobody too, for the time that it takes (threat 31)
        if user.encode() not in attributes.get(given.name.lower(), []):
            # A directory takes Alice for alice; here they would be two users, with rights and tries of their own.
            return None
        drawn = repr((dn, [attributes.get(name.lower()) for name in _STAMPS]))
        return Entry(dn, hashlib.sha256(drawn.encode()).hexdigest()[:16], groups)

    def _groups(self, connection: Any, user: str, dn: str) -> frozenset[str]:
        given, escape = self._directory, self._filter.escape_filter_chars
        if not given.group_base:
            return frozenset()
        # In one go: what stands in a DN must not be taken for a place of the template.
        parts = {"{user}": escape(user), "{dn}": escape(dn)}
        matches = "".join(parts.get(part, part) for part in _split(given.group_filter))
        found = self._entries(connection, given.group_base, self._ldap.SCOPE_SUBTREE, matches, [given.group_name])
        names = [value for _, attributes in found for value in attributes.get(given.group_name.lower(), [])]
        return frozenset(name for name in map(_name, names) if name)

    def _entries(self, connection: Any, base: str, scope: int, matches: str, wanted: list[str]) -> list[Any]:
        """Return DNs and attributes by small names; a base that is not there, or may not be seen, has none."""
        try:
            found = connection.search_ext_s(base, scope, matches, wanted)
        except self._ldap.NO_SUCH_OBJECT:
            return []
        # What has no DN is a referral to another directory, which is not asked.
        return [(dn, {key.lower(): value for key, value in held.items()}) for dn, held in found if dn is not None]

    def _named(self, user: str) -> str:
        escaped = self._dn.escape_dn_chars(user)
        if self._directory.is_template:
            return self._directory.user.replace("{user}", escaped)
        return f"{self._directory.name}={escaped},{self._directory.user}"

    @contextlib.contextmanager
    def _connection(self) -> Iterator[Any]:
        """Open a connection that nobody on the way can read, and close it. Raises AccountError."""
        ldap, given = self._ldap, self._directory
        try:
            connection = ldap.initialize(" ".join(given.uri))
            try:
                self._prepare(connection)
                if given.starttls and given.uri[0].startswith("ldap:"):
                    connection.start_tls_s()
                yield connection
            finally:
                with contextlib.suppress(ldap.LDAPError):
                    connection.unbind_s()
        except (ldap.LDAPError, UnicodeError) as exc:  # the second is of names that are not UTF-8, against RFC 4514
            raise AccountError(f"{self._servers} cannot be asked: {self._said(exc)}") from exc

    def _prepare(self, connection: Any) -> None:
        ldap, given = self._ldap, self._directory
        connection.set_option(ldap.OPT_PROTOCOL_VERSION, ldap.VERSION3)
        connection.set_option(ldap.OPT_REFERRALS, 0)
        # Each server may keep us waiting, and there is to be time left for the question.
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, given.timeout / (len(given.uri) + 1))
        connection.set_option(ldap.OPT_TIMEOUT, float(given.timeout))
        # A server that vanished lets go of the thread that waits for it.
        for option, seconds in ((ldap.OPT_X_KEEPALIVE_IDLE, 10), (ldap.OPT_X_KEEPALIVE_INTERVAL, 5)):
            connection.set_option(option, seconds)
        connection.set_option(ldap.OPT_X_KEEPALIVE_PROBES, 3)
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        connection.set_option(ldap.OPT_X_TLS_PROTOCOL_MIN, ldap.OPT_X_TLS_PROTOCOL_TLS1_2)
        if given.ca_file:
            connection.set_option(ldap.OPT_X_TLS_CACERTFILE, given.ca_file)
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)  # last: it makes what stands above hold

    @property
    def _unreachable(self) -> tuple[type[Exception], ...]:
        """What says nothing about the password."""
        ldap = self._ldap
        return (ldap.SERVER_DOWN, ldap.CONNECT_ERROR, ldap.TIMEOUT, ldap.BUSY, ldap.UNAVAILABLE, ldap.LOCAL_ERROR)

    @property
    def _encrypted(self) -> bool:
        return self._directory.starttls or self._directory.uri[0].startswith("ldaps:")

    @property
    def _servers(self) -> str:
        return " ".join(self._directory.uri)

    def _said(self, exc: Exception) -> str:
        details = exc.args[0] if exc.args and isinstance(exc.args[0], dict) else {}
        told = [str(details[key]) for key in ("desc", "info") if details.get(key)]
        if isinstance(exc, (self._ldap.SERVER_DOWN, self._ldap.CONNECT_ERROR)) and self._encrypted:
            # GnuTLS leaves it at "(unknown error code)".
            told.append(f"or its certificate is for another name, or not signed by one of {PREFIX}ca_file")
        elif isinstance(exc, self._ldap.INSUFFICIENT_ACCESS):
            told.append(f"may {PREFIX}bind_dn see users and groups?")
        return ", ".join(told) or type(exc).__name__


def _split(template: str) -> list[str]:
    return re.split(r"(\{user\}|\{dn\})", template)


def _name(value: bytes) -> str | None:
    """Return the name of a group, None if it is one that no rule can name."""
    try:
        return check_user(value.decode())
    except ValueError:
        return None

"""The settings of an LDAP directory that knows users: where it is, how it is asked, what a user and a group look like.

They stand under ``mypi.ldap.``; :class:`mypi.accounts.Ldap` asks the directory.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from . import options
from .options import Option, SettingError

PREFIX = "mypi.ldap."

_LOOPBACK = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|::1)\Z")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*\Z")


def servers(value: str) -> tuple[str, ...]:
    """Read addresses of servers, ``ldaps://``, ``ldap://`` or ``ldapi://``; the first that answers is asked.

    >>> servers("ldaps://one.example.com ldaps://two.example.com")
    ('ldaps://one.example.com', 'ldaps://two.example.com')
    """
    found = options.words(value)
    for word in found:
        parts = urlsplit(word)
        if parts.scheme not in ("ldap", "ldaps", "ldapi") or not parts.netloc or parts.path.strip("/") or parts.query:
            raise ValueError(f"{word} is no address of a directory; write such as ldaps://ldap.example.com")
    if len({urlsplit(word).scheme for word in found}) > 1:
        raise ValueError("of different kinds; write all of them with ldaps://, or all with ldap://")
    return found


def attribute(value: str) -> str:
    """Read the name of an attribute, such as ``uid``.

    >>> attribute("sAMAccountName")
    'sAMAccountName'
    """
    if not _ATTRIBUTE.match(value):
        raise ValueError("not the name of an attribute; write letters and digits, such as uid")
    return value


def ldap_filter(value: str) -> str:
    """Read a filter of LDAP, in parentheses, with ``{user}`` and ``{dn}`` for whom it is asked about; or nothing.

    >>> ldap_filter("(member={dn})")
    '(member={dn})'
    """
    if value and not (value.startswith("(") and value.endswith(")") and value.count("(") == value.count(")")):
        raise ValueError("not a filter; write it in parentheses, such as (uid={user})")
    return value


TABLE: tuple[Option, ...] = (
    Option("uri", servers, "", "The servers of an LDAP directory that knows users and passwords. Empty: none."),
    Option(
        "user",
        options.text,
        "",
        "Where users are: a name such as uid={user},ou=people,dc=example,dc=com, or the base below which they are "
        "searched.",
    ),
    Option("name", attribute, "uid", "The attribute that holds the name of a user, letter by letter as it is typed."),
    Option(
        "user_filter",
        ldap_filter,
        "",
        "Which entries are users; empty: those whose name is the typed one, as in (uid={user}).",
    ),
    Option(
        "bind_dn",
        options.text,
        "",
        "The account that looks users and groups up. Empty: the directory must let anybody see them.",
    ),
    Option("bind_password", options.text, "", "The password of that account.", secret=True),
    Option("group_base", options.text, "", "The base below which groups are searched. Empty: none are."),
    Option("group_filter", ldap_filter, "(member={dn})", "Which groups a user is in: {dn} or {user}."),
    Option("group_name", attribute, "cn", "The attribute that holds the name of a group."),
    Option("ca_file", options.optional_path, "", "The certificates that sign the servers' own; empty: the system's."),
    Option("starttls", options.boolean, "true", "Whether a connection to ldap:// is encrypted by STARTTLS."),
    Option(
        "insecure",
        options.boolean,
        "false",
        "Let passwords go over the network readable by everybody on the way, where starttls is false.",
    ),
    Option("timeout", options.positive, "5", "Seconds that a question to the directory may take."),
)


@dataclass(frozen=True)
class Directory:
    """The settings of one directory, converted and checked."""

    uri: tuple[str, ...]
    user: str
    name: str
    user_filter: str
    bind_dn: str
    bind_password: str = field(repr=False)
    group_base: str
    group_filter: str
    group_name: str
    ca_file: str | None
    starttls: bool
    insecure: bool
    timeout: int

    @property
    def is_template(self) -> bool:
        """Whether ``user`` names each user's entry, and not the base of a search."""
        return "{user}" in self.user

    def check(self) -> None:
        """Refuse what cannot work and what is not safe. Raises SettingError."""
        if not self.user:
            raise SettingError(
                f"{PREFIX}user is missing: write where users are, such as uid={{user}},ou=people,dc=example,dc=com"
            )
        if self.is_template and not self.user.lower().startswith(f"{self.name.lower()}={{user}},"):
            raise SettingError(
                f"{PREFIX}user = {self.user} does not begin with {self.name}={{user}},; set {PREFIX}name to the "
                "attribute that it begins with"
            )
        if self.user_filter and "{user}" not in self.user_filter and not self.is_template:
            raise SettingError(f"{PREFIX}user_filter = {self.user_filter} finds everybody; write {{user}} in it")
        if self.group_base and not {"{user}", "{dn}"} & set(re.findall(r"\{\w+\}", self.group_filter)):
            raise SettingError(
                f"{PREFIX}group_filter = {self.group_filter} is of nobody; write {{dn}} or {{user}} in it"
            )
        if bool(self.bind_dn) != bool(self.bind_password):
            raise SettingError(f"{PREFIX}bind_dn and {PREFIX}bind_password need each other; set both, or neither")
        for uri in self.uri:
            if not (self.insecure or self.starttls or is_private(uri)):
                raise SettingError(
                    f"{PREFIX}starttls = false lets everybody on the way to {uri} read passwords; take it out, use "
                    f"ldaps://, or say {PREFIX}insecure = true"
                )


def is_private(uri: str) -> bool:
    """Tell whether nobody on the way can read along: by TLS from the beginning, or because there is no way.

    >>> is_private("ldaps://ldap.example.com"), is_private("ldap://[::1]:389"), is_private("ldap://ldap.example.com")
    (True, True, False)
    """
    parts = urlsplit(uri)
    return parts.scheme in ("ldaps", "ldapi") or bool(_LOOPBACK.match(parts.hostname or ""))


def read(given: Mapping[str, str], environ: Mapping[str, str]) -> Directory | None:
    """Read the settings of the directory; None if there is none. Raises SettingError."""
    found = Directory(**options.read(TABLE, PREFIX, given, environ))
    if found.uri:
        found.check()
        return found
    others = [key for key in given if key.startswith(PREFIX) and key != f"{PREFIX}uri"]
    if others:
        raise SettingError(f"{others[0]} is set, but {PREFIX}uri, which names the directory, is not")
    return None

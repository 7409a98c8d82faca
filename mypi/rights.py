"""Who may do what, as the ``.ini`` file says it: principals for the index, and for projects whose names match.

``mypi.upload = users`` is the rule of the whole index; ``mypi.upload.acme-* = group:acme`` takes its place for the
projects whose names match. Of several patterns the longest decides alone, of equally long ones the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import product

from packaging.utils import canonicalize_name

from .options import SettingError, words

PERMISSIONS = ("read", "upload", "manage")
"""Seeing pages and downloading; publishing; yanking, removing, restoring, setting the status (on the index: users)."""

MONITOR = "monitor"
"""Seeing the numbers of the whole index (setting ``mypi.metrics``); there is none on a project."""

EVERYONE, USERS, OWNERS, NOBODY = "everyone", "users", "owners", "nobody"

_NAMED = re.compile(r"(?:user|group):[^\s:][^\s]*\Z")
_PATTERN = re.compile(r"[A-Za-z0-9_.*?-]+\Z")


def principals(value: str) -> tuple[str, ...]:
    """Read who may do something: ``everyone``, ``users``, ``owners``, ``user:NAME``, ``group:NAME`` or ``nobody``.

    >>> principals("user:alice group:build")
    ('user:alice', 'group:build')
    """
    found = words(value)
    known = "everyone, users, owners, user:NAME, group:NAME or nobody"
    if not found:
        raise ValueError(f"names nobody; write {known}")
    for word in found:
        if word not in (EVERYONE, USERS, OWNERS, NOBODY) and not _NAMED.match(word):
            raise ValueError(f"{word} is nobody known; write {known}")
    for alone in (NOBODY, EVERYONE):
        if alone in found and len(found) > 1:
            raise ValueError(f"{alone} and somebody at once; write {alone} alone, or leave it out")
    return found


def readers(value: str) -> tuple[str, ...]:
    """Read who may see something; owners are found in a project's document, which is no way to filter a listing."""
    found = principals(value)
    if OWNERS in found:
        raise ValueError("owners may publish and manage; who may read is named as users, user:NAME or group:NAME")
    return found


def principals_or_nothing(value: str) -> tuple[str, ...]:
    """Read principals, of whom ``owners`` are none, or nothing.

    >>> principals_or_nothing("")
    ()
    """
    found = principals(value) if value else ()
    if OWNERS in found:
        raise ValueError("owners are those of a project; who may do this is named as users, user:NAME or group:NAME")
    return found


def monitors(named: tuple[str, ...], managers: tuple[str, ...]) -> tuple[str, ...]:
    """Return who sees the numbers of the index: those who are named, else its managers, which no owner is.

    >>> monitors((), ("group:admins", "owners")), monitors((), ("owners",))
    (('group:admins',), ('nobody',))
    """
    return named or tuple(who for who in managers if who != OWNERS) or (NOBODY,)


def pattern(value: str) -> str:
    """Return a pattern of project names in its canonical spelling. Raises ValueError.

    >>> pattern("Acme_*")
    'acme-*'
    """
    name = str(canonicalize_name(value))
    if not _PATTERN.match(value) or name.startswith("-") or name.endswith("-"):
        raise ValueError(f"{value!r} is no pattern of project names; write letters, digits, - and * as in acme-*")
    return name


def matches(patterns: tuple[str, ...], project: str) -> bool:
    """Tell whether a canonical name matches one of the patterns."""
    return any(fnmatchcase(project, each) for each in patterns)


@dataclass(frozen=True)
class Rights:
    """The rules of one deployment.

    ``index`` has the principals of each permission; ``patterns`` those of patterns of project names, in the order of
    the file.
    """

    index: Mapping[str, tuple[str, ...]]
    patterns: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)

    def on(self, permission: str, project: str) -> tuple[str, ...]:
        """Return the principals who have a permission on a project."""
        found = [each for each in self.patterns.get(permission, {}) if fnmatchcase(project, each)]
        if not found:
            return self.index[permission]
        return self.patterns[permission][max(found, key=len)]

    def somewhere(self, permission: str) -> tuple[str, ...]:
        """Return the principals who have a permission on the index or on some project of it."""
        several = [self.index[permission], *self.patterns.get(permission, {}).values()]
        return tuple(dict.fromkeys(who for each in several for who in each))

    @property
    def uneven(self) -> bool:
        """Some may read one project and not another, so that each listing is a different one for each."""
        return any(who != self.index["read"] for who in self.patterns.get("read", {}).values())

    @property
    def named(self) -> frozenset[str]:
        """Every principal that occurs."""
        return frozenset(who for permission in PERMISSIONS for who in self.somewhere(permission))

    def check(self) -> None:
        """Refuse rules that contradict each other. Raises SettingError.

        Whoever manages sees what they manage: so all of ``everyone``, or all ``users``, must be among the readers.
        Who a name or a group is may change by the hour, and is no contradiction.
        """
        for project in ("", *self._samples()):
            read, manage = self.on("read", project), self.on("manage", project)
            for many, enough in ((EVERYONE, {EVERYONE}), (USERS, {EVERYONE, USERS})):
                if many in manage and enough.isdisjoint(read):
                    where = f" on {project}" if project else ""
                    raise SettingError(
                        f"{many} may manage{where}, but only {' '.join(read)} may read; whoever manages must see: name "
                        "fewer in mypi.manage or more in mypi.read"
                    )

    def _samples(self) -> Iterator[str]:
        """Yield names for which each pattern decides, and each two of different permissions that can meet."""
        read, manage = (tuple(self.patterns.get(permission, ())) for permission in ("read", "manage"))
        yield from (*read, *manage)
        for one, other in product(read, manage):
            for met in (one.replace("*", other, 1), other.replace("*", one, 1)):
                if fnmatchcase(met, one) and fnmatchcase(met, other):
                    yield met


def read_patterns(given: Mapping[str, str]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Read the keys such as ``mypi.upload.acme-*``. Raises SettingError, naming the key."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for key, value in given.items():
        permission, dot, written = key.removeprefix("mypi.").partition(".")
        if not dot or permission not in PERMISSIONS or not key.startswith("mypi."):
            continue
        try:
            name = pattern(written)
            who = (readers if permission == "read" else principals)(value)
        except ValueError as exc:
            raise SettingError(f"{key} = {value}: {exc}") from exc
        of_permission = found.setdefault(permission, {})
        if name in of_permission:
            raise SettingError(f"{key} says again who may {permission} {name}; write one of the two")
        of_permission[name] = who
    return found

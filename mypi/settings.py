"""The settings of mypi: one table, from which the code, the reference page and the error messages come.

A setting is written ``mypi.<name>`` in the ``.ini`` file; the environment variable ``MYPI_<NAME>`` overrides it. A key
that nobody reads is refused at start-up with the nearest name that exists.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

from . import directory, options, policies, rights, rules, upstreams
from .attestations.attesters import Attester, attesters
from .directory import Directory
from .options import Option, SettingError
from .policies import Policies
from .publishers import Publisher, publishers
from .rights import Rights, monitors, principals, principals_or_nothing, readers
from .store import Store
from .upstreams import Upstreams

GROUP = "mypi.backends"
"""The entry point group in which a distribution names its backends."""


SHARED = ("pypi", "testpypi", "sigstore")
"""Audiences that others ask for, to whom builds hand such tokens every day."""

ROLES = ("storage", "catalogue")
"""What a store is there for: the files, and the documents if they are kept apart."""

TABLE: tuple[Option, ...] = (
    Option(
        "storage",
        options.text,
        "filesystem",
        "The backend that keeps the files: filesystem, zodb, s3, memory, or a class.",
    ),
    Option(
        "catalogue",
        options.text,
        "",
        "A second store for the documents, with options under mypi.catalogue; empty: the first store keeps them too.",
    ),
    Option("read", readers, "everyone", "Who may see pages and download files."),
    Option("upload", principals, "users", "Who may publish."),
    Option(
        "manage",
        principals,
        "group:admins owners",
        "Who may yank, remove and restore files and set a project's status; on the index: make users and groups.",
    ),
    Option(
        "metrics",
        principals_or_nothing,
        "",
        "Who may see the numbers of /+metrics, with a password, or with a token that may read; empty: who may manage "
        "the index.",
    ),
    Option(
        "https_only",
        options.boolean,
        "false",
        "Refuse user names and passwords that come over plain http from another machine; for what stands behind https.",
    ),
    Option(
        "allowed_hosts",
        options.words,
        "",
        "The names, without ports, under which this index may be asked; others get 421. Empty: any.",
    ),
    Option(
        "remote_user",
        options.boolean,
        "false",
        "Trust the server to say who asks, as REMOTE_USER: a middleware, mod_wsgi, or mypi's own behind a proxy that "
        "logs people in.",
    ),
    Option(
        "htpasswd",
        options.optional_path,
        "",
        "A file of more users and their bcrypt passwords, as htpasswd -B writes it.",
    ),
    Option("upload_limit", options.size, "1 GiB", "The largest file that may be uploaded."),
    Option(
        "accel",
        options.web_server,
        "",
        "Who sends the bytes of files once mypi has found that they may be sent: nginx, which mypi nginx-config "
        "configures for it. Empty: mypi.",
    ),
    Option("unpacked_limit", options.size, "16 GiB", "The most that an uploaded archive may hold when unpacked."),
    Option("refuse", rules.rule_names, "", "The stricter rules of PyPI that uploads must keep, by name; pypi for all."),
    Option(
        "attesters",
        attesters,
        "",
        "Whose attestations are taken, once their signatures are verified: lines such as acme-* github acme/lib "
        "release.yml. Empty: anybody's, unverified.",
    ),
    Option(
        "publishers",
        publishers,
        "",
        "Which builds may publish without a password (trusted publishing): lines such as acme-* github acme/lib "
        "release.yml. Empty: none.",
    ),
    Option(
        "audience",
        options.text,
        "",
        "For whom builds must ask for their identity tokens: a word that no other index has; empty: the host of "
        "mypi.public_url.",
    ),
    Option(
        "issuer_ca",
        options.optional_path,
        "",
        "A file of certificates (PEM) of authorities that are trusted for issuers of identity tokens besides the usual "
        "ones.",
    ),
    Option("trash_days", options.number, "30", "Days for which a removed file can be restored."),
    Option("cache_size", options.size, "32 MiB", "Memory for parsed documents and as much again for rendered pages."),
    Option(
        "public_url",
        options.optional_url,
        "",
        "The address that people use, for the lines to copy on the pages; empty: the one that the request names.",
    ),
    Option(
        "scrub.rate",
        options.optional_size,
        "",
        "How many bytes a second each process of the server reads and compares with their digests, all day; 0: none. "
        "Empty: 1 MiB, and none from a store where each read costs money, such as s3.",
    ),
    Option(
        "cache_seconds",
        options.number,
        "0",
        "How long a document is trusted without asking the store; 0: every answer is the newest.",
    ),
)


@dataclass(frozen=True)
class StoreSettings:
    """A backend and the values of its options; ``around`` puts another store around the one that is opened."""

    backend: type[Store]
    values: Mapping[str, Any]
    around: Callable[[Store], Store] | None = None

    @property
    def local(self) -> str | None:
        """The folder of this host where the store keeps files as they are, or None."""
        return self.backend.local(**self.values)

    def open(self, *, catalogue: bool = True, reading: bool = False) -> Store:
        """Open the store and prove that it keeps its contract, as a ``catalogue`` or for files only.

        With ``reading`` nothing will be written, so that it can stand beside a server. Raises StoreError, SettingError.
        """
        store = self.backend.for_reading(**self.values) if reading else self.backend(**self.values)
        try:
            if not store.read_only:
                store.check(catalogue=catalogue)
        except BaseException:
            store.close()
            raise
        return self.around(store) if self.around else store


@dataclass(frozen=True)
class Settings:
    """The settings of one deployment, converted and checked."""

    storage: StoreSettings
    catalogue: StoreSettings | None
    rights: Rights
    https_only: bool
    allowed_hosts: tuple[str, ...]
    remote_user: bool
    htpasswd: str | None
    ldap: Directory | None
    upstream: Upstreams | None
    private: tuple[str, ...]
    policy: Policies
    upload_limit: int
    accel: str
    unpacked_limit: int
    refuse: tuple[str, ...]
    attesters: tuple[Attester, ...]
    publishers: tuple[Publisher, ...]
    audience: str
    issuer_ca: str | None
    trash_days: int
    cache_size: int
    public_url: str | None
    scrub_rate: int | None
    cache_seconds: int

    @classmethod
    def load(cls, given: Mapping[str, str], environ: Mapping[str, str]) -> Settings:
        """Read the ``mypi.*`` keys of an ``.ini`` file. Raises SettingError, naming the key and the remedy."""
        values = options.read(TABLE, "mypi.", given, environ)
        chosen = {role: _backend(role, values[role]) for role in ROLES if values[role]}
        known = [f"mypi.{option.name}" for option in (*TABLE, *upstreams.TABLE)]
        known += [f"{each.PREFIX}{option.name}" for each in (directory, policies) for option in each.TABLE]
        known += [f"mypi.{role}.{option.name}" for role, store in chosen.items() for option in store.options]
        patterns = rights.read_patterns(given)
        ruled = tuple(f"mypi.{permission}." for permission in rights.PERMISSIONS)
        # Before a value is missed whose name may only be misspelt.
        options.refuse_unknown(known, [key for key in given if key.startswith("mypi.") and not key.startswith(ruled)])
        stores = {
            role: StoreSettings(store, options.read(store.options, f"mypi.{role}.", given, environ))
            for role, store in chosen.items()
        }
        values["scrub_rate"] = values.pop("scrub.rate")
        values["audience"] = values["audience"] or urlsplit(values["public_url"] or "").netloc
        index = {permission: values.pop(permission) for permission in rights.PERMISSIONS}
        index[rights.MONITOR] = monitors(values.pop("metrics"), index["manage"])
        values["ldap"] = directory.read(given, environ)
        values["upstream"], values["private"] = upstreams.read(given, environ)
        values["policy"] = policies.read(given, environ)
        settings = cls(**{**values, "catalogue": None, **stores}, rights=Rights(index, patterns))
        settings._check()
        return settings

    def watched(self, around: Callable[[str, Store], Store]) -> Settings:
        """Return these settings with something around each store that they open; it is told the role of each."""
        catalogue = self.catalogue and replace(self.catalogue, around=partial(around, "catalogue"))
        return replace(self, storage=replace(self.storage, around=partial(around, "storage")), catalogue=catalogue)

    def _check(self) -> None:
        """Refuse settings that contradict each other."""
        self.rights.check()
        if self.accel and self.storage.local is None:
            raise SettingError("mypi.accel = nginx: a web server can send only files of its own host; storage has none")
        if self.attesters and importlib.util.find_spec("pypi_attestations") is None:
            raise SettingError(
                "mypi.attesters is set, but signatures are verified by pypi-attestations, which is not installed; run "
                "pip install 'mypi[attestations]'"
            )
        if self.publishers:
            self._check_publishing()

    def _check_publishing(self) -> None:
        """Refuse what would let one index take the tokens of another, or none take any."""
        if not self.audience:
            raise SettingError(
                "mypi.publishers is set, but not for whom a build must ask for its token; set mypi.public_url, "
                "or mypi.audience to a word that no other index has, such as the host name"
            )
        if self.audience in SHARED:
            raise SettingError(
                f"mypi.audience = {self.audience}: tokens for it are made for others too, who could use them here; "
                "write a word that no other index has, such as the host name"
            )
        if not all(map(importlib.util.find_spec, ("jwt", "cryptography"))):
            raise SettingError(
                "mypi.publishers is set, but identity tokens are verified by PyJWT with cryptography, which is not "
                "installed; run pip install 'mypi[oidc]'"
            )


def backend(name: str) -> type[Store]:
    """Find a backend by its entry point or as a dotted name, ``package.module:Class``; it is imported only now.

    Raises SettingError, naming the backends that are installed.
    """
    found = {point.name: point for point in entry_points(group=GROUP)}
    try:
        if name in found:
            chosen = found[name].load()
        else:
            module, _, attribute = name.partition(":")
            chosen = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, TypeError, ValueError) as exc:
        raise SettingError(
            f"there is no backend {name!r} ({exc}); write one of {', '.join(sorted(found))}, or package.module:Class"
        ) from exc
    if not (isinstance(chosen, type) and issubclass(chosen, Store)):
        raise SettingError(f"{name} is not a backend: it is no subclass of mypi.store.Store")
    return chosen


def _backend(role: str, name: str) -> type[Store]:
    try:
        return backend(name)
    except SettingError as exc:
        raise SettingError(f"mypi.{role} = {name}: {exc}") from exc

"""From the options to a storage: by a folder, a URI or a zodb.conf, with a sentence for whatever is wrong."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import ZConfig
from ZODB.config import getDbSchema
from ZODB.POSException import ConflictError

from mypi.options import SettingError
from mypi.store import StoreError, Unavailable

from .database import Database, brief

PATIENCE = 5
"""Seconds for which a request waits for a server that is away, unless the URI says otherwise."""

_NETWORK = {
    "connect_timeout": PATIENCE,
    "tcp_user_timeout": 2000 * PATIENCE,
    "keepalives_idle": PATIENCE,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""What libpq is told, so that it notices a network that swallows packets: seconds, but for the milliseconds of one."""

_UNSAID = {"zeo": {"wait_timeout": PATIENCE}, "postgres": {**_NETWORK, "commit_lock_timeout": 10}}
_ZEO_DEFAULT = 30
_ATTEMPTS = 5  # of opening a database that several nodes make at the same moment
_EXTRAS = {"zeo": "zeo", "postgres": "postgresql", "postgresql": "postgresql"}


# By name: what a library may raise that is imported only by those who use it.
_SENTENCES: Mapping[str, tuple[type[Exception], str]] = {
    "LockError": (
        Unavailable,
        "is in use by another process, such as a server; stop that one first, or keep the database in ZEO or "
        "PostgreSQL (mypi.storage.uri), which several processes share",
    ),
    "ClientDisconnected": (
        Unavailable,
        "the ZEO server does not answer; start it, or correct its address and the name of its storage",
    ),
    "DriverNotAvailableError": (
        SettingError,
        "the driver of the database is not installed; pip install 'mypi[postgresql]'",
    ),
    "ImportError": (SettingError, "a package is missing ({said}); pip install 'mypi[zeo,postgresql]'"),
    "OperationalError": (Unavailable, "{said}; is PostgreSQL running, and are user, password and database right?"),
    "FileStorageError": (
        Unavailable,
        "is damaged, or no database at all ({said}); restore it from a backup, or name another place",
    ),
}


def by_uri(uri: str) -> Database:
    """Open the database that a ZODB URI names. Raises SettingError, Unavailable."""
    import zodburi

    shown = masked(uri)
    scheme = uri.partition(":")[0]
    try:
        if scheme == "postgres":
            _know_network_options()
        factory, given = zodburi.resolve_uri(_completed(uri, scheme))
    except zodburi.NoResolverForScheme as exc:
        raise SettingError(f"uri = {shown}: {_unknown(scheme)}") from exc
    except zodburi.UnknownDatabaseKeywords as exc:
        raise SettingError(f"uri = {shown}: unknown parameters {', '.join(exc.kw)}") from exc
    except Exception as exc:
        raise SettingError(f"uri = {shown}: not a ZODB URI ({_cause(exc, uri)})") from exc
    return _opened(shown, factory, given, lambda text: hidden(text, uri))


def by_conf(path: str) -> Database:
    """Open the database that a zodb.conf describes. Raises SettingError, Unavailable."""
    try:
        config, _ = ZConfig.loadConfig(getDbSchema(), path)
    except (ZConfig.ConfigurationError, OSError) as exc:
        raise SettingError(f"conf = {path}: {brief(exc)}") from exc
    if len(config.database) != 1:
        raise SettingError(f"conf = {path}: describes {len(config.database)} databases; leave one <zodb>")
    section = config.database[0].config
    described = section.storage
    if getattr(described.config, "wait_timeout", None) == _ZEO_DEFAULT:
        described.config.wait_timeout = PATIENCE
    given = {name: getattr(section, name) for name in ("pool_size", "cache_size", "cache_size_bytes")}
    return _opened(path, described.open, given, str)


def _opened(
    shown: str,
    factory: Callable[[], Any],
    given: Mapping[str, Any],
    hide: Callable[[str], str],
    attempts: int = _ATTEMPTS,
) -> Database:
    try:
        with quiet():
            return database(factory(), given)
    except Exception as exc:
        if attempts > 1 and _raced(exc):
            return _opened(shown, factory, given, hide, attempts - 1)
        raise explained(shown, exc, hide) from exc


def database(storage: Any, given: Mapping[str, Any]) -> Database:
    """Make a database of an open storage, which is closed if that fails."""
    try:
        if hasattr(storage, "server_sync"):
            # Every transaction asks the server first: a read right after another client's commit is stale otherwise.
            storage.server_sync = True
            storage.sync = getattr(storage, "ping", storage.sync)
            storage._server.timeout = min(storage._server.timeout, 2 * PATIENCE)
        return Database(storage, given)
    except BaseException:
        storage.close()
        raise


def _know_network_options() -> None:
    """Let a postgres:// URI say how soon a network that swallows packets is noticed; RelStorage hands it to libpq."""
    from relstorage.zodburi_resolver import PostgreSQLAdapterHelper

    PostgreSQLAdapterHelper._int_args = tuple(_NETWORK)


def explained(shown: str, exc: Exception, hide: Callable[[str], str]) -> Exception:
    """Return the StoreError or SettingError for an error of opening a database."""
    said = hide(brief(exc))
    for kind in type(exc).__mro__:
        if kind.__name__ in _SENTENCES:
            error, sentence = _SENTENCES[kind.__name__]
            sentence = sentence.format(said=said)
            return error(shown, sentence) if issubclass(error, StoreError) else error(f"{shown}: {sentence}")
    return Unavailable(shown, f"cannot be opened ({said})")


def _raced(exc: Exception) -> bool:
    """Tell whether another node made the same database at the same moment, so that a second look finds it made."""
    codes = {"23505", "42P07", "42710", "42723", "XX000", "40001", "40P01"}
    return isinstance(exc, ConflictError) or getattr(exc, "pgcode", None) in codes


def _completed(uri: str, scheme: str) -> str:
    """Add the parameters that a request's patience needs, where the URI does not say them itself."""
    said = dict(parse_qsl(urlsplit(uri).query, keep_blank_values=True))
    missing = {name: value for name, value in _UNSAID.get(scheme, {}).items() if name not in said}
    added = "&".join(f"{name}={value}" for name, value in missing.items())
    return f"{uri}{'&' if '?' in uri else '?'}{added}" if added else uri


def _unknown(scheme: str) -> str:
    if scheme == "postgresql":
        return "write postgres:// instead of postgresql://"
    if scheme in _EXTRAS:
        return f"what serves {scheme}:// is not installed; pip install 'mypi[{_EXTRAS[scheme]}]'"
    return f"nothing serves {scheme}://; write file://, zeo:// or postgres://"


def masked(uri: str) -> str:
    """Hide what a URI must not tell.

    >>> masked("postgres://mypi:geheim@db/mypi?blob_dir=/var/blobs")
    'postgres://mypi:(hidden)@db/mypi?blob_dir=/var/blobs'
    >>> masked("zeo://db:9991?username=mypi&password=geheim")
    'zeo://db:9991?username=mypi&password=(hidden)'
    """
    uri = re.sub(r"(//[^:/?#]*):.*@", r"\1:(hidden)@", uri)
    return re.sub(r"(password=)[^&#]*", r"\1(hidden)", uri)


def hidden(text: str, uri: str) -> str:
    """Take the secrets of a URI out of somebody else's message."""
    for secret in _secrets(uri):
        text = text.replace(secret, "(hidden)")
    return text


def _secrets(uri: str) -> list[str]:
    found = re.findall(r"//[^:/?#]*:(.*)@", uri) + re.findall(r"password=([^&#]*)", uri)
    return [secret for secret in found if secret]


def _cause(exc: Exception, uri: str) -> str:
    """Say why a URI cannot be read, without the piece of a password that was taken for something else."""
    if any(re.search("[/?#]", secret) for secret in _secrets(uri)):
        return "a password in it may not hold / ? or #; use another, or PGPASSFILE"
    return hidden(brief(exc), uri)


_quiet = threading.Lock()
_quieted: list[tuple[logging.Logger, int]] = []  # who was silenced, and how loud it was, by whoever opens first
_opening = 0


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries from writing tracebacks of what is raised anyway, and told in a sentence."""
    global _opening  # noqa: PLW0603 - loggers are global too
    with _quiet:
        _opening += 1
        if _opening == 1:
            loggers = [logging.getLogger(name) for name in ("ZODB", "ZEO", "relstorage")]
            _quieted[:] = [(logger, logger.level) for logger in loggers]
            for logger in loggers:
                logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        with _quiet:
            _opening -= 1
            if _opening == 0:
                for logger, level in _quieted:
                    logger.setLevel(level)

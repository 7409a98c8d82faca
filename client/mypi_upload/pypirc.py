"""Where to send files and as whom: `.pypirc`, read as distutils read it."""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

PYPI = "https://upload.pypi.org/legacy/"
REALM = "pypi"

_RETIRED = ("pypi.python.org", "pypi.org", "www.python.org")
"""Hosts that took uploads for PyPI once; old files still name them."""


class PypircError(Exception):
    """It cannot be told where to send; the message says why, and never shows a line of the file."""


@dataclass(frozen=True)
class Server:
    """An index: a section of `.pypirc`, or an address alone. None is what nobody said, and "" is said to be empty."""

    url: str
    section: str = ""
    username: str | None = None
    password: str | None = None
    realm: str = REALM
    ca_cert: str | None = None
    client_cert: str | None = None


@dataclass(frozen=True)
class Login:
    """A user name and a password, as far as they are known without asking."""

    username: str | None
    password: str | None


def path() -> str:
    """Return where the file of this user is, or would be."""
    return os.path.join(os.path.expanduser("~"), ".pypirc")  # noqa: PTH111, PTH118 - as distutils finds it


def find(repository: str | None, file: str | None = None) -> Server:
    """Return the index that `-r` means: the name of a section, or an address; None is the section `pypi`.

    An address that a section has gets that section's user name and password. Raises PypircError.
    """
    file = file or path()
    servers = read(file)
    wanted = repository or "pypi"
    for server in servers:
        if server.section == wanted:
            return server
    if wanted == "pypi":
        wanted = PYPI
    parts = urlsplit(wanted)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        known = ", ".join(server.section for server in servers) or "none"
        raise PypircError(
            f"{wanted} is neither an address, http://... or https://..., nor a section of {file}, which has {known}"
        )
    given = _server(wanted)
    if given.username is None:
        for server in servers:
            if server.url.rstrip("/") == given.url.rstrip("/"):
                return server
    return given


def read(file: str) -> list[Server]:
    """Return every index that a file knows, those of `index-servers` first; none if there is no file.

    Raises PypircError.
    """
    parser = configparser.RawConfigParser()
    try:
        with open(file, encoding="utf-8") as lines:  # noqa: PTH123
            parser.read_file(lines)
    except FileNotFoundError:
        return []
    except OSError as exc:
        raise PypircError(f"{file} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError as exc:
        raise PypircError(f"{file} is not UTF-8 text") from exc
    except configparser.Error as exc:
        # Its own message shows the line, which may hold a password.
        errors = getattr(exc, "errors", None)
        line = errors[0][0] if errors else getattr(exc, "lineno", "?")
        raise PypircError(f"{file}, line {line}: {type(exc).__name__}; write [section] and name = value") from None
    if parser.has_section("distutils"):
        listed = parser.get("distutils", "index-servers", fallback="").split()
        others = [name for name in parser.sections() if name not in (*listed, "distutils", "server-login")]
        return [_section(parser, name) for name in (*listed, *others) if parser.has_section(name)]
    if parser.has_section("server-login"):  # how Python 2.5 wrote it: one index, which is the one meant by default
        return [_section(parser, "server-login", called="pypi")]
    return [_section(parser, name) for name in parser.sections()]


def login(server: Server, username: str | None, password: str | None, environ: Mapping[str, str]) -> Login:
    """Return the credentials: what the command line says, else the environment as twine reads it, else `.pypirc`.

    A password of `.pypirc` is never sent for another user name than the one beside it.
    """
    for given in (username, environ.get("TWINE_USERNAME"), server.username):
        if given is not None:
            username = given
            break
    beside = server.password if username == server.username else None
    for given in (password, environ.get("TWINE_PASSWORD"), beside):
        if given is not None:
            password = given
            break
    return Login(username, password)


def _section(parser: configparser.RawConfigParser, name: str, called: str = "") -> Server:
    values = dict(parser.items(name))
    return _server(
        values.get("repository") or PYPI,
        called or name,
        values.get("username"),
        values.get("password"),
        values.get("realm", REALM),
        values.get("ca_cert"),
        values.get("client_cert"),
    )


def _server(
    url: str,
    section: str = "",
    username: str | None = None,
    password: str | None = None,
    realm: str = REALM,
    ca_cert: str | None = None,
    client_cert: str | None = None,
) -> Server:
    """Make a server; a user name and a password may stand in its address, from where they are taken out."""
    parts = urlsplit(url)
    if parts.hostname in _RETIRED:
        url = PYPI
    elif "@" in parts.netloc:
        url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        if username is None and parts.username is not None:
            username = unquote(parts.username)
            password = None if parts.password is None else unquote(parts.password)
    return Server(url, section, username, password, realm, ca_cert, client_cert)

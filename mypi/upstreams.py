"""The settings of other indexes: where they are, how they may be reached, which names are never asked there.

They are ``mypi.upstream`` and what stands under ``mypi.upstream.``; :mod:`mypi.upstream` asks.
"""

from __future__ import annotations

import ipaddress
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from . import options
from .model.remote import Site
from .options import Option, SettingError
from .rights import pattern

PREFIX = "mypi.upstream."

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9])?(?:\.|\Z))+\Z|[0-9a-f:]*:[0-9a-f:.]*\Z")
_WRITE = "write such as pypi https://pypi.org/simple/"

_FILE = re.compile(r"/[^/]*\.(?:html?|json|xml|php|txt|whl|zip|tar|gz|bz2)/*\Z", re.IGNORECASE)

_SIMPLE = {"pypi.org": "https://pypi.org/simple/", "test.pypi.org": "https://test.pypi.org/simple/"}
"""Hosts of which everybody knows the page for people, which is no index."""

_FILES = {"pypi.org": "files.pythonhosted.org", "test.pypi.org": "test-files.pythonhosted.org"}
"""Where the files of some indexes are, which their pages name."""


def upstreams(value: str) -> tuple[Site, ...]:
    """Read lines (or parts between semicolons) of a name and the address of an index, in the order of asking.

    >>> upstreams("pypi https://pypi.org/simple")
    (Site(name='pypi', url='https://pypi.org/simple/'),)
    """
    found: dict[str, Site] = {}
    for line in re.split(r"[;\n]", value):
        words = line.split()
        if not words:
            continue
        if len(words) != 2:
            raise ValueError(f"{_hidden(' '.join(words))!r} is not a name and an address; {_WRITE}")
        name, url = words[0].lower(), words[1]
        if not _NAME.match(name):
            raise ValueError(f"{_hidden(words[0])!r} is no name for an index: letters, digits and - only; {_WRITE}")
        if name in found:
            raise ValueError(f"{name} stands there twice; give each index a name of its own")
        site = Site(name, _address(name, url))
        twin = next((each.name for each in found.values() if each.url == site.url), None)
        if twin:
            raise ValueError(f"{twin} and {name} are one and the same, {site.url}; take one of them out")
        found[name] = site
    return tuple(found.values())


def _address(name: str, url: str) -> str:
    """Return the address of an index in one spelling, with its slash. Raises ValueError, which shows no secret."""
    if "@" in url:
        raise ValueError(
            f"the address of {name} has a user or password in it; take them out, and set "
            f"{credential(name, 'USER')} and {credential(name, 'PASSWORD')} in the environment"
        )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as exc:
        raise ValueError(f"the address of {name} cannot be read ({exc}); {_WRITE}") from exc
    if parts.scheme not in ("https", "http") or not _HOST.match(host):
        raise ValueError(f"{_hidden(url)} is no address of an index; {_WRITE}")
    if "?" in url or "#" in url:
        raise ValueError(
            f"the address of {name} has a question or a fragment, after which no name can be put; {_WRITE}"
        )
    if _FILE.search(parts.path):
        raise ValueError(f"{url} is a file, and no index, below which each project has its page; {_WRITE}")
    path = f"{parts.path.rstrip('/')}/"
    if path != "/simple/" and host in _SIMPLE:
        raise ValueError(f"{url} is no index, but {_SIMPLE[host]} is; write that")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}{'' if port is None else f':{port}'}{path}"


def _hidden(text: str) -> str:
    return re.sub(r"//(?:[^/]*|\S*)@", "//(hidden)@", text)


def credential(name: str, what: str) -> str:
    """Name the environment variable of what an index wants to know.

    >>> credential("our-own", "TOKEN")
    'MYPI_UPSTREAM_OUR_OWN_TOKEN'
    """
    return f"MYPI_UPSTREAM_{name.replace('-', '_').upper()}_{what}"


def mode(value: str) -> str:
    """Read how files are handed on: ``proxy``, fetched and kept here, or ``redirect``, fetched by the client.

    >>> mode("proxy")
    'proxy'
    """
    return options.one_of(value, "proxy", "redirect")


def hosts(value: str) -> tuple[str, ...]:
    """Read names of hosts, without ports.

    >>> hosts("Files.example.com")
    ('files.example.com',)
    """
    found = tuple(word.lower().strip("[]") for word in options.words(value))
    for word in found:
        if not _HOST.match(word):
            raise ValueError(f"{_hidden(word)} is no name of a host; write such as files.example.com")
    return found


def patterns(value: str) -> tuple[str, ...]:
    """Read patterns of project names, such as ``acme-*``.

    >>> patterns("Acme_* lib")
    ('acme-*', 'lib')
    """
    found = tuple(pattern(word) for word in options.words(value))
    for each in found:
        if not each.strip("*?-"):
            raise ValueError(f"{each} matches everything, so that no name could come from elsewhere; write some of it")
    return found


TABLE: tuple[Option, ...] = (
    Option(
        "upstream",
        upstreams,
        "",
        "Other indexes whose projects are served under the same address, in order: lines such as pypi "
        "https://pypi.org/simple/. Empty: none.",
    ),
    Option(
        "upstream.mode",
        mode,
        "proxy",
        "Whether their files come through mypi and are kept (proxy), or clients fetch them there (redirect).",
    ),
    Option("upstream.cache_seconds", options.number, "600", "How long a page of theirs is fresh; less if they say so."),
    Option("upstream.limit", options.size, "20 GiB", "The most that is kept of their files; 0: none of them."),
    Option("upstream.timeout", options.positive, "10", "Seconds after which a client has an answer."),
    Option(
        "upstream.hosts",
        hosts,
        "",
        "Further hosts that files may come from and redirects may lead to. The indexes' own are always allowed, and "
        "files.pythonhosted.org for pypi.org.",
    ),
    Option(
        "upstream.private_addresses",
        options.boolean,
        "false",
        "Ask indexes in a private network too; else what leads there is refused.",
    ),
    Option("upstream.insecure", options.boolean, "false", "Ask indexes over http, where everybody on the way may lie."),
    Option(
        "upstream.ca",
        options.optional_path,
        "",
        "A file of certificates (PEM) of the authorities that are trusted for them; empty: the system's.",
    ),
    Option(
        "private",
        patterns,
        "",
        "Names that are ours whatever happens, and are never asked elsewhere: patterns such as acme-*.",
    ),
)


@dataclass(frozen=True)
class Upstreams:
    """The settings of all upstream indexes, converted and checked.

    ``hosts`` are all that may be asked, the indexes' own among them. ``credentials`` maps the names of sites to what
    their header Authorization says.
    """

    sites: tuple[Site, ...]
    mode: str
    cache_seconds: int
    limit: int
    timeout: int
    hosts: frozenset[str]
    private_addresses: bool
    insecure: bool
    ca: str | None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)

    def check(self) -> None:
        """Refuse what is not safe and what cannot work. Raises SettingError."""
        for site in self.sites:
            if not self.insecure and not site.url.startswith("https:"):
                raise SettingError(
                    f"mypi.upstream asks {site.name} over http, where everybody on the way may lie; write https, or "
                    f"say {PREFIX}insecure = true"
                )
            host = str(urlsplit(site.url).hostname)
            if not self.private_addresses and _is_inside(host):
                raise SettingError(
                    f"mypi.upstream asks {site.name} at {host}, which is inside a private network; say "
                    f"{PREFIX}private_addresses = true if that is meant"
                )
        if self.ca:
            try:
                ssl.create_default_context(cafile=self.ca)
            except OSError as exc:
                raise SettingError(
                    f"{PREFIX}ca = {self.ca} holds no certificates that can be read "
                    f"({exc.strerror or exc}); name a file of them in PEM form"
                ) from exc


def _is_inside(host: str) -> bool:
    """Tell of a host whose name says so that it is in a private network; others are looked up when they are asked.

    >>> _is_inside("10.0.0.1"), _is_inside("localhost"), _is_inside("index.example.com")
    (True, True, False)
    """
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def read(given: Mapping[str, str], environ: Mapping[str, str]) -> tuple[Upstreams | None, tuple[str, ...]]:
    """Read the settings of upstreams, None if there are none, and the patterns of names that are ours.

    Raises SettingError.
    """
    values = options.read(TABLE, "mypi.", given, environ)
    private = values.pop("private")
    sites: tuple[Site, ...] = values.pop("upstream")
    values = {name.removeprefix("upstream."): value for name, value in values.items()}
    if not sites:
        others = [key for key in given if key.startswith(PREFIX)]
        # Set and empty is how somebody turns it off for a while.
        if others and "mypi.upstream" not in given and options.variable("mypi.upstream") not in environ:
            raise SettingError(f"{others[0]} is set, but mypi.upstream, which names the indexes, is not")
        return None, private
    own = {str(urlsplit(site.url).hostname) for site in sites}
    allowed = frozenset((*values.pop("hosts"), *own, *(_FILES[host] for host in own if host in _FILES)))
    found = Upstreams(sites, hosts=allowed, credentials=_credentials(sites, environ), **values)
    found.check()
    return found, private


def _credentials(sites: tuple[Site, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """Read what each index wants to know, from the environment alone. Raises SettingError, which shows none of it."""
    found = {}
    for site in sites:
        names = [credential(site.name, what) for what in ("USER", "PASSWORD", "TOKEN")]
        user, password, token = (environ.get(name, "") for name in names)
        for name, value in zip(names, (user, password, token), strict=True):
            if any(ord(char) < 32 or ord(char) == 127 for char in value):
                raise SettingError(f"{name} has a line end or another control character in it; take it out")
        if token and (user or password):
            raise SettingError(f"{names[2]} is set, and {names[0]} or {names[1]} too; an index takes one or the other")
        if password and not user:
            raise SettingError(f"{names[1]} is set, but {names[0]} is not; set both, or {names[2]} alone")
        if ":" in user:
            raise SettingError(f"{names[0]} has a colon in it, which no user has (RFC 7617); set {names[1]} apart")
        if not token.isascii() or " " in token:
            raise SettingError(f"{names[2]} has blanks or letters with marks in it; it is no token")
        if user:
            found[site.name] = basic(f"{user}:{password}")
        elif token:
            found[site.name] = f"Bearer {token}"
    return found


def basic(pair: str) -> str:
    """Return the header of a user and a password (RFC 7617).

    >>> basic("Aladdin:open sesame")
    'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='
    """
    return f"Basic {b64encode(pair.encode()).decode()}"

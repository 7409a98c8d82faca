"""The options of `[server:main]`, and what the application adds to them.

An application tells the server what it expects through its `registry`, the mapping that a Pyramid application has, so
that nothing is written twice in the `.ini`. All keys may be absent; an application without a registry is served alike:

- `mypi.upload_limit`, int: the largest file that is taken, in bytes; the largest body follows from it.
- `mypi.upload_paths`, set of str: where uploads are posted, without prefix and trailing slash: `{"", "/simple"}`.
- `mypi.upload_protected`, bool: whether an upload needs credentials.
- `mypi.remote_user`, bool: whether it wants to be told who asks, as `REMOTE_USER`.
- `mypi.accel`, bool: whether it wants the proxy to send files.
- `mypi.refused`, callable with a status: called for each request that the server answers itself, before its body.
- `mypi.stopping`, callable without arguments: called when the server is told to stop, perhaps in a signal handler.
- `mypi.spool_folder`, str or None: a folder on the store's file system, where large bodies are kept meanwhile.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mypi.options import Option, SettingError, boolean, number, refuse_unknown, size, text

KIB, MIB = 1024, 1024 * 1024

# Boundaries, part headers and text fields around the file. More than the form itself allows (mypi.forms), so that the
# precise answer is the form's.
FORM_SLACK = 8 * MIB


def _nobody(status: int) -> None:
    """Tell nobody of a refusal."""


@dataclass(frozen=True)
class Rules:
    """What mypi's own parser, channel and listener obey; times in seconds, sizes in bytes."""

    connection_limit: int
    per_address: int
    header_timeout: float
    body_grace: float
    body_rate: int
    linger: float
    linger_idle: float
    linger_bytes: int
    drain: float
    graceful_timeout: float
    max_request_body_size: int | None
    other_body_size: int
    small_body: int
    tmpdir: str | None
    trusted_proxy_user_header: str | None
    upload_protected: bool = False
    upload_paths: frozenset[str] | None = None
    refused: Callable[[int], None] = _nobody

    @property
    def body_limit(self) -> int:
        """The largest body anywhere; 1 GiB where neither the `.ini` nor the application says."""
        return 1024 * MIB if self.max_request_body_size is None else self.max_request_body_size

    @property
    def user_header(self) -> str | None:
        """The name of the header in which the proxy says who asks, as waitress spells it."""
        header = self.trusted_proxy_user_header
        return header.replace("-", "_").upper() if header else None

    @property
    def tick(self) -> float:
        """How often deadlines are looked at, so that none is missed by more than a quarter."""
        return min(1.0, self.header_timeout / 4, self.body_grace / 4, self.linger_idle / 4)

    def following(self, app: object) -> Rules:
        """Return these rules with what the application says; an option of the `.ini` comes first."""
        registry = getattr(app, "registry", None)
        if not isinstance(registry, Mapping):
            return self
        body = self.max_request_body_size
        if body is None and registry.get("mypi.upload_limit") is not None:
            body = registry["mypi.upload_limit"] + FORM_SLACK
        paths = registry.get("mypi.upload_paths")
        return replace(
            self,
            max_request_body_size=body,
            upload_paths=None if paths is None else frozenset(paths),
            upload_protected=bool(registry.get("mypi.upload_protected")),
            refused=registry.get("mypi.refused") or self.refused,
            tmpdir=self.tmpdir or registry.get("mypi.spool_folder"),
        )


def seconds(value: str) -> float:
    """Read a time, fractions allowed.

    >>> seconds("0.5")
    0.5
    """
    found = float(value) if value.replace(".", "", 1).isdecimal() else math.nan
    if not found > 0:
        raise ValueError("not a time; write seconds above 0, such as 20")
    return found


def pause(value: str) -> float:
    """Read a time, fractions allowed, or 0.

    >>> pause("0"), pause("2.5")
    (0.0, 2.5)
    """
    return 0.0 if value == "0" else seconds(value)


def positive(value: str) -> int:
    """Read a whole number above 0.

    >>> positive("8")
    8
    """
    if not (found := number(value)):
        raise ValueError("not above 0; write at least 1")
    return found


def size_or_nothing(value: str) -> int | None:
    """Read a number of bytes, or nothing.

    >>> size_or_nothing("1 MiB"), size_or_nothing("")
    (1048576, None)
    """
    return size(value) if value else None


def header_or_nothing(value: str) -> str | None:
    """Take the name of a header of the proxy's own, or nothing.

    >>> header_or_nothing("x-remote-user"), header_or_nothing("")
    ('x-remote-user', None)
    """
    if value and not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", value):
        raise ValueError("not the name of a header; write letters, digits and -, such as x-remote-user")
    if value.lower() in _TAKEN or value.lower().startswith("x-forwarded-"):
        raise ValueError("a header that clients and proxies send for something else; write such as x-remote-user")
    return value or None


def folder_or_nothing(value: str) -> str | None:
    """Take an existing folder, or nothing.

    >>> folder_or_nothing("/"), folder_or_nothing("")
    ('/', None)
    """
    if value and not Path(value).is_dir():
        raise ValueError("not an existing folder; create it or leave the line out")
    return value or None


OWN = (
    Option("connection_limit", positive, "1024", "Connections held at once; further ones are answered 503."),
    Option("per_address", positive, "64", "Connections of one address, loopback and the trusted proxy excepted."),
    Option("header_timeout", seconds, "20", "Seconds in which a request's header must be complete."),
    Option("body_grace", seconds, "30", "Seconds in which a request's body may be slower than body_rate."),
    Option("body_rate", size, "16 KiB", "Bytes a second that a body must average after body_grace."),
    Option("linger", seconds, "30", "Seconds in which the rest of a refused body is read, for the client to see why."),
    Option("linger_idle", seconds, "5", "Seconds in which such a client may send nothing."),
    Option("linger_bytes", size, "1 GiB", "How much of such a body is read."),
    Option(
        "drain",
        pause,
        "0",
        "Seconds after SIGTERM for which new requests are still taken while /+ready is 503, so that a balancer looks "
        "elsewhere first; 0: none are taken.",
    ),
    Option("graceful_timeout", seconds, "30", "Seconds that SIGTERM, after drain, waits for what is in flight."),
    Option("max_request_body_size", size_or_nothing, "", "The largest body; follows mypi.upload_limit when empty."),
    Option("other_body_size", size, "16 MiB", "The largest body at addresses that take no uploads."),
    Option("small_body", size, "64 KiB", "Bodies up to this reach the application even without a login."),
    Option("tmpdir", folder_or_nothing, "", "Where large bodies wait; on the store's file system when empty."),
    Option(
        "trusted_proxy_user_header",
        header_or_nothing,
        "",
        "The header in which the trusted proxy says who asks, for mypi.remote_user; it must set it on every request.",
    ),
)

_TAKEN = ("authorization", "connection", "content-length", "content-type", "cookie", "forwarded", "host")

# waitress' own. An empty default is waitress' default, and is not handed over.
WAITRESS = (
    Option("host", text, "", "The address to listen on; 127.0.0.1 when empty."),
    Option("port", text, "", "The port to listen on; 6543 when empty."),
    Option("listen", text, "", "Several host:port pairs, instead of host and port."),
    Option("unix_socket", text, "", "The path of a Unix socket to listen on, instead of host and port."),
    Option("unix_socket_perms", text, "", "The socket's permissions in octal; 600 when empty."),
    Option("ipv4", boolean, "true", "Whether a host's name stands for its IPv4 addresses."),
    Option("ipv6", boolean, "true", "Whether a host's name stands for its IPv6 addresses."),
    Option("threads", positive, "8", "Requests worked on at once."),
    Option("backlog", positive, "1024", "Connections that the system may queue."),
    Option("channel_timeout", positive, "120", "Seconds that a connection may stay open and idle."),
    Option("trusted_proxy", text, "", "The address of the reverse proxy whose headers are believed."),
    Option("trusted_proxy_count", text, "", "How many proxies stand in a row; 1 when empty."),
    Option("trusted_proxy_headers", text, "", "Which headers; x-forwarded-for and x-forwarded-proto when empty."),
    Option("log_untrusted_proxy_headers", boolean, "false", "Whether headers that are not believed are logged."),
    Option("clear_untrusted_proxy_headers", boolean, "true", "Whether headers that are not believed are removed."),
    Option("url_scheme", text, "http", "http or https, where no proxy says."),
    Option("url_prefix", text, "", "The path under which the application is seen."),
    Option("server_name", text, "", "The host's name for requests without one."),
    Option("ident", text, "mypi", "The Server header; none when empty."),
    Option("recv_bytes", size, "64 KiB", "Bytes read at once."),
    Option("inbuf_overflow", size, "512 KiB", "A body beyond this is kept in a file."),
    Option("max_request_header_size", size, "64 KiB", "The largest request header."),
    Option("log_socket_errors", boolean, "true", "Whether socket errors are logged; off, others are hidden too."),
    Option("asyncore_use_poll", boolean, "true", "Whether poll(2) is used, which knows no limit of 1,024 descriptors."),
)


def read(given: Mapping[str, str]) -> tuple[Rules, dict[str, Any]]:
    """Return mypi's rules and waitress' keywords, or raise `mypi.options.SettingError` with one sentence."""
    refuse_unknown((_key(option.name) for option in OWN + WAITRESS), map(_key, given))
    rules = Rules(**_values(OWN, given))
    keywords = {name: value for name, value in _values(WAITRESS, given).items() if value != "" or name == "ident"}
    if not keywords.keys() & {"listen", "unix_socket"}:
        keywords = {"host": "127.0.0.1", "port": "6543"} | keywords
    if "trusted_proxy" in keywords:
        # waitress' own default is announced to end. These two are the least that login limits, history and links
        # need; believing a header that the proxy hands through from the client would be worse.
        keywords.setdefault("trusted_proxy_headers", "x-forwarded-for x-forwarded-proto")
    if rules.user_header:
        _check_proxy(keywords)
    return rules, keywords


def _check_proxy(keywords: Mapping[str, Any]) -> None:
    """Refuse a header that nobody, or anybody, would be believed."""
    trusted = keywords.get("trusted_proxy")
    if trusted is None or (trusted == "*" and "unix_socket" not in keywords):
        raise SettingError(
            f"{_key('trusted_proxy_user_header')} is believed of the proxy alone, and trusted_proxy "
            f"{'names none' if trusted is None else 'is everybody'}; write the proxy's address there"
        )


def _values(table: tuple[Option, ...], given: Mapping[str, str]) -> dict[str, Any]:
    return {option.name: option.read(_key(option.name), given.get(option.name)) for option in table}


def _key(name: str) -> str:
    return f"[server:main] {name}"

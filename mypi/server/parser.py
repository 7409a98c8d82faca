"""The reading of one request: waitress' parser, stricter, and with answers that need no body.

Two servers in a row must see the same requests (RFC 9112 11.2), so whatever they could read in two ways is refused.
Whether a request is wanted at all is decided when its header is complete, before its body costs anything.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from waitress.parser import HTTPRequestParser, ParsingError

if TYPE_CHECKING:
    from mypi.server.options import Rules

# Not the line ends, which waitress checks, nor the tab, which may stand in a value.
_CONTROL = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROL_IN_PATH = re.compile(r"[\x00-\x1f\x7f]")
_VERSION = re.compile(rb" HTTP/1\.[01]\Z")
_HOST = re.compile(r"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]+")

_ONCE = (b"host", b"content-length", b"transfer-encoding")
_CONTROL_LINE = 1024
_TRAILER = 8 * 1024

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    507: "Insufficient Storage",
}


class Refusal:
    """An answer by the server itself, in the shape that waitress asks of an error.

    The sentence stands in the status line too, where distutils and twine print it, and only there (B1.12).
    """

    def __init__(self, code: int, sentence: str) -> None:
        self.code = code
        self.sentence = sentence

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        """Return status line, headers and body."""
        line = re.sub(r"[^ -~]", "?", f"{REASONS[self.code]}. {self.sentence}")
        headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
        if self.code == 401:
            # distutils' register knows the realm "pypi" and no other (B3).
            headers.append(("WWW-Authenticate", 'Basic realm="pypi"'))
        return f"{self.code} {line}", headers, f"{self.sentence}\n".encode()


class Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types
    """One request as it arrives. `head_done` is when its header was complete, None before."""

    head_done: float | None = None
    empty: bool
    error: Any
    body_rcv: Any

    def __init__(self, adj: Any) -> None:
        super().__init__(adj)
        self.rules: Rules = adj.rules
        self.born = time.monotonic()

    def received(self, data: bytes) -> int:
        """Take bytes and return how many were of this request; `completed` and `error` say how it stands."""
        try:
            taken: int = super().received(data)
        except OSError as exc:
            # The body's temporary file could not be written.
            self._refuse(507, f"The server could not keep the request: {exc.strerror}; try again later")
            return len(data)
        if self.empty:
            self.empty = False
            self._refuse(400, "The request has no request line")
        elif self.error is not None:
            self._refuse(self.error.code, self.error.body)
        elif self.headers_finished:
            self._judge()
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Read the header, or raise waitress' `ParsingError`."""
        _check_head(header_plus)
        try:
            super().parse_header(header_plus)
        except ValueError as exc:
            # urlsplit on `http://[`, int on 5,000 digits: waitress lets them through and drops the connection.
            raise ParsingError("The request line or Content-Length cannot be read") from exc
        if _CONTROL_IN_PATH.search(self.path):
            raise ParsingError("The path has a control character")
        host = self.headers.get("HOST")
        if host is None and self.version == "1.1":
            raise ParsingError("HTTP/1.1 needs a Host header")
        if host is not None and not _HOST.fullmatch(host):
            raise ParsingError("The Host header is not a host name")

    def close(self) -> None:
        """Drop the body; closing flushes, and a full disk has been answered already."""
        try:
            super().close()
        except OSError:
            self.body_rcv = None

    def _judge(self) -> None:
        """Decide whether the rest of the body is wanted, as early as it is known."""
        if self.head_done is None:
            self.head_done = time.monotonic()
        if self.completed:
            # waitress would send "100 Continue" and wait for a body that is not there.
            self.expect_continue = False
        size = max(self.content_length, self.body_bytes_received)
        limit = self.rules.body_limit
        upload = self._takes_uploads()
        if upload is False:
            limit = min(limit, self.rules.other_body_size)
        if size > limit:
            what = "Uploads go to the address of the index" if upload is False else "The file is too large"
            self._refuse(413, f"{what}: the body has over {limit} bytes")
        elif upload and self.rules.upload_protected and size > self.rules.small_body:
            # Clients that cannot read an answer while they send (old ones) get the application's, for what is small.
            # Tools say who they are, a browser has its cookie; whose it is, and whether it counts, is found out later.
            if not {"AUTHORIZATION", "COOKIE", self.rules.user_header} & self.headers.keys():
                self._refuse(401, "Uploading needs a user name and a password or token")
        elif self.chunked and self._endless_framing():
            self._refuse(400, "A chunk's size line or the trailer is too long")

    def _takes_uploads(self) -> bool | None:
        """Say whether this is an upload, None where the application names no paths."""
        paths = self.rules.upload_paths
        if paths is None:
            return None
        path = "/" + self.path.lstrip("/")
        prefix = self.adj.url_prefix
        if prefix and f"{path}/".startswith(f"{prefix}/"):
            path = path[len(prefix) :]
        return self.command == "POST" and path.rstrip("/") in paths

    def _endless_framing(self) -> bool:
        # waitress collects these without limit, and copies what it has at each piece.
        receiver = self.body_rcv
        return len(receiver.control_line) > _CONTROL_LINE or len(receiver.trailer) > _TRAILER

    def _refuse(self, code: int, sentence: str) -> None:
        self.error = Refusal(code, sentence)
        self.completed = True
        self.expect_continue = False
        self.connection_close = True
        self.close()


def _check_head(head: bytes) -> None:
    """Raise `ParsingError` for what servers are known to read differently."""
    line, _, rest = head.partition(b"\r\n")
    if _CONTROL.search(head) or b"\t" in line:
        raise ParsingError("The header has a control character")
    if not _VERSION.search(line.rstrip()):
        raise ParsingError("Only HTTP/1.0 and HTTP/1.1 are spoken here")
    if b"\r\n " in head or b"\r\n\t" in head:
        raise ParsingError("A header line begins with a blank (obsolete folding)")
    lines = b"\r\n" + rest.lower()
    for name in _ONCE:
        if lines.count(b"\r\n%b:" % name) > 1:
            raise ParsingError(f"{name.decode().title()} was sent more than once")
    if b"\r\ntransfer-encoding:" in lines:
        if b"\r\ncontent-length:" in lines:
            raise ParsingError("Content-Length and Transfer-Encoding exclude each other")
        if line.rstrip().endswith(b"1.0"):
            raise ParsingError("HTTP/1.0 has no Transfer-Encoding")

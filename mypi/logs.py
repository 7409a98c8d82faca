"""Lines of the log: with the id of the request, each on one line, as text or as JSON, and without secrets.

Named in the ``.ini`` as the ``class`` of a formatter: ``mypi.logs.Text`` knows ``%(request)s`` in its format, and
``mypi.logs.Json`` needs none.
"""

from __future__ import annotations

import json
import logging
import random
import re
from contextvars import ContextVar
from typing import Any

from .times import timestamp

FIELDS = "fields"
"""The attribute of a record that holds more of what it says, by name, for who writes JSON."""

_request: ContextVar[str] = ContextVar("mypi.request", default="-")

_BREAKS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What ends a line, or moves the cursor or the order of letters of whoever reads it; not the tab."""

_SECRETS = (
    ("mypi-", re.compile(r"mypi-[0-9A-Za-z]{12}-[0-9A-Za-z]{43}-[0-9A-Za-z]{6}")),
    ("asic ", re.compile(r"(?<=[Bb]asic )[0-9A-Za-z+/=._~-]{8,}")),
    ("earer ", re.compile(r"(?<=[Bb]earer )[0-9A-Za-z+/=._~-]{8,}")),
    ("@", re.compile(r"(?<=://)[^/\s@\"\\]*(?=@)")),
)
"""A token, credentials as a header has them, and whom an address names; each with what a line must hold for it.

To look for all of them in every line would take longer than to write it. None takes a quote, so that JSON stays it.
"""

_as_json = json.JSONEncoder(default=str).encode  # ASCII only, so that nothing in it ends a line


def begin(given: str | None) -> str:
    """Begin a request in this thread: return its id, the ``given`` one or a random one, which its lines then carry.

    It stays until the next request begins here, as a body may be sent, and fail, after the answer was made.
    """
    name = given or f"{random.getrandbits(64):016x}"
    _request.set(name)
    return name


def request_id() -> str:
    """Return the id of the request that this thread works on, ``-`` if it never had one."""
    return _request.get()


def plain(text: str) -> str:
    r"""Write what would end a line, or move the cursor, as an escape, and leave out secrets (threats 5, 33).

    >>> plain("a\nb\x1b[2J Authorization: Basic YWxpY2U6d29uZGVy")
    'a\\x0ab\\x1b[2J Authorization: Basic (hidden)'
    """
    return _hidden(text if text.isprintable() else _BREAKS.sub(_escape, text))


def _hidden(text: str) -> str:
    for sign, secret in _SECRETS:
        if sign in text:
            text = secret.sub("(hidden)", text)
    return text


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


class Text(logging.Formatter):
    """Writes a record as its format says, on one line; those of a traceback follow, set in, so that none is forged."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line or lines; the format may name ``%(request)s``, the id of the request."""
        record.request = _request.get()
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        more = (f"\n    {plain(line)}" for line in _details(self, record).splitlines())
        return plain(self.formatMessage(record)) + "".join(more)


class Json(logging.Formatter):
    """Writes a record as one JSON object on one line: time (RFC 3339), level, logger, message, request, and more.

    A line of the access log has the fields client, user, method, path, status, bytes and seconds too.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request": _request.get(),
            "process": record.process,
            **getattr(record, FIELDS, {}),
        }
        details = _details(self, record)
        if details:
            line["traceback"] = details
        return _hidden(_as_json(line))


def _details(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """Return the traceback and the stack of a record, "" if it has none."""
    parts = (formatter.formatException(record.exc_info) if record.exc_info else "", record.stack_info or "")
    return "\n".join(filter(None, parts))

"""What goes wrong on the way out, as errors of ours, with messages that show no secret and move no cursor."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

from urllib3.exceptions import HTTPError, ProxyError

from . import wires
from .errors import Away, Garbage


def shown(url: str) -> str:
    """Return a URL for a message, without its query and without whom it names: they may be secrets.

    >>> shown("https://user:word@files.example.com/a.whl?signature=abc")
    'https://files.example.com/a.whl'
    """
    return plain(re.sub(r"//[^/]*@", "//", re.split(r"[?#]", url)[0]))


def plain(text: str) -> str:
    """Return what others wrote as a short line, in which nothing moves the cursor of whoever reads the log.

    >>> plain("a\\x1b[2Jb")
    'a?[2Jb'
    """
    return "".join(char if char.isprintable() else "?" for char in text[:300])


@contextlib.contextmanager
def faults(url: str, clock: wires.Clock) -> Iterator[None]:
    """Turn what goes wrong on the way into Away, and what cannot even be sent into Garbage."""
    try:
        yield
    except (HTTPError, OSError) as exc:
        raise Away(f"{shown(url)} cannot be reached: {_why(exc, clock)}") from exc
    except ValueError as exc:
        raise Garbage(f"{shown(url)} cannot be asked for: {plain(str(exc))}") from exc


def _why(exc: BaseException, clock: wires.Clock) -> str:
    """Say what lies at the bottom of an error."""
    before = ""
    while True:
        if isinstance(exc, ProxyError):
            before = "the outgoing proxy: "
        inner = (getattr(exc, "reason", None), exc.__cause__, *exc.args)
        deeper = next((each for each in inner if isinstance(each, BaseException)), None)
        if deeper is None:
            break
        exc = deeper
    if isinstance(exc, TimeoutError):
        return f"{before}no answer within {clock.wait:g} seconds"
    said = getattr(exc, "verify_message", "") or getattr(exc, "strerror", "") or str(exc) or type(exc).__name__
    return f"{before}{plain(said)}"

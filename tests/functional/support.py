"""What the tests of the application share: the clients' headers, credentials, and how installers read a page."""

from __future__ import annotations

import base64
import contextlib
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from mypi import server
from mypi.backends.memory import MemoryStore

JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
TEXT = "text/html"

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
PIP = f"{JSON}, {HTML}; q=0.1, {TEXT}; q=0.01"
UV = f"{JSON}, {HTML};q=0.2, {TEXT};q=0.01"
UV_PUBLISH = "application/json;q=0.9, text/plain;q=0.8, text/html;q=0.7"
POETRY = f"{JSON}, */*;q=0.1"


@pytest.fixture
def one_store() -> Iterator[MemoryStore]:
    """An empty store, for what each does alike with every store; a module takes it by ``store = one_store``."""
    made = MemoryStore()
    yield made
    made.close()


def told(answer: Any) -> list[tuple[str, str]]:
    """The headers of an answer, but for the id of its request, which is another each time."""
    return [(name, value) for name, value in answer.headerlist if name != "X-Request-ID"]


def basic(user: str, password: str, charset: str = "utf-8") -> dict[str, str]:
    """The header that carries a user name and password."""
    pair = base64.b64encode(f"{user}:{password}".encode(charset)).decode()
    return {"Authorization": f"Basic {pair}"}


class Anchors(HTMLParser):
    """Reads a page as pip does: the attributes and the text of every anchor, every meta, and the doctype."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[dict[str, str | None], str]] = []
        self.metas: dict[str | None, str | None] = {}
        self.tags: list[str] = []
        self.doctype = ""
        self._inside = False
        self.feed(page)
        self.close()

    def handle_decl(self, decl: str) -> None:
        self.doctype = decl

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = dict(attrs)
        if tag == "a":
            self.found.append((given, ""))
            self._inside = True
        elif tag == "meta" and "name" in given:
            self.metas[given["name"]] = given.get("content")

    def handle_endtag(self, tag: str) -> None:
        self._inside = self._inside and tag != "a"

    def handle_data(self, data: str) -> None:
        if self._inside:
            attributes, text = self.found[-1]
            self.found[-1] = attributes, text + data


def anchors(response: Any) -> list[tuple[dict[str, str | None], str]]:
    return Anchors(response.text).found


def as_hatch_reads(page: str) -> list[str]:
    """The texts of a page's anchors by the expression of hatch/publish/index.py (A4.13)."""
    return re.findall(r"<a [^>]+>([^<]+)</a>", page)


def path_of(base: str, link: str) -> str:
    """The path that a relative link on the page ``base`` leads to (RFC 3986 5.2.4), as browsers and curl have it.

    Python's urljoin drops empty segments, which matters where a slash is doubled.
    """
    assert not link.startswith("/") and "://" not in link, "the link is not relative"
    segments = base.split("/")[1:-1]
    for segment in link.partition("#")[0].partition("?")[0].split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    return "/" + "/".join(segments)


def last_segment(link: str) -> str:
    """The file name that pip and uv take from a link (A4.2)."""
    return unquote(urlsplit(link).path.rpartition("/")[2])


@contextlib.contextmanager
def served(app: Any, **options: str) -> Iterator[int]:
    """Serve an application by mypi's own server, in a thread, until the block ends; gives its port of loopback."""
    service = server.service(app, listen="127.0.0.1:0", graceful_timeout="3", **options)
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        yield int(service.listeners[0].effective_port)
    finally:
        service.stop()
        thread.join(15)
        assert not thread.is_alive()

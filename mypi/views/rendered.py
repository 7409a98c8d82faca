"""Answers drawn from a document: kept by its tag, packed for whoever takes gzip, 304 for whoever has them."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Callable
from typing import Any

from cachetools import LRUCache
from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from .caching import knows
from .negotiation import takes_gzip

RENDERER = 1
"""Part of every ETag: raise it when the same document is rendered to other bytes."""

_WORTH_PACKING = 1000  # smaller pages fit into one packet either way


def respond(
    request: Request, key: tuple[str, ...], content_type: str, draw: Callable[[], bytes], vary: tuple[str, ...] = ()
) -> Response:
    """Answer with what ``draw`` makes, unless it is kept or the client has it.

    ``key`` names all that the bytes depend on but their packing: the tag of the document, the form, the address.
    """
    packed = "gzip" if takes_gzip(request.environ.get("HTTP_ACCEPT_ENCODING", "")) else ""
    key = (*key, packed)
    etag = hashlib.sha256(f"{RENDERER} {' '.join(key)}".encode()).hexdigest()[:32]
    # The headers at once: one after the other, WebOb looks through all for each, and takes a charset off most types.
    headers = [
        ("ETag", f'"{etag}"'),
        ("Vary", ", ".join(sorted((*vary, "Accept-Encoding")))),
        ("Cache-Control", "no-cache"),  # a page that pip would keep hides a new release (A3.2)
    ]
    if knows(request, etag):
        return Response(status="304 Not Modified", headerlist=headers)
    pages: Pages = request.registry["mypi.pages"]
    body, encoding = pages.get(key, lambda: _packed(draw(), packed))
    headers.append(("Content-Type", content_type))
    if encoding:
        headers.append(("Content-Encoding", encoding))
    return Response(body, headerlist=headers)


def as_json(value: dict[str, Any]) -> bytes:
    """Write an object compactly, the same bytes every time (A5.6)."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def _packed(body: bytes, encoding: str) -> tuple[bytes, str]:
    if not encoding or len(body) < _WORTH_PACKING:
        return body, ""
    return gzip.compress(body, 6, mtime=0), encoding


class Pages:
    """Rendered pages, kept by the tag of the document that they show; ``size`` bounds them in bytes.

    ``counts`` says how often one was "kept" or "drawn".
    """

    def __init__(self, size: int) -> None:
        self.counts = {"kept": 0, "drawn": 0}
        self._lock = threading.Lock()
        self._pages: LRUCache[Any, tuple[bytes, str]] = LRUCache(size, getsizeof=lambda page: len(page[0]) + 500)

    def get(self, key: Any, draw: Any) -> tuple[bytes, str]:
        """Return the page of a key, drawing it if it is not kept."""
        with self._lock:
            found = self._pages.get(key)
            self.counts["kept" if found else "drawn"] += 1
        if found is None:
            found = draw()
            with self._lock:
                if len(found[0]) + 500 <= self._pages.maxsize:
                    self._pages[key] = found
        return found


def includeme(config: Configurator) -> None:
    config.registry["mypi.pages"] = Pages(config.registry["mypi.settings"].cache_size)

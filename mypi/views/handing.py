"""Files that the web server in front sends by itself, once they were found to be on offer (``mypi.accel``)."""

from __future__ import annotations

import os
from typing import Protocol
from urllib.parse import quote_from_bytes

from pyramid.request import Request
from pyramid.response import Response

PLACE = "/_mypi_files/"
"""The address, below that of the index, at which nginx has the folder of the store, for itself only."""

_OURS = ("If-Match", "If-Unmodified-Since")
"""Conditions that mypi does not look at. nginx does, and would compare them with what it knows of the file."""


class Closing(Protocol):
    """What is open."""

    def close(self) -> None: ...


class Handed:
    """Stands for bytes that are not sent from here."""

    def __init__(self, address: str) -> None:
        self.address = address

    def tell(self, response: Response) -> Response:
        """Tell nginx where the file is. It finds the wanted part of it, and says that it can, by itself."""
        response.status = 200
        del response.content_range, response.accept_ranges
        response.app_iter = []
        response.content_length = 0
        response.headers["X-Accel-Redirect"] = self.address
        return response


def handed(request: Request, opened: Closing, path: str | None) -> Handed | None:
    """Close what was opened and return what stands for it, if whoever asks can send the file at ``path``.

    It was opened, so that its size was looked at, and a file that is gone gets its answer here. What HEAD wants is
    known here already.
    """
    if path is None or request.method != "GET" or not request.environ.get("mypi.accel"):
        return None
    settings = request.registry["mypi.settings"]
    folder = f"{settings.storage.local}/" if settings.accel else ""
    if not folder or not path.startswith(folder) or any(name in request.headers for name in _OURS):
        return None
    opened.close()
    # Below the address of the index, for another one may stand on the same host. With "+" and "!" quoted, and what a
    # backend of somebody else may take into its names.
    below = quote_from_bytes(os.fsencode(path.removeprefix(folder)))
    return Handed(f"{request.script_name}{PLACE}{below}")

"""Asking an issuer over https: small documents, soon, from the very address that was named."""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

from ...options import SettingError
from .errors import IssuerAway

LARGEST = 256 * 1024
"""Bytes of a document; those of GitHub and GitLab have some ten thousand."""

PATIENCE = 5.0
"""Seconds without a sign of the issuer; twice as long, and the whole answer must be there."""


class _Unredirected(urllib.request.HTTPRedirectHandler):
    """Follows nothing: who vouches for a build is at the address that the operator wrote."""

    def redirect_request(self, *args: Any, **kw: Any) -> None:
        return None


class Fetcher:
    """Fetches JSON. ``ca`` names a file of certificates that are trusted besides the system's.

    The system's are those of OpenSSL, for which SSL_CERT_FILE may name others; HTTPS_PROXY may name a proxy.
    """

    def __init__(self, ca: str | None = None, *, patience: float = PATIENCE) -> None:
        context = ssl.create_default_context()
        if ca:
            try:
                context.load_verify_locations(ca)
            except OSError as exc:  # those of ssl are
                raise SettingError(f"mypi.issuer_ca = {ca}: no certificates can be read from it ({exc})") from exc
        self._patience = patience
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _Unredirected)

    def json(self, url: str) -> Any:
        """Return the value at an address. Raises IssuerAway."""
        if not url.startswith("https://"):
            raise IssuerAway(f"{url} is no https address")
        request = urllib.request.Request(url, headers={"Accept": "application/json", "User-Agent": "mypi"})  # noqa: S310
        deadline = time.monotonic() + 2 * self._patience
        body = b""
        try:
            with self._opener.open(request, timeout=self._patience) as response:
                while part := response.read1(LARGEST):
                    body += part
                    if len(body) > LARGEST:
                        raise IssuerAway(f"{url} answers with more than {LARGEST} bytes")
                    if time.monotonic() > deadline:
                        raise IssuerAway(f"{url} takes more than {2 * self._patience:.0f} seconds to answer")
            return json.loads(body)
        except urllib.error.HTTPError as exc:
            exc.close()
            raise IssuerAway(f"{url} answers {exc.code}") from exc
        except (OSError, ValueError, RecursionError, http.client.HTTPException) as exc:
            raise IssuerAway(f"{url} cannot be read: {exc}") from exc

"""Who stands at the other end of a connection: the trusted proxy, which may say who asks, or anybody, who may not.

Four keys of a request's environ come from here, and never from a client:

- `REMOTE_USER`, the name in `trusted_proxy_user_header`, if the trusted proxy sent one.
- `mypi.accel`, whether the trusted proxy said that it sends files by itself: `X-Sendfile-Type: X-Accel-Redirect`. To
  anybody else the bytes must go, also to who asks past the proxy, from the proxy's own host.
- `mypi.request`, the id that the trusted proxy gave the request in X-Request-ID, if it is fit for a log and a header.
- `mypi.proxy`, whether `REMOTE_ADDR` is the trusted proxy's own address: it did not say for whom it speaks.

A proxy that says `X-Expires-Type: X-Accel-Expires` keeps answers. It is told until when: to the end of the second in
which it asked. That is the shortest time that nginx knows, and one second of `proxy_cache_valid` may last for two.
"""

from __future__ import annotations

import re
import time
from typing import Any

_PEER = "mypi.peer"
_SENDS, _REDIRECT = "HTTP_X_SENDFILE_TYPE", "x-accel-redirect"
_KEEPS, _EXPIRES = "HTTP_X_EXPIRES_TYPE", "x-accel-expires"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")


def knowing(app: Any) -> Any:
    """Wrap an application that waitress has told, through the proxy's headers, whose address asks."""

    def handle(environ: dict[str, Any], start_response: Any) -> Any:
        environ["mypi.proxy"] = environ.pop(_PEER) == environ["REMOTE_ADDR"]
        return app(environ, start_response)

    return handle


def judging(app: Any, trusted: str | None, header: str | None) -> Any:
    """Wrap waitress' reading of the proxy's headers, for afterwards the address is no longer the connection's.

    ``header`` is the name of the header for the user as environ has it. Waitress drops names that hold an underscore,
    so that `X_Remote_User` is never taken for `X-Remote-User`; and whoever is not the proxy says nothing in it.
    """

    def handle(environ: dict[str, Any], start_response: Any) -> Any:
        peer = environ["REMOTE_ADDR"]
        believed = trusted in ("*", peer)
        environ[_PEER] = peer if believed else None
        environ["mypi.accel"] = believed and environ.pop(_SENDS, "").strip().lower() == _REDIRECT
        user = environ.pop(f"HTTP_{header}", "").strip() if header else ""
        if user and believed:
            environ["REMOTE_USER"] = user
        name = environ.pop("HTTP_X_REQUEST_ID", "")
        if believed and _ID.match(name):
            environ["mypi.request"] = name
        if environ.pop(_KEEPS, "").strip().lower() == _EXPIRES and believed:
            start_response = _to_the_end_of_this_second(start_response)
        return app(environ, start_response)

    return handle


def _to_the_end_of_this_second(start_response: Any) -> Any:
    # The second in which it asked, not that in which it is answered: what is read meanwhile may be older.
    until = ("X-Accel-Expires", f"@{int(time.time())}")

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        # nginx would keep errors too, whatever else it is told.
        return start_response(status, [*headers, until] if status[:3] in ("200", "304") else headers, *more)

    return start

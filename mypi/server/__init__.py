"""mypi's own server for the `.ini`: waitress, hardened.

    [server:main]
    use = egg:mypi
    listen = 127.0.0.1:6543

`mypi.server.options` lists the options and what the application may say; `docs/decisions` has what waitress alone
leaves open, why each limit is what it is, and what another WSGI server must bring in its place.
"""

from __future__ import annotations

import logging
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from mypi.options import SettingError
from mypi.server.listener import CannotListen, Service, adjust, bind, room
from mypi.server.logs import quieten
from mypi.server.options import Rules, read

log = logging.getLogger(__name__)

__all__ = ["CannotListen", "factory", "serve", "service"]


def factory(global_conf: Mapping[str, str], **options: str) -> Callable[[Any], int]:
    """Return a function that serves a WSGI application (entry point `paste.server_factory`).

    Options are checked and addresses taken here, before the application opens its store. What is wrong ends the process
    with one sentence: `pserve` turns a `SystemExit` of the running server into success, but not one at this point.
    """
    try:
        rules, keywords = read(options)
        adj = adjust(rules, keywords)
        bound = bind(adj)
    except (SettingError, CannotListen) as exc:
        raise SystemExit(str(exc)) from exc

    def run(app: Any) -> int:
        running = _service(app, adj, bound)
        with _signals(running):
            for address in running.addresses:
                print(f"Serving on {address}", flush=True)
            running.run()
        return 0

    return run


def serve(app: Any, global_conf: Mapping[str, str] | None = None, **options: str) -> int:
    """Serve a WSGI application until SIGTERM or SIGINT, and return 0."""
    return factory(global_conf or {}, **options)(app)


def service(app: Any, **options: str) -> Service:
    """Return a service that listens, for the caller to `run` and `stop`; raises `SettingError` or `CannotListen`."""
    rules, keywords = read(options)
    adj = adjust(rules, keywords)
    return _service(app, adj, bind(adj))


def _service(app: Any, adj: Any, bound: list[Any]) -> Service:
    rules = adj.rules.following(app)
    adj.rules = replace(rules, connection_limit=room(rules.connection_limit))
    if rules.tmpdir is not None:
        # waitress takes tempfile's folder for all its buffers, and the usual one, /tmp, is memory on many hosts.
        tempfile.tempdir = rules.tmpdir
    _warn_of_users(app, rules)
    _warn_of_files(app, adj)
    for name in ("mypi.server.queue", "mypi.server.crowd"):
        quieten(name)
    return Service(app, adj, bound, _stopping(app))


def _stopping(app: Any) -> Callable[[], None]:
    """Return what the application wants called when the server is to stop."""
    registry = getattr(app, "registry", None)
    told: Callable[[], None] | None = registry.get("mypi.stopping") if isinstance(registry, Mapping) else None
    return told or (lambda: None)


def _warn_of_users(app: Any, rules: Rules) -> None:
    """Say it where the proxy's word for who asks cannot be heard, or is not listened to."""
    registry = getattr(app, "registry", None)
    wanted = registry.get("mypi.remote_user") if isinstance(registry, Mapping) else None
    if wanted is True and not rules.user_header:
        log.warning(
            "mypi.remote_user is true, but nothing says who asks: set trusted_proxy_user_header in [server:main] to "
            "the header in which your proxy names the user"
        )
    if wanted is False and rules.user_header:
        log.warning("trusted_proxy_user_header is set, but its users get no further: set mypi.remote_user = true too")


def _warn_of_files(app: Any, adj: Any) -> None:
    """Say it where no proxy can be told to send files, so that all is as if it were not wanted."""
    registry = getattr(app, "registry", None)
    if isinstance(registry, Mapping) and registry.get("mypi.accel") and adj.trusted_proxy is None:
        log.warning(
            "mypi.accel is set, but no proxy would be told to send files: set trusted_proxy in [server:main] to the "
            "address that nginx comes from, such as 127.0.0.1"
        )


@contextmanager
def _signals(running: Service) -> Iterator[None]:
    """Stop gracefully at SIGTERM and SIGINT, at once at the second; only the main thread may listen to signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: running.stop()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""What the machine can do: the same bytes from bare waitress, from the least Pyramid application, and from nginx.

``python -m benchmarks.baselines waitress|pyramid PORT FOLDER`` serves what ``save`` has put into the folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .running import Process, free_port, running

_OURS = ("date", "server", "connection", "transfer-encoding")

KEPT_OPEN = "nginx, files kept open"
"""nginx as few have it, where files never change without its knowledge: ``open_file_cache``."""

NGINX = """
daemon off; {user} worker_processes auto; pid {folder}/{port}.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; etag on; {more}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{ listen 127.0.0.1:{port}; location / {{ root {folder}; try_files /body =404; default_type {kind}; }} }}
}}
"""


def save(folder: Path, url: str, headers: Mapping[str, str]) -> None:
    """Fetch what mypi answers, for the others to send."""
    folder.mkdir(parents=True, exist_ok=True)
    with urllib.request.urlopen(urllib.request.Request(url, headers=dict(headers))) as answer:  # noqa: S310 - loopback
        (folder / "body").write_bytes(answer.read())
        kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in _OURS]
    (folder / "headers").write_text(json.dumps(kept))


@contextlib.contextmanager
def serving(kind: str, folder: Path, *, threads: int = 4) -> Iterator[Process]:
    """Serve a folder by ``bare waitress``, ``bare Pyramid``, ``nginx`` or KEPT_OPEN."""
    port = free_port()
    if kind in ("nginx", KEPT_OPEN):
        media = dict(json.loads((folder / "headers").read_text()))["Content-Type"].partition(";")[0]
        conf = folder / f"nginx-{port}.conf"
        more = "open_file_cache max=1000;" if kind == KEPT_OPEN else ""
        conf.write_text(NGINX.format(folder=folder.resolve(), port=port, kind=media, user=user(), more=more))
        command: list[str | Path] = [nginx(), "-c", conf.resolve(), "-p", folder.resolve()]
    else:
        command = [sys.executable, "-m", __name__, kind, str(port), str(folder), str(threads)]
    with running(command, port, folder / f"{kind.replace(' ', '-')}.log") as process:
        yield process


def nginx() -> str:
    """Return the program, which Debian puts where only root looks for programs."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "nginx"


def user() -> str:
    """Return the line by which nginx may read what this user may; only root may change it."""
    return "" if os.geteuid() else "user root;"


def waitress_app(folder: Path) -> Any:
    """Return the application that does nothing but send."""
    body = (folder / "body").read_bytes()
    headers = [tuple(pair) for pair in json.loads((folder / "headers").read_text())]

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", headers)
        return [body]

    return app


def pyramid_app(folder: Path) -> Any:
    """Return the least application that traverses, asks an ACL, looks at a file, and sends an ETag."""
    from pyramid.authorization import ACLHelper, Allow, Everyone
    from pyramid.config import Configurator
    from pyramid.response import Response

    body = (folder / "body").read_bytes()
    headers = [tuple(pair) for pair in json.loads((folder / "headers").read_text())]
    kept = [pair for pair in headers if pair[0] != "ETag"]

    class Place:
        __acl__ = ((Allow, Everyone, "read"),)

        def __init__(self, parent: Place | None, name: str) -> None:
            self.__parent__, self.__name__ = parent, name

        def __getitem__(self, name: str) -> Place:
            return Place(self, name)

    class Policy:
        helper = ACLHelper()

        def permits(self, request: Any, context: Any, permission: str) -> Any:
            return self.helper.permits(context, [Everyone], permission)

    def view(context: Place, request: Any) -> Any:
        found = os.stat(folder / "body")  # noqa: PTH116 - as mypi does
        return Response(body, headerlist=[*kept, ("ETag", f'"{found.st_mtime_ns:x}-{found.st_ino:x}"')])

    config = Configurator(root_factory=lambda request: Place(None, ""), security_policy=Policy())
    config.add_view(view, context=Place, permission="read")
    return config.make_wsgi_app()


def main() -> None:
    from waitress import serve

    kind, port, folder, threads = sys.argv[1:]
    app = {"bare waitress": waitress_app, "bare Pyramid": pyramid_app}[kind](Path(folder))
    serve(app, listen=f"127.0.0.1:{port}", threads=int(threads), _quiet=True)


if __name__ == "__main__":
    main()

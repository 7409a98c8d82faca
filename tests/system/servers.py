"""mypi as it is deployed: `pserve` with an .ini file, in a process of its own."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import bcrypt

INI = """\
[app:main]
use = egg:mypi
{settings}

[server:main]
use = egg:mypi
{server}

[loggers]
keys = root, mypi

[handlers]
keys = console

[formatters]
keys = line

[logger_root]
level = WARNING
handlers = console

[logger_mypi]
level = INFO
handlers =
qualname = mypi

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = line

[formatter_line]
format = %(asctime)s %(levelname)s %(name)s %(message)s
"""
JSON = "application/vnd.pypi.simple.v1+json"
MYPI = "import sys; from mypi.commands import main; sys.exit(main())"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, as it came; redirects are not followed."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Site:
    """An index seen over HTTP from outside, at the address that clients are given."""

    url: str
    user: str | None = None
    password: str = ""

    def get(self, path: str = "", **headers: str) -> Answer:
        """Ask for what lies at a path below the index, or at a whole URL."""
        parts = urlsplit(urljoin(f"{self.url}/", path))
        if self.user is not None:
            headers["Authorization"] = "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        with contextlib.closing(connection):
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers=headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())

    def page(self, project: str) -> dict[str, Any]:
        """Return a project's page of the Simple API; one without files and versions if it is not there."""
        answer = self.get(f"simple/{project}/", Accept=JSON)
        if answer.status == 404:
            return {"files": [], "versions": []}
        assert answer.status == 200, answer
        page: dict[str, Any] = json.loads(answer.body)
        return page

    def files(self, project: str) -> dict[str, Any]:
        """Return what the index says of each file of a project, by file name."""
        return {file["filename"]: file for file in self.page(project)["files"]}

    def versions(self, project: str) -> list[str]:
        """Return the versions that a project has, with or without files."""
        return list(self.page(project)["versions"])

    def read(self, project: str, filename: str) -> bytes:
        """Return the bytes of a file, from where the index says that they are."""
        url = urljoin(f"{self.url}/simple/{project}/", self.files(project)[filename]["url"])
        answer = self.get(url)
        assert answer.status == 200, (url, answer)
        return answer.body

    def serves(self, project: str, path: Path) -> bool:
        """Say whether a local file is listed with its sha256, and comes back byte for byte."""
        data = path.read_bytes()
        listed = self.files(project)[path.name]
        assert listed["hashes"] == {"sha256": hashlib.sha256(data).hexdigest()}, listed
        assert listed["size"] == len(data), listed
        return self.read(project, path.name) == data


@dataclass
class Server(Site):
    """A running mypi."""

    ini: Path = field(default_factory=Path)
    logfile: Path = field(default_factory=Path)

    @property
    def log(self) -> str:
        """Return all that it has written so far."""
        return self.logfile.read_text(encoding="utf-8", errors="replace")

    def command(self, *words: str | Path) -> str:
        """Run `mypi` on the same index while the server runs, and return what it printed."""
        argv = [sys.executable, "-c", MYPI, "-c", str(self.ini), *map(str, words)]
        done = subprocess.run(argv, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        return f"{done.stdout}{done.stderr}exit code {done.returncode}\n"


@contextlib.contextmanager
def running(
    folder: Path,
    *,
    settings: Mapping[str, str] | None = None,
    server: Mapping[str, str] | None = None,
    users: Mapping[str, str] | None = None,
    host: str = "127.0.0.1",
    prefix: str = "",
    through: tuple[str, ...] = (),
) -> Iterator[Server]:
    """Serve an index kept in a folder, or in the store that `settings` name, until the block ends.

    Everyone may read and upload; with `users` (name: password) they alone may upload. `prefix` is the path that the
    server itself puts before all others. `through` is put before the command, such as ("ip", "netns", "exec", NAME).
    The log must hold no traceback.
    """
    folder.mkdir(parents=True, exist_ok=True)
    port = 6543 if through else _free_port(host)
    app = {"mypi.upload": "everyone"}
    if "mypi.storage" not in (settings or {}):
        app |= {"mypi.storage": "filesystem", "mypi.storage.path": str(folder / "var")}
    if users is not None:
        app |= {"mypi.upload": "users", "mypi.htpasswd": str(folder / "htpasswd")}
        (folder / "htpasswd").write_text("".join(f"{name}:{_hash(word)}\n" for name, word in users.items()))
    options = {"listen": f"{host}:{port}", "graceful_timeout": "5"}
    if prefix:
        options["url_prefix"] = prefix
    ini, log = folder / "server.ini", folder / "server.log"
    ini.write_text(
        INI.replace("{settings}", _lines(app | dict(settings or {}))).replace(
            "{server}", _lines(options | dict(server or {}))
        )
    )
    found = Server(f"http://{host}:{port}{prefix}", ini=ini, logfile=log)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MYPI_")}
    argv = [*through, sys.executable, "-m", "pyramid.scripts.pserve", str(ini)]
    with log.open("wb") as output:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ)
    try:
        _wait(process, found, reachable=not through)
        yield found
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    assert "Traceback" not in found.log, found.log


def _wait(process: subprocess.Popen[bytes], server: Server, *, reachable: bool) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server ended with {process.returncode}:\n{server.log}"
        if "Serving on" in server.log:
            if not reachable:
                return
            with contextlib.suppress(OSError):
                server.get("simple/")
                return
        time.sleep(0.05)
    raise AssertionError(f"the server does not answer:\n{server.log}")


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def _lines(values: Mapping[str, str]) -> str:
    return "\n".join(f"{name} = {value}" for name, value in values.items())

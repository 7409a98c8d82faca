"""Load: reads by wrk, and uploads by clients of our own, as no load generator sends a multipart form per request."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .corpora import Package

JSON = "application/vnd.pypi.simple.v1+json"
CONNECTIONS = 8


class LoadError(Exception):
    """A load could not be laid on, or was not answered as it must be."""


def need_wrk() -> None:
    """Raises LoadError if wrk is not here."""
    if not shutil.which("wrk"):
        raise LoadError("wrk is not here; on Debian and Ubuntu: apt-get install wrk")


def requests(url: str, seconds: float, headers: Mapping[str, str], *, connections: int = CONNECTIONS) -> float:
    """Ask for a URL again and again; return the answers per second. Raises LoadError if any was no success, or none."""
    # Who has not answered once is slow, and not of no speed.
    found = _load(url, seconds, headers, connections) or _load(url, 5 * seconds, headers, connections)
    if not found:
        raise LoadError(f"{url}: no answer within {5 * seconds:.0f} seconds")
    return found


def _load(url: str, seconds: float, headers: Mapping[str, str], connections: int) -> float:
    said = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    # Its -d knows whole seconds only; interrupted, it says what it has measured until then.
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{round(seconds) + 60}s", *said, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as wrk:  # noqa: S603
        try:
            time.sleep(seconds)
            wrk.send_signal(signal.SIGINT)
            text, _ = wrk.communicate(timeout=30)
        finally:
            wrk.kill()
    wrong = re.search(r"(Non-2xx or 3xx responses|Socket errors).*", text)
    found = re.search(r"Requests/sec:\s*([0-9.]+)", text)
    if wrong or not found:
        raise LoadError(f"{url}: {wrong[0] if wrong else text}")
    return float(found[1])


@dataclass(frozen=True)
class Account:
    """Whom a client publishes as."""

    user: str = "bench"
    password: str = "bench-password"  # noqa: S105 - of a server that lives for minutes

    @property
    def header(self) -> str:
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


class Publisher:
    """One client with a connection that is kept open, as twine has."""

    def __init__(self, port: int, path: str, account: Account | None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        self._path = path
        self._account = account

    def close(self) -> None:
        self._connection.close()

    def publish(self, package: Package) -> float:
        """Upload a file; return the seconds until it was accepted. Raises LoadError."""
        boundary = secrets.token_hex(16)
        body = form(package, boundary)
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        if self._account:
            headers["Authorization"] = self._account.header
        began = time.perf_counter()
        self._connection.request("POST", self._path, body, headers)
        answer = self._connection.getresponse()
        said = answer.read()
        if answer.status >= 300:
            raise LoadError(f"{package.filename}: {answer.status} {answer.reason} {said[:300]!r}")
        return time.perf_counter() - began

    def lists(self, page: str, filename: str) -> bool:
        """Tell whether a page names a file."""
        self._connection.request("GET", page, headers={"Accept": JSON})
        return filename.encode() in self._connection.getresponse().read()

    def wait_for(self, page: str, filename: str, patience: float = 60) -> None:
        """Wait until a page names a file. Raises LoadError if it does not within so many seconds."""
        until = time.monotonic() + patience
        while not self.lists(page, filename):
            if time.monotonic() > until:
                raise LoadError(f"{page} does not list {filename} {patience:.0f} seconds after it was accepted")
            time.sleep(0.002)


def form(package: Package, boundary: str) -> bytes:
    """Write the upload form as twine does."""
    fields = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": package.project,
        "version": package.version,
        "filetype": "bdist_wheel",
        "pyversion": "py3",
        "sha256_digest": hashlib.sha256(package.content).hexdigest(),
        "md5_digest": hashlib.md5(package.content, usedforsecurity=False).hexdigest(),
    }
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{package.filename}"\r\n'
    parts.append(f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + package.content)
    parts.append(f"\r\n--{boundary}--\r\n".encode())
    return b"".join(parts)


def publish_all(
    packages: Iterable[Package],
    make: Callable[[], Publisher],
    clients: int = 1,
    told: Callable[[], object] = lambda: None,
) -> tuple[list[float], float]:
    """Publish all packages by so many clients; return the seconds that each took, and those that all took."""
    waiting = list(packages)
    stopped = threading.Event()

    def work(mine: list[Package]) -> list[float]:
        publisher = make()
        try:
            took = []
            for package in mine:
                if stopped.is_set():
                    break
                took.append(publisher.publish(package))
                told()
            return took
        finally:
            publisher.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(clients) as workers:
        try:
            parts = workers.map(work, [waiting[number::clients] for number in range(clients)])
            took = [each for part in parts for each in part]
        finally:
            stopped.set()  # Ctrl-C waits for no more than what is under way
    return took, time.perf_counter() - began

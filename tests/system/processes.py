"""Server processes for the system tests: started, watched, killed; and the few requests that the tests send them."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import http.client
import io
import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PSERVE = str(Path(sys.executable).with_name("pserve"))
MYPI = str(Path(sys.executable).with_name("mypi"))
JSON = "application/vnd.pypi.simple.v1+json"
MIB = 1024 * 1024


def environment(**more: str) -> dict[str, str]:
    """Return this process's environment without what would configure mypi, make or Python."""
    ours = ("MYPI_", "MAKE", "MFLAGS", "PYTHON", "COV_", "COVERAGE_", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | more


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def ini(folder: Path, port: int, *, server: str = "", **settings: str) -> Path:
    """Write an .ini file; a setting `upload_limit` is mypi.upload_limit, `storage__path` is mypi.storage.path.

    What names no storage keeps everything in the folder.
    """
    kept = {} if "storage" in settings else {"storage": "filesystem", "storage__path": str(folder / "var")}
    values = kept | {"upload": "everyone"} | settings
    lines = "\n".join(f"mypi.{name.replace('__', '.')} = {value}" for name, value in values.items())
    path = folder / f"mypi-{port}.ini"
    path.write_text(
        f"""[app:main]
use = egg:mypi
{lines}

[server:main]
use = egg:mypi
listen = 127.0.0.1:{port}
{server}

[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = line

[logger_root]
level = WARNING
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = line

[formatter_line]
format = %(asctime)s %(levelname)s %(name)s %(message)s
"""
    )
    return path


class NotReady(AssertionError):
    """A server ended, or did not answer in time; the message holds what it said."""


class Server:
    """A server process that listens on a port of loopback."""

    def __init__(
        self,
        command: list[str],
        port: int,
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        patience: float = 60,
    ) -> None:
        """Start the process and wait until it answers. Raises NotReady."""
        self.port, self._log = port, log
        began = time.monotonic()
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=dict(env or environment()),
                cwd=cwd,
                start_new_session=True,
            )
        while not self._answers():
            code = self.process.poll()
            if code is not None or time.monotonic() - began > patience:
                self.kill()
                raise NotReady(f"{command} is not ready, exit code {code}:\n{self.said}")
            time.sleep(0.01)
        self.seconds_to_ready = time.monotonic() - began

    @property
    def said(self) -> str:
        """What the process wrote."""
        return self._log.read_text(errors="replace")

    def _answers(self) -> bool:
        try:
            with contextlib.closing(self.connect(timeout=2)) as connection:
                connection.request("GET", "/simple/")
                return connection.getresponse().status in (200, 401)
        except (OSError, http.client.HTTPException):
            return False

    def kill(self) -> None:
        """End the process and its children as a power switch would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, patience: float = 30) -> int:
        """Ask the process to end, and return its exit code."""
        self.process.terminate()
        try:
            return self.process.wait(patience)
        finally:
            self.kill()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def connect(self, timeout: float = 60) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send one request; `If_None_Match="x"` is a header."""
        with contextlib.closing(self.connect()) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)  # type: ignore[arg-type]
            answer = connection.getresponse()
            return Answer(answer.status, answer.reason, answer.headers, answer.read())

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def files(self, project: str, **headers: str) -> dict[str, dict[str, object]]:
        """Return the project's files by name, as the JSON page lists them; {} if there is no such project."""
        page = self.get(f"/simple/{project}/", Accept=JSON, **headers)
        if page.status == 404:
            return {}
        assert page.status == 200, (page, self.said)
        listed = json.loads(page.body)["files"]
        assert len(listed) == len({file["filename"] for file in listed}), "a file is listed twice"
        return {file["filename"]: file for file in listed}

    def url(self, project: str, file: Mapping[str, object]) -> str:
        """Return the path of a file that the project's page lists."""
        parts = [part for part in str(file["url"]).split("/") if part != ".."]
        assert str(file["url"]).startswith("../../"), file
        return "/" + "/".join(parts)

    def fetch(self, project: str, filename: str) -> bytes:
        """Download a file by way of its page."""
        answer = self.get(self.url(project, self.files(project)[filename]))
        assert answer.status == 200, (filename, answer, self.said)
        return answer.body

    def upload(self, package: Package, *, user: tuple[str, str] | None = None, chunked: bool = False) -> Answer:
        """Publish a package as twine does."""
        content_type, body = package.form()
        headers = {"Content_Type": content_type}
        if user is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(":".join(user).encode()).decode()
        if chunked:
            return self.ask("POST", "/", iter([body[at : at + 65536] for at in range(0, len(body), 65536)]), **headers)
        return self.ask("POST", "/", body, **headers)


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


def pserve(path: Path, **keywords: object) -> Server:
    """Start `pserve` with an .ini file that `ini` wrote."""
    port = int(path.stem.rpartition("-")[2])
    return Server([PSERVE, str(path)], port, path.with_suffix(".log"), **keywords)  # type: ignore[arg-type]


def mypi(path: Path, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command `mypi` with an .ini file."""
    return subprocess.run(
        [MYPI, "-c", str(path), *arguments], input=input, capture_output=True, text=True, env=environment(), check=False
    )


@dataclass(frozen=True)
class Package:
    """A wheel."""

    project: str
    version: str
    data: bytes

    @property
    def filename(self) -> str:
        return f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def fields(self) -> dict[str, str]:
        return {
            ":action": "file_upload",
            "protocol_version": "1",
            "metadata_version": "2.1",
            "name": self.project,
            "version": self.version,
            "filetype": "bdist_wheel",
            "pyversion": "py3",
            "sha256_digest": self.sha256,
        }

    def form(self) -> tuple[str, bytes]:
        """Return the Content-Type and the body of an upload."""
        boundary = secrets.token_hex(16)
        return f"multipart/form-data; boundary={boundary}", b"".join(
            (*form_head(boundary, self.fields(), self.filename), self.data, form_tail(boundary))
        )


def form_head(boundary: str, fields: Mapping[str, str], filename: str) -> Iterator[bytes]:
    """Yield what stands before the bytes of the file."""
    for name, value in fields.items():
        yield f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    yield f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n'.encode()
    yield b"Content-Type: application/octet-stream\r\n\r\n"


def form_tail(boundary: str) -> bytes:
    """Return what stands behind the bytes of the file."""
    return f"\r\n--{boundary}--\r\n".encode()


def write_wheel(target: object, project: str, version: str, size: int) -> None:
    """Write a wheel with one member of `size` bytes that cannot be compressed; never more than a piece in memory."""
    module, info = project.replace("-", "_"), f"{project.replace('-', '_')}-{version}.dist-info"
    noise = random.Random(f"{project} {version}").randbytes(min(MIB, size))
    written = [
        (f"{module}/__init__.py", [b"VERSION = %r\n" % version]),
        (f"{module}/data.bin", (noise[: size - at] for at in range(0, size, MIB))),
        (f"{info}/METADATA", [f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()]),
        (f"{info}/WHEEL", [b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"]),
    ]
    record = io.StringIO()
    rows = csv.writer(record, lineterminator="\n")
    with zipfile.ZipFile(target, "w") as archive:  # type: ignore[call-overload]
        for name, pieces in written:
            digest, length = hashlib.sha256(), 0
            with archive.open(name, "w") as member:
                for piece in pieces:
                    member.write(piece)
                    digest.update(piece)
                    length += len(piece)
            encoded = base64.urlsafe_b64encode(digest.digest()).decode().rstrip("=")
            rows.writerow((name, f"sha256={encoded}", length))
        rows.writerow((f"{info}/RECORD", "", ""))
        with archive.open(f"{info}/RECORD", "w") as member:
            member.write(record.getvalue().encode())


def wheel(project: str, version: str = "1.0", size: int = 1000) -> Package:
    """Make a wheel in memory; the same arguments give the same bytes."""
    target = io.BytesIO()
    write_wheel(target, project, version, size)
    return Package(project, version, target.getvalue())

"""Large files up and down: their speed beside cp and sync and beside bare waitress, and the memory that they take."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

from ..bench import Bench
from ..peers import Mypi
from ..running import Process, free_port, running

PIECE = 2**20

ROUNDS = 3
"""Enough for what takes ten seconds each time."""

STREAM = """
import sys
from waitress import serve
from waitress.buffers import ReadOnlyFileBasedBuffer
def app(environ, start_response):
    start_response("200 OK", [("Content-Length", sys.argv[3])])
    return environ["wsgi.file_wrapper"](open(sys.argv[2], "rb"))
serve(app, listen="127.0.0.1:" + sys.argv[1], threads=4, _quiet=True)
"""


def measure(bench: Bench) -> None:
    """Upload a wheel of two gigabytes in each round, and fetch it again."""
    size = 5 * PIECE if bench.small else 2 * 1024 * PIECE
    folder = bench.folder / "transfers"
    folder.mkdir(parents=True, exist_ok=True)
    up = bench.table("transfers", f"upload of {size / PIECE:,.0f} MiB", "MiB/s", wanted={"cp and sync": 0.5})
    down = bench.table("transfers", f"download of {size / PIECE:,.0f} MiB", "MiB/s", wanted={"bare waitress": 0.5})
    title = "memory that files up and down add, at its peak"
    memory = bench.table("transfers", title, "MiB", better="less", bounds={"mypi": 64})
    wheel = folder / "wheel"
    _write(wheel, size)
    digest = _sha256(wheel)
    with Mypi(settings="mypi.upload_limit = 3 GiB").serving(folder / "mypi") as mypi:
        before = mypi.peak
        for number in range(min(bench.rounds, ROUNDS)):
            bench.say(f"{up.title} ({number + 1} of {ROUNDS})")
            up.add("cp and sync", size / PIECE / _copied(wheel, folder / "copy"))
            up.add("mypi", size / PIECE / _uploaded(mypi, wheel, digest, number))
            url = _address(mypi, number)
            down.add("mypi", size / PIECE / _fetched(mypi.port, url))
            with _streaming(wheel, folder) as bare:
                down.add("bare waitress", size / PIECE / _fetched(bare.port, "/"))
            memory.add("mypi", (mypi.peak - before) / 2**20)
            bench.bar.update()
    shutil.rmtree(folder)


def _write(path: Path, size: int) -> None:
    """Write a wheel, mostly of one stored member, without holding it in memory."""
    info = "acme_heavy-1.0.dist-info"
    piece = os.urandom(PIECE)
    hashed = hashlib.sha256()
    for _ in range(size // PIECE):
        hashed.update(piece)
    digest = base64.urlsafe_b64encode(hashed.digest()).rstrip(b"=").decode()
    small = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: acme-heavy\nVersion: 1.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"acme_heavy/data.bin,sha256={digest},{size}"]
    for name, data in small.items():
        of = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={of},{len(data)}")
    small[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        member = zipfile.ZipInfo("acme_heavy/data.bin")
        member.file_size = size
        with archive.open(member, "w") as out:
            for _ in range(size // PIECE):
                out.write(piece)
        for name, data in small.items():
            archive.writestr(zipfile.ZipInfo(name), data)


def _sha256(path: Path) -> str:
    hashed = hashlib.sha256()
    with path.open("rb") as source:
        while piece := source.read(PIECE):
            hashed.update(piece)
    return hashed.hexdigest()


def _copied(source: Path, target: Path) -> float:
    target.unlink(missing_ok=True)
    began = time.perf_counter()
    subprocess.run(["cp", "--reflink=never", str(source), str(target)], check=True)  # noqa: S603, S607
    subprocess.run(["sync", str(target)], check=True)  # noqa: S603, S607
    took = time.perf_counter() - began
    target.unlink()
    return took


def _uploaded(mypi: Process, wheel: Path, digest: str, number: int) -> float:
    """Upload the wheel under a build number of its own, so that it is a new file with the same bytes."""
    boundary = "0123456789abcdef"
    filename = f"acme_heavy-1.0-{number + 1}-py3-none-any.whl"
    fields = {":action": "file_upload", "name": "acme-heavy", "version": "1.0", "filetype": "bdist_wheel"}
    fields["sha256_digest"] = digest
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**fields, "metadata_version": "2.1", "pyversion": "py3"}.items()
    )
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n\r\n'
    tail = f"\r\n--{boundary}--\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", mypi.port, timeout=600)
    with contextlib.closing(connection), wheel.open("rb") as source:
        began = time.perf_counter()
        connection.putrequest("POST", "/")
        connection.putheader("Content-Type", f"multipart/form-data; boundary={boundary}")
        connection.putheader("Content-Length", str(len(head) + wheel.stat().st_size + len(tail)))
        connection.endheaders()
        connection.send(head.encode())
        while piece := source.read(PIECE):
            connection.send(piece)
        connection.send(tail.encode())
        answer = connection.getresponse()
        said = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{filename}: {answer.status} {said[:300]!r}")
        return time.perf_counter() - began


def _address(mypi: Process, number: int) -> str:
    page = f"http://127.0.0.1:{mypi.port}/simple/acme-heavy/"
    request = urllib.request.Request(page, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - loopback
        files = {file["filename"]: file["url"] for file in json.load(answer)["files"]}
    return urljoin("/simple/acme-heavy/", files[f"acme_heavy-1.0-{number + 1}-py3-none-any.whl"])


def _fetched(port: int, path: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    buffer = bytearray(PIECE)
    with contextlib.closing(connection):
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        while answer.readinto(buffer):
            pass
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
        return time.perf_counter() - began


@contextlib.contextmanager
def _streaming(wheel: Path, folder: Path) -> Iterator[Process]:
    port = free_port()
    command = [sys.executable, "-c", STREAM, str(port), str(wheel), str(wheel.stat().st_size)]
    with running(command, port, folder / "stream.log") as process:
        yield process

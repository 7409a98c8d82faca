"""Memory of the server does not grow with the file: neither for wheels nor sdists, up or down."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import random
import secrets
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import processes
from tests.system.processes import MIB, Server, form_head, form_tail, write_wheel

SIZE = 300 * MIB
MOST = 64 * MIB
"""How much more the server may hold at its peak than after a small file: bounded by design, whatever the machine."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("memory")
    with processes.pserve(processes.ini(folder, processes.free_port(), upload_limit="1 GiB")) as running:
        yield running


def forget_peak(server: Server) -> int:
    """Let the peak begin anew at what is held now, and return that in bytes."""
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
    return peak(server)


def peak(server: Server) -> int:
    """Return the most that the process held, in bytes."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))) * 1024


def write_sdist(target: Path, project: str, version: str, size: int) -> None:
    """Write a .tar.gz with one member of `size` bytes that cannot be compressed."""
    top = f"{project.replace('-', '_')}-{version}"
    # Further apart than gzip looks back.
    noise = random.Random(project).randbytes(MIB) * (size // MIB)
    with gzip.open(target, "wb", compresslevel=1) as packed, tarfile.open(fileobj=packed, mode="w|") as archive:
        for name, data in (
            (f"{top}/PKG-INFO", f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\n".encode()),
            (f"{top}/data.bin", noise),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def publish(server: Server, path: Path, project: str, filetype: str) -> None:
    """Upload a file from the disk in pieces."""
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else ""
    fields = {
        ":action": "file_upload",
        "metadata_version": "2.1",
        "name": project,
        "version": "1.0",
        "filetype": filetype,
        "sha256_digest": digest or hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    boundary = secrets.token_hex(16)
    head, tail = b"".join(form_head(boundary, fields, path.name)), form_tail(boundary)

    def body() -> Iterator[bytes]:
        yield head
        with path.open("rb") as source:
            while piece := source.read(MIB):
                yield piece
        yield tail

    answer = server.ask(
        "POST",
        "/",
        body(),
        Content_Type=f"multipart/form-data; boundary={boundary}",
        Content_Length=str(len(head) + path.stat().st_size + len(tail)),
    )
    assert answer.status == 200, answer


def download(server: Server, project: str, path: Path) -> None:
    """Download the file in pieces and compare it with the one on the disk."""
    with contextlib.closing(server.connect()) as connection, path.open("rb") as original:
        connection.request("GET", server.url(project, server.files(project)[path.name]))
        answer = connection.getresponse()
        assert (answer.status, answer.length) == (200, path.stat().st_size)
        while piece := answer.read(MIB):
            assert piece == original.read(len(piece))
        assert not original.read(1)


@pytest.mark.parametrize("filetype", ["bdist_wheel", "sdist"])
def test_memory_does_not_grow_with_the_file(server: Server, tmp_path: Path, filetype: str) -> None:
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("this system does not tell the peak of a process's memory (/proc/PID/clear_refs)")
    small, big = ("tiny-wheel", "huge-wheel") if filetype == "bdist_wheel" else ("tiny-sdist", "huge-sdist")
    paths = {}
    for project, size in ((small, MIB), (big, SIZE)):
        stem = f"{project.replace('-', '_')}-1.0"
        if filetype == "bdist_wheel":
            paths[project] = tmp_path / f"{stem}-py3-none-any.whl"
            write_wheel(paths[project], project, "1.0", size)
        else:
            paths[project] = tmp_path / f"{stem}.tar.gz"
            write_sdist(paths[project], project, "1.0", size)
    publish(server, paths[small], small, filetype)
    download(server, small, paths[small])
    before = forget_peak(server)
    publish(server, paths[big], big, filetype)
    uploaded = peak(server)
    download(server, big, paths[big])
    grown = max(uploaded, peak(server)) - before
    print(
        f"{before // MIB} MiB before, {grown / MIB:.1f} MiB more with {paths[big].stat().st_size // MIB} MiB of {big}"
    )
    assert grown < MOST
    for path in paths.values():
        path.unlink()

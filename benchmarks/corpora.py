"""What an index holds when it is measured: packages for everyone, and a bulk loader that fills mypi's own store."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mypi.model import Event, File, Names, Project
from mypi.repository import Repository
from mypi.settings import Settings

FEW, MANY = "acme-small", "acme-large"
"""The project that has five files, and the one that has a thousand."""

AT = "2026-11-05T00:00:00.000000Z"


@dataclass(frozen=True)
class Package:
    """A wheel."""

    project: str
    version: str
    content: bytes

    @property
    def filename(self) -> str:
        return f"{self.project.replace('-', '_')}-{self.version}-py3-none-any.whl"


def wheel(project: str, version: str, size: int = 1000, requires: Sequence[str] = ("acme-base (>=1.0)",)) -> Package:
    """Make a wheel with ``size`` bytes that do not compress."""
    needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
    name = project.replace("-", "_")
    info = f"{name}-{version}.dist-info"
    contents = {
        f"{name}/__init__.py": b"",
        f"{name}/data.bin": os.urandom(size),
        f"{info}/METADATA": (
            f"Metadata-Version: 2.1\nName: {project}\nVersion: {version}\nSummary: Draws charts\n"
            f"Requires-Python: >=3.8\n{needs}\nIt does what it says.\n"
        ).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = [f"{path},sha256={_digest(data)},{len(data)}" for path, data in contents.items()]
    contents[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for path, data in contents.items():
            archive.writestr(zipfile.ZipInfo(path), data)
    return Package(project, version, out.getvalue())


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def packages(projects: int, files: int, large: int) -> Iterator[Package]:
    """Yield what everyone serves: a project of five files, one of many, and others to be among."""
    for number in range(1, 6):
        yield wheel(FEW, f"1.{number}")
    for number in range(large):
        yield wheel(MANY, f"1.{number}", 100)
    for project in range(projects):
        for number in range(files):
            yield wheel(f"acme-{project}", f"1.{number}", 100)


def bulk(folder: Path, projects: int, files: int, large: int = 0) -> None:
    """Write an index of many projects into a folder, as publishing would leave it, and sync once at the end.

    The bytes of files are not written: pages are asked for, not files.
    """
    Repository.open(Settings.load({"mypi.storage": "filesystem", "mypi.storage.path": str(folder)}, {})).close()
    (folder / "indexes" / "main").mkdir(parents=True, exist_ok=True)
    for key, data in documents(projects, files, large):
        (folder / key).write_bytes(data)
    os.sync()


def documents(projects: int, files: int, large: int = 0) -> Iterator[tuple[str, bytes]]:
    """Yield what such an index keeps, by its keys: a document of each project, and one of all names."""
    sizes = {f"acme-{number}": files for number in range(projects)}
    if large:
        sizes["acme-huge"] = large
    for name, count in sizes.items():
        yield f"indexes/main/{name}.json", _document(name, count).dump()
    yield "indexes/main.json", Names({name: name for name in sizes}, "1").dump()


def _document(name: str, count: int) -> Project:
    files, history = {}, []
    for number in range(count):
        filename = f"{name.replace('-', '_')}-1.{number}-py3-none-any.whl"
        digest = hashlib.sha256(filename.encode()).hexdigest()
        files[filename] = File(filename, f"1.{number}", digest[:16], 1000, digest, AT, "bench", metadata=digest)
        history.append(Event(AT, "publish", "bench", "127.0.0.1", filename, f"1.{number}"))
    return Project(name, name, hashlib.sha256(name.encode()).hexdigest()[:16], files=files, history=tuple(history))

"""Every wheel that is accepted is read again by zipfile, unzip, bsdtar and uv: the same names, the same bytes."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mypi import names
from mypi.archives.zips import ZipArchive
from mypi.artifacts import ArtifactError, inspect
from tests import builders
from tests.tally import Tally
from tests.unit.test_hostile_zips import HOSTILE
from tests.unit.test_zips import mutate

TORTURE = int(os.environ.get("MYPI_TORTURE", "1"))
MUTANTS, INSTALLS = 400 * TORTURE, 2 * TORTURE
TOOLS = ("unzip", "bsdtar")

Contents = dict[str, bytes]


def honest() -> list[tuple[str, bytes]]:
    """Return wheels of several kinds that are accepted."""
    data = io.BytesIO()
    packed = builders.wheel(files={"acme/a.py": b"A", "acme/data/é.bin": bytes(range(256)) * 40, "acme/empty": b""})
    with zipfile.ZipFile(io.BytesIO(packed[1])) as old, zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return [
        packed,
        (packed[0], data.getvalue()),
        builders.wheel(info={"entry_points.txt": b"[console_scripts]\nacme = acme:main\n"}),
        builders.wheel(files={"acme_lib-1.0.data/scripts/run": b"#!python\n", "deep/er/and/deeper.py": b"x = 1\n"}),
        builders.wheel(files={f"acme/m{number}.py": b"%d\n" % number for number in range(50)}),
    ]


def by_us(data: bytes) -> Contents:
    archive = ZipArchive(io.BytesIO(data))
    return {name: archive.read(name, 10**9) for name in archive.members}


def by_zipfile(path: Path) -> Contents:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}


def _unpacked(folder: Path) -> Contents:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def by_tool(*command: str) -> Callable[[Path], Contents]:
    """Unpack by a command line that ends with the folder to unpack into."""

    def read(path: Path) -> Contents:
        folder = path.with_name("unpacked")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        words = [word.format(path=path, folder=folder) for word in command]
        subprocess.run(words, check=True, capture_output=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
        return _unpacked(folder)

    return read


READERS: dict[str, Callable[[Path], Contents]] = {
    "zipfile": by_zipfile,
    "unzip": by_tool("unzip", "-qq", "{path}", "-d", "{folder}"),
    "bsdtar": by_tool("bsdtar", "-xf", "{path}", "-C", "{folder}"),
}


@pytest.fixture(params=sorted(READERS))
def reader(request: pytest.FixtureRequest) -> Callable[[Path], Contents]:
    if request.param in TOOLS and shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not here; on Debian: apt-get install unzip libarchive-tools")
    return READERS[request.param]


def accepted(seed: int, number: int) -> Iterator[tuple[str, bytes]]:
    """Yield those of many mutants of the honest wheels that are still accepted."""
    chance, samples = random.Random(seed), honest()
    for _ in range(number):
        name, data = chance.choice(samples)
        changes = [(chance.randrange(20_000), chance.randrange(6), chance.randbytes(chance.randrange(6)))]
        changed = mutate(data, changes * chance.randrange(1, 3))
        try:
            inspect(io.BytesIO(changed), names.filename(name))
        except ArtifactError:
            continue
        yield name, changed


def test_what_is_accepted_is_the_same_for_every_tool(
    reader: Callable[[Path], Contents], tmp_path: Path, tally: Tally
) -> None:
    found = 0
    for name, data in [*honest(), *accepted(7, MUTANTS)]:
        path = tmp_path / name
        path.write_bytes(data)
        assert reader(path) == by_us(data)
        found += 1
    assert found >= len(honest())
    tally.add("wheels mutated for the comparison of tools", MUTANTS)
    tally.add("accepted wheels read alike by another tool", found)


def test_uv_installs_what_is_accepted_byte_for_byte(tmp_path: Path, tally: Tally) -> None:
    uv = Path(sys.executable).with_name("uv")
    for number, (name, data) in enumerate([*honest()[:INSTALLS], *list(accepted(8, MUTANTS))[:INSTALLS]]):
        path, target = tmp_path / name, tmp_path / f"target{number}"
        path.write_bytes(data)
        words = [uv, "pip", "install", "-q", "--no-deps", "--no-cache", "--offline", "--no-config", "--target", target]
        subprocess.run([*words, "--python", sys.executable, path], check=True, capture_output=True)
        installed = _unpacked(target)
        for member, content in by_us(data).items():
            if ".dist-info/RECORD" not in member and ".data/" not in member:
                assert installed[member] == content, member
        tally.add("accepted wheels installed by uv", 1)


def test_control_tools_differ_about_what_is_refused(tmp_path: Path) -> None:
    """The positive control: among what is refused there is what two tools see differently."""
    differ = []
    for what, (data, _) in HOSTILE.items():
        path = tmp_path / "hostile.whl"
        path.write_bytes(data)
        try:
            seen = by_zipfile(path)
            other = READERS["unzip" if shutil.which("unzip") else "bsdtar"](path)
        except (OSError, ValueError, RuntimeError, zlib.error, zipfile.BadZipFile, subprocess.CalledProcessError):
            differ.append(what)
            continue
        if seen != other:
            differ.append(what)
    assert len(differ) > 5

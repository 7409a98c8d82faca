"""Each commented block of the .ini files works when its comment signs are taken away, over the server that it names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import services
from tests.services import Postgres, Seaweed, Zeo
from tests.system import processes
from tests.system.processes import ROOT, Server, wheel

FILES = ("development.ini", "production.ini")
_SETTING = re.compile(r"(# )?mypi\.(storage|catalogue)")


def blocks(text: str) -> list[range]:
    """Return where the runs of lines stand that name a store; the first is the one in use, the others are commented."""
    numbers = [number for number, line in enumerate(text.splitlines()) if _SETTING.match(line)]
    runs = itertools.groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    found = [[number for _, number in run] for _, run in runs]
    return [range(run[0], run[-1] + 1) for run in found]


def switched(text: str, block: range) -> str:
    """Use another block, by nothing but comment signs."""
    lines = text.splitlines()
    used, *_ = blocks(text)
    if lines[block[0]].startswith("# mypi.storage"):
        for number in used:
            lines[number] = f"# {lines[number]}"
    for number in block:
        lines[number] = lines[number].removeprefix("# ")
    return "\n".join(lines) + "\n"


def shown(name: str, block: range) -> str:
    return "\n".join((ROOT / name).read_text().splitlines()[block[0] : block[-1] + 1])


def chosen(name: str, block: range) -> str:
    """Say what a block chooses: the role, the backend, and the scheme of its address."""
    words = re.findall(r"mypi\.(?:(\w+) = (\w+)|storage\.uri = (\w+):)", shown(name, block))
    return "-".join(word for found in words for word in found if word)


BLOCKS = [(name, block) for name in FILES for block in blocks((ROOT / name).read_text())[1:]]


def test_every_way_to_keep_an_index_has_a_block() -> None:
    ways = ["storage-zodb", "storage-zodb-zeo", "storage-zodb-postgres", "storage-s3", "catalogue-zodb"]
    assert [chosen(*each) for each in BLOCKS] == ways * len(FILES)


@pytest.fixture
def started() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.mark.parametrize("name, block", BLOCKS, ids=[f"{name}-{chosen(name, block)}" for name, block in BLOCKS])
def test_a_block_works(name: str, block: range, tmp_path: Path, started: ExitStack) -> None:
    port = processes.free_port()
    text = switched((ROOT / name).read_text(), block).replace("127.0.0.1:6543", f"127.0.0.1:{port}")
    text = text.replace("mypi.upload = users", "mypi.upload = everyone")
    lines = shown(name, block)
    # What a reader would have running at these addresses.
    if "zeo://" in lines:
        zeo = started.enter_context(services.running(Zeo, tmp_path / "service"))
        text = text.replace("127.0.0.1:9991", f"127.0.0.1:{zeo.port}")
    elif "postgres://" in lines:
        postgres = started.enter_context(services.running(Postgres, tmp_path / "service"))
        postgres.execute("CREATE DATABASE mypi")
        text = text.replace("127.0.0.1:5432", f"127.0.0.1:{postgres.port}")
    elif "endpoint" in lines:
        seaweed = started.enter_context(services.running(Seaweed, tmp_path / "service"))
        text = text.replace("http://127.0.0.1:8333", seaweed.endpoint)
    ini = tmp_path / f"mypi-{port}.ini"
    ini.write_text(text)
    package = wheel("acme-lib")
    server: Server = started.enter_context(processes.pserve(ini))
    assert server.upload(package).status == 200
    assert server.fetch("acme-lib", package.filename) == package.data
    server.kill()
    again: Server = started.enter_context(processes.pserve(ini))
    assert list(again.files("acme-lib")) == [package.filename]

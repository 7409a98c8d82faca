"""``mypi sweep`` also clears away what other indexes left: what nobody names, and what is too much."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from mypi.model.remote import RemoteFile, Site
from mypi.repository import Repository
from mypi.upstream import Space
from mypi.upstream.shelf import Shelf

UPSTREAM = "mypi.upstream = pypi https://pypi.org/simple/\nmypi.upstream.limit = 100\n"


@pytest.fixture
def kept(index: Repository) -> Space:
    """A file of another index of 90 bytes, and one of 80; and 70 bytes that nobody names."""
    space = Space(index.outside, None)
    shelf = Shelf(index.outside, space)
    for name, size in (("a", 90), ("b", 80)):
        file = RemoteFile(f"{name}-1.zip", "1", "", "0" * 64)
        shelf.keep(Site("pypi", "https://pypi.org/simple/"), name, file, (BytesIO(bytes(size)), size))
    index.outside.add("pypi", "c", file, BytesIO(bytes(70)), 70)
    return space


def test_nothing_goes_that_is_young_and_not_too_much(run, kept):
    assert run("sweep").out.startswith("nothing to sweep\n")


def test_what_nobody_names_goes(run, kept):
    assert "delete of other indexes: 1 objects, 70 bytes\n" in run("sweep", "--grace", "0", "--dry-run").out
    assert len(list(kept._outside.bytes())) == 3
    assert run("sweep", "--grace", "0", "--yes").out.endswith("done: 70 bytes freed, 0 files purged for ever\n")
    assert [item.name for item in kept.kept()] == ["a", "b"]


def test_what_is_too_much_goes(run, kept, ini: Path):
    ini.write_text(ini.read_text() + UPSTREAM)
    assert run("sweep", "--yes").out == (
        "delete of other indexes: 2 objects, 170 bytes\ndone: 170 bytes freed, 0 files purged for ever\n"
    )
    assert list(kept.kept()) == []

"""What is in an archive: names and sizes, within limits, whatever the bytes (threats 25, 26)."""

from __future__ import annotations

import io

import pytest

from mypi import contents
from mypi.contents import Member, Unreadable, listing
from tests import builders


def test_a_wheel_is_listed_by_name() -> None:
    filename, data = builders.wheel(files={"b.py": b"12", "a/c.py": b""})
    found = listing(io.BytesIO(data), filename)
    assert found[:2] == [
        Member("a/c.py", 0),
        Member("acme_lib-1.0.dist-info/METADATA", len(builders.metadata())),
    ]
    assert found[-1] == Member("b.py", 2)


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_an_sdist_is_listed_without_its_folders(ending: str) -> None:
    filename, data = builders.sdist(files={"setup.py": b"12345"}, ending=ending)
    assert listing(io.BytesIO(data), filename)[1:] == [Member("acme_lib-1.0/setup.py", 5)]


@pytest.mark.parametrize("ending", [".tar.gz", ".zip", "-py3-none-any.whl"])
def test_a_damaged_archive_gets_a_sentence(ending: str) -> None:
    with pytest.raises(Unreadable, match=f"acme-1.0{ending} cannot be looked into: "):
        listing(io.BytesIO(b"nonsense"), f"acme-1.0{ending}")


def test_a_large_file_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "LARGEST", 2**20)
    with pytest.raises(Unreadable, match="larger than 1 MiB"):
        listing(io.BytesIO(b"x" * (2**20 + 1)), "acme-1.0.tar.gz")


def test_looking_takes_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "SECONDS", -1.0)
    filename, data = builders.sdist()
    with pytest.raises(Unreadable, match="takes longer than"):
        listing(io.BytesIO(data), filename)


def test_a_licence_that_is_there_twice_is_listed_once() -> None:
    licence = builders.tar_member("acme-1.0/LICENSE", b"free")
    data = builders.tar_file(licence, licence, builders.tar_member("acme-1.0/caf\u00e9".encode("latin-1")))
    found = listing(io.BytesIO(data), "acme-1.0.tar.gz")
    assert found == [Member("acme-1.0/LICENSE", 4), Member("acme-1.0/caf\ufffd", 0)]

"""Sdists: one top folder with a PKG-INFO that says what the file name says."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import pytest

from mypi import names
from mypi.artifacts import RELAXABLE, Artifact, ArtifactError, inspect
from tests import builders
from tests.builders import Entry, tar_file, tar_header, tar_member

INFO = builders.metadata("acme-lib", "1.0")
ALL = frozenset(RELAXABLE)
NAME = "acme_lib-1.0.tar.gz"


def inspected(made: tuple[str, bytes], **options) -> Artifact:
    return inspect(io.BytesIO(made[1]), names.filename(made[0]), **options)


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_an_honest_sdist_is_inspected(ending):
    artifact = inspected(builders.sdist(ending=ending, requires=["six"], license_file=["setup.py", "NOTICE"]))
    assert artifact.filename == names.filename(f"acme_lib-1.0{ending}")
    assert artifact.metadata == builders.metadata(requires=["six"], license_file=["setup.py", "NOTICE"])
    assert artifact.members == {f"acme_lib-1.0/{file}" for file in ("PKG-INFO", "setup.py", "acme.py")}
    assert artifact.missing_licences == ("NOTICE",)
    assert artifact.relaxed == frozenset()


@pytest.mark.parametrize(
    ("filename", "name", "version"),
    [
        ("Foo.Bar-1.0.tar.gz", "foo-bar", "1.0"),
        ("foo-1.0-1.tar.gz", "Foo", "1.0-1"),
        ("foo-1.0-1.tar.gz", "foo-1.0", "1"),
        ("foo-1.0+ubuntu-1.tar.gz", "foo", "1.0+ubuntu.1"),
        ("foo-1.0.0.tar.gz", "foo", "1.0"),
    ],
)
def test_C_identity_pkg_info_settles_what_a_legacy_name_means(filename, name, version):
    artifact = inspected(builders.sdist(filename=filename, pkg_info=builders.metadata(name, version)))
    assert artifact.filename.text == filename
    assert artifact.filename.project == names.project(name)
    assert artifact.filename.version == names.version(version)


def test_the_root_and_folders_are_no_top():
    data = tar_file(tar_header("./", kind=b"5"), tar_header("./a", kind=b"5"), tar_member("./a/PKG-INFO", INFO))
    assert inspected((NAME, data)).metadata == INFO
    zipped = builders.zip_file([Entry(b"a/", attributes=0), Entry(b"a/PKG-INFO", INFO)])
    assert inspected(("acme_lib-1.0.zip", zipped)).metadata == INFO


def test_a_deeper_pkg_info_does_not_count():
    files = {"a/PKG-INFO": INFO, "a/acme.egg-info/PKG-INFO": b"junk"}
    assert inspected((NAME, builders.tar_of(files))).metadata == INFO


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (builders.tar_of({"a/setup.py": b""}), "there is no a/PKG-INFO"),
        (tar_file(tar_header("a/PKG-INFO", kind=b"2", target=b"b")), "there is no a/PKG-INFO"),
        (builders.tar_of({"a/PKG-INFO": builders.metadata("other")}), "PKG-INFO says that this is other 1.0"),
        (builders.tar_of({"a/PKG-INFO": builders.metadata(version="1.1")}), "PKG-INFO says that this is acme-lib 1.1"),
        (builders.tar_of({"a/PKG-INFO": b""}), "no Name"),
    ],
)
def test_an_sdist_that_does_not_say_what_it_is_goes_by_its_name_if_relaxed(data, said):
    with pytest.raises(ArtifactError, match=said):
        inspected((NAME, data), allow=ALL - {"pkg-info"})
    artifact = inspected((NAME, data), allow=frozenset({"pkg-info"}))
    assert artifact.metadata == b"Metadata-Version: 1.0\nName: acme-lib\nVersion: 1.0\n"
    assert (artifact.core.project, artifact.relaxed) == ("acme-lib", {"pkg-info"})


@pytest.mark.parametrize(
    "files",
    [
        {"a/PKG-INFO": INFO, "b/setup.py": b""},
        {"a/PKG-INFO": INFO, "README": b""},
        {"a/PKG-INFO": INFO, "PKG-INFO": b""},
    ],
)
def test_C18_a_second_top_is_refused_unless_relaxed(files):
    for name, data in [(NAME, builders.tar_of(files)), ("acme_lib-1.0.zip", builders.zip_of(files))]:
        with pytest.raises(ArtifactError, match="one top folder"):
            inspected((name, data), allow=ALL - {"layout"})
        artifact = inspected((name, data), allow=frozenset({"layout"}))
        assert (artifact.metadata, artifact.relaxed, artifact.licences) == (INFO, {"layout"}, "a/")


def test_an_empty_archive_is_refused():
    with pytest.raises(ArtifactError, match="here are: none"):
        inspected((NAME, tar_file()))
    assert inspected((NAME, tar_file()), allow=ALL).relaxed == {"layout", "pkg-info"}


def test_C19_a_loose_frame_is_refused_unless_relaxed():
    crc = {"crc": 0, "packed": 0, "size": 0}
    loose = Entry(b"a/PKG-INFO", INFO, method=0, flags=0x808, local=crc)
    loose.behind = struct.pack("<3L", zlib.crc32(INFO), len(INFO), len(INFO))
    for name, data in [
        (NAME, builders.tar_of({"a/PKG-INFO": INFO}) + b"rest"),
        ("acme_lib-1.0.zip", builders.zip_file([loose])),
    ]:
        with pytest.raises(ArtifactError, match=r"after the end|data descriptor"):
            inspected((name, data), allow=ALL - {"framing"})
        assert inspected((name, data), allow=frozenset({"framing"})).relaxed == {"framing"}


class Pipe(io.BytesIO):
    """What cannot go back makes CPython write data descriptors."""

    def seekable(self):
        return False

    def seek(self, *_):
        raise io.UnsupportedOperation

    def tell(self):
        raise io.UnsupportedOperation


def test_a_wheel_may_have_a_loose_frame_if_relaxed():
    with pytest.raises(ArtifactError, match="data descriptor"):
        inspected(("a-1-py3-none-any.whl", builders.zip_file([Entry(b"a", flags=0x808)])))
    name, data = builders.wheel()
    pipe = Pipe()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(pipe, "w") as target:
        for info in source.infolist():
            target.writestr(info.filename, source.read(info))
    assert inspected((name, pipe.getvalue()), allow=ALL).relaxed == {"framing"}


@pytest.mark.parametrize("name", [NAME, "acme_lib-1.0.zip"])
@pytest.mark.parametrize("data", [b"", b"PK", b"\x1f\x8b\x08", bytes(100_000)])
def test_C18_what_is_no_archive_is_refused_whatever_is_relaxed(name, data):
    with pytest.raises(ArtifactError, match=name):
        inspected((name, data), allow=ALL)


def test_a_pkg_info_that_is_too_long_is_refused():
    with pytest.raises(ArtifactError, match="longer than"):
        inspected(builders.sdist(pkg_info=b"x" * 2**21), allow=ALL)

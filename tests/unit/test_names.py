"""Names: what a project, a version and a file may be called, and what a file's name says."""

from __future__ import annotations

import pytest
from packaging.version import Version

from mypi import names
from mypi.names import InvalidName, InvalidVersion


@pytest.mark.parametrize(
    ("text", "name"), [("a", "a"), ("Acme.Lib", "acme-lib"), ("a__-.b", "a-b"), ("A" * 100, "a" * 100)]
)
def test_a_project_has_one_canonical_name(text, name):
    assert names.project(text) == name


@pytest.mark.parametrize(
    "text", ["", "-a", "a-", ".", "a b", "a\n", "a/b", "acmé", "\u017fix", "\u212a", "a" * 101, "../a", "a\0", "+login"]
)
def test_A1_6_C4_a_wrong_project_name_is_refused(text):
    with pytest.raises(InvalidName):
        names.project(text)


@pytest.mark.parametrize("text", ["1.0", "2!1.0rc1.post2.dev3+ubuntu.1", "v1.0-1"])
def test_a_version_is_as_pep_440_says(text):
    assert names.version(text) == Version(text)


@pytest.mark.parametrize("text", ["", "2004d", "1.0-x", "1" * 101, "1.0\0"])
def test_a_wrong_version_is_refused(text):
    with pytest.raises(InvalidVersion):
        names.version(text)


def test_C22_a_wheel_name_says_all():
    name = names.filename("Acme_Lib-2!1.0+loc.1-1a-py2.py3-none-any.whl")
    assert (name.kind, name.project, str(name.version), name.build) == ("wheel", "acme-lib", "2!1.0+loc.1", "1a")
    assert {str(tag) for tag in name.tags} == {"py2-none-any", "py3-none-any"}
    assert name.stem == "Acme_Lib-2!1.0+loc.1-1a-py2.py3-none-any"
    assert names.filename("acme_lib-1.0-py3-none-any.whl").build == ""


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("acme_lib-1.0.tar.gz", "acme-lib", "1.0"),
        ("Foo.Bar-1.0.zip", "foo-bar", "1.0"),
        ("foo-1.0-1.tar.gz", "foo-1-0", "1"),
        ("foo-1.0-beta.tar.gz", "foo", "1.0b0"),
        ("foo-1.0+local-1.tar.gz", "foo", "1.0+local.1"),
    ],
)
def test_an_sdist_name_says_project_and_version(text, name, version):
    read = names.filename(text)
    assert (read.kind, read.project, read.version) == ("sdist", name, Version(version))


def test_an_ambiguous_sdist_name_is_settled_by_what_the_archive_says():
    name = names.filename("foo-1.0-1.tar.gz")
    settled = names.settle(name, names.project("Foo"), Version("1.0.post1"))
    assert settled is not None
    assert (settled.text, settled.project, settled.version) == (name.text, "foo", Version("1.0.post1"))
    assert names.settle(name, name.project, name.version) is name
    assert names.matches(name, names.project("foo"), Version("1.0-1"))
    assert not names.matches(name, names.project("foo"), Version("1.0"))
    assert not names.matches(names.filename("foo-1.0-py3-none-any.whl"), names.project("bar"), Version("1.0"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("acme-1.0-py2.7.egg", "an egg"),
        ("acme-1.0.win32.exe", "bdist_wininst"),
        ("acme-1.0.win32.msi", "bdist_msi"),
        ("acme-1.0-1.noarch.rpm", "bdist_rpm"),
        ("acme-1.0.dmg", "disk image"),
        ("acme-1.0.tar.bz2", "not compressed with gzip"),
        ("acme-1.0.tar.xz", "not compressed with gzip"),
        ("acme-1.0.tgz", "must end in .tar.gz"),
        ("acme-1.0.linux-x86_64.tar.gz", "'dumb' binary archive"),
        ("acme-1.0.macosx-10.9-x86_64.tar.gz", "'dumb' binary archive"),
        ("acme-1.0.txt", "ends in none of"),
        ("acme.tar.gz", "project-version.tar.gz"),
        ("-1.0.tar.gz", "project-version.tar.gz"),
        ("pytz-2005k.tar.gz", "as PEP 440 writes it"),
        ("acme-1.0-py3-none.whl", "named as a wheel must be"),
        ("acme__lib-1.0-py3-none-any.whl", "named as a wheel must be"),
        ("_acme-1.0-py3-none-any.whl", "named as a wheel must be"),
        (f"acme-{'1' * 101}-py3-none-any.whl", "named as a wheel must be"),
        ("acme-1.0_1-py3-none-any.whl", "named as a wheel must be"),
    ],
)
def test_C10_C20_C22_a_file_of_another_kind_is_refused_with_what_to_upload_instead(text, said):
    with pytest.raises(InvalidName, match=said):
        names.filename(text)


@pytest.mark.parametrize(
    "text", ["", "../acme-1.0.tar.gz", "acme-1.0.tar.gz\n", "acme 1.0.zip", "é-1.0.zip", "a" * 201, "a\0b"]
)
def test_C10_a_file_name_has_only_allowed_characters(text):
    with pytest.raises(InvalidName, match="is not allowed"):
        names.filename(text)

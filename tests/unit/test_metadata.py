"""Metadata: lenient where a page only gets poorer, strict where the index relies on a field."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from packaging.version import Version

from mypi import metadata
from mypi.metadata import MetadataError
from tests import builders


def test_all_fields_are_read():
    core = metadata.read(
        builders.metadata(
            "Acme.Lib",
            "1.0-1",
            ["acme-core (>=1.0)", "six; python_version < '3'"],
            ">=3.8,<4",
            "Long\ntext\n",
            "2.4",
            summary="Short",
            keywords="one, two",
            author="Zoë",
            author_email="zoe@example.org",
            maintainer="Max",
            maintainer_email="max@example.org",
            license="MIT\n        text",
            license_expression="MIT",
            license_file=["LICENSE", "NOTICE"],
            classifier=["Topic :: Games", "UNKNOWN"],
            platform="any",
            provides_extra="fast",
            dynamic="Keywords",
            project_url=["Docs, https://example.org/docs", "Docs, https://example.org/other", "Evil, javascript:x"],
            home_page="http://example.org",
            download_url="ftp://example.org",
            description_content_type="text/markdown",
            x_unknown="ignored",
        )
    )
    assert (core.name, core.project, core.version, core.version_text) == (
        "Acme.Lib",
        "acme-lib",
        Version("1.0.post1"),
        "1.0-1",
    )
    assert (core.metadata_version, core.requires_python, core.summary) == ("2.4", ">=3.8,<4", "Short")
    assert (core.keywords, core.author, core.author_email) == (("one", "two"), "Zoë", "zoe@example.org")
    assert (core.maintainer, core.maintainer_email) == ("Max", "max@example.org")
    assert (core.license, core.license_expression) == ("MIT\n        text", "MIT")
    assert (core.license_files, core.classifiers) == (("LICENSE", "NOTICE"), ("Topic :: Games",))
    assert (core.platforms, core.provides_extra, core.dynamic) == (("any",), ("fast",), ("Keywords",))
    assert core.requires_dist == ("acme-core (>=1.0)", "six; python_version < '3'")
    assert core.project_urls == (("Docs", "https://example.org/docs"),)
    assert (core.home_page, core.download_url) == ("http://example.org", None)
    assert (core.description, core.description_content_type) == ("Long\ntext", "text/markdown")
    assert core.problems == (
        "Project-URL 'Evil' is not an address with http or https",
        "Download-URL is not an address with http or https",
    )


def test_absent_fields_are_none_or_empty():
    core = metadata.read(
        b"Metadata-Version: 1.0\r\nName: a\r\nVersion: 1\r\nSummary: UNKNOWN\r\nHome-page: UNKNOWN\r\n"
    )
    assert (core.summary, core.home_page, core.description, core.keywords, core.problems) == (None, None, None, (), ())


def test_keywords_may_be_separated_by_spaces():
    assert metadata.read(builders.metadata(keywords="one two")).keywords == ("one", "two")


def test_a_description_in_a_header_is_unfolded():
    head = b"Metadata-Version: 1.1\nName: a\nVersion: 1\nDescription: First\n        \n        * item\n       |last\n"
    assert metadata.read(head).description == "First\n\n* item\nlast"


def test_what_is_not_utf8_is_read_as_latin_1():
    core = metadata.read(builders.metadata(author="Zoë").decode().encode("latin-1"))
    assert core.author == "Zoë"
    assert core.problems == ("the metadata is not in UTF-8",)


def test_a_byte_order_mark_is_passed_over():
    assert metadata.read(b"\xef\xbb\xbf" + builders.metadata()).project == "acme-lib"


@pytest.mark.parametrize("text", ["<=3.7.x", "3", ">=3.8 <4"])
def test_a_wrong_requires_python_is_not_advertised(text):
    core = metadata.read(builders.metadata(requires_python=text))
    assert core.requires_python is None
    assert core.problems == (f"Requires-Python {text!r} is not a valid specifier",)


def test_control_characters_do_not_reach_a_page():
    core = metadata.read(builders.metadata(summary="a\x1b[31mb", description="c\x00d"))
    assert core.summary == "a\ufffd[31mb"
    assert core.description == "c d"
    assert core.problems == ("Summary has a control character in it",)


def test_of_a_repeated_field_the_first_counts():
    core = metadata.read(builders.metadata(summary=["one", "two"]))
    assert core.summary == "one"
    assert core.problems == ("Summary is there 2 times, the first one counts",)


def test_C_versions_a_newer_minor_version_is_read():
    assert metadata.read(builders.metadata(metadata_version="2.9")).problems == (
        "Metadata-Version 2.9 is newer than this index",
    )
    assert metadata.read(builders.metadata(metadata_version="2.0", license_file="LICENSE")).problems == ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no Name"),
        (b"Metadata-Version: 2.1\nName: a\n", "no Version"),
        (b"Name: a\nVersion: 1\n", "Metadata-Version None"),
        (builders.metadata(metadata_version="3.0"), "which this index does not know"),
        (builders.metadata(metadata_version="two"), "Metadata-Version 'two'"),
        (builders.metadata(name="../etc"), "not a project name"),
        (builders.metadata(version="1.0.x"), "not a version"),
        (builders.metadata(name="a\n b"), "not a project name"),
        (builders.metadata(name="a\x07"), "control character"),
        (b"Name: a\n" + builders.metadata(), "Name 2 times"),
        (b"Metadata-Version: 2.1\n" + builders.metadata(), "Metadata-Version 2 times"),
        (builders.metadata(content_type="multipart/mixed; boundary=x"), "content-type"),
        (builders.metadata(content_transfer_encoding="base64"), "content-transfer-encoding"),
        (builders.metadata(description="x" * metadata.LIMIT), "longer than"),
        (builders.metadata(**{f"x{number}": "" for number in range(300)}), "different fields"),
        (builders.metadata(classifier=["x"] * 60_000), "lines"),
    ],
)
def test_C_versions_metadata_without_an_identity_or_bounds_is_refused(data, said):
    with pytest.raises(MetadataError, match=said):
        metadata.read(data)


@pytest.mark.parametrize(
    "data",
    [
        builders.metadata() + b"".join(b"H%d:\n" % number for number in range(100_000)),
        builders.metadata() + b"A: \n" * 250_000,
        builders.metadata() + b" \n" * 500_000,
        builders.metadata(description="\n".join(["a:"] * 300_000)),
        b"Summary:" + b" " * 1_000_000 + b"\n" + builders.metadata(),
    ],
    ids=["fields", "repeats", "folds", "body", "spaces"],
)
def test_hostile_metadata_is_read_or_refused_quickly(data):
    began = time.process_time()
    with suppress(MetadataError):
        metadata.read(data)
    assert time.process_time() - began < 10


def test_a_registration_form_is_read():
    core = metadata.from_form(
        {
            "name": ["Acme.Lib"],
            "version": ["1.0"],
            "metadata_version": ["1.0"],
            "summary": ["UNKNOWN"],
            "download_url": ["None"],
            "home_page": [""],
            "author": ["Zoë\r\nEvil: yes"],
            "classifiers": ["Topic :: Games", "UNKNOWN"],
            "project_urls": ["Docs, https://example.org"],
            "provides_extras": ["fast"],
            "license_files": ["LICENSE"],
            "requires_dist": ["six"],
            "requires_python": [">=3"],
            "description": ["Long\r\ntext"],
            "license": ["MIT"],
            "keywords": ["a,b"],
        }
    )
    assert (core.project, core.summary, core.download_url, core.home_page) == ("acme-lib", None, None, None)
    assert (core.author, core.classifiers, core.provides_extra) == ("Zoë Evil: yes", ("Topic :: Games",), ("fast",))
    assert (core.license_files, core.requires_dist, core.requires_python) == (("LICENSE",), ("six",), ">=3")
    assert (core.description, core.license, core.keywords) == ("Long\ntext", "MIT", ("a", "b"))
    assert core.project_urls == (("Docs", "https://example.org"),)


def test_a_form_without_a_name_is_refused():
    with pytest.raises(MetadataError, match="no Name"):
        metadata.from_form({"name": ["UNKNOWN"], "version": ["1.0"], "metadata_version": ["1.0"]})

"""The metadata as `register` sends them."""

from __future__ import annotations

from mypi_upload.form import fields
from setuptools import Distribution


def test_all_that_pkg_info_says_is_sent_under_the_names_of_the_form() -> None:
    description = "Bölts\n=====\n\n日本語 ☃\n"
    distribution = Distribution(
        {
            "name": "acme-lib",
            "version": "1.0",
            "description": "Bolts",
            "long_description": description,
            "author": "Zoë Łukasiewicz",
            "license": "Yours\nand mine",
            "keywords": ["bolts", "nuts"],
            "classifiers": ["Topic :: Utilities", "Framework :: Pyramid"],
            "project_urls": {"Source": "https://example.com/"},
            "python_requires": ">=3.8",
        }
    )

    sent = fields(distribution.metadata)

    assert {
        ("name", "acme-lib"),
        ("version", "1.0"),
        ("summary", "Bolts"),
        ("author", "Zoë Łukasiewicz"),
        ("license", "Yours\nand mine"),
        ("keywords", "bolts,nuts"),
        ("classifiers", "Topic :: Utilities"),
        ("classifiers", "Framework :: Pyramid"),
        ("project_urls", "Source, https://example.com/"),
        ("requires_python", ">=3.8"),
    } <= set(sent)
    assert [value.strip() for name, value in sent if name == "description"] == [description.strip()]
    assert float(dict(sent)["metadata_version"]) >= 2.1
    assert "UNKNOWN" not in dict(sent).values()


def test_what_was_not_said_is_not_sent() -> None:
    assert {name for name, _ in fields(Distribution({"name": "acme-lib", "version": "1.0"}).metadata)} <= {
        "metadata_version",
        "name",
        "version",
        "dynamic",
    }

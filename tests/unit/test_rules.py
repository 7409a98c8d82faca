"""Rules: each named rule of PyPI refuses what it says, and nothing is refused by a rule that is off."""

from __future__ import annotations

import io
import re
from datetime import datetime, timedelta, timezone

import pytest

from mypi import names, rules
from mypi.artifacts import RELAXABLE, Artifact, inspect
from mypi.rules import Release
from tests import builders

NOW = datetime(2026, 1, 31, tzinfo=timezone.utc)


def artifact(made: tuple[str, bytes]) -> Artifact:
    return inspect(io.BytesIO(made[1]), names.filename(made[0]), allow=frozenset(RELAXABLE))


def wheel(**options) -> Artifact:
    return artifact(builders.wheel(**options))


def sdist(**options) -> Artifact:
    return artifact(builders.sdist(**options))


def licensed(version: str) -> Artifact:
    return wheel(license_file="LICENSE", metadata_version=version)


@pytest.mark.parametrize(
    ("rule", "bad", "said", "good"),
    [
        ("local-versions", wheel(version="1.0+acme"), r"1\.0\+acme has a local part", wheel()),
        ("linux-tags", wheel(tag="py3-none-linux_x86_64"), "linux_x86_64", wheel(tag="py3-none-manylinux2014_x86_64")),
        ("linux-tags", wheel(tag="py3-none-macosx_16_0_arm64"), "macosx_16", wheel(tag="py3-none-macosx_15_0_arm64")),
        ("legacy-sdist-names", sdist(filename="Acme.Lib-1.0.tar.gz"), r"acme_lib-1\.0\.tar\.gz", sdist()),
        ("legacy-sdist-names", sdist(filename="acme-lib-1.0.zip", ending=".zip"), "PEP 625", wheel()),
        ("legacy-wheel-names", wheel(filename="Acme_Lib-1.0-py3-none-any.whl"), "begins with Acme_Lib", wheel()),
        ("legacy-wheel-names", wheel(filename="acme.lib-1.0-py3-none-any.whl"), "must begin with acme_lib", sdist()),
        ("zip-sdists", sdist(ending=".zip"), "must be a .tar.gz", sdist()),
        ("unknown-classifiers", wheel(classifier=["Acme :: Yes"]), "Acme :: Yes", wheel(classifier="Private :: Acme")),
        (
            "unknown-classifiers",
            wheel(classifier=["Topic :: Communications :: Chat :: AOL Instant Messenger"]),
            r"deprecated classifiers: .*Messenger \(use ",
            wheel(classifier=["Topic :: Games/Entertainment"]),
        ),
        ("requirements", wheel(requires=["six >> 1"]), "six >> 1", wheel(requires=["six>1"])),
        ("direct-urls", wheel(requires=["a @ https://example.org/a"]), "names an address", wheel(requires=["a", "?"])),
        ("requires-python", wheel(requires_python="3.x"), "Requires-Python '3.x'", wheel(requires_python=">=3")),
        ("metadata-problems", wheel(home_page="ftp://x"), "Home-page", wheel(requires_python="3.x")),
        ("long-summary", wheel(summary="x" * 513), "513 characters", wheel(summary="x" * 512)),
        ("long-labels", wheel(project_url="x" * 33 + ",http://a"), "x{33}", wheel(project_url="x" * 32 + ",http://a")),
        ("emails", wheel(author_email="nobody"), "nobody", wheel(author_email="Zoë <z@example.org>, a@example.org")),
        ("licence-fields", wheel(license="MIT", license_expression="MIT"), "remove License", wheel(license="MIT")),
        ("licence-fields", wheel(license_expression="Free"), "not one of SPDX .*free", wheel(license="Free")),
        ("licence-fields", wheel(license_expression="MIT or"), "SPDX", wheel(license_expression="mit OR Apache-2.0")),
        ("licence-files", licensed("2.4"), "LICENSE", licensed("2.1")),
        ("stdlib-names", wheel(name="importlib"), "importlib is a module", wheel()),
    ],
)
def test_C5_C7_C20_C21_C22_C_PEP_639_a_rule_refuses_what_it_says_and_no_more(rule, bad, said, good):
    (found,) = rules.violations(bad, [rule])
    assert re.search(said, found)
    assert rules.violations(good, [rule]) == []
    assert rules.violations(bad, []) == []


def test_many_findings_are_shortened():
    (found,) = rules.violations(wheel(classifier=[f"X{number}" for number in range(9)]), ["unknown-classifiers"])
    assert found == "unknown classifiers: X0, X1, X2, X3, X4 and 4 more"


def release(filename: str, age: timedelta) -> Release:
    return Release(files=((names.filename(filename), NOW - age),), now=NOW)


def test_C16_a_release_closes_after_14_days():
    rule = ["closed-release"]
    assert rules.violations(wheel(), rule) == []
    assert rules.violations(wheel(), rule, release("acme_lib-1.0.tar.gz", timedelta(days=14))) == []
    late = release("acme_lib-1.0.tar.gz", timedelta(days=14, seconds=1))
    assert rules.violations(wheel(), rule, late) == ["the release is older than 14 days, publish a new one"]


def test_C17_a_release_has_one_sdist():
    rule = ["one-sdist-per-release"]
    other = release("acme-lib-1.0.zip", timedelta())
    assert rules.violations(sdist(), rule) == []
    assert rules.violations(wheel(), rule, other) == []
    assert rules.violations(sdist(), rule, release("acme_lib-1.0.tar.gz", timedelta())) == []
    assert rules.violations(sdist(), rule, other) == ["the release has an sdist already, acme-lib-1.0.zip"]


def test_pypi_means_all_rules():
    assert rules.expand(["pypi"]) == tuple(rules.RULES)
    assert len(rules.violations(sdist(version="1.0+a", ending=".zip"), ["pypi", "zip-sdists"])) == 2


@pytest.mark.parametrize(("name", "said"), [("zip-sdist", "did you mean zip-sdists"), ("", "choose from pypi, local")])
def test_an_unknown_rule_is_an_error(name, said):
    with pytest.raises(ValueError, match=said):
        rules.violations(wheel(), [name])


def test_every_rule_has_a_sentence():
    assert all(rule.sentence.endswith(").") for rule in rules.RULES.values())

"""The policy as a pure function: what is hidden, by which rule, until when; and never an error for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mypi.metadata import read as read_metadata
from mypi.model.remote import RemoteFile, RemotePage
from mypi.policies import Policies, licences, terms
from mypi.upstream import licences as spdx
from mypi.upstream.policy import Policy, Verdict, without

DAY = 86400.0
NOW = datetime(2026, 11, 26, 12, tzinfo=timezone.utc).timestamp()


def at(days_ago: float) -> str:
    moment = datetime.fromtimestamp(NOW - days_ago * DAY, timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def remote(
    version: str = "1.0", days: float | None = 100, *, name: str = "lib", yanked: str | None = None
) -> RemoteFile:
    uploaded = None if days is None else at(days)
    return RemoteFile(f"{name}-{version}.tar.gz", version, "https://x/y", "0" * 64, uploaded=uploaded, yanked=yanked)


def page(*files: RemoteFile, name: str = "lib", versions: tuple[str, ...] = ()) -> RemotePage:
    return RemotePage(name, files, tuple(dict.fromkeys([*(file.version for file in files), *versions])))


def rules(**given: object) -> Policy:
    parsed = {name: terms(str(value)) if name in ("deny", "allow") else value for name, value in given.items()}
    return Policy(Policies(**parsed))  # type: ignore[arg-type]


def applied(policy: Policy, of: RemotePage, now: float, licences: Mapping[str, str] | None = None) -> RemotePage:
    """What is left of a page."""
    return without(of, policy.judge(of, of.files, now, licences or {}))


def shown(policy: Policy, of: RemotePage, now: float = NOW) -> list[str]:
    return [file.version for file in applied(policy, of, now).files]


def test_without_rules_the_page_is_the_same_object() -> None:
    whole = page(remote("1.0"), remote("2.0rc1", 0, yanked="bad"))
    assert applied(rules(), whole, NOW) is whole
    assert rules().judge(whole, whole.files, NOW).key == ""


def test_a_file_is_hidden_until_it_is_old_enough_and_the_sentence_says_when() -> None:
    policy, young = rules(min_age_days=7), remote("2.0", 6)
    assert shown(policy, page(remote("1.0", 8), young)) == ["1.0"]
    hidden = policy.file("lib", young, NOW)
    assert hidden
    assert (hidden.rule, hidden.setting) == ("min_age_days", "mypi.policy.min_age_days = 7")
    assert hidden.lifts == "2026-11-27T12:00:00.000000Z"
    assert hidden.sentence == (
        "lib-2.0.tar.gz is hidden until 2026-11-27 12:00 UTC: it came on 2026-11-20, and mypi.policy.min_age_days = 7"
    )
    assert policy.file("lib", young, NOW + DAY - 1)
    assert policy.file("lib", young, NOW + DAY) is None


def test_the_key_and_the_versions_change_when_a_file_lifts() -> None:
    policy, whole = rules(min_age_days=7), page(remote("1.0", 8), remote("2.0", 6))
    before, after = applied(policy, whole, NOW), applied(policy, whole, NOW + DAY)
    assert (before.versions, after.versions) == (("1.0",), ("1.0", "2.0"))
    assert policy.judge(whole, whole.files, NOW).key
    assert policy.judge(whole, whole.files, NOW + DAY).key == ""
    assert policy.judge(whole, whole.files, NOW).until == NOW + DAY


def test_a_file_whose_age_nobody_knows_is_hidden_while_there_is_a_cooldown() -> None:
    hidden = rules(min_age_days=1).file("lib", remote(days=None), NOW)
    assert hidden
    assert hidden.lifts is None
    assert "does not say when it was uploaded" in hidden.sentence
    assert rules().file("lib", remote(days=None), NOW) is None


def test_a_time_at_the_end_of_days_is_no_error() -> None:
    far = replace(remote(), uploaded="9999-12-31T23:59:59.000000Z")
    hidden = rules(min_age_days=3650).file("lib", far, NOW)
    assert hidden
    assert hidden.lifts
    assert hidden.lifts.startswith("9999-12-31")


@pytest.mark.parametrize(
    ("deny", "allow", "found"),
    [
        ("lib<2", "", ["2.0", "3.0"]),
        ("lib<2", "lib==1.0", ["1.0", "2.0", "3.0"]),  # one version is closer than a range
        ("lib", "lib>=3", ["3.0"]),
        ("lib<3", "lib>=2", ["3.0"]),  # both are ranges: the denial decides where they meet
        ("*", "lib", ["1.0", "2.0", "3.0"]),
        ("l*", "*>=0", []),
        ("* lib==2.0", "lib", ["1.0", "3.0"]),
        ("other", "", ["1.0", "2.0", "3.0"]),
    ],
)
def test_the_closest_term_decides_and_of_equally_close_ones_the_denial(deny: str, allow: str, found: list[str]) -> None:
    whole = page(remote("1.0"), remote("2.0"), remote("3.0"))
    assert shown(rules(deny=deny, allow=allow), whole) == found


def test_an_allowed_name_keeps_the_cooldown_and_an_allowed_version_does_not() -> None:
    whole = page(remote("1.0", 9), remote("2.0", 1), remote("2.1", 1))
    assert shown(rules(deny="*", allow="lib", min_age_days=7), whole) == ["1.0"]
    assert shown(rules(deny="*", allow="lib lib==2.0", min_age_days=7), whole) == ["1.0", "2.0"]
    assert shown(rules(allow="lib>=0", min_age_days=7), whole) == ["1.0", "2.0", "2.1"]


def test_an_allowed_version_is_shown_whatever_it_is() -> None:
    given = {"prereleases": "hide", "yanked": "hide", "licenses_denied": ("GPL-*",), "min_age_days": 7}
    odd = remote("1.0rc1", 0, yanked="")
    assert rules(**given).file("lib", odd, NOW, "GPL-3.0-only")
    policy = rules(**given, allow="lib==1.0rc1")
    assert policy.file("lib", odd, NOW, "GPL-3.0-only") is None
    assert policy.release("lib", "1.0rc1") is None
    assert str(policy.exempt("lib", "1.0rc1")) == "lib==1.0rc1"


def test_yanked_files_and_pre_releases_are_hidden_if_the_settings_say_so() -> None:
    whole = page(remote("1.0", yanked="broken"), remote("1.1", yanked=""), remote("2.0.dev1"), remote("2.0"))
    assert shown(rules(yanked="hide"), whole) == ["2.0.dev1", "2.0"]
    assert shown(rules(prereleases="hide"), whole) == ["1.0", "1.1", "2.0"]
    hidden = rules(yanked="hide").file("lib", whole.files[0], NOW)
    assert hidden
    assert "yanked (broken), by mypi.policy.yanked = hide" in hidden.sentence


def test_a_version_without_files_is_hidden_by_the_rules_about_versions_only() -> None:
    whole = page(remote("1.0", 1), versions=("0.9", "2.0rc1"))
    assert applied(rules(min_age_days=7), whole, NOW).versions == ("0.9", "2.0rc1")
    assert applied(rules(prereleases="hide"), whole, NOW).versions == ("1.0", "0.9")
    assert applied(rules(deny="lib<1"), whole, NOW).versions == ("1.0", "2.0rc1")


def test_a_version_stays_while_one_of_its_files_does() -> None:
    early = replace(remote("1.0", 100), filename="lib-1.0-py3-none-any.whl")
    assert applied(rules(min_age_days=7), page(early, remote("1.0", 1)), NOW).versions == ("1.0",)


@pytest.mark.parametrize(
    ("deny", "allow", "name", "whole"),
    [
        ("evil", "", "evil", True),
        ("evil", "", "lib", False),
        ("evil<2", "", "evil", False),  # what comes later may be shown
        ("*", "lib", "lib", False),
        ("*", "lib", "evil", True),
        ("*", "lib==1.0", "lib", False),
        ("evil", "ev*>=0", "evil", True),
    ],
)
def test_a_name_is_denied_whole_if_no_version_of_it_can_be_shown(deny: str, allow: str, name: str, whole: bool) -> None:
    policy = rules(deny=deny, allow=allow)
    hidden = policy.whole(name)
    assert bool(hidden) is whole
    if hidden:
        assert hidden.sentence == f"{name} is hidden: it is denied by {hidden.setting}"
        assert shown(policy, page(remote("1.0"), remote("9!9"), name=name)) == []


VERSIONS = st.sampled_from(["0.1", "1.0", "1.0.0", "1.1rc1", "2.0.dev3", "2.0", "3!1"])
FILES = st.builds(
    remote,
    VERSIONS,
    st.one_of(st.none(), st.floats(-20, 4000)),
    yanked=st.sampled_from([None, "", "broken"]),
)
TERMS = st.sampled_from(["lib", "l*", "*", "lib<2", "lib==1.0", "lib>=1", "other", "lib*>=0", "?ib", "lib!=1.0"])
POLICIES = st.builds(
    rules,
    deny=st.lists(TERMS, max_size=3).map(" ".join),
    allow=st.lists(TERMS, max_size=3).map(" ".join),
    min_age_days=st.integers(0, 3650),
    yanked=st.sampled_from(["keep", "hide"]),
    prereleases=st.sampled_from(["keep", "hide"]),
    licenses_denied=st.sampled_from([(), ("GPL-*",)]),
)
PAGES = st.builds(
    lambda files, versions: page(*{file.filename: file for file in files}.values(), versions=tuple(versions)),
    st.lists(FILES, max_size=8),
    st.lists(VERSIONS, max_size=3),
)
KNOWN = st.dictionaries(VERSIONS, st.sampled_from(["MIT", "GPL-3.0-only", "MIT OR GPL-3.0-only"]), max_size=3)


@settings(deadline=None)
@given(POLICIES, PAGES, KNOWN)
def test_what_is_hidden_and_what_is_shown_is_all_there_is(policy: Policy, whole: RemotePage, known: dict) -> None:
    verdict = policy.judge(whole, whole.files, NOW, known)
    left = applied(policy, whole, NOW, known)
    names = [file.filename for file in left.files]
    assert verdict.files.isdisjoint(names)
    assert verdict.files.union(names) == {file.filename for file in whole.files}
    assert verdict.versions.isdisjoint(left.versions)
    assert verdict.versions.union(left.versions) == set(whole.versions)
    # In its order, unchanged, with the version of every file (A5.4), and each hidden file with its reason.
    assert list(left.files) == [file for file in whole.files if file.filename not in verdict.files]
    assert {file.version for file in left.files} <= set(left.versions)
    for file in whole.files:
        why = policy.file("lib", file, NOW, known.get(file.version, ""))
        assert bool(why) is (file.filename in verdict.files)
        assert why is None or (why.sentence and why.setting.startswith("mypi.policy.") and len(why.sentence) < 250)


@settings(deadline=None)
@given(POLICIES, PAGES, KNOWN, st.floats(0, 5000), st.floats(0, 5000))
def test_time_only_ever_shows_more_and_the_key_tells(
    policy: Policy, whole: RemotePage, known: dict, one: float, other: float
) -> None:
    early, late = sorted((NOW + one * DAY, NOW + other * DAY))
    before = policy.judge(whole, whole.files, early, known)
    after = policy.judge(whole, whole.files, late, known)
    assert after.files <= before.files
    assert after.versions <= before.versions
    if before.until is None or late < before.until:
        assert (after.files, after.versions) == (before.files, before.versions)
    assert (before.key == after.key) is ((before.files, before.versions) == (after.files, after.versions))


@settings(deadline=None)
@given(POLICIES, PAGES)
def test_a_name_that_is_denied_whole_has_nothing_to_show_at_any_time(policy: Policy, whole: RemotePage) -> None:
    if policy.whole("lib"):
        assert applied(policy, whole, NOW + 10_000 * DAY) == replace(whole, files=(), versions=())


def test_nothing_hidden_leaves_the_object_as_it_is() -> None:
    whole = page(remote())
    assert without(whole, Verdict()) is whole


@pytest.mark.parametrize(
    ("expression", "denied"),
    [
        ("MIT", None),
        ("GPL-3.0-only", "GPL-3.0-only"),
        ("MIT OR GPL-3.0-only", None),
        ("AGPL-3.0-only OR GPL-3.0-only", "AGPL-3.0-only"),
        ("MIT AND (GPL-2.0-only OR GPL-3.0-only)", "GPL-2.0-only"),
        ("MIT AND (BSD-3-Clause OR GPL-3.0-only)", None),
        ("GPL-2.0-only WITH Classpath-exception-2.0", "GPL-2.0-only"),
        ("MIT OR BSD-3-Clause AND GPL-3.0-only", None),
    ],
)
def test_a_licence_is_denied_if_nobody_can_choose_to_do_without(expression: str, denied: str | None) -> None:
    assert spdx.denied(expression, licences("GPL-* AGPL-3.0-only")) == denied


@pytest.mark.parametrize(
    ("head", "expression"),
    [
        ("License-Expression: mit or gpl-3.0-only", "MIT OR GPL-3.0-only"),
        ("License: GPL-3.0", "GPL-3.0"),
        ("License: do what you want", ""),
        ("Classifier: License :: OSI Approved :: MIT License", "MIT"),
        (
            "Classifier: License :: OSI Approved :: GNU General Public License v3 (GPLv3)\n"
            "Classifier: License :: OSI Approved :: BSD License",
            "GPL-3.0-only OR LicenseRef-other",
        ),
        ("Classifier: License :: Other/Proprietary License", ""),
    ],
)
def test_a_licence_is_read_from_what_metadata_of_every_age_says(head: str, expression: str) -> None:
    data = f"Metadata-Version: 2.4\nName: lib\nVersion: 1.0\n{head}\n\n".encode()
    assert spdx.said(read_metadata(data)) == expression

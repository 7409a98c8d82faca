"""The rules of the .ini: whom they name, which of them decides, and which contradict each other."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from mypi.options import SettingError
from mypi.rights import (
    NOBODY,
    PERMISSIONS,
    Rights,
    matches,
    pattern,
    principals,
    principals_or_nothing,
    read_patterns,
    readers,
)
from mypi.settings import Settings

NAMES = st.from_regex(r"\A[A-Za-z0-9](?:[A-Za-z0-9._-]{0,12}[A-Za-z0-9])?\Z")
PEOPLE = st.sampled_from(["everyone", "users", "user:alice", "user:bob", "group:acme", "nobody"])


def rights(read="everyone", upload="users", manage="owners", **patterns) -> Rights:
    """Make rules: ``upload={"acme-*": "group:acme"}`` among the patterns is written ``upload_of``."""
    index = {"read": principals(read), "upload": principals(upload), "manage": principals(manage)}
    of = {
        key.removesuffix("_of"): {name: principals(who) for name, who in each.items()} for key, each in patterns.items()
    }
    return Rights(index, of)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("everyone", ("everyone",)),
        ("user:alice, user:bob", ("user:alice", "user:bob")),
        ("user:alice group:build owners", ("user:alice", "group:build", "owners")),
        ("users", ("users",)),
        ("nobody", ("nobody",)),
    ],
)
def test_who_may_do_something(value, expected):
    assert principals(value) == expected


@pytest.mark.parametrize("value", ["", " ", "alice", "user:", "group:", "user::x", "Everyone", "owner", "users: x"])
def test_who_is_nobody_known_is_refused_with_what_can_be_written(value):
    with pytest.raises(ValueError, match="write everyone, users, owners, user:NAME, group:NAME or nobody"):
        principals(value)


@pytest.mark.parametrize("value", ["nobody users", "users everyone", "everyone nobody", "user:alice nobody"])
def test_nobody_and_everyone_stand_alone(value):
    with pytest.raises(ValueError, match="alone, or leave it out"):
        principals(value)


def test_owners_see_no_numbers_of_the_index():
    assert principals_or_nothing("user:prometheus") == ("user:prometheus",)
    with pytest.raises(ValueError, match="owners are those of a project"):
        principals_or_nothing("users owners")


def test_owners_are_no_readers():
    assert readers("users") == ("users",)
    with pytest.raises(ValueError, match="who may read is named as users"):
        readers("users owners")


@pytest.mark.parametrize(
    ("written", "expected"),
    [("Acme_*", "acme-*"), ("acme.LIB", "acme-lib"), ("*", "*"), ("*-internal", "*-internal"), ("a?c", "a?c")],
)
def test_a_pattern_is_kept_in_its_canonical_spelling(written, expected):
    assert pattern(written) == expected


@pytest.mark.parametrize("written", ["", "acme/*", "acme *", "[a-z]*", "-acme", "acme-", "*_", "ac\u00e9", "a\n", "!x"])
def test_what_no_project_could_be_called_is_no_pattern(written):
    with pytest.raises(ValueError, match="is no pattern of project names"):
        pattern(written)


@settings(deadline=None)
@given(NAMES)
def test_every_spelling_of_a_project_is_a_pattern_of_that_project(name):
    project = canonicalize_name(name)
    assert matches((pattern(name),), project)
    assert matches((pattern(name) + "*",), f"{project}-more")
    assert not matches((), project)


def test_of_several_patterns_the_longest_decides_alone_and_of_equally_long_ones_the_first():
    rules = rights(
        upload="users",
        upload_of={"acme-*": "group:acme", "acme-lib*": "user:alice", "acme-???*": "user:bob", "*-lib": "nobody"},
    )
    assert rules.on("upload", "other") == ("users",)
    assert rules.on("upload", "acme-x") == ("group:acme",)
    assert rules.on("upload", "acme-library") == ("user:alice",)
    assert rules.on("upload", "acme-lib") == ("user:alice",)
    assert rules.on("upload", "x-lib") == ("nobody",)
    assert rules.on("read", "acme-lib") == ("everyone",)


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from(["a*", "ab*", "*b", "abc", "?bc", "*"]), PEOPLE, max_size=5),
    st.text("abc", min_size=1, max_size=4),
)
def test_who_may_on_a_project_is_of_the_longest_match_or_of_the_index(patterns, project):
    rules = rights(upload="owners", upload_of=patterns)
    found = [each for each in patterns if fnmatchcase(project, each)]
    longest = max(map(len, found), default=0)
    expected = next((patterns[each] for each in found if len(each) == longest), "owners")
    assert rules.on("upload", project) == (expected,)
    assert set(rules.on("upload", project)) <= set(rules.somewhere("upload")) <= rules.named


def test_somewhere_names_each_once():
    rules = rights(upload="users group:acme", upload_of={"acme-*": "group:acme user:alice"})
    assert rules.somewhere("upload") == ("users", "group:acme", "user:alice")
    assert rules.somewhere("read") == ("everyone",)
    assert rules.named == {"everyone", "users", "group:acme", "user:alice", "owners"}


def test_listings_differ_only_where_readers_do():
    assert not rights().uneven
    assert not rights(read="users", read_of={"acme-*": "users"}).uneven
    assert not rights(upload_of={"acme-*": "nobody"}).uneven
    assert rights(read_of={"acme-*": "users"}).uneven


@pytest.mark.parametrize(
    "rules",
    [
        rights(),
        rights(read="users", manage="users"),
        rights(read="user:alice", manage="user:bob owners group:admins"),
        rights(read="nobody"),
        rights(manage="everyone", read_of={"acme-*": "users"}, manage_of={"acme-*": "users"}),
        rights(read_of={"acme-*": "users"}, manage_of={"*-lib": "users"}),
        rights(read_of={"acme": "users"}, manage_of={"lib": "everyone"}),
    ],
)
def test_rules_that_fit_together_are_taken(rules):
    rules.check()


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (rights(read="users", manage="everyone"), "everyone may manage, but only users may read"),
        (rights(read="user:alice group:a", manage="users"), "users may manage, but only user:alice group:a may read"),
        (rights(read="nobody", manage="users owners"), "users may manage, but only nobody may read"),
        (rights(manage="everyone", read_of={"acme-*": "users"}), r"everyone may manage on acme-\*, but only users"),
        (rights(read="users", manage_of={"acme": "everyone"}), "everyone may manage on acme, but only users"),
        (
            rights(read_of={"acme-*": "user:alice"}, manage_of={"*-lib": "users"}),
            r"users may manage on acme-\*-lib, but only user:alice",
        ),
        (
            rights(read_of={"*-lib": "user:alice"}, manage_of={"acme-*?": "users"}),
            r"users may manage on acme-\*\?-lib, but only user:alice",
        ),
    ],
)
def test_who_manages_without_seeing_is_refused(rules, says):
    with pytest.raises(SettingError, match=says):
        rules.check()


def test_patterns_are_read_from_the_keys_of_the_file():
    found = read_patterns(
        {
            "mypi.upload.acme-*": "group:acme",
            "mypi.upload.Other_Lib": "nobody",
            "mypi.read.acme-*": "users",
            "mypi.upload": "users",
            "mypi.storage.path": "x",
            "other.read.acme": "junk",
            "read.acme": "junk",
        }
    )
    assert found == {
        "upload": {"acme-*": ("group:acme",), "other-lib": (NOBODY,)},
        "read": {"acme-*": ("users",)},
    }
    assert set(found) <= set(PERMISSIONS)


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("mypi.upload.acme-*", "alice", r"mypi\.upload\.acme-\* = alice: alice is nobody known"),
        ("mypi.read.acme-*", "owners", r"mypi\.read\.acme-\* = owners: owners may publish"),
        ("mypi.manage.", "users", r"mypi\.manage\. = users: '' is no pattern"),
        ("mypi.manage.a b", "users", "is no pattern"),
    ],
)
def test_a_wrong_rule_is_refused_with_its_key(key, value, says):
    with pytest.raises(SettingError, match=says):
        read_patterns({key: value})


def test_two_spellings_of_one_pattern_are_refused():
    with pytest.raises(SettingError, match=r"mypi\.upload\.acme_\* says again who may upload acme-\*"):
        read_patterns({"mypi.upload.acme-*": "users", "mypi.upload.acme_*": "nobody"})


def test_a_configuration_that_contradicts_itself_is_refused_at_the_start():
    given = {"mypi.storage": "memory", "mypi.manage": "everyone", "mypi.read.acme-*": "group:acme"}
    with pytest.raises(SettingError, match="whoever manages must see"):
        Settings.load(given, {})

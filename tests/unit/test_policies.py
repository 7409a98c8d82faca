"""The settings of the policy: what the words mean, which of two terms is closer, and what is refused at a start."""

from __future__ import annotations

import pytest
from packaging.version import Version

from mypi.options import SettingError
from mypi.policies import Policies, read, terms
from mypi.settings import Settings


def load(**given: str) -> Policies:
    return read({f"mypi.policy.{name}": value for name, value in given.items()}, {})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("evil", ["evil"]),
        ("evil\nRequests<2", ["evil", "requests<2"]),
        ("a , b,c", ["a", "b", "c"]),
        ("requests >= 2 , < 3, flask==2.0", ["requests<3,>=2", "flask==2.0"]),
        ("acme-* *-internal *", ["acme-*", "*-internal", "*"]),
        ("a===1.0-1 b~=1.4 c!=2", ["a===1.0-1", "b~=1.4", "c!=2"]),
        ("a<2 b", ["a<2", "b"]),
    ],
)
def test_terms_are_names_patterns_and_requirements_one_per_word_or_line(text: str, found: list[str]) -> None:
    assert [str(term) for term in terms(text)] == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("requests[socks]", "requests[socks] is no name"),
        ("a; python_version<'3'", "a; is no name"),
        ("fine a @ https://example.com/", "@ is no name"),
        ("a>=", "a>= is no name"),
        ("<2", "<2 is no name"),
        ("a==x.y.z", "a==x.y.z has versions that cannot be read"),
        ("-a-", "is no pattern of project names"),
    ],
)
def test_a_term_that_is_none_is_refused_with_an_example(text: str, says: str) -> None:
    with pytest.raises(SettingError, match=r"mypi\.policy\.deny") as refused:
        load(deny=text)
    assert says in str(refused.value)


def test_a_name_is_closer_than_a_pattern_and_versions_are_closer_than_none() -> None:
    ordered = ["*", "*==1.0", "a*", "acme-*", "acme-*<2", "acme-lib", "acme-lib<2", "acme-lib==1.0"]
    ranks = [terms(text)[0].rank for text in ordered]
    assert ranks == sorted(ranks)
    assert terms("acme-lib==1.*")[0].rank == terms("acme-lib<2")[0].rank


def test_a_term_covers_pre_releases_like_any_version() -> None:
    (term,) = terms("acme-lib<2")
    assert term.covers("acme-lib", Version("2.0")) is False
    assert term.covers("acme-lib", Version("1.5rc1")) is True
    assert term.covers("acme-other", Version("1.0")) is False


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"deny": "requests<2", "allow": "Requests < 2.0"}, "both name requests<2.0"),
        ({"deny": "evil", "allow": "evil"}, "both name evil"),
        ({"allow": "numpy"}, "write numpy>=0"),
        ({"allow": "a*", "deny": "abc"}, "does nothing"),
        ({"allow": "numpy", "deny": "numpy<2"}, "does nothing"),
        ({"allow": "acme-*", "deny": "b*"}, "does nothing"),
        ({"deny": "*"}, "hides everything"),
        ({"deny": "evil **"}, "name in mypi.policy.allow"),
        ({"min_age_days": "-1"}, "not a whole number"),
        ({"min_age_days": "99999"}, "hides everything"),
        ({"licenses_denied": "AGLP-3.0"}, "no SPDX identifier"),
        ({"licenses_denied": "GPL/3"}, "no SPDX identifier"),
        ({"yanked": "show"}, "keep or hide"),
        ({"ours": "true"}, "no rule hides anything"),
    ],
)
def test_a_policy_that_contradicts_itself_is_refused_at_start_up(given: dict[str, str], says: str) -> None:
    with pytest.raises(SettingError, match=r"mypi\.policy\.") as refused:
        load(**given)
    assert says.lower() in str(refused.value).lower()


@pytest.mark.parametrize(
    "given",
    [
        {"deny": "*", "allow": "numpy acme-*"},
        {"deny": "acme-*", "allow": "acme-?ib"},
        {"deny": "*-internal", "allow": "some-long-name-*"},
        {"allow": "numpy>=0", "min_age_days": "7"},
        {"licenses_denied": "agpl-3.0-only GPL-*", "ours": "true"},
    ],
)
def test_what_makes_sense_is_taken(given: dict[str, str]) -> None:
    assert load(**given).hides


def test_without_rules_nothing_is_hidden() -> None:
    assert not load().hides
    assert load(yanked="hide").hides
    assert load(prereleases="hide").hides


def test_a_key_that_nobody_reads_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(SettingError, match=r"did you mean mypi\.policy\.min_age_days"):
        Settings.load({"mypi.storage": "memory", "mypi.policy.min_age": "7"}, {})


def test_the_environment_wins_over_the_file() -> None:
    assert read({"mypi.policy.min_age_days": "7"}, {"MYPI_POLICY_MIN_AGE_DAYS": "0"}) == Policies()

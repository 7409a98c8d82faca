"""Trusted publishers: how the lines of ``mypi.publishers`` are read, and whose claims they fit."""

from __future__ import annotations

import importlib.util

import pytest

from mypi.options import SettingError
from mypi.publishers import Publisher, publishers
from mypi.settings import Settings
from tests.issuers import GITHUB, gitlab

GITLAB = gitlab("https://gitlab.com")


def one(line: str) -> Publisher:
    [found] = publishers(line)
    return found


def load(**given: str) -> Settings:
    return Settings.load({"mypi.storage": "memory"} | {f"mypi.{name}": value for name, value in given.items()}, {})


@pytest.mark.parametrize(
    ("line", "kind", "read"),
    [
        ("Acme_* github acme/lib release.yml", "github",
         "acme-* https://token.actions.githubusercontent.com acme/lib release.yml"),
        ("a github acme/lib release.yaml production ref_type=tag", "github",
         "a https://token.actions.githubusercontent.com acme/lib release.yaml production ref_type=tag"),
        ("a https://token.actions.acme.ghe.com acme/lib release.yml", "github",
         "a https://token.actions.acme.ghe.com acme/lib release.yml"),
        ("a https://ghe.example.com/_services/token acme/lib release.yml", "github",
         "a https://ghe.example.com/_services/token acme/lib release.yml"),
        ("a gitlab acme/tools/lib .gitlab-ci.yml", "gitlab", "a https://gitlab.com acme/tools/lib .gitlab-ci.yml"),
        ("a https://gitlab.example.com acme/lib ci/release.yml", "gitlab",
         "a https://gitlab.example.com acme/lib ci/release.yml"),
        ("a https://id.example.com/ sub=job:a=b", "", "a https://id.example.com/ sub=job:a=b"),
        ('a github acme/lib release.yml "to the index"', "github",
         "a https://token.actions.githubusercontent.com acme/lib release.yml to the index"),
    ],
)  # fmt: skip
def test_lines_are_read(line: str, kind: str, read: str) -> None:
    assert (one(line).kind, str(one(line))) == (kind, read)


def test_lines_stand_below_each_other_or_between_semicolons() -> None:
    found = publishers(
        "\n  a-* github acme/lib release.yml\n\n b gitlab acme/b .gitlab-ci.yml; c https://i.example sub=x"
    )
    assert [each.pattern for each in found] == ["a-*", "b", "c"]
    assert publishers("") == ()


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("acme", "names no publisher; write a project or pattern and github OWNER/REPOSITORY"),
        ("a github", "names no publisher"),
        ("a! github acme/lib release.yml", "is no pattern of project names"),
        ("a githb acme/lib release.yml", "githb is no issuer; write github, gitlab, or the address"),
        ("a http://id.example.com sub=x", "is asked over http"),
        ("a https:///x sub=x", "is no issuer"),
        ("a https://user@id.example.com sub=x", "is no issuer"),
        ("a https://id.example.com?x=1 sub=x", "is no issuer"),
        ("a github ref=refs/heads/main", "names no repository"),
        ("a github acme/lib", "has 1 name; write a repository, a file"),
        ("a github acme/lib release.yml one two", "has 4 names"),
        ("a github acme release.yml", "acme is no repository; write its path, such as acme/lib"),
        ("a github acme/sub/lib release.yml", "is no repository"),
        ("a gitlab acme .gitlab-ci.yml", "is no repository"),
        ("a github acme/lib release", "is no file that says how to build; write its name, such as release.yml"),
        ("a github acme/lib .github/workflows/release.yml", "which stands in .github/workflows"),
        ("a gitlab acme/lib .gitlab-ci.yml@other/project", "such as .gitlab-ci.yml"),
        ("a https://id.example.com sub=", "sub= is no claim; write NAME=VALUE"),
        ("a https://id.example.com =x", "is no claim"),
        ("a https://id.example.com aud=x", "says nothing of who builds"),
        ("a https://id.example.com sub=x sub=y", "says a second time what sub must be"),
        ("a github acme/lib release.yml repository=acme/lib", "says a second time what repository must be"),
        ("a https://id.example.com sub=repo:*", "claims are compared whole"),
        ("a https://id.example.com sub=x\na https://id.example.com sub=x", "stands there twice"),
        ('a https://id.example.com "sub=x', "No closing quotation"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_remedy(line: str, says: str) -> None:
    with pytest.raises(ValueError) as refused:
        publishers(line)
    assert says in str(refused.value)
    with pytest.raises(SettingError, match=r"mypi\.publishers = "):
        load(publishers=line, audience="here")


RELEASE = one("acme-* github Acme/Lib release.yml")


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"repository": "ACME/lib", "repository_owner": "ACME"},
        {"job_workflow_ref": "Acme/LIB/.github/workflows/release.yml@refs/tags/v1.0"},
        {"job_workflow_ref": f"acme/lib/.github/workflows/release.yml@{GITHUB['sha']}"},
        {"environment": "any"},
    ],
)
def test_a_workflow_of_github_is_known_by_repository_and_file(changed: dict[str, str]) -> None:
    assert RELEASE.refuses(GITHUB | changed) is None


@pytest.mark.parametrize(
    ("changed", "claim"),
    [
        ({"repository": "acme/lib-fork"}, "repository"),
        ({"repository": "evil/lib", "repository_owner": "evil"}, "repository"),
        ({"repository": ["acme/lib"]}, "repository"),
        ({"repository_owner": "evil"}, "repository_owner"),
        ({"repository_owner": None}, "repository_owner"),
        ({"job_workflow_ref": "acme/lib/.github/workflows/Release.yml@refs/tags/v1.0"}, "job_workflow_ref"),
        ({"job_workflow_ref": "acme/lib/.github/workflows/x/release.yml@refs/tags/v1.0"}, "job_workflow_ref"),
        # Called from another repository, or at another revision of this one.
        ({"job_workflow_ref": "acme/all/.github/workflows/release.yml@refs/tags/v1.0"}, "job_workflow_ref"),
        ({"job_workflow_ref": "acme/lib/.github/workflows/release.yml@refs/heads/mine"}, "job_workflow_ref"),
        ({"job_workflow_ref": "acme/lib/.github/workflows/release.yml@", "ref": ""}, "job_workflow_ref"),
        ({"job_workflow_ref": None}, "job_workflow_ref"),
        ({"event_name": "pull_request_target"}, "event_name"),
        ({"event_name": "pull_request"}, "event_name"),
    ],
)
def test_every_other_build_of_github_is_refused(changed: dict[str, object], claim: str) -> None:
    assert RELEASE.refuses(GITHUB | changed) == claim


def test_an_environment_of_github_is_asked_for_if_one_is_named() -> None:
    named = one("a github acme/lib release.yml Production")
    assert named.refuses(GITHUB | {"environment": "production"}) is None
    assert named.refuses(GITHUB | {"environment": "staging"}) == "environment"
    assert named.refuses(GITHUB) == "environment"


def test_a_pipeline_of_gitlab_is_known_by_project_and_file() -> None:
    named = one("a gitlab Acme/tools/lib .gitlab-ci.yml")
    assert named.refuses(GITLAB) is None
    by_commit = {"ci_config_ref_uri": f"gitlab.com/acme/tools/lib//.gitlab-ci.yml@{GITLAB['sha']}"}
    assert named.refuses(GITLAB | by_commit) is None


@pytest.mark.parametrize(
    ("changed", "claim"),
    [
        ({"project_path": "acme/tools"}, "project_path"),
        ({"ci_config_ref_uri": "gitlab.com/acme/tools/lib//other.yml@refs/tags/v1.0"}, "ci_config_ref_uri"),
        ({"ci_config_ref_uri": "gitlab.com/evil/lib//.gitlab-ci.yml@refs/tags/v1.0"}, "ci_config_ref_uri"),
        ({"ci_config_ref_uri": "gitlab.com/acme/tools/lib//.gitlab-ci.yml@refs/heads/mine"}, "ci_config_ref_uri"),
        ({"ci_config_ref_uri": "gitlab.com/acme/tools/lib//.gitlab-ci.yml"}, "ci_config_ref_uri"),
        ({"pipeline_source": "merge_request_event"}, "pipeline_source"),
        ({"environment": "staging"}, "environment"),
    ],
)
def test_every_other_pipeline_of_gitlab_is_refused(changed: dict[str, object], claim: str) -> None:
    named = one("a gitlab acme/tools/lib .gitlab-ci.yml production")
    assert named.refuses(GITLAB | {"environment": "production"}) is None
    assert named.refuses(GITLAB | {"environment": "production"} | changed) == claim


def test_a_gitlab_of_ones_own_vouches_under_its_own_name() -> None:
    named = one("a https://gitlab.example.com:8443 acme/tools/lib .gitlab-ci.yml")
    assert named.refuses(GITLAB) == "ci_config_ref_uri"
    own = "gitlab.example.com:8443/acme/tools/lib//.gitlab-ci.yml@refs/tags/v1.0"
    assert named.refuses(GITLAB | {"ci_config_ref_uri": own}) is None


def test_further_claims_must_be_just_so() -> None:
    named = one("a github acme/lib release.yml repository_owner_id=1234 ref_protected=true run_attempt=1")
    assert named.refuses(GITHUB | {"ref_protected": True, "run_attempt": 1}) is None
    assert named.refuses(GITHUB | {"ref_protected": False, "run_attempt": 1}) == "ref_protected"
    assert named.refuses(GITHUB | {"ref_protected": True, "run_attempt": "10"}) == "run_attempt"
    assert one("a https://id.example.com sub=ci").refuses({"sub": "ci"}) is None
    assert one("a https://id.example.com sub=ci").refuses({"sub": ["ci"]}) == "sub"


@pytest.mark.parametrize(
    ("line", "claims", "named"),
    [
        ("a github acme/lib release.yml", GITHUB, ("github:acme/lib", "workflow release.yml@refs/tags/v1.0")),
        ("a gitlab acme/x ci.yml", GITLAB, ("gitlab:acme/x", "pipeline ci.yml@refs/tags/v1.0")),
        ("a https://gitlab.example.com acme/x ci.yml", {}, ("gitlab.example.com:acme/x", "pipeline ci.yml@")),
        ("a https://id.example.com x=y", {"sub": "a b\r\nc"}, ("id.example.com:a?b??c", "trusted publisher")),
    ],
)
def test_the_history_names_the_build_in_one_line(line: str, claims: dict[str, str], named: tuple[str, str]) -> None:
    assert one(line).named(claims) == named


ONE = "acme-* github acme/lib release.yml"


def test_the_audience_is_the_host_unless_it_is_named() -> None:
    assert load(publishers=ONE, public_url="https://pypi.example.com/team").audience == "pypi.example.com"
    assert load(publishers=ONE, public_url="https://pypi.example.com", audience="ours").audience == "ours"


def test_threat_replay_at_another_index_an_audience_is_needed_that_no_other_has() -> None:
    with pytest.raises(
        SettingError, match=r"set mypi\.public_url, or mypi\.audience to a word that no other index has"
    ):
        load(publishers=ONE)
    with pytest.raises(SettingError, match=r"mypi\.audience = pypi: tokens for it are made for others too"):
        load(publishers=ONE, audience="pypi")


def test_what_verifies_tokens_must_be_installed_only_for_publishers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert load().publishers == ()
    with pytest.raises(SettingError, match=r"run pip install 'mypi\[oidc\]'"):
        load(publishers=ONE, audience="here")

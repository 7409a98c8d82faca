"""The policy on pages and files: theirs and ours, with the sentence that says why, as time goes by."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from mypi.backends.memory import MemoryStore
from mypi.model import Actor
from tests import builders, upstreams
from tests.functional.conftest import Index
from tests.functional.support import BROWSER, JSON, PIP, basic, path_of
from tests.repository.shorthand import submission
from tests.upstreams import Upstream

DAY = 86400.0
GPL = {"License-Expression": "GPL-3.0-only"}


def ago(days: float) -> str:
    moment = datetime.fromtimestamp(time.time() - days * DAY, timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


@pytest.fixture
def upstream(tmp_path: Path) -> Iterator[Upstream]:
    """An index with lib 1.0 of long ago, 1.1rc1, yanked 1.2, and 2.0 of yesterday."""
    with upstreams.running(tmp_path) as found:
        for version, days, yanked in (
            ("1.0", 100, False),
            ("1.1rc1", 90, False),
            ("1.2", 80, "broken"),
            ("2.0", 1, False),
        ):
            add(found, "lib", version, days, yanked=yanked)
        yield found


def add(
    upstream: Upstream, name: str, version: str, days: float | None = 100, *, fields: Any = None, **said: Any
) -> None:
    filename, content = builders.wheel(name, version, info={"METADATA": metadata(name, version, fields)})
    uploaded = None if days is None else ago(days)
    upstream.add(name, filename, content, uploaded=uploaded, metadata=metadata(name, version, fields), **said)


def metadata(name: str, version: str, fields: Any = None) -> bytes:
    lines = [f"{key}: {value}" for key, value in (fields or {}).items()]
    return "\n".join([f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}", *lines, "", ""]).encode()


@pytest.fixture
def make() -> Iterator[Callable[..., Index]]:
    """Make an index in memory; ``policy_`` settings are those below ``mypi.policy.``."""
    made: list[Index] = []

    def index(**settings: str) -> Index:
        given = {name.replace("policy_", "policy.", 1): value for name, value in settings.items()}
        made.append(Index.over(MemoryStore(), **given))
        return made[-1]

    yield index
    for each in made:
        each.repository.close()


def move(index: Index, days: float) -> None:
    """Let days go by, for the policy."""
    index.app.registry["mypi.screen"].clock = lambda: time.time() + days * DAY


def versions(index: Index, name: str = "lib") -> list[str]:
    page = index.json(name)
    assert {file["filename"].split("-")[1].removesuffix(".tar.gz") for file in page["files"]} == set(page["versions"])
    return list(page["versions"])


def file_path(upstream: Upstream, name: str, version: str) -> str:
    filename = f"{name}-{version}-py3-none-any.whl"
    digest = next(
        file["hashes"]["sha256"]
        for file in map(upstream.described, upstream.projects[name].files.values())
        if file["filename"] == filename
    )
    return f"/files/{name}/{digest[:16]}/{filename}"


# Theirs.


def test_a_page_leaves_out_what_is_too_young_and_shows_it_when_its_time_comes(upstream: Upstream, make: Any) -> None:
    index = make(**upstream.settings(), policy_min_age_days="7")
    assert versions(index) == ["1.0", "1.1rc1", "1.2"]
    assert "2.0" not in index.html("lib").text
    move(index, 7)
    assert versions(index) == ["1.0", "1.1rc1", "1.2", "2.0"]


def test_the_etag_changes_when_the_verdict_does_and_only_then(upstream: Upstream, make: Any) -> None:
    index = make(**upstream.settings(), policy_min_age_days="7")
    first = index.get("/simple/lib/", headers={"Accept": PIP})
    known = {"Accept": PIP, "If-None-Match": first.headers["ETag"]}
    move(index, 5)
    index.get("/simple/lib/", headers=known, status=304)
    move(index, 7)
    second = index.get("/simple/lib/", headers=known, status=200)
    assert second.headers["ETag"] != first.headers["ETag"]
    assert upstream.count("/simple/lib/") == 1


def test_a_clock_that_is_set_back_hides_again(upstream: Upstream, make: Any) -> None:
    index = make(**upstream.settings(), policy_min_age_days="7")
    move(index, 7)
    assert "2.0" in versions(index)
    move(index, 0)
    assert "2.0" not in versions(index)


def test_every_rule_hides_its_own_and_leaves_the_rest(upstream: Upstream, make: Any) -> None:
    for settings, left in (
        ({"policy_yanked": "hide"}, ["1.0", "1.1rc1", "2.0"]),
        ({"policy_prereleases": "hide"}, ["1.0", "1.2", "2.0"]),
        ({"policy_deny": "lib<1.2"}, ["1.2", "2.0"]),
        ({"policy_deny": "* lib==1.2", "policy_allow": "lib"}, ["1.0", "1.1rc1", "2.0"]),
        ({"policy_min_age_days": "3650"}, []),
        ({"policy_min_age_days": "3650", "policy_allow": "lib==2.0"}, ["2.0"]),
    ):
        assert versions(make(**upstream.settings(), **settings)) == left, settings


def test_a_file_that_is_hidden_is_403_with_the_sentence_in_reason_and_body(upstream: Upstream, make: Any) -> None:
    """403 for the file and for its metadata: pip and uv print the reason phrase, and look nowhere else (A1.4)."""
    index = make(**upstream.settings(), policy_min_age_days="7")
    path = file_path(upstream, "lib", "2.0")
    for asked in (path, f"{path}.metadata"):
        answer = index.get(asked, status=403)
        assert "lib-2.0-py3-none-any.whl is hidden until " in answer.text
        assert "mypi.policy.min_age_days = 7. See http://localhost/+why/lib" in answer.text
        assert answer.text.strip() == answer.status.partition(" ")[2]
        assert answer.headers["Cache-Control"] == "no-store"
    index.get(file_path(upstream, "lib", "1.0"))
    index.get(path.replace("lib/", "lib/0", 1), status=404)
    move(index, 7)
    index.get(path)
    index.get(f"{path}.metadata")


def test_a_name_that_is_denied_whole_is_403_everywhere_and_no_index_is_asked(upstream: Upstream, make: Any) -> None:
    """Not 404, at which uv goes on to another index, where that name may be somebody else's (E)."""
    index = make(**upstream.settings(), policy_deny="li*")
    for path in ("/simple/lib/", "/lib/", file_path(upstream, "lib", "1.0"), "/project/lib/", "/pypi/lib/json"):
        answer = index.get(path, headers={"Accept": PIP}, status=403)
        assert "lib is hidden: it is denied by mypi.policy.deny = li*. See " in answer.text
    assert upstream.requests == []


def test_an_unknown_name_is_404_still_whatever_the_rules(upstream: Upstream, make: Any) -> None:
    index = make(**upstream.settings(), policy_min_age_days="7")
    index.get("/simple/nobody/", status=404)


def test_a_file_without_a_time_is_hidden_by_a_cooldown(upstream: Upstream, make: Any) -> None:
    add(upstream, "old", "1.0", None)
    assert versions(make(**upstream.settings(), policy_min_age_days="1"), "old") == []
    assert versions(make(**upstream.settings(), policy_min_age_days="1", policy_allow="old>=0"), "old") == ["1.0"]


def test_a_licence_is_denied_when_a_file_is_asked_for_and_on_the_page_from_then_on(
    upstream: Upstream, make: Any
) -> None:
    add(upstream, "copyleft", "1.0", fields={"License-Expression": "MIT"})
    add(upstream, "copyleft", "2.0", fields=GPL)
    upstream.add("copyleft", *builders.sdist("copyleft", "2.0"))
    index = make(**upstream.settings(), policy_licenses_denied="GPL-*")
    assert versions(index, "copyleft") == ["1.0", "2.0"]  # nobody knows yet: nothing is downloaded to tell
    answer = index.get(file_path(upstream, "copyleft", "2.0"), status=403)
    assert "its licence is GPL-3.0-only, by mypi.policy.licenses_denied = GPL-*" in answer.text
    assert versions(index, "copyleft") == ["1.0"]  # with the sdist, which is of the same release
    index.get(f"{file_path(upstream, 'copyleft', '2.0')}.metadata", status=403)
    index.get(file_path(upstream, "copyleft", "1.0"))
    upstream.add("unsaid", *builders.sdist("unsaid", "1.0"))
    index.get(index.url("unsaid", "unsaid-1.0.tar.gz"))  # an sdist has no metadata to ask for
    assert [file["version"] for file in why(index, "copyleft")["hidden"]] == ["2.0"]


def test_a_wheel_whose_metadata_nobody_can_read_has_no_licence_and_is_served(upstream: Upstream, make: Any) -> None:
    upstream.add("odd", "odd-1.0-py3-none-any.whl", b"no zip")
    index = make(**upstream.settings(), policy_licenses_denied="GPL-*")
    assert index.get(file_path(upstream, "odd", "1.0")).body == b"no zip"


def test_a_licence_is_known_after_a_restart_from_the_metadata_that_is_kept(upstream: Upstream, make: Any) -> None:
    add(upstream, "copyleft", "2.0", fields=GPL)
    store = MemoryStore()
    settings = {**upstream.settings(), "policy.licenses_denied": "GPL-*"}
    index = Index.over(store, **settings)
    index.get(file_path(upstream, "copyleft", "2.0"), status=403)
    again = Index.over(store, **settings)
    assert again.json("copyleft")["files"] == []
    for key in [entry.key for entry in store.list("upstream-files/")]:
        store.delete(key)  # whoever has no licence has no reason to hide, and no error
    last = Index.over(store, **settings)
    assert len(last.json("copyleft")["files"]) == 1
    for each in (index, again, last):
        each.repository.close()


def test_bytes_in_the_store_that_are_not_the_metadata_say_no_licence(upstream: Upstream, make: Any) -> None:
    add(upstream, "copyleft", "2.0", fields=GPL)
    store = MemoryStore()
    settings = {**upstream.settings(), "policy.licenses_denied": "GPL-*"}
    index = Index.over(store, **settings)
    index.get(file_path(upstream, "copyleft", "2.0"), status=403)
    for key in [entry.key for entry in store.list("upstream-files/")]:
        store.delete(key)
        store.add(key, io.BytesIO(b"something else"), 14)
    again = Index.over(store, **settings)
    assert len(again.json("copyleft")["files"]) == 1
    index.repository.close()
    again.repository.close()


# Why.


def why(index: Index, what: str, **more: Any) -> Any:
    return index.get(f"/+why/{what}", headers={"Accept": "application/json"}, **more).json


def test_why_says_whose_a_name_is_which_rule_hides_what_who_set_it_and_when_it_lifts(
    upstream: Upstream, make: Any
) -> None:
    index = make(**upstream.settings(), policy_min_age_days="7", policy_prereleases="hide")
    found = why(index, "lib")
    assert (found["name"], found["version"], found["whose"], found["upstream"]) == ("lib", None, "theirs", "pypi")
    assert found["sentences"] == ["lib is not ours: it comes from pypi, of mypi.upstream"]
    assert [(each["version"], each["rule"]) for each in found["hidden"]] == [
        ("2.0", "min_age_days"),
        ("1.1rc1", "prereleases"),
    ]
    first = found["hidden"][0]
    assert first["setting"] == "mypi.policy.min_age_days = 7"
    assert first["files"] == ["lib-2.0-py3-none-any.whl"]
    assert first["lifts"][:10] == ago(-6)[:10]
    assert first["sentence"] in index.get(file_path(upstream, "lib", "2.0"), status=403).text
    assert found["shown"] == 2
    assert upstream.count("/simple/lib/") == 1  # the page that is kept did for all


def test_why_of_one_version(upstream: Upstream, make: Any) -> None:
    index = make(**upstream.settings(), policy_min_age_days="7", policy_allow="lib==2.0")
    assert why(index, "lib==2")["sentences"][1:] == [
        "No rule hides lib 2",
        "It is shown whatever the rules say, by mypi.policy.allow = lib==2.0",
    ]
    assert "There is no lib 7 at pypi" in why(index, "lib==7")["sentences"]
    assert why(index, "lib")["sentences"][1:] == [
        "No rule hides anything of it",
        "Shown whatever the rules say, by mypi.policy.allow: lib==2.0",
    ]


def test_why_of_a_version_without_files(upstream: Upstream, make: Any) -> None:
    add(upstream, "bare", "1.0")
    upstream.projects["bare"].status, upstream.projects["bare"].reason = "archived", "done"
    page = json.loads(upstream.page("bare", JSON)[1]) | {"versions": ["1.0", "2.0rc1"]}
    upstream.faults["/simple/bare/"] = upstreams.page(json.dumps(page).encode())
    found = why(make(**upstream.settings(), policy_prereleases="hide"), "bare")
    assert [(each["version"], each["files"]) for each in found["hidden"]] == [("2.0rc1", [])]
    assert "pypi says that it is archived: done" in found["sentences"]


def test_why_asks_no_index_about_ours_nor_about_what_is_denied_whole(upstream: Upstream, make: Any) -> None:
    """Threat 28: nothing about a name of ours is ever asked upstream."""
    index = make(**upstream.settings(), private="acme-*", policy_deny="evil")
    index.repository.publish(submission(*builders.sdist("mine", "1.0")), Actor("tester", "test"))
    upstream.requests.clear()  # a name that begins is asked about once, before it is ours
    ours, private, evil = why(index, "mine"), why(index, "acme-x"), why(index, "evil")
    assert (ours["whose"], private["whose"], evil["whose"]) == ("ours", "ours", "theirs")
    assert "it was published here" in ours["sentences"][0]
    assert ours["sentences"][1] == "The rules of mypi.policy are not for our own projects (mypi.policy.ours = false)"
    assert private["sentences"][0] == "acme-x is ours, by mypi.private = acme-*, and no other index is asked about it"
    assert evil["hidden"][0]["setting"] == "mypi.policy.deny = evil"
    assert upstream.requests == []


def test_why_of_what_nobody_has_and_of_an_index_that_is_away(upstream: Upstream, make: Any) -> None:
    index = make(**upstream.settings())
    assert why(index, "nobody")["whose"] == "nobody's"
    upstream.faults["*"] = upstreams.status(500)
    found = why(index, "other")
    assert (found["whose"], found["sentences"][0]) == ("theirs", "other is not ours")
    assert "500" in found["sentences"][1]
    assert why(make(), "other")["sentences"] == ["There is no project other here", "No other index has it for us"]


def test_why_has_one_address_and_is_404_for_what_is_no_name(make: Any) -> None:
    index = make()
    moved = index.get("/+why/Acme_Lib==1.0.0-rc1", status=301)
    assert moved.headers["Location"] == "acme-lib==1.0.0rc1"
    for wrong in ("/+why/-x-", "/+why/lib==x.y", "/+why/lib/more", "/+why/"):
        index.get(wrong, status=404)


def test_the_page_for_people_says_the_same(upstream: Upstream, make: Any) -> None:
    add(upstream, "lib", "3.0", 1)
    upstream.add("lib", *builders.sdist("lib", "3.0"), uploaded=ago(0.5))
    index = make(**upstream.settings(), policy_min_age_days="7")
    page = index.get("/+why/lib", headers={"Accept": BROWSER})
    assert "lib is not ours: it comes from pypi, of mypi.upstream." in page.text
    assert "lib-2.0-py3-none-any.whl is hidden until" in page.text
    assert "2 files: " in page.text
    assert "mypi.policy.allow = lib==3.0" in page.text
    assert "3 files are on offer" in page.text
    assert "No rule hides" in index.get("/+why/lib==1.0", headers={"Accept": BROWSER}).text


def test_the_404_page_of_a_project_leads_there_and_a_browser_sees_the_sentence(upstream: Upstream, make: Any) -> None:
    index = make(**upstream.settings(), policy_min_age_days="7", policy_deny="evil")
    page = index.get("/project/nobody/", headers={"Accept": BROWSER}, status=404)
    assert page.html.find("a", href="../../+why/nobody")
    denied = index.get("/simple/evil/", headers={"Accept": BROWSER}, status=403)
    assert "denied by mypi.policy.deny = evil" in denied.text
    assert index.get(denied.html.find("a", href="../../+why/evil")["href"].replace("../..", "")).status_int == 200
    index.json("lib")
    kept = index.get("/project/lib/", headers={"Accept": BROWSER})
    assert kept.html.find("a", href="../../+why/lib")
    assert "lib-2.0" not in kept.text
    assert (
        make().get("/project/nobody/", headers={"Accept": BROWSER}, status=404).html.find("a", href="../../+why/nobody")
        is None
    )


def test_why_needs_the_right_to_read_that_name(htpasswd: str, make: Any) -> None:
    index = make(**{"read": "users", "read.secret-*": "user:alice", "htpasswd": htpasswd})
    index.get("/+why/lib", status=401)
    index.get("/+why/lib", headers=basic("bob", "builder"))
    index.get("/+why/secret-lib", headers=basic("bob", "builder"), status=404)
    index.get("/+why/secret-lib", headers=basic("alice", "wonder"))


def test_a_name_that_is_denied_whole_is_no_find_of_a_search_whatever_is_kept_of_it(
    upstream: Upstream, make: Any
) -> None:
    index = make(**upstream.settings())
    index.json("lib")
    kept = index.repository.outside.get("pypi", "lib").value
    denied = make(**upstream.settings(), policy_deny="lib")
    denied.repository.outside.edit("pypi", "lib", lambda present: kept.revised(present.revision))
    for path in ("/+search?q=lib", "/"):
        assert "comes through here" not in denied.get(path, headers={"Accept": BROWSER}).text
    assert "comes through here" in index.get("/+search?q=lib", headers={"Accept": BROWSER}).text
    sentence = "lib is hidden: it is denied by mypi.policy.deny = lib"
    assert sentence in denied.get("/project/lib/", headers={"Accept": BROWSER}, status=403).text
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("deny", ["lib", "lib>=0", "*"])
def test_threat_28_a_name_of_theirs_stays_theirs_when_the_policy_hides_it(
    deny: str, upstream: Upstream, make: Any
) -> None:
    index = make(**upstream.settings(), policy_deny=deny, policy_allow="other" if deny == "*" else "")
    answer = index.publish(*builders.sdist("lib", "9.0"), status=403)
    assert "pypi has a project lib" in answer.text
    register = {":action": "submit", "name": "lib", "version": "9.0", "metadata_version": "2.1"}
    assert "pypi has a project lib" in index.post("/", register, status=403).text
    index.get("/simple/lib/", status=403 if deny != "lib>=0" else 200)


# Ours.


@pytest.fixture
def ours(make: Any) -> Callable[..., Index]:
    """An index whose rules hold for its own: lib 1.0, 1.1rc1, yanked 1.2 (registered too), and 2.0."""

    def index(**settings: str) -> Index:
        found: Index = make(policy_ours="true", **settings)
        actor = Actor("tester", "test")
        for version in ("1.0", "1.1rc1", "1.2", "2.0"):
            fields = GPL if version == "2.0" else {}
            content = builders.wheel("lib", version, info={"METADATA": metadata("lib", version, fields)})
            found.repository.publish(submission(*content), actor)
        found.repository.yank("lib", ["lib-1.2-py3-none-any.whl"], "broken", actor)
        return found

    return index


def test_our_own_are_shown_as_ever_unless_the_rules_are_for_them_too(make: Any) -> None:
    index = make(policy_min_age_days="7", policy_deny="lib")
    index.repository.publish(submission(*builders.sdist("lib", "1.0")), Actor("tester", "test"))
    assert [file["filename"] for file in index.json("lib")["files"]] == ["lib-1.0.tar.gz"]
    index.get(index.url("lib", "lib-1.0.tar.gz"))


def test_rules_for_our_own_hide_on_every_page_and_never_the_rest(ours: Any) -> None:
    open_index = ours(policy_yanked="hide")
    hidden = path_of("/simple/lib/", "../../files/lib/x/lib-1.2-py3-none-any.whl")
    assert versions(open_index) == ["1.0", "1.1rc1", "2.0"]
    for path in (hidden, "/project/lib/1.2/", "/project/lib/1.2/lib-1.2-py3-none-any.whl/", "/pypi/lib/1.2/json"):
        answer = open_index.get(path, status=403)
        assert "lib-1.2-py3-none-any.whl is hidden: it is yanked (broken), by mypi.policy.yanked = hide" in answer.text
    open_index.get("/integrity/lib/1.2/lib-1.2-py3-none-any.whl/provenance", status=403)
    for path in (
        "/project/lib/",
        "/project/lib/2.0/",
        "/pypi/lib/json",
        open_index.url("lib", "lib-2.0-py3-none-any.whl"),
    ):
        open_index.get(path)
    assert "1.2" not in open_index.get("/pypi/lib/json").json["releases"]
    open_index.get("/project/lib/9.9/", status=404)
    open_index.get("/files/lib/x/lib-9.9.tar.gz", status=404)


def test_a_denied_name_of_ours_is_403_and_the_others_are_as_they_were(ours: Any) -> None:
    index = ours(policy_deny="* lib<2", policy_allow="lib other")
    assert versions(index) == ["2.0"]
    index.repository.publish(submission(*builders.sdist("evil", "1.0")), Actor("tester", "test"))
    assert "evil is hidden: it is denied by mypi.policy.deny = *" in index.get("/simple/evil/", status=403).text
    assert "evil" in index.get("/simple/").text


def test_lists_over_all_projects_name_no_version_of_ours_that_is_hidden(ours: Any) -> None:
    index = ours(policy_deny="lib==2.0 evil user==2.0")
    actor = Actor("tester", "test")
    for name, version in (("evil", "1.0"), ("user", "1.0"), ("user", "2.0"), ("gone", "1.0")):
        made = builders.wheel(name, version, requires=["lib"])
        index.repository.publish(submission(*made), actor)
    for path in ("/", "/+feed", "/+search?q=lib", "/project/lib/"):
        page = index.get(path, headers={"Accept": BROWSER}).text
        for hidden in ("project/lib/2.0/", "project/evil/1.0/", "project/user/2.0/"):
            assert hidden not in page, path
    assert "user</a>" not in index.get("/project/lib/", headers={"Accept": BROWSER}).text
    assert "project/lib/1.2/" in index.get("/", headers={"Accept": BROWSER}).text
    results = index.get("/+search?q=lib", headers={"Accept": "application/json"}).json["results"]
    assert [(each["name"], each["version"]) for each in results] == [("lib", "1.0")]
    results = index.get("/+search?q=evil", headers={"Accept": "application/json"}).json["results"]
    assert [(each["name"], each["version"]) for each in results] == [("evil", None)]
    shown = index.get("/+search?q=evil", headers={"Accept": BROWSER}).text
    assert "no files" in shown


def test_a_release_of_ours_without_files_is_hidden_by_its_version(ours: Any) -> None:
    index = ours(policy_prereleases="hide")
    for version in ("3.0rc1", "4.0"):
        index.post("/", {":action": "submit", "name": "lib", "version": version, "metadata_version": "2.1"})
    assert index.json("lib")["versions"] == ["1.0", "1.2", "2.0", "4.0"]
    assert "lib 3.0rc1 is hidden: it is a pre-release" in index.get("/project/lib/3.0rc1/", status=403).text
    assert [each["version"] for each in why(index, "lib")["hidden"]] == ["3.0rc1", "1.1rc1"]


def test_a_change_to_our_own_is_seen_at_once_and_the_etag_follows_time(ours: Any) -> None:
    """Invariant 2: the next request sees what was published; what has to wait is seen when its time comes."""
    index = ours(policy_min_age_days="7", policy_allow="lib==1.0 lib==3.0")
    first = index.get("/simple/lib/", headers={"Accept": PIP})
    assert first.json["versions"] == ["1.0"]
    index.repository.publish(submission(*builders.wheel("lib", "3.0")), Actor("tester", "test"))
    assert versions(index) == ["1.0", "3.0"]
    move(index, 7.01)
    known = {"Accept": PIP, "If-None-Match": first.headers["ETag"]}
    assert index.get("/simple/lib/", headers=known).json["versions"] == ["1.0", "1.1rc1", "1.2", "2.0", "3.0"]


def test_licences_of_our_own_are_read_from_their_metadata(ours: Any) -> None:
    index = ours(policy_licenses_denied="GPL-*")
    assert versions(index) == ["1.0", "1.1rc1", "1.2"]
    answer = index.get("/files/lib/x/lib-2.0-py3-none-any.whl", status=403)
    assert "its licence is GPL-3.0-only" in answer.text
    found = why(index, "lib==2.0")
    assert found["hidden"][0]["rule"] == "licenses_denied"
    assert found["shown"] == 0


def test_quarantine_and_status_are_as_ever(ours: Any) -> None:
    index = ours(policy_yanked="hide")
    index.repository.set_status("lib", "quarantined", "looks bad", Actor("tester", "test"))
    page = index.json("lib")
    assert (page["files"], page["project-status"]) == ([], {"status": "quarantined", "reason": "looks bad"})
    index.get("/files/lib/x/lib-1.0-py3-none-any.whl", status=404)
    assert "It is quarantined: looks bad" in why(index, "lib")["sentences"]


def test_the_page_of_our_own_project_leads_to_why(ours: Any) -> None:
    index = ours(policy_yanked="hide")
    assert index.get("/project/lib/").html.find("a", href="../../+why/lib")

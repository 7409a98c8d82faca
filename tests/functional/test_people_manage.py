"""Managing a project: the impact first, then the change (issue 5, points 6 and 7; A7)."""

from __future__ import annotations

import re

import pytest

from mypi.model import Actor, Project
from mypi.overview import Dependent
from mypi.views.people.plans import Plan, impact
from tests.builders import wheel
from tests.functional.people import ALICE, BOB, Browser, populate
from tests.functional.support import one_store

HOSTILE = "<script>alert(1)</script>"
PATH = "/project/acme-lib/+manage"


store = one_store
"""What a page does, the others do with every store; one is enough here."""


@pytest.fixture
def index(make_index):
    made = make_index(manage="group:admins owners")
    populate(made.repository)
    for version in ("1.0", "1.1"):
        made.publish(*wheel(version=version))
    made.publish(*wheel("app", requires=["acme-lib>=1.1", "other"]))
    return made


@pytest.fixture
def alice(index):
    return Browser(index, ALICE)


def project(index):
    return index.repository.project("acme-lib").value


def hidden(answer, form_with="revision"):
    """The hidden fields of the form that confirms."""
    (form,) = [f for f in re.findall(r"<form.*?</form>", answer.text, re.S) if f'name="{form_with}"' in f]
    pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return [(name, value) for name, value in pairs if name != "csrf_token"]


def confirm(browser, fields, status=303, path=PATH):
    """Ask for a change, and confirm what is shown."""
    return browser.post(path, hidden(browser.post(path, fields, 200)), status)


def events(index):
    return [(e.did, e.by, e.file, e.version, e.reason, e.subject) for e in project(index).history if e.did != "publish"]


WHEEL = wheel(version="1.1")[0]


def test_who_may_manage_the_project_and_nobody_else_gets_there(index, alice):
    assert Browser(index).get(PATH, 303).headers["Location"] == "../../+login?next=project%2Facme-lib%2F%2Bmanage"
    bob = Browser(index, BOB)
    assert "bob has no right to manage on acme-lib" in bob.get(PATH, 403).text
    bob.post(PATH, {"action": "yank", "release": "1.0"}, 403, token=bob.token("/+account"))
    index.repository.add_owner("acme-lib", "bob", Actor("alice", None))
    bob.get(PATH)
    alice.get("/project/nothing/+manage", 404)
    alice.get("/simple/acme-lib/+manage", 404)
    assert alice.get("/project/Acme.Lib/+manage?page=2", 301).headers["Location"] == "../acme-lib/+manage?page=2"


def test_a_yank_shows_its_impact_and_is_made_when_confirmed(index, alice):
    shown = alice.post(PATH, {"action": "yank", "release": "1.1", "reason": " broken \n build "}, 200)
    assert project(index).files[WHEEL].yanked is None
    for words in (
        WHEEL,
        "will take <strong>1.0</strong>",
        "it takes 1.1 now",
        "acme-lib&gt;=1.1",
        "finds none",
        "broken build",
    ):
        assert words in shown.text
    answer = alice.post(PATH, hidden(shown))
    assert answer.headers["Location"] == "+manage?done=yank"
    assert "The files are yanked." in alice.get(PATH + "?done=yank").text
    assert project(index).files[WHEEL].yanked == "broken build"
    assert events(index) == [("yank", "alice", WHEEL, "1.1", "broken build", None)]
    assert index.json("acme-lib")["files"][1]["yanked"] == "broken build"


def test_a_yank_is_taken_back(index, alice):
    confirm(alice, {"action": "yank", "file": WHEEL})
    assert confirm(alice, {"action": "unyank", "file": WHEEL}).headers["Location"] == "+manage?done=unyank"
    assert project(index).files[WHEEL].yanked is None
    assert [event[0] for event in events(index)] == ["yank", "unyank"]


def test_files_are_removed_and_restored(index, alice):
    shown = alice.post(PATH, [("action", "remove"), ("release", "1.0"), ("file", WHEEL)], 200)
    assert "will find <strong>nothing</strong>" in shown.text
    assert "restored for 30 days" in shown.text
    alice.post(PATH, hidden(shown))
    assert not project(index).live
    page = alice.get(PATH).text
    assert ">removed<" in page
    shown = alice.post(PATH, {"action": "restore", "release": "1.1"}, 200)
    assert "it finds nothing now" in shown.text
    assert alice.post(PATH, hidden(shown)).headers["Location"] == "+manage?done=restore"
    assert [file.filename for file in project(index).live] == [WHEEL]


def test_what_changed_meanwhile_is_shown_before_anything_is_done(index, alice):
    shown = alice.post(PATH, {"action": "yank", "release": "1.1"}, 200)
    index.repository.yank("acme-lib", [wheel(version="1.0")[0]], "", Actor("bob", None))
    again = alice.post(PATH, hidden(shown), 409)
    assert "Somebody has changed acme-lib meanwhile" in again.text
    assert project(index).files[WHEEL].yanked is None
    alice.post(PATH, hidden(again))
    assert project(index).files[WHEEL].yanked == ""


def test_a_change_that_somebody_else_made_comes_back(index, alice):
    shown = alice.post(PATH, {"action": "yank", "release": "1.1"}, 200)
    index.repository.yank("acme-lib", [WHEEL], "", Actor("bob", None))
    assert "yanked or removed already" in alice.post(PATH, hidden(shown), 409).text


def test_what_the_repository_refuses_comes_back(index, alice, monkeypatch):
    shown = alice.post(PATH, {"action": "restore", "release": "1.1"}, 400)
    assert "None of these can be restored" in shown.text
    confirm(alice, {"action": "remove", "release": "1.1"})
    shown = alice.post(PATH, {"action": "restore", "release": "1.1"}, 200)
    fields, token = hidden(shown), alice.token(PATH)
    restore = type(index.repository).restore

    def swept(self, name, files, by):
        list(self.sweep(Actor(None, "command"), trash_days=-1, grace=0))
        return restore(self, name, files, by)

    monkeypatch.setattr(type(index.repository), "restore", swept)
    assert "was purged on a sweep" in alice.post(PATH, fields, 409, token=token).text
    assert WHEEL not in alice.get(PATH).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"action": "yank"}, "Choose at least one"),
        ({"release": "1.0"}, "Choose what is to be done."),
        ({"action": "publish", "release": "1.0"}, "Choose what is to be done."),
        ({"action": "yank", "release": "9.9"}, "has no 9.9 any more"),
        ({"action": "yank", "file": HOSTILE}, "any more"),
        ({"action": "unyank", "file": WHEEL}, "None of these is yanked."),
        ({"action": "restore", "file": WHEEL}, "None of these can be restored"),
        ({"action": "yank", "file": WHEEL, "reason": "x" * 501}, "at most 500"),
        ({"action": "yank", "file": WHEEL, "reason": "\u202e"}, "cannot be shown"),
        ({"action": "status", "value": "gone"}, "Choose one of these."),
        ({"action": "status", "value": "active"}, "is active already"),
        ({"action": "owner-add", "value": HOSTILE}, "Type the name of a user."),
        ({"action": "owner-remove", "value": "carol"}, "carol is no owner."),
    ],
)
def test_what_cannot_be_done_comes_back_with_what_was_typed(index, alice, fields, said):
    before = project(index)
    answer = alice.post(PATH, fields, 400)
    assert said in answer.text
    assert "Nothing was changed" in answer.text
    assert HOSTILE not in answer.text
    assert "file" not in fields or fields["file"] == HOSTILE or f'value="{WHEEL}" checked' in answer.text
    assert project(index) == before


def test_a_status_is_set_with_a_reason(index, alice):
    for status in ("deprecated", "archived", "quarantined", "active"):
        shown = alice.post(PATH, {"action": "status", "value": status, "reason": f"{status}: see docs"}, 200)
        assert f"<strong>{status}</strong>" in shown.text
        assert alice.post(PATH, hidden(shown)).headers["Location"] == "+manage?done=status"
        assert (project(index).status, project(index).status_reason) == (status, f"{status}: see docs")
    assert events(index)[0] == ("status deprecated", "alice", None, None, "deprecated: see docs", None)


def test_a_project_that_is_active_again_does_not_keep_the_reason_that_the_form_had(index, alice):
    confirm(alice, {"action": "status", "value": "quarantined", "reason": "harmful"})
    assert 'value="harmful"' in alice.get(PATH).text
    confirm(alice, {"action": "status", "value": "active", "reason": "harmful"})
    assert (project(index).status, project(index).status_reason) == ("active", "")


def test_a_quarantined_project_is_managed_too(index, alice):
    confirm(alice, {"action": "status", "value": "quarantined"})
    assert WHEEL in alice.get(PATH).text


def test_owners_come_and_go(index, alice):
    assert "Nobody owns this project." in alice.get(PATH).text
    assert confirm(alice, {"action": "owner-add", "value": "carol"}).headers["Location"] == "+manage?done=owner-add"
    assert "carol is an owner already." in alice.post(PATH, {"action": "owner-add", "value": "carol"}, 400).text
    assert "carol" in alice.get(PATH).text
    confirm(alice, {"action": "owner-remove", "value": "carol"})
    assert [(event[0], event[5]) for event in events(index)] == [("owner add", "carol"), ("owner remove", "carol")]


def test_hostile_reasons_are_escaped_everywhere(index, alice):
    shown = alice.post(PATH, {"action": "yank", "release": "1.1", "reason": HOSTILE}, 200)
    alice.post(
        PATH,
        [
            *hidden(shown, "revision")[:1],
            ("release", "1.1"),
            ("reason", HOSTILE),
            ("revision", project(index).revision),
        ],
    )
    assert project(index).files[WHEEL].yanked == HOSTILE
    for path in (PATH, "/+log", "/+trash"):
        assert HOSTILE not in alice.get(path).text


def test_many_releases_are_shown_in_parts(index, alice):
    for number in range(51):
        index.publish(*wheel(version=f"2.{number}"))
    first, second = alice.get(PATH).text, alice.get(PATH + "?page=2").text
    assert 'value="2.50"' in first
    assert 'value="1.0"' not in first
    assert 'value="1.0"' in second
    one = alice.get(PATH + "?version=1.0").text
    assert 'value="1.0"' in one
    assert 'value="1.1"' not in one
    assert "No files" in alice.get(PATH + "?version=7").text


def test_a_form_that_is_too_large_says_what_to_do(index, alice):
    token = alice.token(PATH)
    answer = alice.post(PATH, [("action", "yank")] + [("file", "x" * 100)] * 700, 413, token=token)
    assert "choose whole releases" in answer.text


def test_an_open_index_is_managed_by_everyone(make_index):
    made = make_index(manage="everyone")
    made.publish(*wheel(version="1.1"))
    confirm(Browser(made), {"action": "yank", "release": "1.1"})
    (event,) = [e for e in made.repository.project("acme-lib").value.history if e.did == "yank"]
    assert (event.by, event.via) == (None, None)


@pytest.mark.parametrize(
    ("requirement", "still"),
    [
        ("acme-lib", True),
        ("acme-lib>=1.1", False),
        ("acme-lib==1.1", True),
        ("acme-lib==1.*", True),
        ("acme-lib==2", False),
        ("not a requirement!", True),
    ],
)
def test_A7_yank_who_pins_the_release_still_gets_it(index, requirement, still):
    plan = Plan("yank", (project(index).files[WHEEL],))
    found = impact(project(index), plan, [Dependent("app", "app", "1.0", requirement, None)])
    assert found.dependents[0][1] is still
    assert (found.before, found.after) == ("1.1", "1.0")


def test_A7_yank_a_final_release_keeps_pip_from_pre_releases(index):
    index.publish(*wheel(version="2.0rc1"))
    plan = Plan("yank", tuple(file for file in project(index).files.values() if file.version != "2.0rc1"))
    found = impact(project(index), plan, [Dependent("app", "app", "1.0", "acme-lib>=1.1", None)])
    assert (found.before, found.after, found.dependents[0][1]) == ("1.1", None, False)
    removed = impact(project(index), Plan("remove", plan.files), [])
    assert removed.after == "2.0rc1"


def test_a_plan_for_nothing_foresees_nothing():
    found = impact(Project("x", "x"), Plan("owner-add", value="alice"), [])
    assert (found.before, found.after, found.dependents) == (None, None, ())

"""``mypi user``, ``group`` and ``owner``, beside a running server."""

from __future__ import annotations

import getpass
import json
from pathlib import Path

import bcrypt
import pytest

from mypi.accounts import Hasher, Users
from mypi.accounts.sources import StoreUsers
from mypi.model import Accounts, Token
from mypi.repository import Repository
from mypi.repository.members import Members
from tests.commands.conftest import Run
from tests.commands.people import asked, say
from tests.repository.shorthand import ALICE, publish

PASSWORD = "not very secret"


@pytest.fixture
def add(run: Run, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Make a user as a script does."""

    def add(*line: str):  # type: ignore[no-untyped-def]
        say(monkeypatch, f"{PASSWORD}\n")
        return run("user", "add", *line)

    return add


@pytest.fixture
def in_file(ini: Path) -> Path:
    """An htpasswd file with bob."""
    path = ini.parent / "htpasswd"
    path.write_bytes(b"bob:" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)) + b"\n")
    return path


def verified(index: Repository, user: str, password: str) -> bool:
    return Users([StoreUsers(index.members.get)], index.members.get).verify(user, password)


def token(user: str, id: str = "A" * 12) -> Token:
    return Token(id, user, "ci", "0" * 64, "2026-01-01T00:00:00.000000Z", ("read",))


# user add


def test_a_user_is_known_to_a_running_server_at_once(add, index: Repository) -> None:
    done = add("alice", "--group", "admins", "--group", "build")
    assert (done.code, done.out) == (0, "alice is a user in admins, build\n")
    assert verified(index, "alice", PASSWORD)
    assert not verified(index, "alice", PASSWORD + "!")
    accounts = index.members.get()
    assert accounts.groups == {"admins": ("alice",), "build": ("alice",)}
    assert accounts.users["alice"].password.startswith("$argon2id$")
    assert [(e.did, e.subject, e.by, e.origin) for e in accounts.history] == [
        (did, "alice", getpass.getuser(), "command") for did in ("user add", "group add admins", "group add build")
    ]
    # All of it is one swap: nobody is a user without the groups that were asked for.
    assert len({event.at for event in accounts.history}) == 1


def test_a_group_that_no_rule_names_is_told(add) -> None:
    assert add("alice", "--group", "admins").err == ""
    assert add("bob", "--group", "admin").err == (
        "mypi: warning: no rule of the .ini file names group:admin, so that it gives nobody a right yet\n"
    )


def test_a_person_is_asked_twice(run: Run, index: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, PASSWORD, PASSWORD)
    assert run("user", "add", "alice").out == "alice is a user\n"
    assert verified(index, "alice", PASSWORD)


def test_two_passwords_that_differ_make_nobody(run: Run, index: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    asked(monkeypatch, PASSWORD, "other words")
    done = run("user", "add", "alice")
    assert (done.code, done.err) == (1, "mypi: the two passwords differ; nothing was changed\n")
    assert index.members.get() == Accounts()


@pytest.mark.parametrize("given", ["", "\n", "short\n", f"{'x' * 1001}\n"])
def test_a_password_that_cannot_be_taken_is_told_and_not_shown(
    run: Run, index: Repository, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    say(monkeypatch, given)
    done = run("user", "add", "alice")
    assert (done.code, done.out) == (1, "")
    assert done.err == "mypi: a password has 8 to 1000 characters\n"
    assert index.members.get() == Accounts()


@pytest.mark.parametrize("line", [["a b"], ["__token__"], ["x" * 101], ["alice", "--group", "a b"], [""]])
def test_a_name_that_is_none_is_told(add, index: Repository, line: list[str]) -> None:
    done = add(*line)
    assert done.code == 1
    assert "is no name of a user or group; use letters, digits and any of _ . @ + -" in done.err
    assert index.members.get() == Accounts()


def test_a_user_who_exists_is_not_made_again_and_nobody_is_asked(
    add, run: Run, index: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("alice")
    before = index.members.get()
    monkeypatch.setattr("sys.stdin.isatty", lambda: pytest.fail("asked"), raising=False)
    done = run("user", "add", "alice", "--group", "admins")
    assert (done.code, done.out) == (1, "")
    assert (
        done.err
        == "mypi: there is a user alice already; `mypi user passwd alice` sets another password; nothing was changed\n"
    )
    assert index.members.get() == before


def test_a_user_whom_another_node_makes_meanwhile_keeps_that_password(
    run: Run, index: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask() -> str:
        index.members.record(ALICE, lambda a, e: a.set_password("alice", Hasher().hash("the first"), e))
        return "the second"

    monkeypatch.setattr("mypi.commands.users.ask", ask)
    done = run("user", "add", "alice")
    assert done.code == 1
    assert "there is a user alice already" in done.err
    assert verified(index, "alice", "the first")


def test_a_user_who_goes_while_a_password_is_typed_stays_gone(
    add, run: Run, index: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    add("alice")

    def ask() -> str:
        index.members.record(ALICE, lambda accounts, event: accounts.remove_user("alice", event))
        return PASSWORD

    monkeypatch.setattr("mypi.commands.users.ask", ask)
    done = run("user", "passwd", "alice")
    assert (done.code, done.err) == (
        1,
        "mypi: the store has no user alice; nothing was changed, try `mypi user add alice`\n",
    )
    assert not index.members.get().users


def test_a_change_that_is_applied_again_knows_its_own_user(add, index: Repository, monkeypatch) -> None:
    # Another node's swap comes first, so that the change is made twice.
    applied = []
    record = Members.record

    def twice(self, by, change):  # type: ignore[no-untyped-def]
        def both(accounts, event):  # type: ignore[no-untyped-def]
            applied.append(change(accounts, event))
            return change(applied[-1], event)

        return record(self, by, both)

    monkeypatch.setattr(Members, "record", twice)
    assert add("alice", "--group", "admins").code == 0
    assert index.members.get().history == applied[0].history


def test_a_user_of_the_file_too_is_told_whose_password_counts(add, in_file: Path) -> None:
    done = add("bob")
    assert done.code == 0
    assert done.err == (
        f"mypi: warning: {in_file} has a user bob, too; the password in the store is the one that counts\n"
    )


# user passwd


def test_a_new_password_counts_at_once(add, run: Run, index: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    add("alice")
    say(monkeypatch, "quite another\n")
    done = run("user", "passwd", "alice")
    assert (done.code, done.out, done.err) == (0, "alice has a new password\n", "")
    assert verified(index, "alice", "quite another")
    assert not verified(index, "alice", PASSWORD)
    assert index.members.get().history[-1].did == "password"


def test_a_password_of_the_file_is_set_elsewhere(run: Run, in_file: Path) -> None:
    assert run("user", "passwd", "bob").err == (
        "mypi: the store has no user bob; nothing was changed, try `mypi htpasswd bob`\n"
    )
    assert "try `mypi user add carol`" in run("user", "passwd", "carol").err


# user remove


def test_a_user_goes_with_everything(add, run: Run, index: Repository) -> None:
    add("alice", "--group", "admins", "--group", "build")
    for id in ("A" * 12, "B" * 12):
        index.members.record(ALICE, lambda a, e, id=id: a.add_token(token("alice", id), e))
    for name in ("acme-lib", "other", "third"):
        publish(index, name)
    for name, user in (("acme-lib", "alice"), ("other", "alice"), ("other", "bob"), ("third", "bob")):
        index.add_owner(name, user, ALICE)
    # A name that is announced has no project yet.
    index._catalogue.announce("late", "late")
    done = run("user", "remove", "alice")
    assert done.code == 0
    assert done.out == (
        "alice is removed, with 2 tokens; was in admins, build\nalice owns no longer: acme-lib, other\n"
    )
    accounts = index.members.get()
    assert not accounts.users
    assert not accounts.tokens
    assert not accounts.groups
    assert [index.project(name).value.owners for name in ("acme-lib", "other", "third")] == [(), ("bob",), ("bob",)]


def test_a_removal_that_was_interrupted_is_run_again(run: Run, index: Repository) -> None:
    publish(index)
    index.add_owner("acme-lib", "alice", ALICE)
    done = run("user", "remove", "alice")
    assert done.out == "alice is removed, with 0 tokens; was in no group\nalice owns no longer: acme-lib\n"


def test_a_user_of_the_file_loses_all_but_the_password(run: Run, index: Repository, in_file: Path) -> None:
    index.members.record(ALICE, lambda accounts, event: accounts.add_token(token("bob"), event))
    done = run("user", "remove", "bob")
    assert done.out == "bob is removed, with 1 token; was in no group\n"
    assert done.err == (
        f"mypi: warning: {in_file} still has a user bob; `mypi htpasswd --remove bob` takes the password away\n"
    )
    assert f"; {in_file} has: `mypi htpasswd --remove bob`" in run("user", "remove", "bob").err


def test_nobody_to_remove_is_told(run: Run) -> None:
    done = run("user", "remove", "nobody")
    assert (done.code, done.out) == (1, "")
    assert done.err == "mypi: the store has no user nobody, nor a token, a group or a project of one\n"


def test_a_damaged_project_does_not_keep_a_user_in(add, run: Run, index: Repository, ini: Path) -> None:
    add("alice")
    publish(index)
    (ini.parent / "var" / "indexes" / "main" / "acme-lib.json").write_bytes(b"{")
    done = run("user", "remove", "alice")
    assert done.code == 0
    assert "indexes/main/acme-lib.json: " in done.err
    assert "who owns it was left as it is" in done.err
    assert not index.members.get().users


# user list


def test_the_list_says_where_each_user_is_known(add, run: Run, index: Repository, in_file: Path) -> None:
    add("alice", "--group", "admins", "--group", "build")
    index.members.record(ALICE, lambda accounts, event: accounts.add_token(token("from-ldap"), event))
    index.members.record(ALICE, lambda accounts, event: accounts.join("build", ["CORP\\carol"], event))
    lines = [line.split() for line in run("user", "list").out.splitlines()]
    assert [line[:4] for line in lines] == [
        ["user", "password", "in", "groups"],
        ["CORP\\carol", "elsewhere", "build", "0"],
        ["alice", "store", "admins,", "build"],
        ["bob", "htpasswd", "0"],
        ["from-ldap", "elsewhere", "1"],
    ]
    found = json.loads(run("user", "list", "--json").out)
    created = index.members.get().users["alice"].created
    assert found[1] == {"name": "alice", "source": "store", "groups": ["admins", "build"], "tokens": 0} | {
        "created": created
    }
    assert [each["source"] for each in found] == ["elsewhere", "store", "htpasswd", "elsewhere"]
    assert "argon2" not in run("user", "list", "--json").out


def test_nobody_is_listed_where_nobody_is(run: Run, index: Repository) -> None:
    assert run("user", "list").out == "no users; `mypi user add NAME` makes one\n"
    assert run("group", "list").out == "no groups; `mypi group add GROUP USER` makes one\n"
    for what in ("user", "token"):
        assert json.loads(run(what, "list", "--json").out) == []
    assert json.loads(run("group", "list", "--json").out) == {}


def test_a_file_that_cannot_be_read_is_told(run: Run, ini: Path) -> None:
    (ini.parent / "htpasswd").mkdir()
    done = run("user", "list")
    assert done.code == 1
    assert "htpasswd: cannot be read (Is a directory)" in done.err


def test_without_a_file_only_the_store_is_asked(run: Run, ini: Path) -> None:
    ini.write_text(ini.read_text().replace("mypi.htpasswd", "# mypi.htpasswd"))
    done = run("group", "add", "admins", "alice")
    assert done.err == "mypi: warning: the store does not know a user alice; the membership counts once there is one\n"


# group


def test_members_come_and_go(add, run: Run, index: Repository) -> None:
    add("alice")
    done = run("group", "add", "admins", "alice", "bob", "alice")
    assert (done.code, done.out) == (0, "admins: alice, bob\n")
    assert "knows a user bob; the membership counts once there is one" in done.err
    assert "alice" not in done.err
    assert run("group", "list").out == "group   members\nadmins  alice, bob\n"
    assert json.loads(run("group", "list", "--json").out) == {"admins": ["alice", "bob"]}
    assert run("group", "remove", "admins", "alice").out == "admins: bob\n"
    assert run("group", "remove", "admins", "bob").out == "admins has no members any more, and is gone\n"
    assert index.members.get().groups == {}


def test_who_is_not_in_the_group_is_told_and_nothing_changes(run: Run, index: Repository) -> None:
    run("group", "add", "admins", "alice")
    before = index.members.get()
    assert run("group", "remove", "admins", "alice", "bob").err == (
        "mypi: bob is not in admins, its members are alice; nothing was changed\n"
    )
    assert run("group", "remove", "other", "alice").err == (
        "mypi: alice is not in other, there is no such group; nothing was changed\n"
    )
    assert index.members.get() == before
    assert run("group", "add", "a b", "alice").code == 1


def test_where_the_server_says_who_asks_anybody_may_be_a_member(run: Run, ini: Path) -> None:
    ini.write_text(ini.read_text() + "mypi.remote_user = true\n")
    assert run("group", "add", "admins", "CORP\\alice").err == ""


@pytest.mark.parametrize("name", ["a b", "__token__", "x" * 201, "", "a\x1b[2J"])
def test_what_is_no_users_name_in_any_source_is_wrong_usage(run: Run, name: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("group", "add", "admins", name)
    assert ended.value.code == 2


# owner


def test_owners_come_and_go(add, run: Run, index: Repository) -> None:
    add("alice")
    publish(index, "Acme.Lib")
    done = run("owner", "add", "ACME_lib", "alice", "bob")
    assert (done.code, done.out) == (0, "Acme.Lib is owned by alice, bob\n")
    assert "knows a user bob; the ownership counts once there is one" in done.err
    shown = run("show", "acme-lib").out.splitlines()
    assert shown[1] == "  owned by alice, bob"
    assert "owner add bob" in shown[-1]
    assert run("owner", "remove", "acme-lib", "alice").out == "Acme.Lib is owned by bob\n"
    assert run("owner", "remove", "acme-lib", "bob").out == "Acme.Lib is owned by nobody\n"
    assert index.project("acme-lib").value.owners == ()


def test_who_owns_nothing_is_told_and_nothing_changes(run: Run, index: Repository) -> None:
    publish(index)
    assert run("owner", "remove", "acme-lib", "alice").err == (
        "mypi: alice does not own acme-lib, it has no owners; nothing was changed\n"
    )
    index.add_owner("acme-lib", "bob", ALICE)
    assert run("owner", "remove", "acme-lib", "bob", "alice").err == (
        "mypi: alice does not own acme-lib, its owners are bob; nothing was changed\n"
    )
    assert index.project("acme-lib").value.owners == ("bob",)


@pytest.mark.parametrize("action", ["add", "remove"])
def test_a_project_that_is_not_there_has_no_owners(run: Run, action: str) -> None:
    done = run("owner", action, "nothing", "alice")
    assert done.err == "mypi: there is no nothing on this index; `mypi list` shows what there is\n"


@pytest.mark.parametrize("line", ["user", "group", "token", "owner", "user add", "group add admins", "owner add x"])
def test_an_action_that_lacks_something_is_wrong_usage(run: Run, line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run(*line.split())
    assert ended.value.code == 2

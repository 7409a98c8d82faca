"""``mypi token``: made, shown once, used as clients use it, revoked."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone

import pytest

from mypi.accounts import find
from mypi.model import Token
from mypi.repository import Repository
from tests.commands.conftest import Run
from tests.repository.shorthand import ALICE


@pytest.fixture
def alice(index: Repository) -> None:
    index.members.record(ALICE, lambda accounts, event: accounts.set_password("alice", "$argon2id$", event))


def in_days(days: int) -> str:
    return (datetime.now(timezone.utc) + timedelta(days=days)).isoformat()


def test_a_script_captures_the_token_and_nothing_else(run: Run, index: Repository, alice: None) -> None:
    done = run("token", "add", "alice", "--name", "ci")
    assert done.code == 0
    assert done.out.count("\n") == 1
    text = done.out.strip()
    found = find(text, index.members.get(), in_days(364))
    assert found
    assert find(text, index.members.get(), in_days(366)) is None
    assert (found.user, found.name, found.permissions, found.projects) == ("alice", "ci", ("read", "upload"), ("*",))
    assert done.err == (
        f"the token ci of alice: read, upload on *, until {in_days(365)[:10]}\n"
        f"it is shown this once; `mypi token remove {found.id}` revokes it\n"
    )
    # Neither the store nor any list knows the secret part.
    secret = text.split("-")[2]
    for seen in (run("token", "list"), run("token", "list", "--json"), run("log", "--json")):
        assert secret not in seen.out + seen.err
        assert found.digest not in seen.out
    assert secret.encode() not in index.members.get().dump()


def test_limits_are_kept_as_they_are_asked_for(run: Run, index: Repository, alice: None) -> None:
    line = ("--right", "upload", "--right", "manage", "--right", "upload", "--project", "Acme_*", "--project", "lib")
    text = run("token", "add", "alice", "--name", " release job ", *line, "--days", "0").out.strip()
    found = find(text, index.members.get(), in_days(36500))
    assert found
    assert (found.name, found.permissions, found.projects) == ("release job", ("upload", "manage"), ("acme-*", "lib"))
    assert found.expires is None
    history = index.members.get().history[-1]
    assert (history.did, history.subject) == ("token add release job", "alice")
    assert history.reason == f"{found.id}, upload manage on acme-* lib, for ever"


def test_a_token_of_whom_nobody_knows_is_made_with_a_warning(run: Run, index: Repository) -> None:
    done = run("token", "add", "bob", "--name", "ci", "--days", "0")
    assert done.code == 0
    assert find(done.out.strip(), index.members.get(), in_days(0))
    assert ", for ever\n" in done.err
    assert "knows a user bob; the token is taken once there is one" in done.err.splitlines()[-1]


@pytest.mark.parametrize(
    "line",
    [
        "alice",
        "alice --name",
        "alice --name ci --right own",
        "alice --name ci --project acme/lib",
        "alice --name ci --days -1",
        "alice --name ci --days soon",
        "alice --name ci --days 36501",
        "alice --name " + "x" * 101,
    ],
)
def test_wrong_usage_makes_no_token(run: Run, index: Repository, line: str) -> None:
    with pytest.raises(SystemExit) as ended:
        run("token", "add", *line.split())
    assert ended.value.code == 2
    assert not index.members.get().tokens


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b"])
def test_a_name_stays_in_one_line(run: Run, name: str) -> None:
    with pytest.raises(SystemExit):
        run("token", "add", "alice", "--name", name)


def test_the_list_has_what_one_decides_by(run: Run, index: Repository, alice: None) -> None:
    assert run("token", "list").out == "no tokens; `mypi token add USER --name NAME` makes one\n"
    run("token", "add", "bob", "--name", "old", "--days", "0")
    run("token", "add", "alice", "--name", "ci", "--project", "acme-*", "--right", "read")
    old, ci = sorted(index.members.get().tokens.values(), key=lambda token: token.name, reverse=True)
    index.members.used(old.id, "2026-01-02T03:00:00Z")
    lines = [line.split("  ") for line in run("token", "list").out.splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["id", "name", "user", "rights", "projects", "until", "last used"],
        [ci.id, "ci", "alice", "read", "acme-*", in_days(365)[:10], "never"],
        [old.id, "old", "bob", "read, upload", "*", "for ever", "2026-01-02T03:00Z"],
    ]
    assert json.loads(run("token", "list", "bob", "--json").out) == [
        {
            "id": old.id,
            "name": "old",
            "user": "bob",
            "rights": ["read", "upload"],
            "projects": ["*"],
            "created": old.created,
            "expires": None,
            "used": "2026-01-02T03:00:00Z",
        }
    ]
    assert old.id not in run("token", "list", "alice").out


def test_a_token_whose_time_is_over_says_so(run: Run, index: Repository) -> None:
    past = Token("A" * 12, "bob", "ci", "0" * 64, "2026-01-01T00:00:00Z", ("read",), expires="2026-01-03T00:00:00Z")
    index.members.record(ALICE, lambda accounts, event: accounts.add_token(past, event))
    assert "2026-01-03 (over)" in run("token", "list").out


def test_a_revoked_token_is_refused_at_once(run: Run, index: Repository, alice: None) -> None:
    text = run("token", "add", "alice", "--name", "ci").out.strip()
    (id,) = index.members.get().tokens
    done = run("token", "remove", id)
    assert (done.code, done.out, done.err) == (0, f"the token {id} is revoked\n", "")
    assert find(text, index.members.get(), in_days(0)) is None
    # Twice is once.
    assert run("token", "remove", id).code == 0
    assert [event.did for event in index.members.get().history].count("token remove ci") == 1


def test_promise_10_a_leaked_token_is_revoked_by_itself_and_not_repeated(
    run: Run, index: Repository, alice: None
) -> None:
    text = run("token", "add", "alice", "--name", "ci").out.strip()
    done = run("token", "remove", text)
    assert done.code == 0
    assert text.split("-")[2] not in done.out
    other = run("token", "remove", "mypi-CCCCCCCCCCCC-verysecret-000000")
    assert other.err == "mypi: there is no token CCCCCCCCCCCC; it may have been revoked already\n"
    assert not index.members.get().tokens

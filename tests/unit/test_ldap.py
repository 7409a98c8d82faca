"""LDAP as a source of users, on a real OpenLDAP server and on a double of it (threats 31, 32)."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mypi import directory as options
from mypi.accounts import AccountError, Hasher, Ldap, StoreUsers, Users
from mypi.accounts import ldap as module
from mypi.accounts.lookup import Lookup
from mypi.model import Accounts
from mypi.model.accounts import User
from tests import directories, services
from tests.directories import GROUPS, PASSWORD, PEOPLE, READER, SUFFIX, Double, Slapd


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["double", "slapd"])
def directory(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with directories.running(request.param, tmp_path / "slapd", monkeypatch) as running:
        yield running


@pytest.fixture
def double(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Double]:
    with directories.running("double", tmp_path, monkeypatch) as running:
        yield running


@pytest.fixture(scope="module")
def shared() -> Slapd:
    """A real server that several tests read."""
    server = services.shared(Slapd)
    directories.fill(server)
    return server


def configured(directory: Any, **others: str) -> options.Directory:
    given = directories.settings(directory, **others)
    found = options.read({f"mypi.{name}": value for name, value in given.items()}, {})
    assert found
    return found


def source(directory: Any, clock: Clock | None = None, **others: str) -> Ldap:
    return Ldap(configured(directory, **others), clock or Clock())


def test_the_right_password_is_the_right_one(directory: Any) -> None:
    ldap = source(directory)
    assert ldap.verify("alice", "wonder-land")
    assert not ldap.verify("alice", "the-builder")
    assert not ldap.verify("nobody", "wonder-land")
    assert not ldap.verify(None, "wonder-land")


def test_users_are_found_below_a_base_too(directory: Any) -> None:
    ldap = source(directory, user=SUFFIX, user_filter="(uid={user})")
    assert ldap.verify("alice", "wonder-land")
    assert not ldap.verify("nobody", "wonder-land")
    assert ldap.groups("alice") == {"build"}


def test_a_user_below_two_branches_is_nobody(directory: Any, caplog: pytest.LogCaptureFixture) -> None:
    directory.add_group("dup", ["alice"])
    ldap = source(directory, user=SUFFIX, user_filter=f"(member=uid={{user}},{PEOPLE})", name="cn")
    assert not ldap.verify("alice", "wonder-land")
    assert "has several entries of a user alice; none of them may log in" in caplog.text


@pytest.mark.parametrize("password", ["", "\0", "wonder-land\0", "\ud800", "x" * 1001])
def test_a_password_that_cannot_be_is_wrong_and_not_asked_about(double: Double, password: str) -> None:
    # RFC 4513 5.1.2: with a name and an empty password the directory says yes.
    assert not source(double).verify("alice", password)
    assert double.asked == 0


def test_an_empty_password_lets_nobody_in(directory: Any) -> None:
    assert not source(directory).verify("alice", "")


INJECTIONS = [
    *("*", "ali*", "alice)(uid=*", "*)(uid=*))(|(uid=*", "alice,ou=people", f"alice,{PEOPLE}#", "\\61lice", "alice\0"),
    *(
        "alice ",
        " alice",
        "Alice",
        "ALICE",
        "alice+cn=alice",
        "",
        "x" * 200,
        "älice",
        "\ud800",
        "__token__",
        "../alice",
    ),
]


@pytest.mark.parametrize("where", [f"uid={{user}},{PEOPLE}", PEOPLE], ids=["named", "searched"])
def test_threat_31_no_name_means_more_than_it_says(shared: Slapd, where: str) -> None:
    ldap = source(shared, user=where)
    for name in INJECTIONS:
        assert not ldap.verify(name, "wonder-land"), name
        assert ldap.stamp(name) is None, name
        assert ldap.groups(name) == frozenset(), name
    assert ldap.verify("alice", "wonder-land")


@pytest.mark.parametrize("where", [f"uid={{user}},{PEOPLE}", PEOPLE], ids=["named", "searched"])
def test_threat_31_names_are_escaped_even_where_none_are_refused(shared: Slapd, where: str) -> None:
    lookup = Lookup(configured(shared, user=where))
    for name in INJECTIONS:
        if name.isprintable() and name:  # what is no text is refused by python-ldap itself
            assert lookup.find(name) is None, name
    assert lookup.find("alice") is not None


def test_a_name_with_signs_that_mean_something_in_a_dn_is_found(directory: Any) -> None:
    directory.add_user("c+c", "plus-plus")
    ldap = source(directory)
    assert ldap.verify("c+c", "plus-plus")
    assert ldap.groups("c+c") == frozenset()


def test_a_name_is_right_letter_by_letter(directory: Any) -> None:
    ldap = source(directory)
    assert not ldap.verify("Alice", "wonder-land")
    assert ldap.stamp("Alice") is None


def test_groups_are_those_of_the_user_that_a_rule_can_name(directory: Any) -> None:
    directory.add_group("all", ["alice", "bob"])
    directory.add_group("Odd Name", ["bob"])
    ldap = source(directory)
    assert ldap.groups("alice") == {"build", "all"}
    assert ldap.groups("bob") == {"all"}
    assert ldap.groups("nobody") == frozenset()


def test_groups_may_name_users_plainly(directory: Any) -> None:
    ldap = source(directory, group_filter="(cn={user})")
    directory.add_group("alice", ["bob"])
    assert ldap.groups("alice") == {"alice"}


def test_without_a_base_there_are_no_groups(directory: Any) -> None:
    assert source(directory, group_base="").groups("alice") == frozenset()
    assert source(directory, group_base=f"ou=nothing,{SUFFIX}").groups("alice") == frozenset()


def test_what_a_directory_said_is_remembered_for_minutes(directory: Any, clock: Clock) -> None:
    ldap = source(directory, clock)
    stamp = ldap.stamp("alice")
    assert stamp and len(stamp) == 16
    directory.remove_user("alice")
    clock.now += module.KEPT - 1
    assert ldap.stamp("alice") == stamp
    assert ldap.groups("alice") == {"build"}
    clock.now += 2
    assert ldap.stamp("alice") is None
    assert ldap.groups("alice") == frozenset()


def test_a_password_is_asked_about_anew_and_what_is_learnt_is_remembered(directory: Any) -> None:
    ldap = source(directory)
    assert ldap.stamp("carol") is None
    directory.add_user("carol", "first-word")
    assert ldap.stamp("carol") is None, "it is remembered that there was no such user"
    assert ldap.verify("carol", "first-word")
    assert ldap.stamp("carol")
    directory.set_password("carol", "second-word")
    assert not ldap.verify("carol", "first-word")
    assert ldap.verify("carol", "second-word")
    directory.remove_user("carol")
    assert not ldap.verify("carol", "second-word")
    assert ldap.stamp("carol") is None


def test_a_directory_that_is_away_is_left_alone_and_asked_again_later(directory: Any, clock: Clock) -> None:
    ldap = source(directory, clock)
    known = ldap.stamp("alice")
    directory.stop()
    with pytest.raises(AccountError, match=r"^ldap://127\.0\.0\.1:\d+ cannot be asked: Can't contact LDAP server"):
        ldap.verify("alice", "wonder-land")
    assert ldap.stamp("alice") == known, "what is known is known"
    directory.start()
    clock.now += module.PAUSE - 1
    with pytest.raises(AccountError, match="cannot be asked"):
        ldap.stamp("bob")
    clock.now += 2
    assert ldap.stamp("bob")
    assert ldap.verify("alice", "wonder-land")


def test_the_wrong_password_of_mypi_itself_is_said(directory: Any) -> None:
    with pytest.raises(
        AccountError, match=rf"refuses mypi\.ldap\.bind_dn = {READER}; is its password right\?$"
    ) as caught:
        source(directory, bind_password="wrong-word").stamp("alice")
    assert "wrong-word" not in str(caught.value)


def test_a_directory_that_shows_nothing_is_said(directory: Any) -> None:
    ldap = source(directory, bind_dn="", bind_password="")
    with pytest.raises(AccountError, match=r"Insufficient access, may mypi\.ldap\.bind_dn see users and groups\?$"):
        ldap.stamp("alice")


def test_a_directory_may_let_anybody_see(tmp_path: Path) -> None:
    with services.running(lambda folder: Slapd(folder, anonymous="read"), tmp_path / "slapd") as server:
        directories.fill(server)
        ldap = source(server, bind_dn="", bind_password="")
        assert ldap.verify("alice", "wonder-land")
        assert not ldap.verify("alice", "wrong-word")
        assert ldap.groups("alice") == {"build"}


def test_a_filter_that_is_none_is_said(shared: Slapd) -> None:
    with pytest.raises(AccountError, match="cannot be asked: Bad search filter"):
        source(shared, user_filter="(&(uid={user})())").stamp("alice")


# What only the double can be made to do


def test_who_is_locked_out_by_the_directory_is_refused_with_its_reason(double: Double, caplog: Any) -> None:
    import ldap as library

    double.said[f"uid=alice,{PEOPLE}"] = library.UNWILLING_TO_PERFORM({"desc": "locked", "info": "since Monday"})
    assert not source(double).verify("alice", "wonder-land")
    assert "does not let 'uid=alice,ou=people,dc=example,dc=com' log in: locked, since Monday" in caplog.text


@pytest.mark.parametrize("starttls", ["true", "false"])
def test_a_directory_that_goes_while_it_is_asked_says_nothing_about_the_password(double: Double, starttls: str) -> None:
    import ldap as library

    double.said[f"uid=alice,{PEOPLE}"] = library.BUSY()
    with pytest.raises(AccountError, match="cannot be asked: BUSY"):
        source(double, starttls=starttls).verify("alice", "wonder-land")


def test_a_directory_that_sends_no_text_is_no_mistake_of_ours(double: Double) -> None:
    double.said[READER] = UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
    with pytest.raises(AccountError, match="cannot be asked: UnicodeDecodeError"):
        source(double).stamp("alice")


def test_a_certificate_may_be_the_reason(double: Double) -> None:
    double.stop()
    for given in ({"starttls": "true"}, {"uri": "ldaps://127.0.0.1", "ca_file": "/etc/ca.pem"}):
        with pytest.raises(AccountError, match=r"or its certificate is for another name, or not signed by one of mypi"):
            source(double, **given).stamp("alice")


def test_of_many_that_find_it_away_one_asks_whether_it_is_back(double: Double, clock: Clock) -> None:
    ldap = source(double, clock)
    double.stop()
    with pytest.raises(AccountError):
        ldap.stamp("alice")
    clock.now += module.PAUSE + 1
    double.start()
    double.hold.clear()
    with ThreadPoolExecutor(1) as pool:
        asked = double.asked
        first = pool.submit(ldap.stamp, "alice")
        while double.asked == asked:
            time.sleep(0.001)
        with pytest.raises(AccountError, match="Can't contact"):
            ldap.stamp("bob")
        double.hold.set()
        assert first.result()
    assert ldap.stamp("bob")


def test_only_a_few_wait_for_a_slow_directory(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_WAIT", 0.05)
    ldap = source(double)
    double.hold.clear()
    with ThreadPoolExecutor(module.AT_ONCE) as pool:
        waiting = [pool.submit(ldap.verify, "alice", "wonder-land") for _ in range(module.AT_ONCE)]
        while double.asked < module.AT_ONCE:
            time.sleep(0.001)
        with pytest.raises(AccountError, match="too many questions wait for its answers"):
            ldap.verify("bob", "the-builder")
        double.hold.set()
        assert all(each.result() for each in waiting)


def test_a_directory_that_does_not_answer_holds_nobody_for_longer_than_said(double: Double) -> None:
    ldap = source(double, timeout="1")
    double.hold.clear()
    began = time.monotonic()
    with pytest.raises(AccountError, match="did not answer within 1 seconds"):
        ldap.verify("alice", "wonder-land")
    assert time.monotonic() - began < 30
    double.hold.set()
    for thread in threading.enumerate():
        if thread.name == "mypi-ldap":
            thread.join(10)


def test_without_python_ldap_it_is_said_what_to_install(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ldap", None)
    with pytest.raises(AccountError, match=r"pip install 'mypi\[ldap\]'.*apt-get install gcc python3-dev"):
        source(double)


# Encryption


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
def test_passwords_go_over_tls(shared: Slapd, way: str) -> None:
    given = {"uri": shared.tls} if way == "ldaps" else {"starttls": "true"}
    ldap = source(shared, ca_file=str(shared.ca), **given)
    assert ldap.verify("alice", "wonder-land")
    assert not ldap.verify("alice", "wrong-word")


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
def test_a_certificate_that_nobody_signed_is_refused(shared: Slapd, way: str) -> None:
    given = {"uri": shared.tls} if way == "ldaps" else {"starttls": "true"}
    with pytest.raises(AccountError, match="not signed by one of mypi"):
        source(shared, **given).verify("alice", "wonder-land")


@pytest.mark.parametrize("way", ["ldaps", "starttls"])
def test_a_certificate_for_another_name_is_refused(tmp_path: Path, way: str) -> None:
    with services.running(lambda folder: Slapd(folder, name="DNS:ldap.example.com"), tmp_path / "slapd") as server:
        given = {"uri": server.tls} if way == "ldaps" else {"starttls": "true"}
        with pytest.raises(AccountError, match="its certificate is for another name"):
            source(server, ca_file=str(server.ca), **given).verify("alice", "wonder-land")


def test_of_two_servers_the_one_that_answers_is_asked(shared: Slapd) -> None:
    closed = f"ldaps://127.0.0.1:{services.free_port()}"
    assert source(shared, uri=f"{closed} {shared.tls}", ca_file=str(shared.ca)).verify("alice", "wonder-land")


@pytest.mark.parametrize("way", ["plain", "ldaps", "starttls"])
def test_a_server_that_takes_connections_and_says_nothing_is_given_up(tmp_path: Path, way: str) -> None:
    with services.running(Slapd, tmp_path / "slapd") as server:
        directories.fill(server)
        ways = {"plain": {}, "ldaps": {"uri": server.tls}, "starttls": {"starttls": "true"}}
        ldap = source(server, ca_file=str(server.ca), timeout="1", **ways[way])
        users = Users([StoreUsers(lambda: STORED), ldap], lambda: STORED)
        with server.frozen():
            began = time.monotonic()
            with pytest.raises(AccountError):
                ldap.verify("alice", "wonder-land")
            assert 0.4 < time.monotonic() - began < 30
            assert users.verify("stella", "in-the-store")
            assert not users.verify("stella", "wrong-word")
        for thread in threading.enumerate():
            if thread.name == "mypi-ldap":
                thread.join(10)


# Beside the users of the store

STELLA = User("stella", Hasher().hash("in-the-store"), "2026-01-01T00:00:00Z")
STORED = Accounts(users={"stella": STELLA}, groups={"own": ("alice",)})


def test_users_of_the_store_do_not_need_the_directory(directory: Any) -> None:
    directory.stop()
    users = Users([StoreUsers(lambda: STORED), source(directory)], lambda: STORED)
    assert users.verify("stella", "in-the-store")
    assert not users.verify("stella", "wrong-word")
    assert users.stamp("stella")
    assert users.groups("stella") == frozenset()
    for ask in (users.stamp, users.groups, lambda name: users.verify(name, "wonder-land")):
        with pytest.raises(AccountError):
            ask("alice")


def test_a_password_is_not_called_wrong_because_the_directory_is_away(directory: Any) -> None:
    users = Users([StoreUsers(lambda: STORED), source(directory)], lambda: STORED)
    assert users.stamp("carol") is None
    directory.stop()
    with pytest.raises(AccountError):
        users.verify("carol", "first-word")


def test_groups_of_the_store_and_of_the_directory_are_joined(directory: Any) -> None:
    users = Users([StoreUsers(lambda: STORED), source(directory)], lambda: STORED)
    assert users.groups("alice") == {"own", "build"}


def test_the_store_decides_about_a_name_that_both_know(directory: Any) -> None:
    directory.add_user("stella", "in-the-directory")
    users = Users([StoreUsers(lambda: STORED), source(directory)], lambda: STORED)
    assert users.verify("stella", "in-the-store")
    assert not users.verify("stella", "in-the-directory")


def test_threat_31_every_wrong_pair_costs_a_question_to_the_directory(double: Double) -> None:
    users = Users([StoreUsers(lambda: STORED), source(double)], lambda: STORED)
    asked = {}
    for name in ("alice", "nobody", "no name"):
        users.verify(name, "wrong-word")  # from here on it is remembered who they are
        before = double.asked
        users.verify(name, "wrong-word")
        asked[name] = double.asked - before
    before = double.asked
    users.verify("stella", "wrong-word")
    asked["stella"] = double.asked - before
    assert set(asked.values()) == {4}, asked


# Settings


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"uri": ""}, r"^mypi\.ldap\.\w+ is set, but mypi\.ldap\.uri, which names the directory, is not$"),
        ({"user": ""}, r"^mypi\.ldap\.user is missing: write where users are, such as uid="),
        ({"name": "cn"}, r"mypi\.ldap\.user = .* does not begin with cn=\{user\},; set mypi\.ldap\.name"),
        ({"name": "a b"}, "not the name of an attribute"),
        ({"user": PEOPLE, "user_filter": "(uid=alice)"}, r"finds everybody; write \{user\} in it"),
        ({"user_filter": "uid={user}"}, "not a filter; write it in parentheses"),
        ({"group_filter": "(cn=build)"}, r"is of nobody; write \{dn\} or \{user\} in it"),
        ({"bind_password": ""}, "bind_dn and mypi.ldap.bind_password need each other"),
        (
            {"uri": "ldap://ldap.example.com"},
            r"starttls = false lets everybody on the way to ldap://ldap\.example\.com",
        ),
        ({"uri": "https://ldap.example.com"}, "is no address of a directory; write such as ldaps://"),
        ({"uri": "ldaps://a ldap://b"}, "of different kinds"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, str], says: str) -> None:
    with pytest.raises(options.SettingError, match=says):
        configured(Double, **given)


def test_without_settings_there_is_no_directory() -> None:
    assert options.read({}, {}) is None


def test_the_environment_may_hold_the_password() -> None:
    given = {f"mypi.{name}": value for name, value in directories.settings(Double, bind_password="").items()}
    found = options.read(given, {"MYPI_LDAP_BIND_PASSWORD": "from-there"})
    assert found and found.bind_password == "from-there"


def test_an_unencrypted_way_has_to_be_asked_for() -> None:
    assert configured(Double, uri="ldap://ldap.example.com", insecure="true")
    assert configured(Double, uri="ldap://ldap.example.com", starttls="true")


def test_the_password_of_mypi_is_shown_nowhere() -> None:
    found = configured(Double)
    assert found.bind_password == PASSWORD
    assert PASSWORD not in repr(found)
    assert found.group_base == GROUPS

"""Who asks, and what they may: credentials, limits, and what may be named to whom (B1.11, E1; threats 11, 31, 32)."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyramid.authorization import Everyone
from pyramid.request import Request
from webob import Request as Blank

from mypi.accounts import StoreUsers, Throttle, Throttled, Users, credentials
from mypi.accounts.credentials import Credentials, parse_basic
from mypi.accounts.throttle import TRIES
from mypi.resources import Root, SimpleProject
from mypi.rights import PERMISSIONS, Rights
from mypi.security import COOKIE, Identity, Limited, Policy, acl, closed, is_for_people, project_of, refusal, visible
from tests.accounts import PASSWORDS, add_group, add_token, add_users, basic, bearer, load, open_memory

ADDRESS = "198.51.100.7"


class Index:
    """A store with users, a policy over it, and requests that a registry goes with."""

    def __init__(self, settings: dict[str, str] | None = None, **policy) -> None:
        loaded = load(**{"upload": "users", **(settings or {})})
        self.repository = open_memory(loaded)
        add_users(self.repository, "alice", "bob")
        members = self.repository.members
        self.users = Users([StoreUsers(members.get)], members.get)
        self.policy = Policy(self.users, members, **policy)
        self.registry = {"mypi.settings": loaded, "mypi.policy": self.policy}

    def request(self, headers=None, method="GET", view="", **environ) -> Request:
        request = Request(
            Blank.blank("/", method=method, headers=headers or {}, environ={"REMOTE_ADDR": ADDRESS, **environ}).environ
        )
        request.registry = self.registry
        request.view_name = view
        request.repository = self.repository
        return request

    def user(self, *args, **more) -> str | None:
        return self.policy.authenticated_userid(self.request(*args, **more))

    def project(self, name="acme-lib") -> SimpleProject:
        return SimpleProject(Root(self.request()), name)

    def cookie(self, user="alice") -> dict[str, str]:
        return {"Cookie": f"{COOKIE}={self.policy.sessions.open(user, self.users.stamp(user))}"}

    def permits(self, permission, headers=None, place=None, **more):
        return self.policy.permits(self.request(headers, **more), place or self.project(), permission)


@pytest.fixture
def make():
    made = []

    def make(settings=None, **policy) -> Index:
        made.append(Index(settings, **policy))
        return made[-1]

    yield make
    for each in made:
        each.repository.close()


@pytest.fixture
def index(make) -> Index:
    return make()


def encoded(text: str, charset="utf-8") -> str:
    return base64.b64encode(text.encode(charset)).decode()


@pytest.mark.parametrize(
    ("scheme", "parameters", "expected"),
    [
        ("Basic", encoded("alice:secret"), ("alice", "secret")),
        ("basic", encoded("alice:a:b"), ("alice", "a:b")),
        ("Basic", encoded("__token__: x\n"), ("__token__", "x")),
        ("Basic", encoded("alice"), None),
        ("Basic", "not base64!", None),
        ("Basic", encoded("ä:ö", "latin-1"), ("ä", "ö")),
        ("Bearer", encoded("alice:secret"), None),
    ],
)
def test_B1_11_basic_credentials(scheme, parameters, expected):
    assert parse_basic(scheme, parameters) == expected


@settings(deadline=None)
@given(st.text())
def test_any_header_is_read_or_is_none(header):
    found = credentials.read(header)
    assert found is None or isinstance(found, Credentials)


@settings(deadline=None)
@given(st.text().filter(lambda text: ":" not in text), st.text())
def test_B1_11_whatever_name_and_password_come_back(user, password):
    found = credentials.read(f"Basic {base64.b64encode(f'{user}:{password}'.encode('utf-8', 'replace')).decode()}")
    assert found is not None
    if found.token is None:
        assert found.password == f"{password}".encode("utf-8", "replace").decode().strip()


def test_an_acl_names_everyone_users_and_nobody():
    assert acl("read", ["everyone"]) == [("Allow", "system.Everyone", "read")]
    assert acl("read", ["users", "user:bob"]) == [("Allow", "users", "read"), ("Allow", "user:bob", "read")]
    assert acl("read", ["nobody"]) == []
    assert closed("read", ["users"]) == [("Allow", "users", "read"), ("Deny", "system.Everyone", "read")]


def test_the_policy_remembers_nobody_and_forgets_by_asking_again(index):
    request = index.request()
    assert index.policy.remember(request, "alice") == []
    assert index.policy.forget(request) == [("WWW-Authenticate", 'Basic realm="pypi"')]


def test_B1_11_a_password_names_its_user_and_no_other_does(index):
    assert index.user(basic("alice")) == "alice"
    assert index.user(basic("alice", f" {PASSWORDS['alice']}\n")) == "alice"
    for wrong in (basic("alice", "x"), basic("carol"), basic("alice", ""), {}, {"Authorization": "Basic junk"}):
        assert index.user(wrong) is None


@pytest.mark.parametrize("how", ["__token__", "alice", "anybody", "Bearer", "token"])
def test_B1_11_a_token_comes_as_bearer_and_as_the_password_of_any_name(index, how):
    text = add_token(index.repository, "alice", ["upload"])
    headers = {"Authorization": f"{how} {text}"} if how in ("Bearer", "token") else basic(how, text)
    found = index.policy.identity(index.request(headers, method="POST"))
    assert (found.user, found.via, found.permissions) == ("alice", "token ci", ("upload",))
    assert "user:alice" in found.principals


def test_a_password_that_begins_like_a_token_is_a_password(index, monkeypatch):
    monkeypatch.setitem(PASSWORDS, "carol", "mypi-is-my-password")
    add_users(index.repository, "carol")
    assert index.user(basic("carol")) == "carol"


@pytest.mark.parametrize(
    ("expires", "says"),
    [
        ("2026-01-02T00:00:00Z", "The token ci expired at 2026-01-02T00:00:00Z; make another"),
        (None, "The token is none of this index, or it was revoked or has expired; make another"),
    ],
)
def test_who_sends_a_token_that_does_not_do_is_told_why(index, expires, says):
    text = add_token(index.repository, "alice", ["upload"], expires=expires) if expires else "mypi-x"
    request = index.request(basic("__token__", text))
    assert index.policy.identity(request) is None
    assert refusal(request) == says


def test_a_token_ends_with_its_user(index):
    text = add_token(index.repository, "alice", ["upload"])
    index.repository.members.edit(lambda held: type(held)(tokens=held.tokens, key=held.key))
    assert index.user(bearer(text)) is None


def test_where_the_server_says_who_asks_a_token_needs_no_password_of_its_user(make):
    index = make(remote_user=True)
    text = add_token(index.repository, "zoe", ["upload"])
    assert index.user(bearer(text)) == "zoe"


def test_the_last_use_of_a_token_is_noted_to_the_hour_and_once(index):
    text = add_token(index.repository, "alice", ["upload"])
    index.user(bearer(text))
    [token] = index.repository.members.get().tokens.values()
    assert token.used.endswith(":00:00Z")
    revision = index.repository.members.get().revision
    for _ in range(3):
        index.user(bearer(text))
    assert index.repository.members.get().revision == revision


def test_reading_with_a_password_or_a_session_writes_nothing(index):
    cookie, before = index.cookie(), index.repository.members.get().revision
    for headers in (basic("alice"), cookie, basic("alice", "wrong"), bearer("mypi-x")):
        index.user(headers)
    assert index.repository.members.get().revision == before


def test_a_minted_token_is_asked_for_when_there_is_no_other(make):
    minted = Identity("ci of acme", frozenset(), "publisher acme", grants=("acme-*",))
    index = make({"upload": "nobody"}, minted=lambda text: minted if text == "minted" else None)
    assert index.policy.identity(index.request(bearer("minted"))) is minted
    assert index.policy.identity(index.request(bearer("other"))) is None
    assert not minted.is_user
    root = Root(index.request())
    assert index.permits("upload", bearer("minted"), root)
    assert index.permits("upload", bearer("minted"), index.project("acme-lib"))
    assert not index.permits("upload", bearer("minted"), index.project("other"))
    assert not index.permits("manage", bearer("minted"), index.project("acme-lib"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_a_session_lets_its_user_read(index, method):
    assert index.user(index.cookie(), method=method) == "alice"


def test_threat_11_a_session_counts_for_no_apis_change(index):
    assert index.user(index.cookie(), method="POST") is None
    assert index.user(index.cookie(), method="DELETE") is None
    assert index.user(index.cookie(), method="POST", view="+upload") == "alice"


def test_threat_11_a_password_or_token_counts_for_no_form_of_a_page(index):
    text = add_token(index.repository, "alice", ["upload", "manage", "read"])
    for headers in (basic("alice"), bearer(text), basic("__token__", text)):
        request = index.request(headers, method="POST", view="+manage")
        assert index.policy.identity(request) is None
        assert "log in" in refusal(request)
        assert index.user(headers, view="+manage") == "alice"
    both = {**index.cookie("bob"), **basic("alice")}
    assert index.user(both, method="POST", view="+manage") == "bob"
    assert index.user(both, method="POST") == "alice"
    assert index.user(both) == "alice"


def test_before_the_traversal_nothing_is_for_people():
    assert not is_for_people(Request(Blank.blank("/").environ))


def test_a_session_ends_with_the_password_that_opened_it(index):
    cookie = index.cookie()
    add_token(index.repository, "alice", ["read"])
    assert index.user(cookie) == "alice"
    index.repository.members.edit(lambda held: held.set_password("alice", "another", held.history[0]))
    assert index.user(cookie) is None
    index.repository.members.edit(lambda held: held.remove_user("alice", held.history[0]))
    assert index.user(cookie) is None
    assert index.user({"Cookie": f"{COOKIE}=junk"}) is None


def test_who_is_logged_in_is_found_once_whatever_else_comes(index):
    request = index.request({**index.cookie("bob"), **basic("alice")})
    found = index.policy.of_session(request)
    assert found.user == "bob"
    assert found.session.user == "bob"
    assert index.policy.of_session(request) is found


def test_a_page_offers_what_its_reader_may(make):
    index = make({"upload": "user:alice", "manage": "group:admins"})
    add_group(index.repository, "admins", "bob")
    for user, permission, expected in (
        ("alice", "upload", True),
        ("alice", "manage", False),
        ("bob", "manage", True),
        ("bob", "upload", False),
    ):
        assert index.policy.may(index.request(index.cookie(user)), index.project(), permission) is expected
    assert index.policy.may(index.request(), index.project(), "read")
    assert not index.policy.may(index.request(basic("alice")), index.project(), "upload")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_server_says_who_asks_where_it_is_trusted(make, method):
    assert make(remote_user=True).user(method=method, REMOTE_USER="carol") == "carol"
    assert make(remote_user=True).user(method=method) is None
    assert make().user(method=method, REMOTE_USER="carol") is None


@pytest.mark.parametrize("name", [" ", "a\nb", "a\x00", "ACME\\carol", "__token__"])
def test_a_name_that_no_rule_could_name_is_nobodys_even_beside_a_right_password(make, name):
    index = make(remote_user=True)
    assert index.user(basic("alice"), REMOTE_USER=name) is None
    assert index.policy.of_session(index.request(index.cookie(), REMOTE_USER=name)) is None


def test_the_server_comes_before_a_password_that_it_took_itself_but_after_a_token(make):
    index = make(remote_user=True)
    text = add_token(index.repository, "bob", ["read"])
    assert index.user(basic("carol", "known to the front only"), REMOTE_USER="carol") == "carol"
    assert index.user(basic("alice")) == "alice"
    assert index.user(bearer(text), REMOTE_USER="carol") == "bob"
    assert index.user(bearer("mypi-wrong"), REMOTE_USER="carol") is None
    assert index.policy.of_session(index.request(REMOTE_USER="carol")).user == "carol"


def test_groups_of_the_store_are_also_for_whom_the_server_names(make):
    index = make(remote_user=True)
    add_group(index.repository, "build", "carol")
    found = index.policy.identity(index.request(REMOTE_USER="carol"))
    assert found.principals == {"users", "user:carol", "group:build"}


def test_what_everyone_may_verifies_nobody(index, monkeypatch):
    monkeypatch.setattr(index.users, "verify", lambda *_: pytest.fail("verified"))
    assert index.permits("read", basic("alice", "wrong"))


def test_credentials_are_verified_once_in_a_request(index, monkeypatch):
    asked, real = [], index.users.verify
    monkeypatch.setattr(index.users, "verify", lambda *pair: asked.append(pair) or real(*pair))
    request = index.request(basic("alice", "wrong"))
    for _ in range(3):
        assert not index.policy.permits(request, index.project(), "upload")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("permissions", "projects", "place", "permission", "expected"),
    [
        (["upload"], ["acme-*"], "acme-lib", "upload", True),
        (["upload"], ["acme-*"], "other", "upload", False),
        (["upload"], ["acme-*"], None, "upload", True),
        (["upload"], ["acme-*"], "acme-lib", "read", False),
        (["upload"], ["acme-*"], "acme-lib", "manage", False),
        (["read"], ["*"], "other", "read", True),
        (["read"], ["*"], "other", "upload", False),
        (["read", "upload", "manage"], ["acme-*"], None, "manage", False),
        (["read", "upload", "manage"], ["acme-*"], "acme-lib", "manage", True),
        (["read", "upload", "manage"], ["*"], None, "manage", True),
        ([], ["*"], "acme-lib", "read", False),
    ],
)
def test_a_token_has_its_users_rights_within_its_limits(make, permissions, projects, place, permission, expected):
    index = make({"read": "users", "upload": "users", "manage": "user:alice"})
    text = add_token(index.repository, "alice", permissions, *projects)
    where = Root(index.request()) if place is None else index.project(place)
    answer = index.permits(permission, bearer(text), where)
    assert bool(answer) is expected
    assert expected or isinstance(answer, Limited)


def test_a_tokens_limits_give_no_right_that_its_user_has_not(make):
    index = make({"read": "users", "upload": "user:alice", "manage": "user:alice"})
    text = add_token(index.repository, "bob", ["read", "upload", "manage"])
    assert index.permits("read", bearer(text))
    for permission in ("upload", "manage"):
        answer = index.permits(permission, bearer(text))
        assert not answer
        assert not isinstance(answer, Limited)


def test_threat_32_ten_wrong_passwords_make_the_eleventh_wait_and_a_token_work_on(index):
    text = add_token(index.repository, "alice", ["upload"])
    for _ in range(TRIES):
        assert index.user(basic("alice", "wrong")) is None
    with pytest.raises(Throttled):
        index.user(basic("alice"))
    with pytest.raises(Throttled):
        index.user(basic("bob"))
    assert index.user(basic("bob"), REMOTE_ADDR="203.0.113.9") == "bob"
    assert index.user(bearer(text)) == "alice"
    assert index.user(basic("__token__", text)) == "alice"
    assert index.user(index.cookie()) == "alice"
    assert index.policy.offered(index.request(basic("alice"))) is None


def test_threat_32_wrong_tokens_lock_nobody_out(index):
    for _ in range(TRIES * 2):
        assert index.user(basic("__token__", "mypi-wrong")) is None
    assert index.user(basic("alice")) == "alice"


@pytest.mark.parametrize("proxy", [True, False])
def test_threat_32_the_trusted_proxys_own_address_is_not_counted(index, proxy):
    environ = {"mypi.proxy": proxy}
    for number in range(TRIES):
        index.user(basic(f"user{number}", "wrong"), **environ)
    if proxy:
        assert index.user(basic("alice"), **environ) == "alice"
    else:
        with pytest.raises(Throttled):
            index.user(basic("alice"), **environ)


def test_made_up_credentials_where_none_are_needed_lock_no_machine_out(index):
    for number in range(TRIES * 2):
        assert index.policy.offered(index.request(basic(f"user{number}", "junk"))) is None
    assert index.user(basic("alice")) == "alice"
    for _ in range(TRIES):
        assert index.policy.offered(index.request(basic("bob", "junk"))) is None
    with pytest.raises(Throttled):
        index.user(basic("bob"))


def test_what_was_offered_in_vain_is_looked_at_again_when_it_is_needed(index):
    request = index.request(basic("alice", "wrong"))
    assert index.policy.offered(request) is None
    assert index.policy.identity(request) is None
    right = index.request(basic("alice"))
    assert index.policy.offered(right).user == index.policy.identity(right).user == "alice"


def test_a_brake_may_be_shared(make):
    brake = Throttle()
    assert make(throttle=brake).policy.throttle is brake


def test_the_refusal_tells_a_wrong_password_from_none(index):
    assert refusal(index.request()) == "This needs a user name and password"
    assert refusal(index.request(basic("alice", "x"))) == "The user name or password is wrong"


@pytest.mark.parametrize(("name", "project"), [("acme-lib", "acme-lib"), ("Acme.Lib", "acme-lib")])
def test_a_place_belongs_to_its_project(index, name, project):
    assert project_of(index.project(name)) == project
    assert project_of(Root(index.request())) is None


OPEN, MIXED = {"read": "everyone"}, {"read": "users", "read.acme-*": "group:acme", "read.free-*": "everyone"}


@pytest.mark.parametrize(
    ("settings", "who", "sees"),
    [
        (OPEN, None, {"acme-lib", "free-lib", "other"}),
        (OPEN, "alice", {"acme-lib", "free-lib", "other"}),
        (OPEN, ("alice", ["upload"], ["x"]), {"acme-lib", "free-lib", "other"}),
        (MIXED, None, {"free-lib"}),
        (MIXED, "wrong", {"free-lib"}),
        (MIXED, "alice", {"acme-lib", "free-lib", "other"}),
        (MIXED, "bob", {"free-lib", "other"}),
        (MIXED, ("alice", ["read"], ["acme-*"]), {"acme-lib", "free-lib"}),
        (MIXED, ("bob", ["read"], ["acme-*"]), {"free-lib"}),
        (MIXED, ("alice", ["upload"], ["*"]), {"free-lib"}),
        ({"read": "users"}, None, set()),
        ({"read": "users"}, "alice", {"acme-lib", "free-lib", "other"}),
        ({"read": "users"}, ("alice", ["read"], ["other"]), {"other"}),
        ({"read": "user:alice"}, "bob", set()),
        ({"read": "nobody"}, "alice", set()),
    ],
)
def test_E1_only_what_somebody_may_read_is_named_to_them(make, settings, who, sees):
    index = make(settings)
    add_group(index.repository, "acme", "alice")
    if who is None:
        headers = {}
    elif isinstance(who, tuple):
        headers = bearer(add_token(index.repository, who[0], who[1], *who[2]))
    else:
        headers = basic("alice", "wrong") if who == "wrong" else basic(who)
    seen = visible(index.request(headers))
    assert {name for name in ("acme-lib", "free-lib", "other") if seen(name)} == sees


def test_pages_are_kept_apart_for_whom_they_differ_and_shared_else(make):
    index = make(MIXED)
    add_group(index.repository, "acme", "alice")
    token = bearer(add_token(index.repository, "alice", ["read"], "acme-*"))
    keys = [visible(index.request(headers)).key for headers in ({}, basic("alice"), basic("bob"), token)]
    assert len(set(keys)) == 4
    assert visible(index.request(basic("bob"))).key == keys[2]
    even = make({"read": "users"})
    assert visible(even.request(basic("alice"))).key == visible(even.request(basic("bob"))).key == ""
    assert visible(even.request()).key != ""


def test_owners_upload_to_their_own_and_users_begin_what_there_is_not(make):
    index = make({"upload": "owners", "manage": "owners"})
    assert index.permits("upload", basic("alice"), index.project("new"))
    assert not index.permits("manage", basic("alice"), index.project("new"))
    assert not index.permits("upload", {}, index.project("new"))
    assert index.permits("upload", basic("alice"), Root(index.request()))
    assert not index.permits("manage", basic("alice"), Root(index.request()))


def test_rights_without_patterns_are_those_of_the_index():
    assert Rights({"read": ("users",), "upload": ("users",), "manage": ("users",)}).on("read", "acme") == ("users",)


def test_the_acl_of_a_project_ends_for_each_right_with_a_refusal_to_everybody(index):
    entries = list(SimpleProject(Root(index.request()), "acme-lib").__acl__())
    assert [entry[1:] for entry in entries if entry[0] == "Deny"] == [(Everyone, each) for each in PERMISSIONS]

"""Who may do what: credentials, principals and foreign sites (B1.11, E1; threats 11, 14, 31, 33, 40)."""

from __future__ import annotations

import logging
import shutil

import pytest

from mypi.repository import Repository
from mypi.resources import SimpleProject
from tests.accounts import add_token, bearer
from tests.builders import wheel
from tests.functional.support import UV, UV_PUBLISH, basic, told

NAME, CONTENT = wheel()
JUNK = ["Basic", "Basic !!!", 'Basic "x"', "Basic YWxpY2U=", "Bearer x", 'Digest username="x"', "x", "", "Basic \xff"]
ALICE, BOB = basic("alice", "wonder"), basic("bob", "builder")


@pytest.fixture
def users(make_index, htpasswd):
    """An index that everyone may read and users may publish to."""
    return make_index(upload="users", htpasswd=htpasswd)


def publish(index, headers, status=200, url="/"):
    """Publish the wheel with these headers."""
    index.extra_environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    try:
        return index.publish(NAME, CONTENT, url=url, status=status)
    finally:
        index.extra_environ = {}


def keys(store):
    return sorted(entry.key for entry in store.list())


@pytest.mark.parametrize("junk", JUNK)
def test_an_open_index_does_not_look_at_credentials(index, junk):
    publish(index, {"Authorization": junk})
    index.get("/simple/acme-lib/", headers={"Authorization": junk})


@pytest.mark.parametrize("action", ["file_upload", "submit", "verify", "doc_upload", "nonsense"])
def test_B1_11_C2_missing_or_wrong_credentials_are_401_with_the_realm_that_distutils_knows(store, users, action):
    before = keys(store)
    for given in ("", *JUNK, *basic("alice", "wrong").values(), *basic("nobody", "wonder").values()):
        headers = {"Authorization": given} if given else {}
        answer = users.post("/", {":action": action, "name": "acme-lib"}, headers=headers, status=401)
        assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'
    assert keys(store) == before


def test_B1_11_a_user_publishes_and_is_named_in_the_history(users):
    publish(users, ALICE)
    project = users.repository.project("acme-lib").value
    assert project.files[NAME].uploader == "alice"
    assert project.history[0].by == "alice"


@pytest.mark.parametrize("charset", ["utf-8", "latin-1"])
def test_B1_11_names_and_passwords_beyond_ascii_work_in_both_charsets(users, charset):
    publish(users, basic("zoë", "crème", charset))


def test_B1_11_stray_white_space_around_a_password_is_forgiven(users):
    publish(users, basic("alice", " wonder\n"))


def test_B1_11_C8_who_may_not_publish_gets_403_that_names_who_and_what(store, make_index, htpasswd):
    index = make_index(upload="user:alice", htpasswd=htpasswd)
    before = keys(store)
    answer = publish(index, BOB, status=403)
    assert "bob" in answer.status
    assert "upload" in answer.status
    assert "WWW-Authenticate" not in answer.headers
    assert keys(store) == before
    publish(index, ALICE)


def test_B1_11_a_project_may_have_narrower_rights_than_the_index(store, users, monkeypatch):
    deny = ("Deny", "user:bob", "upload")
    monkeypatch.setattr(SimpleProject, "__acl__", [deny], raising=False)
    answer = publish(users, BOB, status=403)
    assert "bob has no right to upload on acme-lib" in answer.status
    publish(users, ALICE)


def test_B1_11_C2_uploads_that_are_switched_off_are_403_whoever_asks(make_index, htpasswd):
    index = make_index(upload="nobody", htpasswd=htpasswd)
    for headers in ({}, ALICE, *[basic("alice", "wrong")] * 12):
        answer = publish(index, headers, status=403)
        assert "switched off" in answer.status
        assert "WWW-Authenticate" not in answer.headers
    assert "Publish" not in index.get("/").text


def test_B1_12_B2_refused_uv_reads_why(users):
    answer = users.post("/", {}, headers={"Accept": UV_PUBLISH}, status=401)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["code"].startswith("401")


@pytest.mark.parametrize(("who", "status"), [("alice", 401), ("bob", 403)])
@pytest.mark.parametrize("accept", ["*/*", UV_PUBLISH, None])
def test_B2_refused_tells_why_wherever_the_client_looks(make_index, htpasswd, who, status, accept):
    index = make_index(upload="user:alice", htpasswd=htpasswd)
    headers = basic(who, "builder") | ({"Accept": accept} if accept else {})
    answer = publish(index, headers, status=status)
    why = {401: "The user name or password is wrong", 403: "bob has no right to upload on this index"}[status]
    assert answer.status == f"{status} {why}"
    assert why in answer.text


@pytest.mark.parametrize("how", ["__token__", "alice", "Bearer"])
def test_B1_11_B2_token_publishes_within_its_limits_and_stands_in_the_history(users, how):
    text = add_token(users.repository, "alice", ["upload"], "acme-*")
    headers = bearer(text) if how == "Bearer" else basic(how, f"{text}\n")
    publish(users, headers)
    [event] = users.repository.project("acme-lib").value.history
    assert (event.by, event.via) == ("alice", "token ci")
    assert users.repository.project("acme-lib").value.owners == ("alice",)
    users.extra_environ = {"HTTP_AUTHORIZATION": headers["Authorization"]}
    answer = users.publish(*wheel("beta"), status=403)
    assert answer.status == "403 The token ci has no right to upload on beta"


def test_B1_11_a_token_without_the_right_is_refused_before_the_form_is_read(users):
    text = add_token(users.repository, "alice", ["read"])
    answer = publish(users, bearer(text), status=403)
    assert answer.status == "403 The token ci has no right to upload on this index"


def test_B1_11_an_expired_token_is_told_from_a_wrong_one(users):
    text = add_token(users.repository, "alice", ["upload"], expires="2026-01-01T12:00:00Z")
    for headers in (bearer(text), basic("__token__", text)):
        answer = publish(users, headers, status=401)
        assert answer.status == "401 The token ci expired at 2026-01-01T12:00:00Z; make another"
    wrong = publish(users, basic("__token__", text[:-1] + "."), status=401)
    assert wrong.status == "401 The token is none of this index, or it was revoked or has expired; make another"
    assert text not in wrong.text


def test_two_users_who_begin_one_project_at_once_do_not_share_it(store, make_index, htpasswd, monkeypatch):
    index = make_index(upload="owners", htpasswd=htpasswd)
    real = Repository.publish

    def bob_is_quicker(repository, submission, by):
        monkeypatch.setattr(Repository, "publish", real)
        publish(make_index(upload="owners", htpasswd=htpasswd), BOB)
        return real(repository, submission, by)

    monkeypatch.setattr(Repository, "publish", bob_is_quicker)
    index.extra_environ = {"HTTP_AUTHORIZATION": ALICE["Authorization"]}
    answer = index.publish(*wheel("acme-lib", "2.0"), status=403)
    assert "acme-lib was begun by somebody else meanwhile; only its owners may publish to it" in answer.status
    project = index.repository.project("acme-lib").value
    assert (project.owners, list(project.files)) == (("bob",), [NAME])
    for version, who, status in (("3.0", ALICE, 403), ("4.0", BOB, 200)):
        index.extra_environ = {"HTTP_AUTHORIZATION": who["Authorization"]}
        index.publish(*wheel("acme-lib", version), status=status)


def test_two_users_who_register_one_project_at_once_do_not_share_it(store, make_index, htpasswd, monkeypatch):
    index = make_index(upload="owners", htpasswd=htpasswd)
    real, form = Repository.register, {":action": "submit", "metadata_version": "2.1", "name": "acme-lib"}

    def bob_is_quicker(repository, core, by):
        monkeypatch.setattr(Repository, "register", real)
        index.post("/", {**form, "version": "1.0"}, headers=BOB)
        return real(repository, core, by)

    monkeypatch.setattr(Repository, "register", bob_is_quicker)
    index.post("/", {**form, "version": "2.0"}, headers=ALICE, status=403)
    project = index.repository.project("acme-lib").value
    assert (project.owners, list(project.releases)) == (("bob",), ["1.0"])


def test_threat_32_guessing_is_answered_429_with_when_to_come_back(users):
    for _ in range(10):
        publish(users, basic("alice", "guess"), status=401)
    answer = publish(users, ALICE, status=429)
    assert 0 < int(answer.headers["Retry-After"]) <= 300
    assert "Too many wrong passwords" in answer.status
    assert answer.headers["Cache-Control"] == "no-store"
    publish(users, bearer(add_token(users.repository, "alice", ["upload"])))


def test_B2_check_url_that_needs_credentials_is_401_and_the_upload_is_taken(make_index, htpasswd):
    index = make_index(read="users", upload="users", htpasswd=htpasswd)
    index.get("/simple/acme-lib/", headers={"Accept": UV}, status=401)
    publish(index, ALICE)


@pytest.mark.parametrize(
    "address", ["/", "/simple/", "/simple/acme-lib/", "/acme-lib/", "/project/acme-lib/", "{file}"]
)
def test_E1_reading_is_401_for_strangers_and_404_for_users_who_may_not(make_index, htpasswd, address):
    index = make_index(read="user:alice", htpasswd=htpasswd)
    index.publish(NAME, CONTENT)
    index.authorization = ("Basic", ("alice", "wonder"))
    address = address.format(file=index.url("acme-lib", NAME))
    index.get(address)
    index.authorization = None
    assert index.get(address, status=401).headers["WWW-Authenticate"] == 'Basic realm="pypi"'
    assert index.head(address, status=401)
    assert "bob" in index.get(address, headers=BOB, status=404).text


@pytest.mark.parametrize("path", ["/simple/nothing/", "/simple/Nothing", "/nothing/", "/project/nothing/"])
def test_a_stranger_does_not_learn_what_exists(make_index, htpasswd, path):
    index = make_index(read="users", htpasswd=htpasswd)
    index.publish(NAME, CONTENT)
    there = index.get(path.replace("nothing", "acme-lib").replace("Nothing", "Acme.Lib"), status=401)
    absent = index.get(path, status=401)
    assert (there.status, told(there), there.body) == (absent.status, told(absent), absent.body)


def test_threat_31_an_unknown_user_and_a_wrong_password_get_the_same_answer(users):
    one, other = (users.post("/", {}, headers=basic(*pair), status=401) for pair in (("alice", "x"), ("nobody", "x")))
    assert (one.status, told(one), one.body) == (other.status, told(other), other.body)


def test_threat_33_no_password_reaches_the_log(users, caplog):
    with caplog.at_level(logging.DEBUG):
        publish(users, basic("alice", "hunter2"), status=401)
        publish(users, ALICE)
    assert "alice" in caplog.text
    for secret in ("hunter2", "wonder", *ALICE.values()):
        assert secret not in caplog.text


def test_a_users_file_that_was_lost_is_503_and_keeps_its_path_secret(make_index, tmp_path, htpasswd, caplog):
    path = tmp_path / "users"
    shutil.copy(htpasswd, path)
    index = make_index(upload="users", htpasswd=str(path))
    path.unlink()
    answer = publish(index, ALICE, status=503)
    assert "users" in answer.status
    assert str(path) not in answer.status + answer.text
    assert str(path) in caplog.text
    index.get("/", headers=ALICE)


FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://["},
    {"Origin": ""},
    {"Origin": "https://localhost:80.evil.example"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "nonsense"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:80"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_threat_11_another_sites_page_publishes_nothing(store, users, headers):
    before = keys(store)
    answer = publish(users, {**ALICE, **headers}, status=403)
    assert "Another site" in answer.status
    assert keys(store) == before


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://localhost:80"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]
)
def test_threat_11_tools_and_our_own_pages_publish(users, headers):
    publish(users, {**ALICE, **headers})


def test_threat_11_reading_from_elsewhere_is_no_change(users):
    users.get("/simple/", headers={"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"})


def test_threat_14_a_host_name_that_is_not_ours_is_421(make_index):
    index = make_index(allowed_hosts="pypi.example.com, [::1]")
    for host in ("pypi.example.com", "PyPI.example.com:8080", "[::1]", "[::1]:6543"):
        index.get("/", headers={"Host": host})
    for host in ("evil.example", "evil.example:80", "pypi.example.com.evil.example", ""):
        assert "host name" in index.get("/", headers={"Host": host}, status=421).status


def test_threat_14_where_none_is_named_any_will_do(index):
    index.get("/", headers={"Host": "anything.example"})


@pytest.mark.parametrize("root", ["/simple", "/simple/acme-lib", "/+nothing", "\xff", "/%ff"])
def test_threat_14_nobody_moves_the_root_of_the_tree(index, root):
    index.publish(NAME, CONTENT)
    assert index.get("/", headers={"X-Vhm-Root": root}).body == index.get("/").body


@pytest.mark.parametrize("sent", ["203.0.113.9", "evil\u00ff, 203.0.113.9"])
def test_the_history_names_the_address_that_the_server_vouches_for(index, sent):
    publish(index, {"X-Forwarded-For": sent})
    assert index.repository.project("acme-lib").value.history[0].origin is None
    index.extra_environ = {"REMOTE_ADDR": "198.51.100.7"}
    index.publish(*wheel("beta"), status=200)
    assert index.repository.project("beta").value.history[0].origin == "198.51.100.7"


@pytest.mark.parametrize(
    ("scheme", "address", "status"),
    [
        ("http", "198.51.100.7", 403),
        ("https", "198.51.100.7", 200),
        ("http", "127.0.0.1", 200),
        ("http", "::1", 200),
        ("http", "", 403),
    ],
)
def test_threat_40_credentials_over_plain_http_are_refused_where_https_is_said(
    make_index, htpasswd, scheme, address, status
):
    index = make_index(upload="users", htpasswd=htpasswd, https_only="true")
    environ = {"wsgi.url_scheme": scheme, "REMOTE_ADDR": address}
    index.extra_environ = {**environ, "HTTP_AUTHORIZATION": ALICE["Authorization"]}
    answer = index.publish(NAME, CONTENT, status=status)
    assert ("https only" in answer.status) == (status == 403)
    index.extra_environ = environ
    index.get("/simple/")


def test_threat_40_a_start_without_it_warns(make_index, htpasswd, caplog):
    make_index(upload="users", htpasswd=htpasswd, https_only="true")
    make_index()
    assert caplog.text == ""
    make_index(upload="users", htpasswd=htpasswd)
    assert "mypi.https_only" in caplog.text


def test_threat_40_https_stays_https(index):
    index.extra_environ = {"wsgi.url_scheme": "https"}
    assert index.get("/").headers["Strict-Transport-Security"] == "max-age=31536000"
    index.extra_environ = {}
    assert "Strict-Transport-Security" not in index.get("/").headers

"""Trusted publishing over HTTP: a build's identity token becomes one that publishes some projects for a while."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from webob import Request
from webtest import TestApp

from mypi.accounts.oidc.minting import LIFE, Exchange
from mypi.application import application
from mypi.backends.memory import MemoryStore
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Store, Tag, Unavailable
from mypi.views import oidc
from tests import issuers, stores
from tests.attested import of as attestation_of
from tests.builders import wheel
from tests.functional.conftest import Index
from tests.functional.support import basic

MINT = "/_/oidc/mint-token"


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[issuers.Issuer]:
    with issuers.running(tmp_path_factory.mktemp("issuer")) as running:
        yield running


@pytest.fixture
def issuer(_running: issuers.Issuer) -> issuers.Issuer:
    _running.pages = {}
    return _running


def settings(issuer: issuers.Issuer, **given: str) -> Settings:
    chosen = {
        "storage": "memory",
        "read": "users",
        "upload": "users",
        "publishers": f"acme-* {issuer.url} acme/lib release.yml",
        "audience": issuers.AUDIENCE,
        "issuer_ca": issuer.ca,
        **given,
    }
    return Settings.load({f"mypi.{name}": value for name, value in chosen.items()}, {})


def node(issuer: issuers.Issuer, store: Store, **given: str) -> Index:
    """One node of an index that is closed but for a trusted publisher."""
    loaded = settings(issuer, **given)
    repository = Repository(store, store, loaded)
    index = Index(application(loaded, repository))
    index.repository = repository
    return index


@pytest.fixture
def store() -> Iterator[Store]:
    made = MemoryStore()
    yield made
    made.close()


@pytest.fixture
def index(issuer: issuers.Issuer, store: Store) -> Index:
    return node(issuer, store)


@pytest.fixture(scope="module")
def quiet(_running: issuers.Issuer) -> Iterator[Index]:
    """An index for tests that change nothing."""
    made = MemoryStore()
    yield node(_running, made)
    made.close()


def mint(index: TestApp, token: Any, status: int = 200, **more: Any) -> Any:
    return index.post_json(MINT, {"token": token}, status=status, **more)


def upload(index: Index, token: str, project: str = "acme-lib", status: int = 200, **fields: Any) -> Any:
    index.extra_environ = {"HTTP_AUTHORIZATION": basic("__token__", token)["Authorization"]}
    try:
        return index.publish(*wheel(project), status=status, **fields)
    finally:
        index.extra_environ = {}


def minted(index: TestApp, issuer: issuers.Issuer, **claims: Any) -> str:
    return str(mint(index, issuer.token(**claims)).json["token"])


def test_D3_a_build_gets_a_token_and_publishes_without_a_password(index: Index, issuer: issuers.Issuer) -> None:
    assert index.get("/_/oidc/audience").json == {"audience": issuers.AUDIENCE}
    answer = mint(index, issuer.token())
    assert answer.json["success"] is True
    assert LIFE <= answer.json["expires"] - time.time() <= LIFE + 2
    assert answer.json["token"].startswith("mypi-oidc-")
    assert (answer.content_type, answer.cache_control.no_store) == ("application/json", True)
    upload(index, answer.json["token"])
    project = index.repository.project("acme-lib").value
    [event] = [event for event in project.history if event.file]
    assert (event.by, event.via) == (project.live[0].uploader, "workflow release.yml@refs/tags/v1.0")
    assert str(event.by).endswith(":acme/lib")
    assert project.owners == ()


def test_a_token_is_taken_as_bearer_too(index: Index, issuer: issuers.Issuer) -> None:
    index.extra_environ = {"HTTP_AUTHORIZATION": f"Bearer {minted(index, issuer)}"}
    index.publish(*wheel("acme-lib"))


def test_a_minted_token_publishes_granted_projects_and_does_nothing_else(index: Index, issuer: issuers.Issuer) -> None:
    token = minted(index, issuer)
    upload(index, token, "acme-lib")
    refused = upload(index, token, "other-lib", status=403)
    assert "The workflow release.yml@refs/tags/v1.0 has no right to upload on other-lib" in refused.text
    given = basic("__token__", token)
    index.get("/simple/acme-lib/", headers=given, status=404)
    index.get("/simple/", headers=given, status=404)
    index.get("/project/acme-lib/", headers=given, status=404)
    index.post("/", {":action": "submit", "name": "other-lib", "version": "1", "metadata_version": "2.1"},
               headers=given, status=403)  # fmt: skip


def test_who_may_publish_by_rules_does_not_matter_to_a_publisher(issuer: issuers.Issuer, store: Store) -> None:
    index = node(issuer, store, upload="nobody")
    token = minted(index, issuer)
    upload(index, token)
    index.publish(*wheel("acme-lib", "2.0"), status=403)
    index.post_json("/_/oidc/burn-token", {"token": token})
    assert "revoked or has expired" in upload(index, token, status=401).status


def test_where_everyone_may_publish_the_history_names_the_build(issuer: issuers.Issuer, store: Store) -> None:
    index = node(issuer, store, upload="everyone", read="everyone")
    upload(index, minted(index, issuer), "another")
    assert str(index.repository.project("another").value.live[0].uploader).endswith(":acme/lib")


def test_several_lines_of_one_build_grant_all_their_projects(issuer: issuers.Issuer, store: Store) -> None:
    lines = f"acme-* {issuer.url} acme/lib release.yml; tools {issuer.url} acme/lib release.yml"
    index = node(issuer, store, publishers=lines)
    token = minted(index, issuer)
    upload(index, token, "acme-lib")
    upload(index, token, "tools")
    upload(index, token, "tools-more", status=403)


@pytest.mark.parametrize("kind", sorted(stores.STORES))
def test_threat_replay_a_token_is_used_once_on_all_nodes(kind: str, issuer: issuers.Issuer, tmp_path: Path) -> None:
    shared = stores.make(kind, tmp_path)
    try:
        one, other = (node(issuer, shared) for _ in range(2))
        token = issuer.token()
        first = mint(one, token).json["token"]
        for index in (other, one):
            again = mint(index, token, status=422)
            assert again.json["errors"][0]["code"] == "invalid-reuse-token"
        upload(other, first)
    finally:
        shared.close()


def test_threat_replay_a_token_without_an_id_is_used_once_too(index: Index, issuer: issuers.Issuer) -> None:
    token = issuer.token(jti=None)
    mint(index, token)
    assert mint(index, token, status=422).json["errors"][0]["code"] == "invalid-reuse-token"


def test_a_token_that_is_refused_was_not_used(index: Index, issuer: issuers.Issuer) -> None:
    assert mint(index, issuer.token(repository="acme/x"), 422).json["errors"][0]["code"] == "invalid-publisher"
    assert index.repository._once.sweep(1e12) == 0
    assert index.repository.members.get().key == ""


def test_threat_an_ended_token_publishes_nothing(index: Index, issuer: issuers.Issuer, store: Store) -> None:
    loaded = settings(issuer)
    reads = index.app.registry["mypi.exchange"]._reads
    repository = Repository(store, store, loaded)

    def late(ago: float) -> str:
        exchange = Exchange(reads, loaded.publishers, "x", repository, clock=lambda: time.time() - ago)
        return exchange.mint(issuer.token())[0]

    upload(index, late(LIFE - 60))
    assert "revoked or has expired" in upload(index, late(LIFE + 2), status=401).text


def test_threat_a_changed_or_foreign_token_is_none(index: Index, issuer: issuers.Issuer) -> None:
    upload(index, "mypi-oidc-e30.x", status=401)  # before there is a key
    token = minted(index, issuer)
    head, _, signature = token.rpartition(".")
    session = index.app.registry["mypi.policy"].sessions.open("alice", "stamp")
    foreign = minted(node(issuer, MemoryStore()), issuer)
    for each in (f"{head}.{signature[:-2]}xx", f"{head}x.{signature}", head, "mypi-oidc-", f"mypi-oidc-{session}",
                 foreign, issuer.token()):  # fmt: skip
        upload(index, each, status=401)


def test_a_token_is_burnt_on_all_nodes_by_who_has_it(index: Index, issuer: issuers.Issuer, store: Store) -> None:
    token, kept = minted(index, issuer), minted(index, issuer)
    upload(index, token)
    for each in (token, token, "mypi-oidc-x", "x", f"{token}x"):
        assert index.post_json("/_/oidc/burn-token", {"token": each}).status_int == 202
    other = node(issuer, store)
    upload(other, token, status=401)
    upload(other, kept)
    index.post_json("/_/oidc/burn-token", {"token": None}, status=422)


def test_a_publisher_that_is_named_no_more_grants_nothing_more(issuer: issuers.Issuer, store: Store) -> None:
    lines = f"acme-* {issuer.url} acme/lib release.yml; tools {issuer.url} acme/lib release.yml"
    token = minted(node(issuer, store, publishers=lines), issuer)
    restarted = node(issuer, store)
    upload(restarted, token, "acme-lib")
    upload(restarted, token, "tools", status=403)
    upload(node(issuer, store, publishers=f"tools {issuer.url} acme/x release.yml"), token, status=401)


def test_attestations_of_a_build_are_kept_as_what_it_uploaded(index: Index, issuer: issuers.Issuer) -> None:
    name, content = wheel("acme-lib")
    upload(index, minted(index, issuer), attestations=json.dumps([attestation_of(name, content)]))
    project = index.repository.project("acme-lib").value
    with index.repository.open_sidecar(project, project.live[0], ".provenance") as reader:
        publisher = json.loads(reader.read())["attestation_bundles"][0]["publisher"]
    assert publisher == {"claims": {}, "kind": "unverified", "uploader": project.live[0].uploader}


def test_an_issuer_that_is_away_is_503_with_a_sentence(issuer: issuers.Issuer, store: Store) -> None:
    issuer.pages["/jwks"] = (500, {}, b"")
    answer = mint(node(issuer, store), issuer.token(), status=503)
    assert answer.json["errors"][0]["code"] == "issuer-away"
    assert answer.json["errors"][0]["description"].startswith("The issuer of the token does not give its keys now")
    assert answer.headers["Retry-After"] == "60"
    assert issuer.origin not in answer.text


class Away(MemoryStore):
    away = False

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        if self.away:
            raise Unavailable(key, "the cable is out")
        return super()._swap(key, data, expect)


def test_a_store_that_is_away_is_503_with_a_sentence(issuer: issuers.Issuer) -> None:
    store = Away()
    index = node(issuer, store)
    store.away = True
    answer = mint(index, issuer.token(), status=503)
    assert answer.json["errors"][0]["code"] == "store-away"
    assert "cable" not in answer.text


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"null", 422),
        (b"{}", 422),
        (b'{"token": null}', 422),
        (b'{"token": ""}', 422),
        (b'{"token": ["x"]}', 422),
        (b'{"token": "x"}', 422),
        (b'{"token": "\\ud800.\\ud800.\\ud800"}', 422),
        (b"\xff\xfe", 422),
        (b"[" * 60_000, 422),
        (b'{"token": "' + b"e30." * 16_000 + b'"}', 422),
        (b" " * 70_000, 413),
    ],
)
def test_no_500_whatever_is_sent(quiet: Index, body: bytes, status: int) -> None:
    answer = quiet.post(MINT, body, content_type="application/json", status=status)
    assert answer.json["message"] == "The token is not taken"
    assert {"code", "description"} == answer.json["errors"][0].keys()
    assert answer.json["errors"][0]["description"] in answer.status


class Torn:
    """A body whose sender goes away."""

    def read(self, size: int = -1) -> bytes:
        raise OSError("gone")


def test_no_500_when_the_sender_goes_away_or_never_ends(quiet: Index) -> None:
    def sent(body: object, **environ: Any) -> Any:
        given = {"CONTENT_TYPE": "application/json", "wsgi.input": body, **environ}
        return Request.blank(MINT, environ=given, method="POST").get_response(quiet.app)

    torn = sent(Torn(), CONTENT_LENGTH="10")
    assert (torn.status_int, torn.json["errors"][0]["description"]) == (422, "The request is no JSON")
    with Path("/dev/zero").open("rb") as endless:
        assert sent(endless, **{"wsgi.input_terminated": True}).status_int == 422


def test_old_clients_name_no_type_and_others_are_refused(index: Index, issuer: issuers.Issuer) -> None:
    body = json.dumps({"token": issuer.token()}).encode()
    answer = index.request(MINT, method="POST", body=body, headers={"Content-Type": ""})
    assert answer.json["success"]
    refused = index.post(MINT, {"token": issuer.token()}, status=415)
    assert refused.json["errors"][0]["description"] == "The request is no application/json"


def test_other_methods_are_405(quiet: Index) -> None:
    answer = quiet.get(MINT, status=405)
    assert (answer.allow, answer.json["errors"][0]["code"]) == (("POST",), "method")
    quiet.post("/_/oidc/audience", status=405)


def test_refused_tokens_are_counted_softly(
    index: Index, issuer: issuers.Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "TRIES", 3)
    here, there = ({"REMOTE_ADDR": address} for address in ("198.51.100.7", "198.51.100.8"))
    for _ in range(3):
        mint(index, "x", 422, extra_environ=here)
    answer = mint(index, issuer.token(), 429, extra_environ=here)
    assert answer.headers["Retry-After"] == "60"
    mint(index, issuer.token(), extra_environ=there)


@pytest.mark.parametrize(
    ("address", "scheme", "status"),
    [
        ("198.51.100.7", "http", 403),
        ("198.51.100.7", "https", 200),
        ("127.0.0.1", "http", 200),
        ("::1", "http", 200),
        ("", "http", 403),
    ],
)
def test_threat_40_tokens_over_plain_http_are_refused_where_https_is_said(
    issuer: issuers.Issuer, store: Store, address: str, scheme: str, status: int
) -> None:
    index = node(issuer, store, https_only="true")
    mint(index, issuer.token(), status, extra_environ={"REMOTE_ADDR": address, "wsgi.url_scheme": scheme})


def test_D3_without_publishers_there_is_a_plain_404(store: Store) -> None:
    loaded = Settings.load({"mypi.storage": "memory", "mypi.read": "users"}, {})
    index = TestApp(application(loaded, Repository(store, store, loaded)))
    for url in ("/_/oidc/audience", MINT, "/.well-known/pytp?discover=%2Flegacy%2F", "/_/", "/_"):
        index.get(url, status=404)
        index.post(url, b"{}", content_type="application/json", status=404)


@pytest.mark.parametrize(
    "url", ["/_/", "/_/oidc", "/_/oidc/x", "/_/x/audience", "/_/oidc/oidc/audience", "/.well-known/x"]
)
def test_there_is_nothing_else_beside_the_exchange(quiet: Index, url: str) -> None:
    quiet.get(url, status=404)


@pytest.mark.parametrize("path", ["", "/", "/simple", "/simple/", "/legacy", "/legacy/"])
def test_PEP_807_discovery_names_the_exchange_for_upload_addresses(quiet: Index, path: str) -> None:
    https = {"HTTP_HOST": "pypi.example.com", "wsgi.url_scheme": "https"}
    assert quiet.get("/.well-known/pytp", {"discover": path}, extra_environ=https).json == {
        "audience-endpoint": "https://pypi.example.com/_/oidc/audience",
        "token-mint-endpoint": "https://pypi.example.com/_/oidc/mint-token",
    }


@pytest.mark.parametrize(
    "query", ["", "?discover=%2Fother%2F", "?discover=%2F%2Flegacy", "?discover=https%3A%2F%2Fx%2F"]
)
def test_PEP_807_other_addresses_are_404_without_a_body(quiet: Index, query: str) -> None:
    assert quiet.get(f"/.well-known/pytp{query}", status=404).body == b""


def test_PEP_807_the_addresses_are_of_the_host_that_was_asked(issuer: issuers.Issuer, store: Store) -> None:
    index = node(issuer, store, public_url="https://pypi.example.com/team")
    accept = {"Accept": "application/vnd.pypi.pytp.v1+json"}

    def asked(host: str, path: str) -> Any:
        return index.get("/.well-known/pytp", {"discover": path}, headers={"Host": host, **accept})

    behind = asked("pypi.example.com", "/team/legacy/")
    assert behind.json["audience-endpoint"] == "https://pypi.example.com/team/_/oidc/audience"
    assert behind.content_type == "application/vnd.pypi.pytp.v1+json"
    assert asked("10.0.0.1:6543", "/legacy/").json["audience-endpoint"] == "http://10.0.0.1:6543/_/oidc/audience"


def test_PEP_807_under_a_prefix_the_root_of_the_host_answers_too(quiet: Index) -> None:
    """A proxy hands these addresses on, from where clients look for them; see docs/howto/trusted-publishing."""
    given = {"HTTP_HOST": "example.com", "wsgi.url_scheme": "https", "SCRIPT_NAME": "/pypi"}
    found = quiet.get("/.well-known/pytp", {"discover": "/pypi/legacy/"}, extra_environ=given).json
    assert found["token-mint-endpoint"] == "https://example.com/pypi/_/oidc/mint-token"
    quiet.get("/.well-known/pytp", {"discover": "/legacy/"}, extra_environ=given, status=404)


def test_credentials_where_none_are_needed_are_no_error(quiet: Index, issuer: issuers.Issuer) -> None:
    wrong = basic("alice", "wrong")
    quiet.get("/_/oidc/audience", headers=wrong)
    mint(quiet, issuer.token(), headers=wrong)

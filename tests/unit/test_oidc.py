"""Identity tokens are verified against a real issuer over https; every known trick with one is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from mypi.accounts.oidc import BadToken, IssuerAway
from mypi.accounts.oidc import issuers as issuers_module
from mypi.accounts.oidc.fetching import LARGEST, Fetcher
from mypi.accounts.oidc.issuers import AGAIN, FRESH, OLDEST, Issuer
from mypi.accounts.oidc.verifying import Verifier
from mypi.options import SettingError
from mypi.publishers import publishers
from tests import issuers
from tests.issuers import AUDIENCE

RSA = rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[issuers.Issuer]:
    with issuers.running(tmp_path_factory.mktemp("issuer")) as running:
        yield running


@pytest.fixture
def issuer(_running: issuers.Issuer) -> issuers.Issuer:
    """A running issuer with one RSA key, which nobody has asked yet."""
    _running.keys = {"rsa": RSA}
    _running.pages = {}
    _running.claims = dict(issuers.GITHUB)
    _running.asked.clear()
    return _running


def verifier(issuer: issuers.Issuer, *lines: str) -> Verifier:
    given = lines or (f"acme-* {issuer.url} acme/lib release.yml",)
    return Verifier.over_https(publishers("\n".join(given)), AUDIENCE, issuer.ca)


def refused(verifier: Verifier, text: str) -> str:
    with pytest.raises(BadToken) as caught:
        verifier.verify(text)
    return str(caught.value)


def signed(head: dict[str, Any], claims: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """Write a token by hand, as libraries will not."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, claims)]
    parts.append(base64.urlsafe_b64encode(sign(b".".join(parts))).rstrip(b"="))
    return b".".join(parts).decode()


def claims_of(text: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(text, options={"verify_signature": False})
    return found


def test_a_good_token_says_whose_it_is(issuer: issuers.Issuer) -> None:
    more = f"tools-* {issuer.url} acme/lib release.yml"
    lines = (f"acme-* {issuer.url} acme/lib release.yml", f"other {issuer.url} acme/other release.yml", more)
    shown = verifier(issuer, *lines).verify(issuer.token())
    assert [each.pattern for each in shown.publishers] == ["acme-*", "tools-*"]
    assert shown.claims["repository"] == "acme/lib"
    assert shown.until > time.time() + 300


@pytest.mark.parametrize(
    ("curve", "alg"), [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")]
)
def test_keys_on_elliptic_curves_are_taken(issuer: issuers.Issuer, curve: ec.EllipticCurve, alg: str) -> None:
    issuer.keys["ec"] = ec.generate_private_key(curve)
    assert verifier(issuer).verify(issuer.token(key="ec", alg=alg))


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"aud": "pypi"}, "made for somebody else; ask for one for pypi.example.com"),
        ({"aud": ["pypi", "sigstore"]}, "made for somebody else"),
        ({"aud": [AUDIENCE, "sigstore"]}, "made for several (aud)"),
        ({"aud": None}, '"aud" claim'),
        ({"exp": 1_000_000_000}, "expired"),
        ({"exp": None}, '"exp" claim'),
        ({"exp": "soon"}, "must be an integer"),
        ({"exp": float("inf")}, "must be an integer"),
        ({"exp": 10**400}, "lives longer than a day"),
        ({"exp": 9_000_000_000}, "lives longer than a day"),
        ({"iat": 9_000_000_000}, "not yet valid"),
        ({"iat": None}, '"iat" claim'),
        ({"nbf": 9_000_000_000}, "not yet valid"),
        ({"iss": "https://token.actions.githubusercontent.com"}, "of an issuer that this index does not know"),
        ({"iss": None}, "of an issuer that this index does not know"),
        ({"repository": "acme/other"}, "compares the claims repository with mypi.publishers"),
    ],
)
def test_threat_wrong_claims_are_refused(issuer: issuers.Issuer, changed: dict[str, Any], says: str) -> None:
    assert says in refused(verifier(issuer), issuer.token(**changed))


def test_one_audience_in_a_list_is_taken(issuer: issuers.Issuer) -> None:
    assert verifier(issuer).verify(issuer.token(aud=[AUDIENCE]))


def test_a_token_without_nbf_is_taken_as_the_standard_has_it(issuer: issuers.Issuer) -> None:
    assert verifier(issuer).verify(issuer.token(nbf=None))


def test_threat_an_issuer_in_a_list_is_refused(issuer: issuers.Issuer) -> None:
    text = signed({"alg": "RS256", "kid": "rsa"}, {"iss": [issuer.url]}, lambda data: b"x")
    assert "does not know" in refused(verifier(issuer), text)


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "e30.e30.", "é.é.é", "." * 10_000, "e30" * 20_000, "W10.W10.x"])
def test_what_is_no_token_is_refused(issuer: issuers.Issuer, text: str) -> None:
    assert refused(verifier(issuer), text) in (
        "The token is no JSON Web Token",
        "The token is of an issuer that this index does not know",
    )
    assert issuer.asked == []


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", ""])
def test_threat_alg_none_is_refused(issuer: issuers.Issuer, alg: str) -> None:
    text = signed({"alg": alg, "kid": "rsa"}, claims_of(issuer.token()), lambda data: b"")
    assert "The token is not good" in refused(verifier(issuer), text)


@pytest.mark.parametrize("form", [serialization.Encoding.PEM, serialization.Encoding.DER])
def test_threat_a_public_key_as_a_secret_is_refused(issuer: issuers.Issuer, form: serialization.Encoding) -> None:
    public = RSA.public_key().public_bytes(form, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = signed(
        {"alg": "HS256", "kid": "rsa"}, claims_of(issuer.token()), lambda data: hmac.digest(public, data, "sha256")
    )
    assert "alg value is not allowed" in refused(verifier(issuer), text)


def test_threat_another_algorithm_than_the_keys_is_refused(issuer: issuers.Issuer) -> None:
    assert "alg value is not allowed" in refused(verifier(issuer), issuer.token(alg="RS512"))


def test_threat_keys_that_a_token_brings_or_names_are_not_looked_at(issuer: issuers.Issuer) -> None:
    own = rsa.generate_private_key(65537, 2048)
    public = jwt.algorithms.RSAAlgorithm.to_jwk(own.public_key(), as_dict=True)
    head = {"kid": "rsa", "jwk": public, "jku": f"{issuer.origin}/evil", "x5u": f"{issuer.origin}/evil"}
    text = jwt.encode(claims_of(issuer.token()), own, "RS256", headers=head)
    assert "Signature verification failed" in refused(verifier(issuer), text)
    assert f"{issuer.origin}/evil" not in issuer.asked


@pytest.mark.parametrize("kid", ["../../etc/passwd", "https://evil.example.com/k", "rsa\0", "' OR 1=1 --", "x" * 9000])
def test_threat_a_key_of_any_name_is_no_key(issuer: issuers.Issuer, kid: str) -> None:
    assert refused(verifier(issuer), issuer.token(kid=kid)) == (
        "The token is signed by a key that its issuer does not have"
    )
    assert len(issuer.asked) == 2


@pytest.mark.parametrize("head", [{}, {"kid": ""}])
def test_threat_a_token_without_the_name_of_a_key_is_refused(issuer: issuers.Issuer, head: dict[str, str]) -> None:
    text = jwt.encode(claims_of(issuer.token()), RSA, "RS256", headers=head)
    assert refused(verifier(issuer), text) in (
        "The token does not say by which key it is signed (kid)",
        "The token is signed by a key that its issuer does not have",
    )


def test_threat_a_changed_token_is_refused(issuer: issuers.Issuer) -> None:
    head, body, signature = issuer.token().split(".")
    said = claims_of(f"{head}.{body}.{signature}") | {"repository": "acme/other"}
    changed = base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()
    assert "Signature verification failed" in refused(verifier(issuer), f"{head}.{changed}.{signature}")


def test_threat_replay_an_id_is_made_of_what_is_signed(issuer: issuers.Issuer) -> None:
    reads = verifier(issuer)
    first, second = issuer.token(), issuer.token()
    assert reads.verify(first).id == reads.verify(first).id != reads.verify(second).id
    assert reads.verify(issuer.token(jti="a")).id == reads.verify(issuer.token(jti="a", run_id="2")).id
    without = issuer.token(jti=None)
    assert reads.verify(without).id == reads.verify(without).id
    assert reads.verify(without).id != reads.verify(issuer.token(jti=None, run_id="2")).id


def test_threat_replay_the_other_form_of_a_signature_is_the_same_token(issuer: issuers.Issuer) -> None:
    issuer.keys["ec"] = ec.generate_private_key(ec.SECP256R1())
    reads, text = verifier(issuer), issuer.token(key="ec", alg="ES256", jti=None)
    signing, _, signature = text.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    other = raw[:32] + (order - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    again = f"{signing}.{base64.urlsafe_b64encode(other).rstrip(b'=').decode()}"
    assert again != text
    assert reads.verify(again).id == reads.verify(text).id


def test_the_operator_reads_in_the_log_which_line_differs_in_what(
    issuer: issuers.Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    said = refused(verifier(issuer), issuer.token(repository="acme/other"))
    assert "acme/lib" not in said
    assert f"acme-* {issuer.url} acme/lib release.yml: repository" in caplog.text


class Web:
    """What an issuer answers, without a network, and a clock."""

    def __init__(self) -> None:
        self.url = "https://id.example.com"
        self.keys: list[Any] = [self.key("one")]
        self.about: Any = {"issuer": self.url, "jwks_uri": "https://keys.example.com/"}
        self.asked = 0
        self.away = False
        self.now = 1000.0
        self.issuer = Issuer(self.url, self.fetch, lambda: self.now)

    def key(self, kid: str, private: Any = RSA, **more: Any) -> dict[str, Any]:
        return {**jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True), "kid": kid, **more}

    def fetch(self, url: str) -> Any:
        if self.away:
            raise IssuerAway("no route")
        if url == f"{self.url}/.well-known/openid-configuration":
            self.asked += 1
            return self.about
        assert url == "https://keys.example.com/"
        return {"keys": self.keys}


def test_keys_are_kept_and_asked_for_anew_once_a_minute_at_most() -> None:
    web = Web()
    assert web.issuer.key("one") is web.issuer.key("one")
    for name in ("two", "three"):
        with pytest.raises(BadToken):
            web.issuer.key(name)
    assert web.asked == 1
    web.keys.append(web.key("two"))
    web.now += AGAIN
    assert web.issuer.key("two").key_id == "two"
    assert web.asked == 2


def test_a_key_that_is_withdrawn_is_gone_within_the_hour() -> None:
    web = Web()
    web.issuer.key("one")
    web.keys = [web.key("two")]
    web.now += FRESH
    with pytest.raises(BadToken):
        web.issuer.key("one")


def test_keys_of_an_issuer_that_is_away_are_believed_for_a_day() -> None:
    web = Web()
    web.issuer.key("one")
    web.away = True
    web.now += OLDEST - 1
    assert web.issuer.key("one")
    web.now += 1
    with pytest.raises(IssuerAway):
        web.issuer.key("one")


def test_an_issuer_that_is_away_is_not_asked_for_each_token() -> None:
    web = Web()
    web.away = True
    with pytest.raises(IssuerAway, match="no route"):
        web.issuer.key("one")
    web.away = False
    with pytest.raises(IssuerAway, match="no route"):
        web.issuer.key("one")
    web.now += AGAIN
    assert web.issuer.key("one")


def test_who_waits_for_an_answer_to_another_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers_module, "_TURN", 0.01)
    web = Web()
    asked, answer = threading.Event(), threading.Event()

    def slow(url: str) -> Any:
        asked.set()
        answer.wait(10)
        return web.fetch(url)

    web.issuer = Issuer(web.url, slow)
    thread = threading.Thread(target=web.issuer.key, args=("one",))
    thread.start()
    asked.wait(10)
    with pytest.raises(IssuerAway, match="does not answer"):
        web.issuer.key("one")
    answer.set()
    thread.join()


@pytest.mark.parametrize(
    ("about", "says"),
    [
        ({"issuer": "https://evil.example.com", "jwks_uri": "https://keys.example.com/"}, "names another issuer"),
        ({"issuer": "https://id.example.com/", "jwks_uri": "https://keys.example.com/"}, "names another issuer"),
        ([], "names another issuer"),
        ({"issuer": "https://id.example.com"}, "names no keys"),
        ({"issuer": "https://id.example.com", "jwks_uri": ["https://keys.example.com/"]}, "names no keys"),
    ],
)
def test_a_discovery_document_must_be_the_issuers_own(about: Any, says: str) -> None:
    web = Web()
    web.about = about
    with pytest.raises(IssuerAway, match=says):
        web.issuer.key("one")


SMALL = rsa.generate_private_key(65537, 1024)


def test_threat_only_public_keys_that_sign_well_are_taken(issuer: issuers.Issuer) -> None:
    web = Web()
    private = {**jwt.algorithms.RSAAlgorithm.to_jwk(RSA, as_dict=True), "kid": "private"}
    secret = base64.urlsafe_b64encode(b"s" * 32).decode()
    web.keys = [
        None,
        "one",
        private,
        {"kty": "oct", "kid": "oct", "alg": "HS256", "k": secret},
        web.key("enc", use="enc"),
        web.key("small", SMALL),
        web.key("alg", alg="HS256"),
        web.key("none", alg="none"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": "AQAB"},
        {"kty": "EC", "kid": "curve", "crv": "secp256k1", "x": secret, "y": secret},
        {name: value for name, value in web.key("x").items() if name != "kid"},
    ]
    with pytest.raises(IssuerAway, match="none of its keys can be used"):
        web.issuer.key("one")
    web.keys.append(web.key("one"))
    web.now += AGAIN
    assert web.issuer.key("one")
    assert set(web.issuer._keys) == {"one"}
    web.keys = {"one": web.keys[-1]}  # type: ignore[assignment]
    web.now += FRESH
    assert web.issuer.key("one")  # kept, while what is answered is no list


def test_documents_come_over_https_from_who_has_a_certificate(issuer: issuers.Issuer) -> None:
    assert Fetcher(issuer.ca).json(f"{issuer.origin}/jwks") == issuer.jwks()
    with pytest.raises(IssuerAway, match="CERTIFICATE_VERIFY_FAILED"):
        Fetcher().json(f"{issuer.origin}/jwks")
    for url in ("http://127.0.0.1:1/", "file:///etc/passwd", "HTTPS://127.0.0.1:1/"):
        with pytest.raises(IssuerAway, match="is no https address"):
            Fetcher(issuer.ca).json(url)


def test_SSL_CERT_FILE_is_honoured(issuer: issuers.Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", issuer.ca)
    assert Fetcher().json(f"{issuer.origin}/jwks") == issuer.jwks()


@pytest.mark.parametrize(
    ("page", "says"),
    [
        ((302, {"Location": "/jwks"}, b""), "answers 302"),
        ((500, {}, b"{}"), "answers 500"),
        ((200, {}, b"[" * 100_000), "cannot be read"),
        ((200, {}, b"\xff"), "cannot be read"),
        ((200, {}, b" " * (LARGEST + 1)), f"more than {LARGEST} bytes"),
        ((200, {"Content-Length": "99"}, b'{"keys": '), "cannot be read"),
        ((200, {"X": "x" * 70_000}, b"{}"), "cannot be read"),
    ],
)
def test_an_answer_of_any_other_kind_is_none(
    issuer: issuers.Issuer, page: tuple[int, dict[str, str], bytes], says: str
) -> None:
    issuer.pages["/odd"] = page
    with pytest.raises(IssuerAway) as caught:
        Fetcher(issuer.ca, patience=1).json(f"{issuer.origin}/odd")
    assert says in str(caught.value)


def test_an_answer_that_drips_is_given_up(issuer: issuers.Issuer) -> None:
    issuer.drip = 0.05
    try:
        began = time.monotonic()
        with pytest.raises(IssuerAway, match="takes more than"):
            Fetcher(issuer.ca, patience=0.2).json(f"{issuer.origin}/drip")
        assert time.monotonic() - began < 30
    finally:
        issuer.drip = 0


def test_a_file_without_certificates_is_refused_at_the_start(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    for path in (empty, tmp_path / "none.pem"):
        with pytest.raises(SettingError, match=r"mypi\.issuer_ca = .*: no certificates can be read from it"):
            Fetcher(str(path))


def test_digests_are_fit_for_keys_of_a_store(issuer: issuers.Issuer) -> None:
    shown = verifier(issuer).verify(issuer.token(jti="../../x y"))
    assert shown.id == hashlib.sha256(f"{issuer.url} jti ../../x y".encode()).hexdigest()

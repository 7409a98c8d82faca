"""An issuer of identity tokens on loopback, over https, with keys and a certificate authority of its own."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import json
import secrets
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

AUDIENCE = "pypi.example.com"
REQUEST_TOKEN = "of-this-job"
"""What a job shows to get its identity token, as GitHub gives it in ACTIONS_ID_TOKEN_REQUEST_TOKEN."""

GITHUB = {
    "sub": "repo:acme/lib:ref:refs/tags/v1.0",
    "repository": "acme/lib",
    "repository_owner": "acme",
    "repository_owner_id": "1234",
    "job_workflow_ref": "acme/lib/.github/workflows/release.yml@refs/tags/v1.0",
    "ref": "refs/tags/v1.0",
    "sha": "8d2f" * 10,
    "event_name": "release",
}


def gitlab(origin: str) -> dict[str, str]:
    """Return what a GitLab says of a pipeline."""
    host = origin.removeprefix("https://")
    return {
        "iss": origin,
        "sub": "project_path:acme/tools/lib:ref_type:tag:ref:v1.0",
        "project_path": "acme/tools/lib",
        "ci_config_ref_uri": f"{host}/acme/tools/lib//.gitlab-ci.yml@refs/tags/v1.0",
        "ref": "v1.0",
        "ref_path": "refs/tags/v1.0",
        "sha": "8d2f" * 10,
        "pipeline_source": "push",
        "ref_protected": "true",
    }


class Authority:
    """A certificate authority, and the certificate of a server on loopback, in files."""

    def __init__(self, folder: Path) -> None:
        self.ca = folder / "ca.pem"
        self.chain = folder / "server.pem"
        own, name = ec.generate_private_key(ec.SECP256R1()), _name("an authority of the tests")
        root = _certificate(name, name, own.public_key(), own, x509.BasicConstraints(ca=True, path_length=0))
        self.ca.write_bytes(_pem(root))
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        own_pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self.chain.write_bytes(own_pem + _pem(_certificate(_name("localhost"), name, key.public_key(), own, names)))

    def context(self) -> ssl.SSLContext:
        """Return what a server on loopback speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


class Issuer:
    """A running issuer, at ``url`` as a GitHub of one's own and at ``origin`` as a GitLab.

    ``pages`` are answered in place of its own: status, headers and body by path.
    """

    def __init__(self, server: ThreadingHTTPServer, authority: Authority) -> None:
        self.ca = str(authority.ca)
        self.authority = authority
        self.origin = f"https://127.0.0.1:{server.server_address[1]}"
        self.url = f"{self.origin}/_services/token"
        self.keys: dict[str, Any] = {"rsa": rsa.generate_private_key(65537, 2048)}
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[str] = []
        self.drip = 0.0
        self.claims: dict[str, Any] = dict(GITHUB)

    def jwks(self) -> dict[str, Any]:
        """Return the public keys."""
        return {"keys": [{**_public(key), "kid": name, "use": "sig"} for name, key in self.keys.items()]}

    def token(self, *, key: str = "rsa", alg: str = "RS256", kid: str | None = None, **claims: Any) -> str:
        """Sign a token of a build; a claim set to None is left out."""
        now = int(time.time())
        said = {
            "iss": self.url, "aud": AUDIENCE, "iat": now, "nbf": now, "exp": now + 300, "jti": secrets.token_hex(8),
            **self.claims, **claims,
        }  # fmt: skip
        given = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(given, self.keys[key], alg, headers={"kid": kid or key})

    def about(self, issuer: str) -> tuple[int, dict[str, str], bytes]:
        """Return the discovery document."""
        return answer({"issuer": issuer, "jwks_uri": f"{self.origin}/jwks"})

    def page(self, target: str, authorization: str) -> tuple[int, dict[str, str], bytes]:
        """Return the answer to a request."""
        parts = urlsplit(target)
        self.asked.append(parts.path)
        pages = {
            "/_services/token/.well-known/openid-configuration": self.about(self.url),
            "/.well-known/openid-configuration": self.about(self.origin),
            "/jwks": answer(self.jwks()),
            "/drip": (200, {"Content-Length": "100000"}, b""),
            **self.pages,
        }
        if parts.path in pages:
            return pages[parts.path]
        if parts.path == "/request" and authorization.lower() == f"bearer {REQUEST_TOKEN}":
            return answer({"value": self.token(aud=parse_qs(parts.query)["audience"][0])})
        return 404, {}, b""


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Issuer]:
    """Run an issuer whose certificates are kept in a folder, until the block ends."""
    authority = Authority(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = issuer.page(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # who asked may have given up
                self.wfile.write(body)
                while issuer.drip:
                    self.wfile.write(b" ")
                    time.sleep(issuer.drip)

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = authority.context().wrap_socket(server.socket, server_side=True)
    issuer = Issuer(server, authority)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(value: object) -> tuple[int, dict[str, str], bytes]:
    return 200, {"Content-Type": "application/json"}, json.dumps(value).encode()


def _public(key: Any) -> dict[str, Any]:
    kind = jwt.algorithms.RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    found: dict[str, Any] = kind.to_jwk(key.public_key(), as_dict=True)
    return found


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _certificate(
    subject: x509.Name, issuer: x509.Name, public: Any, signer: ec.EllipticCurvePrivateKey, extension: Any
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(hours=1)).not_valid_after(
        now + datetime.timedelta(days=2)
    )
    builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    own = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(own, critical=False)
    if isinstance(extension, x509.BasicConstraints):
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        builder = builder.add_extension(usage, critical=True)
    return builder.sign(signer, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)

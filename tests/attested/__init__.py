"""Attestations: real ones, as Trusted Publishers signed them, and made ones that nobody signed."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
PUBLISH, SLSA = "https://docs.pypi.org/attestations/publish/v1", "https://slsa.dev/provenance/v1"

GITHUB = "pypi_attestations-0.0.19.tar.gz"
GITLAB = "gitlab_oidc_project-0.0.3.tar.gz"
GOOGLE = "gcb_attestation_test-0.0.0.tar.gz"

ATTESTERS = {
    GITHUB: "github trailofbits/pypi-attestations release.yml",
    GITLAB: "gitlab facutuesca/gitlab-oidc-project .gitlab-ci.yml",
    GOOGLE: "google 919436158236-compute@developer.gserviceaccount.com",
}
"""Who signed the attestations of each file, as `mypi.attesters` writes it."""


def real(filename: str, kind: str = "publish") -> dict[str, Any]:
    """Return a real attestation of a file: "publish" or "slsa"."""
    found: dict[str, Any] = json.loads((FOLDER / f"{filename}.{kind}.attestation").read_bytes())
    return found


def sha256_of(attestation: dict[str, Any]) -> str:
    """Return the digest of the file that an attestation speaks of."""
    found: str = statement_of(attestation)["subject"][0]["digest"]["sha256"]
    return found


def statement_of(attestation: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.b64decode(attestation["envelope"]["statement"]))
    return found


def statement(filename: str, content: bytes, **changes: Any) -> dict[str, Any]:
    """Make the statement of a file; a change to None takes a key away."""
    made = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": filename, "digest": {"sha256": hashlib.sha256(content).hexdigest()}}],
        "predicateType": PUBLISH,
        "predicate": None,
    }
    return {key: value for key, value in (made | changes).items() if value is not None or key == "predicate"}


def attestation(said: Any, **changes: Any) -> dict[str, Any]:
    """Make an attestation object of a statement, which nobody signed; ``said`` may also be bytes."""
    data = said if isinstance(said, bytes) else json.dumps(said).encode()
    made = {
        "version": 1,
        "verification_material": {"certificate": "Y2VydA==", "transparency_entries": [{"logIndex": "1"}]},
        "envelope": {"statement": base64.b64encode(data).decode(), "signature": "c2lnbmVk"},
    }
    return made | changes


def of(filename: str, content: bytes, predicate: str = PUBLISH) -> dict[str, Any]:
    """Make an attestation object of a file."""
    return attestation(statement(filename, content, predicateType=predicate))

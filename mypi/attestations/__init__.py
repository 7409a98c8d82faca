"""Attestations of files (PEP 740): what an upload brings is checked, and becomes the provenance that is served."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .. import names
from .attesters import Attester
from .objects import AttestationError, read

__all__ = ["AttestationError", "Attester", "prepare", "provenance"]


def provenance(
    text: str | None, filename: names.Filename, sha256: str, uploader: str | None, attesters: Sequence[Attester] = ()
) -> bytes | None:
    """Return the provenance object of a file for the upload field ``attestations``; None without one.

    The attestations stand in it as they came. Where ``attesters`` are named each attestation must be signed by one of
    them; else no signature is verified, and the publisher says so. Raises AttestationError.
    """
    if text is None:
        return None
    found = read(text, filename, sha256)
    if attesters:
        from . import verifying

        bundles = [_bundle(by.publisher, given) for by, given in verifying.attested(found, filename, sha256, attesters)]
    else:
        bundles = [_bundle(_unverified(uploader), found)]
    return json.dumps({"version": 1, "attestation_bundles": bundles}, separators=(",", ":")).encode()


def prepare(attesters: Sequence[Attester]) -> None:
    """Load what verification needs, where attesters are named: it takes a second. Raises SettingError."""
    if attesters:
        from . import verifying

        verifying.load()


def _bundle(publisher: Mapping[str, Any], attestations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put attestations under the one who made them; ``claims`` must be there and is empty, as no token was seen."""
    return {"publisher": {"claims": {}, **publisher}, "attestations": list(attestations)}


def _unverified(uploader: str | None) -> dict[str, Any]:
    """Say that nobody looked at the signatures, and who brought them.

    No client knows this kind, so none takes it for a Trusted Publisher.
    """
    return {"kind": "unverified"} | ({"uploader": uploader} if uploader is not None else {})

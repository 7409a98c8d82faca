"""Signatures of attestations, verified by pypi-attestations, which is imported only where this module is.

Nothing is asked of the network: the trust root is the one that sigstore ships, or has refreshed by itself since.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from pypi_attestations import (
    Attestation,
    Distribution,
    GitHubPublisher,
    GitLabPublisher,
    GooglePublisher,
)
from pypi_attestations import (
    AttestationError as Unverified,
)
from sigstore.verify import Verifier

from .. import names
from ..options import SettingError
from .attesters import Attester
from .objects import AttestationError

log = logging.getLogger(__name__)
# It warns of each verification that it is offline, as it shall be.
logging.getLogger("sigstore").setLevel(logging.ERROR)

_PUBLISHERS = {"GitHub": GitHubPublisher, "GitLab": GitLabPublisher, "Google": GooglePublisher}


def load() -> None:
    """Load the trust root, so that a start fails rather than each upload. Raises SettingError."""
    try:
        Verifier.production(offline=True)
    except Exception as exc:
        raise SettingError(
            f"mypi.attesters is set, but sigstore cannot load its trust root ({exc}); it keeps a copy of it in a cache "
            "folder of the user, so set XDG_CACHE_HOME to one that can be written"
        ) from exc


def attested(
    attestations: Sequence[Mapping[str, Any]], filename: names.Filename, sha256: str, attesters: Sequence[Attester]
) -> list[tuple[Attester, list[Mapping[str, Any]]]]:
    """Return the attestations by who signed them. Raises AttestationError for one that none of ``attesters`` signed."""
    able = [attester for attester in attesters if attester.may_attest(filename.project)]
    if not able:
        raise AttestationError(
            f"Nobody may attest files of {filename.project} here; upload without attestations, or ask the operator of "
            "this index"
        )
    distribution = Distribution(name=filename.text, digest=sha256)
    found: dict[Attester, list[Mapping[str, Any]]] = {}
    for number, attestation in enumerate(attestations, 1):
        found.setdefault(_signer(attestation, f"Attestation {number}", distribution, able), []).append(attestation)
    return list(found.items())


def _signer(
    attestation: Mapping[str, Any], where: str, distribution: Distribution, able: Sequence[Attester]
) -> Attester:
    reasons = []
    for attester in able:
        try:
            fields = attester.publisher
            publisher = _PUBLISHERS[fields["kind"]](**fields)
            Attestation.model_validate(attestation).verify(publisher, distribution, offline=True)
        except Unverified as exc:
            reasons.append(f"{attester}: {exc}")
        except Exception as exc:
            # Certificates and log entries are anybody's bytes, for several parsers: what breaks one is not verified.
            log.warning("%s of %s could not be read", where, distribution.name, exc_info=exc)
            reasons.append(f"{attester}: cannot be read ({type(exc).__name__})")
        else:
            return attester
    raise AttestationError(f"{where} is not signed by who may attest {distribution.name}: {'; '.join(reasons)}")

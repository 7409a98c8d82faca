"""Attestation objects as an upload brings them: their shape, and that they speak of this very file."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from typing import Any

from .. import names

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATES = ("https://docs.pypi.org/attestations/publish/v1", "https://slsa.dev/provenance/v1")
"""What may be attested, each once."""

DEEPEST = 32
"""Levels of arrays and objects within each other; those of signing tools have eight."""


class AttestationError(ValueError):
    """Attestations that cannot be kept; the message says why. Nothing was stored."""


def read(text: str, filename: names.Filename, sha256: str) -> list[dict[str, Any]]:
    """Return the attestation objects that ``text``, the upload field, brings for a file. Raises AttestationError.

    Signatures are not looked at.
    """
    found = _json(text, "The field attestations")
    if not isinstance(found, list) or not found:
        raise AttestationError("The field attestations is no JSON array of attestation objects, or is empty")
    kinds = [_check(value, f"Attestation {number}", filename, sha256) for number, value in enumerate(found, 1)]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise AttestationError(f"There are {kinds.count(kind)} attestations of {kind}; send one of each type")
    return found


def _check(value: Any, where: str, filename: names.Filename, sha256: str) -> str:
    """Check one attestation object; return the type of its predicate."""
    attestation = _object(value, where)
    if type(attestation.get("version")) is not int or attestation["version"] != 1:
        raise AttestationError(f"{where} is not of version 1, the only one there is")
    material = _object(attestation.get("verification_material"), f"{where}: verification_material")
    _bytes(material.get("certificate"), f"{where}: certificate")
    entries = material.get("transparency_entries")
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise AttestationError(f"{where}: transparency_entries is no array of objects, or is empty")
    envelope = _object(attestation.get("envelope"), f"{where}: envelope")
    _bytes(envelope.get("signature"), f"{where}: signature")
    statement = _bytes(envelope.get("statement"), f"{where}: statement")
    return _check_statement(statement, f"{where}: statement", filename, sha256)


def _check_statement(data: bytes, where: str, filename: names.Filename, sha256: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError as exc:
        raise AttestationError(f"{where} is not UTF-8") from exc
    statement = _object(_json(text, where), where)
    if statement.get("_type") != STATEMENT:
        raise AttestationError(f"{where} is no in-toto statement: its _type is not {STATEMENT}")
    subjects = statement.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        raise AttestationError(f"{where} has not exactly one subject; attest each file by itself")
    subject = _object(subjects[0], f"{where}: subject")
    if not _names(subject.get("name"), filename):
        raise AttestationError(f"{where} speaks of another file than {filename.text}; send the attestation of this one")
    digest = _object(subject.get("digest"), f"{where}: digest")
    if digest.get("sha256") != sha256:
        raise AttestationError(f"{where} has another sha256 than {filename.text}: the file was built again since")
    kind = statement.get("predicateType")
    if kind not in PREDICATES:
        raise AttestationError(f"{where} has a predicateType that is none of {' and '.join(PREDICATES)}")
    return str(kind)


def _names(subject: Any, filename: names.Filename) -> bool:
    """Tell whether a subject is the file's name, or another spelling of it, as old signing tools write."""
    if subject == filename.text:
        return True
    try:
        read = names.filename(str(subject))
    except names.InvalidName:
        return False
    settled = names.settle(read, filename.project, filename.version)
    return settled is not None and (read.kind, read.build, read.tags) == (filename.kind, filename.build, filename.tags)


def _object(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise AttestationError(f"{where} is missing, or no JSON object")
    return value


def _bytes(value: Any, where: str) -> bytes:
    """Decode base64, which some tools break into lines."""
    try:
        decoded = base64.b64decode("".join(value.split()), validate=True) if isinstance(value, str) else b""
    except (binascii.Error, ValueError) as exc:
        raise AttestationError(f"{where} is not base64") from exc
    if not decoded:
        raise AttestationError(f"{where} is missing, or no text in base64")
    return decoded


def _json(text: str, where: str) -> Any:
    """Read JSON that every reader reads alike: no key twice, no NaN, no depth that only some can follow."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as exc:
        raise AttestationError(f"{where} is not JSON") from exc
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise AttestationError(f"{where} is nested more than {DEEPEST} levels deep")
        level = [inner for outer in level for inner in _inside(outer)]
    return value


def _inside(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list) else []


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key twice")
    return found


def _finite(text: str) -> float:
    """Read a number; NaN, Infinity and 1e999 could not be written again as JSON."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number

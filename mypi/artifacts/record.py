"""The files of a wheel's ``.dist-info`` that installers act on: RECORD and entry_points.txt."""

import base64
import csv
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mypi.artifacts.artifact import ArtifactError

# sha256 or better, as the wheel specification demands.
_ALGORITHMS = ("sha256", "sha384", "sha512")
_SCRIPTS = ("console_scripts", "gui_scripts")
_SCRIPT_NAME = re.compile(r"[\w.-]+")


class RecordError(ArtifactError):
    """RECORD is missing, cannot be read or does not fit the files."""


class EntryPointsError(ArtifactError):
    """entry_points.txt cannot be read as every installer reads it."""


@dataclass(frozen=True)
class Row:
    """What RECORD says of a file; each may be empty."""

    algorithm: str = ""
    digest: str = ""
    size: str = ""

    def check(self, name: str, size: int, digest: bytes) -> None:
        """Compare with what the file is. Raises RecordError."""
        encoded = base64.urlsafe_b64encode(digest).rstrip(b"=")
        if not hmac.compare_digest(encoded, self.digest.rstrip("=").encode()):
            raise RecordError(f"RECORD has another {self.algorithm} of {name!r} than the file: build the wheel again")
        if self.size not in ("", str(size)):
            raise RecordError(f"RECORD says {self.size[:20]} bytes of {name!r}, which has {size}")


def parse(data: bytes) -> dict[str, Row]:
    """Read RECORD: rows of ``path,algorithm=digest,size`` (binary distribution format). Raises RecordError."""
    rows: dict[str, Row] = {}
    try:
        lines = list(csv.reader(data.decode("utf-8").splitlines()))
    except (UnicodeDecodeError, csv.Error) as exc:
        raise RecordError(f"RECORD cannot be read ({exc}): build the wheel again") from exc
    for fields in lines:
        if not fields:
            continue
        path, claim, size = (*fields, "", "")[:3]
        algorithm, _, digest = claim.partition("=")
        row = Row(algorithm.lower(), digest, size.strip())
        # Some maturin on Windows wrote backslashes; as no member's name has one, these can mean nothing else.
        path = path.replace("\\", "/")
        if rows.setdefault(path, row) != row:
            raise RecordError(f"RECORD has two different rows for {path!r}: build the wheel again")
    return rows


def compare(rows: Mapping[str, Row], files: Iterable[str], folder: str) -> dict[str, Row]:
    """Compare RECORD's paths with the `files` of the wheel; give the row of each file whose digest it must hold.

    RECORD itself has no digest, nor has its signature, which is made after it. Raises RecordError.
    """
    files = set(files)
    exempt = {folder + name for name in ("RECORD", "RECORD.jws", "RECORD.p7s")}
    unlisted = files - rows.keys() - exempt
    if unlisted:
        raise RecordError(f"RECORD does not list {min(unlisted)!r}: build the wheel again")
    absent = rows.keys() - files - exempt
    if absent:
        raise RecordError(f"RECORD lists {min(absent)!r}, which is not in the wheel: build the wheel again")
    needed = {name: rows[name] for name in sorted(files - exempt)}
    for name, row in needed.items():
        if row.algorithm not in _ALGORITHMS:
            raise RecordError(f"RECORD has no sha256 or better of {name!r}: build the wheel again")
    return needed


def hasher(row: Row | None) -> "hashlib._Hash":
    """Give what computes the digest that `row` holds."""
    return hashlib.new(row.algorithm if row else "sha256", usedforsecurity=False)


def check_entry_points(data: bytes) -> None:
    """Check entry_points.txt (C24). An installer makes a file of each script's name, so it may be no path.

    Raises EntryPointsError where it is malformed, and ArtifactError itself where a name is a path.
    """
    try:
        lines = data.decode("utf-8").splitlines()
    except UnicodeDecodeError as exc:
        raise EntryPointsError("entry_points.txt is not in UTF-8") from exc
    # Installers read with different parsers, with or without continuation lines: every line is held to the rule.
    section = fault = None
    for line in map(str.strip, lines):
        if not line or line.startswith(("#", ";")):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
            continue
        name, equals, _ = line.partition("=")
        name = name.strip()
        if section in _SCRIPTS and equals and (not _SCRIPT_NAME.fullmatch(name) or not name.strip(".")):
            raise ArtifactError(
                f"entry_points.txt has the script {name[:100]!r}: use letters, digits, '_', '.' and '-'"
            )
        if section is None or not equals:
            fault = fault or line
    if fault:
        raise EntryPointsError(f"entry_points.txt has the line {fault[:100]!r}, which is no 'name = value' in a group")

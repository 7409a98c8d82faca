"""What somebody asks to publish, and the checks that need no store.

The order of all checks is part of the interface (docs/reference/uploads.rst lists it); the cheap come first, and a
file that is published already is recognised before its archive is opened.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

from .. import names

_DIGESTS = {"md5_digest": ("md5",), "sha256_digest": ("sha256",), "blake2_256_digest": ("blake2b-256", "blake2b-512")}
"""Form fields and what they may hold: distutils of 3.9 to 3.11 sends BLAKE2b-512 in the last one (B1.6)."""


class Refused(ValueError):
    """The upload breaks a rule; the message says which and how to mend it. Nothing was stored."""


@dataclass(frozen=True)
class Submission:
    """A file that somebody wants published.

    ``content`` is a seekable binary file whose bytes were counted and hashed while they came in. ``attestations`` is
    the JSON of the upload field, unchecked. ``allow`` names the checks that an import relaxes. ``settled`` says that
    the right was asked for on the project of the file name's reading, so that the archive may name no other.
    """

    filename: names.Filename
    content: IO[bytes]
    size: int
    sha256: str
    signature: bytes | None = None
    attestations: str | None = None
    allow: frozenset[str] = field(default_factory=frozenset)
    settled: bool = False


def claimed(text: str, *, name: str, version: str, filetype: str) -> names.Filename:
    """Read a file name and compare it with what the form says (B1.4, B1.9).

    Raises Refused, InvalidName, InvalidVersion.
    """
    filename = names.filename(text)
    if filetype not in names.FILETYPES:
        raise Refused(f"The field filetype is {filetype[:40]!r}; only sdist and bdist_wheel can be published")
    if names.FILETYPES[filetype] != filename.kind:
        raise Refused(f"The field filetype is {filetype!r}, but {text} is a {filename.kind}; send the one that it is")
    settled = names.settle(filename, names.project(name), names.version(version))
    if settled is None:
        raise Refused(f"The file name {text} does not belong to {name} {version}, which the form names; build it again")
    return settled


def check_digests(given: Mapping[str, str], computed: Mapping[str, str]) -> None:
    """Compare every digest that was sent with the bytes that came (B1.5); at least one is required. Raises Refused."""
    seen = False
    for name, algorithms in _DIGESTS.items():
        claim = given.get(name, "").lower()
        if not claim:
            continue
        seen = True
        wanted = [computed[a] for a in algorithms if len(computed[a]) == len(claim)]
        if not wanted:
            raise Refused(f"The field {name} is not a digest: {len(claim)} characters instead of hexadecimal digits")
        if not hmac.compare_digest(claim.encode(), wanted[0].encode()):
            raise Refused(f"The field {name} does not match the file: it was damaged on its way; upload it again")
    if not seen:
        raise Refused("No digest was sent; send sha256_digest, blake2_256_digest or md5_digest with the file")

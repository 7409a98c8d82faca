"""What the form of an upload may hold: its values, its limits, its errors.

The reading itself is in `mypi.forms`, which is also where the rest of mypi takes these names from.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

KIB, MIB = 1024, 1024 * 1024

# What the captured clients send, spelled the way the specification of metadata does (B1.3, B1.10).
SPELLINGS: Mapping[str, str] = {
    "protcol_version": "protocol_version",  # Python 2.7
    "provides_extras": "provides_extra",  # pdm, hatch
    "import_names": "import_name",  # poetry, uv
    "import_namespaces": "import_namespace",
    "license_files": "license_file",
    "platforms": "platform",
    "supported_platforms": "supported_platform",
}

# Two of these could be checked as one and stored as the other. Names that are not here may repeat: the multiple ones
# of the metadata specification, and those which a future client sends and mypi does not know.
SINGLE = frozenset(
    [
        *(":action", "protocol_version", "name", "version", "content", "filetype", "pyversion", "metadata_version"),
        *("summary", "description", "description_content_type", "home_page", "download_url", "keywords", "comment"),
        *("author", "author_email", "maintainer", "maintainer_email", "license", "license_expression"),
        *("requires_python", "md5_digest", "sha256_digest", "blake2_256_digest", "attestations"),
    ]
)

FILES = frozenset({"content"})
SMALL_FILES = frozenset({"gpg_signature", "attestations"})
ABSENT = frozenset({"", "UNKNOWN", "None"})

_PLAIN_NAME = re.compile(r":?[A-Za-z0-9_.-]{1,60}")


class FormError(ValueError):
    """A form that cannot be read; the message is one sentence fit for a status line."""

    status = 400


class TooLarge(FormError):
    """A form that is larger than a limit allows."""

    status = 413


@dataclass(frozen=True)
class Limits:
    """How much of everything a form may bring, in bytes where nothing else is said."""

    file: int = 100 * MIB
    fields: int = 4096  # parts, the repeated and the unknown ones included
    part_header: int = 8 * KIB
    text: int = 64 * KIB  # of one field
    description: int = MIB
    total_text: int = 4 * MIB
    boundary: int = 70  # characters (RFC 2046 5.1.1)
    urlencoded: int = MIB
    frame: int = 2 * MIB  # boundaries and part headers; 4,096 of them as the clients write them take 0.6 MiB

    @property
    def body(self) -> int:
        """The most bytes that the whole body may have."""
        return self.file + self.total_text + self.frame


LIMITS = Limits()


class Spool(Protocol):
    """What a file part is written to: binary, seekable, gone when closed."""

    def write(self, data: bytes, /) -> object: ...
    def read(self, size: int = -1, /) -> bytes: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def close(self) -> None: ...


class Source(Protocol):
    """Where the body comes from: `wsgi.input`, or a file."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class FilePart:
    """A file as it was sent. `filename` is the client's word: never a path.

    `digests` holds lower-case hex of `md5`, `sha256`, `blake2b-256` (the field `blake2_256_digest`) and `blake2b-512`
    (what distutils of Python 3.9 to 3.11 sends in that field, B1.6). `spool` stands at its beginning.
    """

    filename: str
    content_type: str | None
    size: int
    spool: Spool
    digests: Mapping[str, str]


@dataclass(frozen=True)
class Form:
    """Fields in the order of their first appearance, and files. A context manager that closes the spools."""

    fields: Mapping[str, tuple[str, ...]]
    files: Mapping[str, FilePart] = field(default_factory=dict)

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field that is not `absent`, in order."""
        return tuple(value for value in self.fields.get(name, ()) if not absent(value))

    def one(self, name: str, default: str | None = None) -> str | None:
        """Return the value of a field, or `default` where it is absent; a repeated one raises `FormError`."""
        values = self.all(name)
        if len(values) > 1:
            raise repeated(name)
        return values[0] if values else default

    def close(self) -> None:
        """Close every spool; one that has been closed or moved away by its owner is no error."""
        for part in self.files.values():
            with suppress(OSError, ValueError):
                part.spool.close()

    def __enter__(self) -> Form:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def absent(value: str) -> bool:
    """Say whether a client means "not given": distutils writes `UNKNOWN`, setuptools `None`, pdm nothing (B1.8).

    >>> [absent(value) for value in ("UNKNOWN", "None", " ", "none", "0")]
    [True, True, True, False, False]
    """
    return value.strip() in ABSENT


def text(data: bytes | bytearray) -> str:
    """Decode a text value.

    Python 2 sends what stands in a `setup.py`, which may be Latin-1. Nothing is decided by such text: names, versions
    and digests are ASCII, and metadata is taken from the artifact. NUL is escaped as PyPI does (B1.8).
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    return text.replace("\0", "\\x00")


def repeated(name: str) -> FormError:
    return FormError(f"{shown(name)}: Was sent more than once; send it once")


def shown(name: str) -> str:
    """Return a name that fits into one line of ASCII, whatever was sent."""
    return name if _PLAIN_NAME.fullmatch(name) else ascii(name[:60])

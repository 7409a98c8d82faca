"""The keys of the store, drawn once; no other module knows them.

store.json                                              id and format version, in both roles
indexes/<index>.json                                    the names of its projects
indexes/<index>/<project>.json                          one document per project: the catalogue
files/<index>/<project>/<token>/<filename>              bytes, written once
files/<index>/<project>/<token>/<filename>.metadata     METADATA of a wheel (PEP 658), PKG-INFO of an sdist
files/<index>/<project>/<token>/<filename>.asc          signature, when given
files/<index>/<project>/<token>/<filename>.provenance   attestations (PEP 740), when given
accounts.json                                           users, groups, token hashes, the signing key
upstream/<site>/<name>.json                             what another index says of a name; it can be lost
upstream-files/<site>/<name>/<token>/<filename>         bytes of its files; they can be lost
once/<purpose>/<id>                                     things that may happen once; they move nowhere
aside/<token>/<name>                                    bytes that stood in the place of a document; they move nowhere
"""

from __future__ import annotations

import re
import secrets

STORE = "store.json"

OUTSIDE = "upstream/"
"""The prefix of all that is known of other indexes; it moves nowhere."""

OUTSIDE_FILES = "upstream-files/"

ACCOUNTS = "accounts.json"

INDEXES = "indexes/"
"""The prefix of all documents of all indexes."""

FILES = "files/"
"""The prefix of all bytes of all indexes."""

ONCE = "once/"
"""The prefix of all that may happen once."""

_SEGMENT = "[A-Za-z0-9_!+-][A-Za-z0-9_.!+-]*"
_DOCUMENT = re.compile(rf"(?!store\.json\Z|files/|once/|upstream/|upstream-files/)(?:{_SEGMENT}/)*{_SEGMENT}\.json\Z")
_NAMES = re.compile(r"indexes/(?P<index>[^/]+)\.json\Z")
_PROJECT = re.compile(r"indexes/(?P<index>[^/]+)/(?P<project>[^/]+)\.json\Z")
_BYTES = re.compile(r"files/[^/]+/(?P<project>[^/]+)/(?P<token>[0-9a-f]{16})/[^/]+\Z")


def index(name: str) -> str:
    """The document that names the projects of an index."""
    return f"indexes/{name}.json"


def projects(name: str) -> str:
    """The prefix of an index's project documents."""
    return f"indexes/{name}/"


def project(index: str, name: str) -> str:
    """The document of a project."""
    return f"indexes/{index}/{name}.json"


def project_named_by(index: str, key: str) -> str:
    """The project whose document a key is."""
    return key.removeprefix(projects(index)).removesuffix(".json")


def outside(site: str, name: str) -> str:
    """The document of a name at another index."""
    return f"{OUTSIDE}{site}/{name}.json"


def outside_named_by(key: str) -> tuple[str, str]:
    """The index and the name whose document a key is."""
    site, _, name = key.removeprefix(OUTSIDE).removesuffix(".json").partition("/")
    return site, name


def outside_file(site: str, name: str, filename: str) -> str:
    """A fresh key for bytes of another index's file."""
    return f"{OUTSIDE_FILES}{site}/{name}/{fresh_token()}/{filename}"


def outside_file_of(key: str) -> tuple[str, str]:
    """The index and the name whose bytes lie under a key."""
    site, name = key.removeprefix(OUTSIDE_FILES).split("/")[:2]
    return site, name


def is_document(key: str) -> bool:
    """Whether a key is that of a document, even of a kind that only a later version knows; all end in ``.json``."""
    return _DOCUMENT.match(key) is not None


def index_named_by(key: str) -> str | None:
    """The index whose names a document lists, None for any other key."""
    found = _NAMES.match(key)
    return found["index"] if found else None


def project_of(key: str) -> tuple[str, str] | None:
    """The index and the project whose document a key is, None for any other key."""
    found = _PROJECT.match(key)
    return (found["index"], found["project"]) if found else None


def file(index: str, project: str, token: str, filename: str) -> str:
    """The bytes of a file."""
    return f"files/{index}/{project}/{token}/{filename}"


def beside(key: str, ending: str) -> str:
    """What lies beside a file: ``ending`` is one of the model's ``SIDECARS``."""
    return key + ending


def files(index: str, project: str = "") -> str:
    """The prefix of all bytes of an index, or of one project."""
    return f"files/{index}/{project}/" if project else f"files/{index}/"


def place(key: str) -> tuple[str, str] | None:
    """Return the project and the token in the key of a file or sidecar, None for any other key."""
    found = _BYTES.match(key)
    return (found["project"], found["token"]) if found else None


def once(purpose: str, id: str) -> str:
    """The record of something that may happen once."""
    return f"{ONCE}{purpose}/{id}"


def aside(key: str) -> str:
    """A fresh key for bytes that are no document, and stand where one should be.

    >>> aside("indexes/main.json").rpartition("/")[2]
    'indexes-main.json.damaged'
    """
    return f"aside/{fresh_token()}/{key.replace('/', '-')}.damaged"


def fresh_token() -> str:
    """Draw a token that was never used: 16 random hex digits."""
    return secrets.token_hex(8)

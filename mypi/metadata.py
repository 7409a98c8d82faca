"""Core metadata: what METADATA, PKG-INFO and a registration form say about a release.

Reading is lenient where a mistake only makes a page poorer, because PyPI has let it pass for twenty years; what was
passed over stands in :attr:`CoreMetadata.problems`. It is strict where the index itself relies on a field.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from email.parser import Parser
from types import MappingProxyType

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import NormalizedName
from packaging.version import Version

from mypi import names

LIMIT = 2**20
# Real metadata has some thousands of Requires-Dist lines, but never many different fields. The parser looks through
# all lines for each field, so both bounds together keep its work small.
_LINES = 50_000
_FIELDS = 200

_FORM_ABSENT = frozenset(("", "UNKNOWN", "None"))
_URL = re.compile(r"\Ahttps?://[^\s/?#][^\s]*\Z", re.IGNORECASE)
_METADATA_VERSION = re.compile(r"\A([0-9]{1,3})\.([0-9]{1,3})\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# What the field is called in the form (B1.10): most are the name with underscores, these are not.
_FORM_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "classifier": ("classifiers", "classifier"),
        "project-url": ("project_urls", "project_url"),
        "provides-extra": ("provides_extra", "provides_extras"),
        "license-file": ("license_file", "license_files"),
        "platform": ("platform", "platforms"),
    }
)
_MULTIPLE = ("classifier", "requires-dist", "project-url", "provides-extra", "license-file", "platform", "dynamic")
_SINGLE = (
    "metadata-version",
    "name",
    "version",
    "requires-python",
    "summary",
    "description-content-type",
    "keywords",
    "author",
    "author-email",
    "maintainer",
    "maintainer-email",
    "license-expression",
    "home-page",
    "download-url",
)


class MetadataError(ValueError):
    """Metadata that no release can be described by; the message names the field, the fault and the remedy."""


@dataclass(frozen=True)
class CoreMetadata:
    """The core metadata of a release. A field that is absent is None or empty.

    `requires_python` is a valid specifier or None, every address starts with ``http://`` or ``https://``, no field
    has a control character in it, and only `description` and `license` have line breaks and tabs.
    """

    name: str
    project: NormalizedName
    version: Version
    version_text: str
    metadata_version: str
    requires_python: str | None = None
    summary: str | None = None
    description: str | None = None
    description_content_type: str | None = None
    keywords: tuple[str, ...] = ()
    author: str | None = None
    author_email: str | None = None
    maintainer: str | None = None
    maintainer_email: str | None = None
    license: str | None = None
    license_expression: str | None = None
    license_files: tuple[str, ...] = ()
    classifiers: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    requires_dist: tuple[str, ...] = ()
    provides_extra: tuple[str, ...] = ()
    dynamic: tuple[str, ...] = ()
    project_urls: tuple[tuple[str, str], ...] = ()
    home_page: str | None = None
    download_url: str | None = None
    problems: tuple[str, ...] = ()


def read(data: bytes) -> CoreMetadata:
    """Read the bytes of METADATA or PKG-INFO. Raises MetadataError.

    >>> read(b"Metadata-Version: 2.1\\nName: acme.lib\\nVersion: 1.0\\n").project
    'acme-lib'
    """
    if len(data) > LIMIT:
        raise MetadataError(f"the metadata is longer than {LIMIT} bytes: shorten the description")
    problems = []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        # As old setups on Windows wrote it: most often right, never an error.
        text = data.decode("latin-1")
        problems.append("the metadata is not in UTF-8")
    _check_head(text)
    message = Parser().parsestr(text.removeprefix("\ufeff").replace("\r\n", "\n"))
    values: dict[str, list[str]] = {}
    for field, value in message.items():
        values.setdefault(field.lower(), []).append(str(value))
    body = message.get_payload()
    if isinstance(body, str) and body.strip():
        values["description"] = [body]
    elif "description" in values:
        values["description"] = [_unfold(text) for text in values["description"]]
    return _build(values, problems)


def from_form(fields: Mapping[str, Sequence[str]]) -> CoreMetadata:
    """Read what a registration form says (B1.8, B1.10). Raises MetadataError.

    `fields` maps the names of the form to all values given, such as ``{"name": ["acme-lib"], "version": ["1.0"]}``.
    """
    values: dict[str, list[str]] = {}
    for field in (*_SINGLE, *_MULTIPLE, "license", "description"):
        for spelling in _FORM_NAMES.get(field, (field.replace("-", "_"),)):
            given = [text for text in fields.get(spelling, ()) if text not in _FORM_ABSENT]
            if given:
                values[field] = given
    return _build(values, [])


def _check_head(text: str) -> None:
    """Bound what the parser will have to do, and refuse what would make it read the body in another way."""
    head = re.split(r"\r\n\r\n|\n\n|\r\r", text, maxsplit=1)[0]
    lines = re.split(r"\r\n|\r|\n", head)
    fields = {line.partition(":")[0].lower() for line in lines if line[:1] not in (" ", "\t")}
    if len(lines) > _LINES or len(fields) > _FIELDS:
        raise MetadataError(f"the metadata has more than {_LINES} lines or {_FIELDS} different fields")
    strange = fields & {"content-type", "content-transfer-encoding"}
    if strange:
        raise MetadataError(f"the metadata has the field {min(strange)}, which is none of metadata's: remove it")


def _unfold(text: str) -> str:
    """Take the indentation from a description in a header, as versions 1.x of the metadata fold it."""
    return re.sub(r"\n(?: {8}| {7}\|)", "\n", text)


def _build(values: Mapping[str, Sequence[str]], problems: list[str]) -> CoreMetadata:
    single = {field: _one(field, values[field], problems) for field in _SINGLE if field in values}
    many = {field: _lines(field, values.get(field, ()), problems) for field in _MULTIPLE}
    blocks = {field: _block(values[field][0]) for field in ("license", "description") if field in values}
    name, version_text = single.get("name"), single.get("version")
    if not name or not version_text:
        raise MetadataError(f"the metadata has no {'Version' if name else 'Name'}: build the archive again")
    try:
        project, version = names.project(name), names.version(version_text)
    except (names.InvalidName, names.InvalidVersion) as exc:
        raise MetadataError(f"in the metadata, {exc}") from exc
    return CoreMetadata(
        name=name,
        project=project,
        version=version,
        version_text=version_text,
        metadata_version=_metadata_version(single.get("metadata-version"), problems),
        requires_python=_requires_python(_known(single, "requires-python"), problems),
        summary=_known(single, "summary"),
        description=_known(blocks, "description"),
        description_content_type=_known(single, "description-content-type"),
        keywords=_keywords(_known(single, "keywords")),
        author=_known(single, "author"),
        author_email=_known(single, "author-email"),
        maintainer=_known(single, "maintainer"),
        maintainer_email=_known(single, "maintainer-email"),
        license=_known(blocks, "license"),
        license_expression=_known(single, "license-expression"),
        license_files=many["license-file"],
        classifiers=many["classifier"],
        platforms=many["platform"],
        requires_dist=many["requires-dist"],
        provides_extra=many["provides-extra"],
        dynamic=many["dynamic"],
        project_urls=_labelled(many["project-url"], problems),
        home_page=_url("Home-page", _known(single, "home-page"), problems),
        download_url=_url("Download-URL", _known(single, "download-url"), problems),
        problems=tuple(problems),
    )


def _one(field: str, values: Sequence[str], problems: list[str]) -> str:
    """Give the value of a field that may be there once, on one line."""
    if len(values) > 1:
        if field in ("metadata-version", "name", "version"):
            raise MetadataError(f"the metadata has the field {field.title()} {len(values)} times: build it again")
        problems.append(f"{field.title()} is there {len(values)} times, the first one counts")
    return _line(field, values[0], problems)


def _lines(field: str, values: Iterable[str], problems: list[str]) -> tuple[str, ...]:
    lines = (_line(field, value, problems) for value in values)
    return tuple(line for line in lines if line and line != "UNKNOWN")


def _line(field: str, value: str, problems: list[str]) -> str:
    """Put a value on one line. A control character in it would reach pages, headers and logs."""
    line = " ".join(value.split())
    if _CONTROL.search(line):
        if field in ("metadata-version", "name", "version"):
            raise MetadataError(f"the field {field.title()} of the metadata has a control character in it: remove it")
        problems.append(f"{field.title()} has a control character in it")
        line = _CONTROL.sub("\ufffd", line)
    return line


def _block(value: str) -> str:
    """Give a value that may have several lines, without what no page shows."""
    return _CONTROL.sub(" ", value.replace("\r\n", "\n").replace("\r", "\n")).strip("\n ")


def _known(values: Mapping[str, str], field: str) -> str | None:
    """Give the value of a field, None if it is absent or what distutils writes for that."""
    value = values.get(field, "")
    return None if value in ("", "UNKNOWN") else value


def _metadata_version(text: str | None, problems: list[str]) -> str:
    match = _METADATA_VERSION.match(text or "")
    if text is None or match is None:
        raise MetadataError(f"the metadata has the Metadata-Version {text!r}, it needs one such as 2.4: build it again")
    major, minor = int(match[1]), int(match[2])
    # A new major version may change what a field means, a new minor one only adds fields (core metadata, "Version").
    if major not in (1, 2):
        raise MetadataError(f"the metadata has the Metadata-Version {text}, which this index does not know: use 2.x")
    if major == 2 and minor > 6:
        problems.append(f"Metadata-Version {text} is newer than this index")
    return text


def _requires_python(text: str | None, problems: list[str]) -> str | None:
    # An invalid one is not advertised: uv would refuse the file and pip ignores it, so without it every installer
    # does what pip does. The rule `requires-python` refuses it, as PyPI does.
    if text is None:
        return None
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        problems.append(f"Requires-Python {text!r} is not a valid specifier")
        return None
    return text


def _keywords(text: str | None) -> tuple[str, ...]:
    """Split the keywords, which old tools separate by spaces."""
    if text is None:
        return ()
    return tuple(word.strip() for word in text.split("," if "," in text else None) if word.strip())


def _labelled(values: Iterable[str], problems: list[str]) -> tuple[tuple[str, str], ...]:
    """Split ``Label, address``, keeping what a page may link to; of one label the first counts."""
    urls: dict[str, str] = {}
    for value in values:
        label, _, address = (part.strip() for part in value.partition(","))
        url = _url(f"Project-URL {label!r}", address, problems)
        if url and label:
            urls.setdefault(label, url)
    return tuple(urls.items())


def _url(what: str, text: str | None, problems: list[str]) -> str | None:
    """Give an address that a page may link to: nothing that runs in a reader's browser (THREATS 6)."""
    if text is None or _URL.match(text):
        return text
    problems.append(f"{what} is not an address with http or https")
    return None

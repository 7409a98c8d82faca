"""``requirements.txt``: lines as pip reads them, of which each must name one version.

Only the form of the lines is read here, which pip's manual gives; what they require is read by ``packaging``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from ..names import InvalidName, InvalidVersion
from .parts import LockError, Pin, Wanted, pin

_COMMENT = re.compile(r"(?:^|\s)#.*$")
_INCLUDE = re.compile(r"(?:-r|--requirement)[\s=]*(?P<file>.+)\Z")
_EDITABLE = re.compile(r"(?:-e\b|--editable\b)")
_OPTIONS = re.compile(r"\s--?[a-z].*\Z", re.DOTALL)
_HASH = re.compile(r"--hash[\s=]\s*(?P<hash>[A-Za-z0-9_]+:[0-9A-Fa-f]+)(?!\S)")
_PLACE = re.compile(r"[a-z+]+://|file:|\.{0,2}/|.*\.(?:whl|tar\.gz|zip)\Z", re.IGNORECASE)
"""An address or a path in the place of a requirement."""


def read(path: Path) -> Wanted:
    """Read a file of requirements, and those that it includes. Raises LockError."""
    return _read(path, set())


def _read(path: Path, seen: set[Path]) -> Wanted:
    seen.add(path.resolve())
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as exc:
        raise LockError(f"{path} cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise LockError(f"{path} is no text in UTF-8") from exc
    wanted = Wanted()
    for line in _lines(text):
        included = _INCLUDE.match(line)
        if included is None:
            wanted += _line(line)
        elif "://" in included["file"]:
            wanted += Wanted(wrong=(f"{path} includes {included['file']}; fetch it and name the file",))
        elif (other := path.parent / included["file"].strip("'\"")).resolve() not in seen:
            wanted += _read(other, seen)
    return wanted


def _lines(text: str) -> Iterator[str]:
    """Yield lines without comments; one that ends in a backslash goes on with the next."""
    begun = ""
    for line in text.splitlines():
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            begun += line[:-1] + " "
            continue
        whole = _COMMENT.sub("", begun + line).strip()
        begun = ""
        if whole:
            yield whole
    if begun := _COMMENT.sub("", begun).strip():
        yield begun


def _line(line: str) -> Wanted:
    if line.startswith("-"):
        # Others say where and how pip is to look; constraints require nothing.
        return Wanted(passed=(line,) if _EDITABLE.match(line) else ())
    text = _OPTIONS.sub("", line)
    try:
        requirement = Requirement(text)
        if requirement.url:
            return Wanted(passed=(text,))
        return Wanted(pins=(_pin(requirement, line),))
    except InvalidRequirement as exc:
        if _PLACE.match(text):
            return Wanted(passed=(text,))
        return Wanted(wrong=(f"{text}: no requirement ({str(exc).splitlines()[0]})",))
    except (LockError, InvalidName, InvalidVersion) as exc:
        return Wanted(wrong=(f"{text}: {exc}",))


def _pin(requirement: Requirement, line: str) -> Pin:
    versions = {
        each.version
        for each in requirement.specifier
        if each.operator in ("==", "===") and not each.version.endswith(".*")
    }
    if len(versions) != 1:
        raise LockError("says no version with ==; `uv pip compile` makes a list that does")
    return pin(requirement.name, versions.pop(), hashes=[found["hash"] for found in _HASH.finditer(line)])

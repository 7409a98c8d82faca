"""Licences: what core metadata says of them in the terms of SPDX, and whether one is denied."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from ..metadata import CoreMetadata

_CLASSIFIER = "License :: OSI Approved :: "

_SPDX = {
    "Apache Software License": "Apache-2.0",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""Classifiers that say one licence and nothing else."""

_OTHER = "LicenseRef-other"
_TOKEN = re.compile(r"[()]|[^\s()]+")


def said(core: CoreMetadata) -> str:
    """Return the SPDX expression of a release's licence, "" if its metadata says none that can be read.

    Where several classifiers stand for a licence, whoever uses the release may choose among them.
    """
    for text in (core.license_expression, core.license):
        try:
            return str(canonicalize_license_expression(text or ""))
        except InvalidLicenseExpression:
            continue
    named = [each.removeprefix(_CLASSIFIER) for each in core.classifiers if each.startswith(_CLASSIFIER)]
    return " OR ".join(_SPDX.get(each, _OTHER) for each in named)


def denied(expression: str, patterns: tuple[str, ...]) -> str | None:
    """Return the first licence of an expression that is denied and that nobody can choose to do without.

    >>> denied("MIT OR GPL-3.0-only", ("GPL-*",)), denied("MIT AND GPL-3.0-only", ("GPL-*",))
    (None, 'GPL-3.0-only')
    """
    return _Reading(expression, patterns).found()


class _Reading:
    """A way through a canonical expression, in which AND binds closer than OR."""

    def __init__(self, expression: str, patterns: tuple[str, ...]) -> None:
        self._tokens: Iterator[str] = iter([*_TOKEN.findall(expression), ""])
        self._patterns = patterns
        self._next = next(self._tokens)

    def found(self) -> str | None:
        """Read alternatives: all must be denied."""
        each = [self._all()]
        while self._next == "OR":
            self._take()
            each.append(self._all())
        return None if None in each else each[0]

    def _all(self) -> str | None:
        """Read what holds together: one that is denied suffices."""
        each = [self._one()]
        while self._next == "AND":
            self._take()
            each.append(self._one())
        return next((name for name in each if name), None)

    def _one(self) -> str | None:
        if self._next == "(":
            self._take()
            inner = self.found()
            self._take()
            return inner
        name = self._take()
        if self._next == "WITH":  # the exception takes nothing from the licence's being denied
            self._take()
            self._take()
        return name if any(fnmatchcase(name, pattern) for pattern in self._patterns) else None

    def _take(self) -> str:
        taken, self._next = self._next, next(self._tokens, "")
        return taken

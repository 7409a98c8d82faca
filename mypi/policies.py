"""The settings of the policy: what of other indexes is hidden, though they have it.

They stand under ``mypi.policy.``; :mod:`mypi.upstream.policy` judges by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from . import options
from .options import Option

PREFIX = "mypi.policy."


def keep_or_hide(value: str) -> str:
    """Read whether something stays on the pages: ``keep`` or ``hide``.

    >>> keep_or_hide("hide")
    'hide'
    """
    return options.one_of(value, "keep", "hide")


TABLE: tuple[Option, ...] = (
    Option("min_age_days", options.number, "0", "Days for which a file must have been public before it is shown."),
    Option("deny", options.words, "", "What is never shown: names, patterns and requirements: evil acme-* requests<2."),
    Option("allow", options.words, "", "The only ones that are shown, written in the same way. Empty: all."),
    Option("yanked", keep_or_hide, "keep", "Whether yanked files are shown, with their mark."),
    Option("prereleases", keep_or_hide, "keep", "Whether pre-releases are shown."),
    Option("licenses_denied", options.words, "", "Licences whose files are hidden, by their SPDX names."),
    Option("ours", options.boolean, "false", "Whether all of this holds for our own projects too."),
)


@dataclass(frozen=True)
class Policies:
    """The settings of the policy, converted and checked."""

    min_age_days: int = 0
    deny: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    yanked: str = "keep"
    prereleases: str = "keep"
    licenses_denied: tuple[str, ...] = ()
    ours: bool = False

    def check(self) -> None:
        """Refuse rules that contradict each other. Raises SettingError."""


def read(given: Mapping[str, str], environ: Mapping[str, str]) -> Policies:
    """Read the settings of the policy. Raises SettingError."""
    found = Policies(**options.read(TABLE, PREFIX, given, environ))
    found.check()
    return found

"""What a rule of the list is."""

from __future__ import annotations

import re
from dataclasses import dataclass

TAGS = ("MUST", "SHOULD", "MAY", "PYPI", "CLIENT")
"""Why a rule is there: the specifications' own words; what PyPI does; that a real client fails otherwise."""


@dataclass(frozen=True)
class Rule:
    """A rule: its id, its tags, what is expected in one sentence, and why mypi leaves it out if it does."""

    id: str
    tags: str
    sentence: str
    reason: str = ""

    @property
    def slug(self) -> str:
        """Return the id as the name of a test carries it.

        >>> Rule("A5.5 requires-python", "MAY", "").slug
        'A5_5_requires_python'
        """
        return re.sub(r"\W", "_", self.id)

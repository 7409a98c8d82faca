"""The names of all projects of an index as a value."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .sparse import sparse


@dataclass(frozen=True)
class Names:
    """The document that names the projects of an index: canonical name to display name.

    For ``sealed`` and ``copied`` see Project.
    """

    projects: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""
    sealed: str = ""
    copied: str = ""

    def add(self, name: str, display: str) -> Names:
        """Add a project; the display name of the first publish stays."""
        return self if name in self.projects else replace(self, projects={**self.projects, name: display})

    def revised(self, revision: str) -> Names:
        return replace(self, revision=revision)

    def dump(self) -> bytes:
        return json.dumps(sparse(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def load(cls, data: bytes) -> Names:
        """Read the document back. Raises ValueError, KeyError or TypeError if it is damaged."""
        return cls(**json.loads(data))

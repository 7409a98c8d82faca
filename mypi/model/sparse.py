"""Values as JSON objects without what has its default, so that documents stay small and old ones read as new."""

from __future__ import annotations

from typing import Any


def sparse(value: Any, *without: str) -> dict[str, Any]:
    """Return the fields of a dataclass by name, save those that have their default and those in ``without``."""
    kind = type(value)
    return {
        name: item
        for name, item in vars(value).items()
        if name in kind.__dataclass_fields__ and name not in without and item != getattr(kind, name, None)
    }

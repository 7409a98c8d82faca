"""Values as JSON objects without what has its default, so that documents stay small and old ones read as new."""

from __future__ import annotations

import json
from functools import cache
from typing import Any


def sparse(value: Any, *without: str) -> dict[str, Any]:
    """Return the fields of a dataclass by name, save those that have their default and those in ``without``."""
    kind: Any = type(value)
    return {
        name: item
        for name, default in _defaults(kind)
        if (item := getattr(value, name)) != default and name not in without
    }


def text(value: Any, *without: str) -> str:
    """Return the same as JSON text, as documents have it."""
    return json.dumps(sparse(value, *without), ensure_ascii=False, separators=(",", ":"))


@cache
def _defaults(kind: Any) -> tuple[tuple[str, Any], ...]:
    """Return each field with its default, None where it has none; looked up each time they took most of a dump."""
    return tuple((name, getattr(kind, name, None)) for name in kind.__dataclass_fields__)

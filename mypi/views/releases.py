"""Releases, as the views know them: see ``mypi.model.releases``, which what lies below the views needs too."""

from __future__ import annotations

from ..model.releases import Release, newest, releases

__all__ = ["Release", "newest", "releases"]

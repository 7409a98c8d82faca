"""The views: each takes a context, calls one method of the repository and returns a response."""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    """Register every view, predicate and tween."""
    for module in (
        "edge",
        "errors",
        "rendered",
        "uploads",
        "simple",
        "files",
        "integrity",
        "pages",
        "legacy_json",
        "oidc",
    ):
        config.include(f"{__name__}.{module}")

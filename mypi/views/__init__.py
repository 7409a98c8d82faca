"""The views: each takes a context, calls one method of the repository and returns a response."""

from pyramid.config import Configurator

MODULES = (
    *("request", "edge", "errors", "rendered", "uploads", "simple", "files", "integrity", "legacy_json", "oidc"),
    *("monitoring", "pages", "home", "search", "project", "why", "looking", "inside", "feed", "people"),
)


def includeme(config: Configurator) -> None:
    """Register every view, predicate and tween."""
    for module in MODULES:
        config.include(f"{__name__}.{module}")

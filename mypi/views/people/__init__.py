"""The pages on which people act: they log in, and yank, restore, upload and administer with forms.

Every change is a POST with a token (``csrf``), made by the session or by everyone, never by Basic credentials.
"""

from pyramid.config import Configurator


def includeme(config: Configurator) -> None:
    """Register the pages."""
    for module in ("csrf", "pages", "login", "account", "users", "log", "trash", "manage", "upload"):
        config.include(f"{__name__}.{module}")

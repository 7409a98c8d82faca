"""The user whom a server in front names, as ``REMOTE_USER``: it has verified them, by whatever means it has."""

from __future__ import annotations

import logging

from .errors import AccountError
from .passwords import check_user

log = logging.getLogger(__name__)


def vouched(name: str) -> str | None:
    """Return the name of the user; None for one that no rule and no history could name, such as ``DOMAIN\\\\alice``.

    >>> vouched("alice@example.com")
    'alice@example.com'
    """
    try:
        return check_user(name)
    except AccountError as exc:
        log.warning("REMOTE_USER is taken for nobody: %s", exc)
        return None

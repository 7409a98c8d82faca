"""Why nothing comes from an upstream."""

from __future__ import annotations


class UpstreamError(Exception):
    """An upstream could not serve; the message names it and says what happened."""


class Away(UpstreamError):
    """It cannot be reached, is too slow, or answers with an error (502; never 404, at which clients look elsewhere)."""


class Garbage(UpstreamError):
    """What it sent is not what it should be: no index page, too much, another hash (502, and nothing is kept)."""


class Unknown(UpstreamError):
    """It has no project of that name (404)."""


class Busy(UpstreamError):
    """Too many wait for it already (503); the rest of the server's threads are for what does not need it."""

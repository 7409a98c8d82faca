"""What can go wrong with the token that a build shows."""


class BadToken(Exception):
    """The token is refused; ``code`` is the machine's word for why, as PyPI has them."""

    def __init__(self, reason: str, code: str = "invalid-token") -> None:
        super().__init__(reason)
        self.code = code


class IssuerAway(Exception):
    """The keys of an issuer cannot be had now, so that nobody can tell whether the token is good."""

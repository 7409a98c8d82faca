"""Trusted publishing: identity tokens of builds are verified, and tokens to publish with are minted for them.

``issuers`` knows the keys of those who vouch for builds, ``verifying`` reads what a build shows, ``minting`` makes what
it publishes with. PyJWT is imported only by the first two, so that an index without publishers needs none.
"""

from .errors import BadToken, IssuerAway

__all__ = ["BadToken", "IssuerAway"]

"""The errors of the SDK and of the server in our words: what happened, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from botocore import exceptions as sdk
from botocore.parsers import ResponseParserError
from urllib3.exceptions import HTTPError

from mypi.store import Conflict, Full, NotFound, StoreError, Unavailable, Unchanged

DRIVER = (sdk.BotoCoreError, sdk.ClientError, ResponseParserError, HTTPError)
"""All that the SDK raises, and what it lets through of the library beneath it."""


class Busy(Conflict):
    """Another conditional write of the same document is under way; this one did nothing (409)."""


class Beyond(StoreError):
    """The range begins where the object has ended already (416)."""


class NoUpload(Unavailable):
    """The upload in parts is not there: it was completed or aborted (404)."""


class Garbled(Unavailable):
    """The answer lacks what each has: it is none of S3, or was cut off before its first byte."""


_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this machine a profile or a role"
_DENIED = (
    "the bucket {bucket} refuses this (403); check the credentials, and that their policy allows what "
    "docs/howto/s3.rst lists"
)
_SKEWED = "the server takes this machine's clock for wrong; set it by NTP"
_EXPIRED = "the session token is not valid any more; renew the credentials"
_DAMAGED = "the bytes were damaged on their way to the server; try again"
_ELSEWHERE = "the bucket {bucket} lies in another region; set mypi.storage.region"
_BROKE = "the connection to {endpoint} broke; try again"
_SENTENCES = {
    "NoSuchBucket": "there is no bucket {bucket} at {endpoint}; create it, or correct mypi.storage.bucket",
    "InvalidBucketName": "{bucket} is no name for a bucket at {endpoint}; correct mypi.storage.bucket",
    "AccessDenied": _DENIED,
    "403": _DENIED,
    "AllAccessDisabled": _DENIED,
    "InvalidAccessKeyId": "{endpoint} does not know the access key; correct AWS_ACCESS_KEY_ID, or the profile",
    "SignatureDoesNotMatch": "{endpoint} takes the secret key for wrong; correct AWS_SECRET_ACCESS_KEY, or the profile",
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "InvalidToken": _EXPIRED,
    "TokenRefreshRequired": _EXPIRED,
    "RequestTimeTooSkewed": _SKEWED,
    "RequestExpired": _SKEWED,
    "BadDigest": _DAMAGED,
    "InvalidDigest": _DAMAGED,
    "XAmzContentSHA256Mismatch": _DAMAGED,
    "PermanentRedirect": _ELSEWHERE,
    "301": _ELSEWHERE,
    "AuthorizationHeaderMalformed": _ELSEWHERE,
}
_KINDS: dict[str, Callable[[str], StoreError]] = {
    "NoSuchKey": NotFound,
    "404": NotFound,
    "304": Unchanged,
    "PreconditionFailed": Conflict,
    "412": Conflict,
    "ConditionalRequestConflict": Busy,
    "OperationAborted": Busy,
}
_FULL = {"507", "InsufficientStorage", "InsufficientCapacity", "QuotaExceeded", "XMinioStorageFull"}
_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (sdk.NoCredentialsError, f"the SDK found no credentials; {_CREDENTIALS}"),
    (sdk.PartialCredentialsError, f"the SDK found a part of the credentials only; {_CREDENTIALS}"),
    (sdk.CredentialRetrievalError, f"the SDK could not get its credentials; mend what gives them, or {_CREDENTIALS}"),
    (sdk.ReadTimeoutError, "{endpoint} did not answer in {timeout} seconds, {attempts} times; try again"),
    (sdk.SSLError, "there is no safe connection to {endpoint} (TLS); check its certificate, and that it speaks https"),
    (sdk.ProxyConnectionError, "the proxy on the way to {endpoint} cannot be reached; correct HTTPS_PROXY or NO_PROXY"),
    (sdk.ConnectTimeoutError, "{endpoint} cannot be reached; start it, or correct mypi.storage.endpoint"),
    (sdk.EndpointConnectionError, "{endpoint} cannot be reached; start it, or correct mypi.storage.endpoint"),
    (sdk.HTTPClientError, _BROKE),
    (HTTPError, _BROKE),
    (sdk.IncompleteReadError, "the answer of {endpoint} ended early; try again"),
    (ResponseParserError, "what {endpoint} answers cannot be read; is mypi.storage.endpoint a server of S3?"),
)


def translated(exc: Exception, key: str, about: Mapping[str, object]) -> StoreError:
    """Return the error of ours for one of the SDK's; ``about`` names bucket, endpoint, timeout and attempts."""
    if isinstance(exc, sdk.ClientError):
        return _answered(exc, key, about)
    for kind, sentence in _REASONS:
        if isinstance(exc, kind):
            return Unavailable(key, sentence.format(**about))
    return Unavailable(key, f"the SDK for S3 cannot do this: {exc}")


def _answered(exc: sdk.ClientError, key: str, about: Mapping[str, object]) -> StoreError:
    name, status = code(exc), exc.response["ResponseMetadata"]["HTTPStatusCode"]
    if name in _KINDS:
        return _KINDS[name](key)
    if name == "NoSuchUpload":
        return NoUpload(key, "the upload was ended by somebody else; try again")
    if name in ("InvalidRange", "416"):
        return Beyond(key, "the range begins after the end")
    if name in _FULL:
        return Full(key, f"there is no room left at {about['endpoint']}")
    if name in _SENTENCES:
        return Unavailable(key, _SENTENCES[name].format(**about))
    said = exc.response["Error"].get("Message") or "no reason given"
    return Unavailable(key, f"{about['endpoint']} answered {status} {name} ({said}), {times(exc)} times")


def code(exc: BaseException | None) -> str:
    """Return the code of the server's error that an exception tells, or nothing."""
    return str(getattr(exc, "response", {}).get("Error", {}).get("Code", ""))


def times(told: object) -> int:
    """Return how often the SDK sent a request, by the answer or the error that it gave.

    >>> times({"ResponseMetadata": {"RetryAttempts": 2}})
    3
    """
    answer: Any = told if isinstance(told, dict) else getattr(told, "response", {})
    return 1 + int(answer.get("ResponseMetadata", {}).get("RetryAttempts", 0))

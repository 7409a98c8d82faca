"""One bucket, or the part of it below a prefix: requests to it, whose errors are ours."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mypi.store import NotFound, StoreError, Unavailable

from . import client
from .errors import DRIVER, Garbled, translated
from .options import Options

_TELLS = {
    "list_objects_v2": "IsTruncated",
    "get_object": "ETag",
    "head_object": "ETag",
    "put_object": "ETag",
    "upload_part": "ETag",
    "create_multipart_upload": "UploadId",
    "complete_multipart_upload": "ETag",
}
"""What is in every whole answer to a request."""


class Bucket:
    """Sends requests about keys of a store; a request is tried ``attempts`` times before it raises."""

    def __init__(self, chosen: Options) -> None:
        self.name = chosen.bucket
        self.root = f"{chosen.prefix}/" if chosen.prefix else ""
        self.attempts = chosen.attempts
        self._about = {
            "bucket": chosen.bucket,
            "endpoint": chosen.endpoint or "AWS",
            "timeout": chosen.timeout,
            "attempts": chosen.attempts,
        }
        with self.errors(chosen.bucket):
            try:
                self.client = client.make(chosen)
            except ValueError as exc:
                raise Unavailable(chosen.bucket, f"{exc}; correct mypi.storage.endpoint") from exc

    def call(self, operation: str, key: str, **given: Any) -> dict[str, Any]:
        """Send one request about an object, under the name that the SDK has for it. Raises StoreError."""
        return self.ask(operation, key, Key=self.root + key, **given)

    def ask(self, operation: str, key: str, **given: Any) -> dict[str, Any]:
        """Send one request about the bucket; ``key`` is for errors. Raises StoreError."""
        with self.errors(key):
            answer: dict[str, Any] = getattr(self.client, operation)(Bucket=self.name, **given)
        if _TELLS.get(operation, "ResponseMetadata") not in answer:
            if "Body" in answer:
                answer["Body"].close()
            raise Garbled(key, f"what {self._about['endpoint']} answers is no answer of S3, or a part of one")
        return answer

    def head(self, key: str, **given: Any) -> dict[str, Any]:
        """Ask for an object without its bytes. Raises NotFound; Unavailable also if the bucket is gone."""
        try:
            return self.call("head_object", key, **given)
        except NotFound:
            # An answer to HEAD has no body to tell an absent object from an absent bucket.
            self.page(key, MaxKeys=1)
            raise

    def page(self, prefix: str, **given: Any) -> dict[str, Any]:
        """Return one page of the list of objects.

        One that came in part is asked for again: by the SDK, but for one that was cut off before its first byte, which
        it takes for the list of an empty bucket.
        """
        for _ in range(self.attempts - 1):
            try:
                return self._page(prefix, given)
            except Garbled:
                continue
        return self._page(prefix, given)

    def _page(self, prefix: str, given: dict[str, Any]) -> dict[str, Any]:
        return self.ask("list_objects_v2", prefix or self.name, Prefix=self.root + prefix, **given)

    @contextmanager
    def errors(self, key: str) -> Iterator[None]:
        """Raise an error of the SDK as one of ours."""
        try:
            yield
        except DRIVER as exc:
            raise self.translated(exc, key) from exc

    def translated(self, exc: Exception, key: str) -> StoreError:
        return translated(exc, key, self._about)


def digest(data: bytes | memoryview) -> str:
    """Return what proves on the other side that the bytes came whole (Content-MD5).

    >>> digest(b"")
    '1B2M2Y8AsgTpgAmY7PhCfg=='
    """
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()

"""A store in a bucket of S3, or of a server that speaks its protocol.

An object's name is its key, below the prefix. Documents are single conditional requests; files go under fresh keys.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote
from weakref import finalize

from mypi.store import Entry, Reader, Source, Store, Tag, Truncated, Unavailable, is_key

from .bucket import Bucket
from .documents import Turns, swap
from .options import TABLE, Options
from .probe import prove
from .reading import opened
from .uploads import abort_stale, add

PAGE = 1000
"""Objects in one page of a listing, all of which are in memory at once."""

_A_DAY = 86400

COPIED = 2**30
"""The largest object that the server copies by itself: S3 takes 5 GiB, but not every server answers that in time."""


class S3Store(Store):
    """Keeps each object in a bucket of S3, or of a server that speaks its protocol."""

    options = TABLE
    processes = True
    nodes = True
    metered = True

    def __init__(self, **values: Any) -> None:
        self._chosen = Options.complete(values)
        self._bucket = Bucket(self._chosen)
        self._turns = Turns()
        # Also for a store that is dropped and not closed.
        self._finish = finalize(self, self._bucket.client.close)

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        return opened(self._bucket, key, start, stop, unless)

    def _add(self, key: str, source: Source, size: int) -> None:
        add(self._bucket, key, source, size, self._chosen.part_size)

    def _swap(self, key: str, data: bytes, expect: Tag | None) -> Tag:
        with self._turns.of(key):
            return swap(self._bucket, key, data, expect)

    def _delete(self, key: str) -> None:
        self._bucket.head(key)  # deleting what is absent is no error in S3
        self._bucket.call("delete_object", key)

    def _list(self, prefix: str) -> Iterator[Entry]:
        place: dict[str, str] = {}
        while True:
            page = self._bucket.page(prefix, MaxKeys=PAGE, **place)
            for found in page.get("Contents", ()):
                key = found["Key"].removeprefix(self._bucket.root)
                if is_key(key):
                    yield Entry(key, found["Size"], found["LastModified"].timestamp())
            if not page.get("IsTruncated"):
                return
            following = {"ContinuationToken": page["NextContinuationToken"]}
            if following == place:
                raise Unavailable(prefix, "the server lists the same page again and again")
            place = following

    def _copy(self, key: str, fresh: str) -> None:
        """Let the server copy a file; one that is too large for it goes through us."""
        found = self._bucket.head(key)
        size, source = found["ContentLength"], {"Bucket": self._bucket.name, "Key": self._bucket.root + key}
        if size > COPIED:
            super()._copy(key, fresh)
            return
        self._bucket.call("copy_object", fresh, CopySource=source)
        if self._bucket.head(fresh)["ContentLength"] != size:
            raise Truncated(fresh, f"the server did not copy all of {key}; run mypi verify")

    def url(self, key: str, filename: str) -> str | None:
        """Return a link below ``public_url``, or one that is signed and expires; no request is made for it."""
        name = self._bucket.root + key
        if self._chosen.public_url:
            return f"{self._chosen.public_url}/{quote(name, safe='/')}"
        if self._chosen.redirect == "never":
            return None
        given = {
            "Bucket": self._bucket.name,
            "Key": name,
            "ResponseContentDisposition": f'attachment; filename="{filename}"',
            "ResponseContentType": "application/octet-stream",
        }
        with self._bucket.errors(key):
            return str(
                self._bucket.client.generate_presigned_url(
                    "get_object", Params=given, ExpiresIn=self._chosen.redirect_seconds
                )
            )

    def check(self, *, catalogue: bool = True) -> None:
        """Try the bucket and what may be done in it; refuse a server that ignores conditions of writes."""
        prove(self._bucket, catalogue=catalogue)

    def maintain(self, before: float) -> int:
        """Abort the uploads in parts that began before a time, and a day ago, and were never completed.

        Returns how many. A younger one may be under way: nothing tells whether some node still works on it.
        """
        return self.tidy(min(before, time.time() - _A_DAY))

    def tidy(self, before: float) -> int:
        """Abort the uploads in parts that began before a time, whoever may work on them; return how many."""
        return abort_stale(self._bucket, before)

    def close(self) -> None:
        """Close the connections."""
        self._finish()

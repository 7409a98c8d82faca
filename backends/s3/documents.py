"""Documents: replaced by one conditional request each, in turn, and recognised when an answer was lost."""

from __future__ import annotations

import random
import threading
import time
from weakref import WeakValueDictionary

from mypi.store import Conflict, NotFound, Tag

from .bucket import Bucket, digest
from .errors import Busy, times
from .reading import opened


class Turns:
    """A lock for each key: writers of one document wait here, for SeaweedFS takes seconds when four ask at once."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: WeakValueDictionary[str, threading.Lock] = WeakValueDictionary()

    def of(self, key: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(key, threading.Lock())


def swap(bucket: Bucket, key: str, data: bytes, expect: Tag | None) -> Tag:
    """Replace a document as ``Store.swap`` does.

    The SDK tries again by itself, and may then meet its own success as a failed condition; so the document is read if
    that can have been.
    """
    condition = {"IfNoneMatch": "*"} if expect is None else {"IfMatch": expect}
    doubtful = False
    for attempt in range(bucket.attempts):
        try:
            answer = bucket.call(
                "put_object", key, Body=data, ContentMD5=digest(data), ContentType="application/json", **condition
            )
        except (Conflict, NotFound) as exc:
            doubtful = doubtful or times(exc.__cause__) > 1
            own = _own(bucket, key, data) if doubtful else None
            if own is not None:
                return own
            if not isinstance(exc, Busy):
                raise Conflict(key) from exc
            time.sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311 - spreads writers
        else:
            return Tag(answer["ETag"])
    raise Conflict(key)


def _own(bucket: Bucket, key: str, data: bytes) -> Tag | None:
    """Return the tag of the document if it has these bytes, which no other version ever had."""
    try:
        with opened(bucket, key) as reader:
            return reader.tag if reader.size == len(data) and reader.read() == data else None
    except NotFound:
        return None

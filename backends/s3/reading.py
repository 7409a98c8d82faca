"""Reading objects: whole or in part, and on from where a connection broke."""

from __future__ import annotations

import re
from typing import Any

from mypi.store import Conflict, NotFound, Reader, Tag, Unavailable

from .bucket import Bucket
from .errors import DRIVER, Beyond

_CONTENT_RANGE = re.compile(r"bytes (?P<first>[0-9]+)-[0-9]+/(?P<size>[0-9]+)")


class Body:
    """The bytes of one version of an object from a place on.

    Where the connection breaks, stalls or ends early, the rest of the same version is asked for, within a bound.
    """

    def __init__(self, bucket: Bucket, key: str, tag: Tag, at: int, stop: int, answer: Any = None) -> None:
        self._bucket = bucket
        self._key = key
        self._tag = tag
        self._at = at
        self._stop = stop
        self._answer = answer
        self._left = bucket.attempts

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes; none only if the server announced too few. Raises Unavailable."""
        while True:
            try:
                part: bytes = self._opened().read(size)
                break
            except DRIVER as exc:
                self.close()
                self._left -= 1
                if not self._left:
                    raise self._bucket.translated(exc, self._key) from exc
        self._at += len(part)
        return part

    def _opened(self) -> Any:
        if self._answer is None:
            try:
                found = get(self._bucket, self._key, self._at, self._stop, IfMatch=self._tag)
            except (Conflict, NotFound) as exc:
                raise Unavailable(self._key, "was replaced or deleted while it was read; read it again") from exc
            self._answer = found["Body"]
        return self._answer

    def close(self) -> None:
        """Give the connection back; one with bytes still to come is closed."""
        if self._answer is not None:
            self._answer.close()
            self._answer = None


def opened(bucket: Bucket, key: str, start: int = 0, stop: int | None = None, unless: Tag | None = None) -> Reader:
    """Open an object as ``Store.open`` does, by one request unless the range is empty."""
    given = {"IfNoneMatch": unless} if unless else {}
    empty = stop is not None and stop <= start
    try:
        found = bucket.head(key, **given) if empty else get(bucket, key, start, stop, **given)
    except Beyond:
        found = bucket.head(key, **given)
    tag, size = Tag(found["ETag"]), _size(found)
    first = min(start, size)
    last = max(first, size if stop is None else min(stop, size))
    body = Body(bucket, key, tag, first, last, found.get("Body"))
    return Reader(key, body, size=size, tag=tag, remaining=last - first)


def get(bucket: Bucket, key: str, start: int, stop: int | None, **given: Any) -> dict[str, Any]:
    """Ask for an object's bytes from ``start`` to before ``stop``. Raises Beyond and as ``Bucket.call``."""
    if start or stop is not None:
        given["Range"] = f"bytes={start}-{'' if stop is None else stop - 1}"
    found = bucket.call("get_object", key, **given)
    if start and "ContentRange" not in found:
        found["Body"].close()
        raise Unavailable(key, "the server ignores ranges")
    return found


def _size(found: dict[str, Any]) -> int:
    """Return the size of the whole object, by an answer with all of it, a part of it, or only its headers."""
    part = _CONTENT_RANGE.fullmatch(found.get("ContentRange", ""))
    return int(part["size"] if part else found["ContentLength"])

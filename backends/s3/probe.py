"""Whether a bucket can keep what the store promises: asked at start-up, answered with a sentence."""

from __future__ import annotations

import contextlib
import secrets

from mypi.store import Conflict, StoreError, Tag, Unavailable

from .bucket import Bucket
from .documents import swap
from .errors import code

_WRONG = Tag('"00000000000000000000000000000000"')
_REFUSED = (
    "the server of this bucket does not heed conditions of writes (If-None-Match, If-Match), so that of two uploads at "
    "once one would be lost; keep the documents elsewhere, with mypi.catalogue = filesystem or zodb, and the files may "
    "stay here"
)


def prove(bucket: Bucket, *, catalogue: bool) -> None:
    """Try what the store will need, in six requests at most, or three for files only. Raises Unavailable."""
    bucket.page("", MaxKeys=1)  # some servers make an absent bucket at the first write
    key = f".probe/{secrets.token_hex(16)}"  # no key of a store, so that no listing shows it
    try:
        if catalogue:
            _prove_conditions(bucket, key)
        else:
            bucket.call("put_object", key, Body=b"")
    except BaseException:
        with contextlib.suppress(StoreError):
            bucket.call("delete_object", key)
        raise
    bucket.call("delete_object", key)


def _prove_conditions(bucket: Bucket, key: str) -> None:
    try:
        tag = swap(bucket, key, b"1", None)
        if _refuses(bucket, key, None) and _refuses(bucket, key, _WRONG):
            swap(bucket, key, b"4", tag)
            return
    except Conflict as exc:
        raise Unavailable(bucket.name, _REFUSED) from exc
    except Unavailable as exc:
        if code(exc.__cause__) == "NotImplemented":
            raise Unavailable(bucket.name, _REFUSED) from exc
        raise
    raise Unavailable(bucket.name, _REFUSED)


def _refuses(bucket: Bucket, key: str, expect: Tag | None) -> bool:
    try:
        swap(bucket, key, b"2" if expect is None else b"3", expect)
    except Conflict:
        return True
    return False

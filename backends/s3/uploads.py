"""Files on their way in: by one request, or in parts of which only one is held in memory."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from typing import Any

from mypi.store import CHUNK, Source, StoreError, Truncated, Unavailable, is_key

from .bucket import Bucket, digest
from .errors import NoUpload, times

PARTS = 10_000
"""The most that S3 takes for one object."""

_HEADERS = {"ContentType": "application/octet-stream", "ContentDisposition": "attachment"}
"""For those who get a file from the bucket itself: a browser must not show it."""


def add(bucket: Bucket, key: str, source: Source, size: int, part_size: int) -> None:
    """Store a file as ``Store.add`` does; one of ``part_size`` bytes or more goes in parts."""
    if size >= part_size:
        _add_parts(bucket, key, source, size, max(part_size, math.ceil(size / PARTS)))
        return
    body = _take(key, source, size, last=True)
    bucket.call("put_object", key, Body=body, ContentMD5=digest(body.getbuffer()), **_HEADERS)


def _add_parts(bucket: Bucket, key: str, source: Source, size: int, length: int) -> None:
    upload = {"UploadId": _begun(bucket, key)}
    try:
        parts: list[dict[str, Any]] = []
        for start in range(0, size, length):
            body = _take(key, source, min(length, size - start), last=start + length >= size)
            part: dict[str, Any] = {"PartNumber": len(parts) + 1}
            sent = bucket.call("upload_part", key, Body=body, ContentMD5=digest(body.getbuffer()), **part, **upload)
            parts.append({**part, "ETag": sent["ETag"]})
        _complete(bucket, key, size, MultipartUpload={"Parts": parts}, **upload)
    except BaseException:
        with contextlib.suppress(StoreError):
            bucket.call("abort_multipart_upload", key, **upload)
        raise


def _take(key: str, source: Source, size: int, *, last: bool) -> io.BytesIO:
    """Return the next bytes of a source, in a file that the SDK can rewind. Raises Truncated."""
    body = io.BytesIO()
    while body.tell() < size and (part := source.read(min(CHUNK, size - body.tell()))):
        body.write(part)
    if body.tell() < size or (last and source.read(1)):
        raise Truncated(key, "the source did not give as many bytes as were announced")
    body.seek(0)
    return body


def _begun(bucket: Bucket, key: str) -> str:
    """Begin an upload in parts and return its id; one whose id was lost with its answer is aborted."""
    try:
        answer = bucket.call("create_multipart_upload", key, **_HEADERS)
    except StoreError:
        with contextlib.suppress(StoreError):
            _abort_others(bucket, key)
        raise
    if times(answer) > 1:
        _abort_others(bucket, key, answer["UploadId"])
    return str(answer["UploadId"])


def _complete(bucket: Bucket, key: str, size: int, **given: Any) -> None:
    try:
        bucket.call("complete_multipart_upload", key, **given)
    except Unavailable:
        # Where the answer was lost and it was sent again, the upload may be gone because it is complete.
        with contextlib.suppress(StoreError):
            if bucket.head(key)["ContentLength"] == size:
                return
        raise


def _abort_others(bucket: Bucket, key: str, own: str | None = None) -> None:
    """Abort every upload under a key but our own: the key is fresh, so all are of this file."""
    for upload in _under_way(bucket, key):
        if upload["Key"] == bucket.root + key and upload["UploadId"] != own:
            _abort(bucket, upload)


def abort_stale(bucket: Bucket, before: float) -> int:
    """Abort the uploads in parts that began before a time in seconds since 1970; return how many there were."""
    aborted = 0
    for upload in _under_way(bucket):
        if is_key(upload["Key"].removeprefix(bucket.root)) and upload["Initiated"].timestamp() < before:
            aborted += _abort(bucket, upload)
    return aborted


def _under_way(bucket: Bucket, prefix: str = "") -> Iterator[dict[str, Any]]:
    """Yield the uploads in parts below a prefix."""
    pages = bucket.client.get_paginator("list_multipart_uploads")
    with bucket.errors(prefix or bucket.name):
        for page in pages.paginate(Bucket=bucket.name, Prefix=bucket.root + prefix):
            yield from page.get("Uploads", ())


def _abort(bucket: Bucket, upload: dict[str, Any]) -> bool:
    """Abort an upload; say whether it was still there."""
    key = upload["Key"].removeprefix(bucket.root)
    try:
        bucket.call("abort_multipart_upload", key, UploadId=upload["UploadId"])
    except NoUpload:
        return False
    return True

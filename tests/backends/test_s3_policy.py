"""The policy that the documentation gives to AWS: it allows what the store does, and no more."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ACTIONS = {
    "get_object": {"s3:GetObject"},
    "head_object": {"s3:GetObject"},
    "put_object": {"s3:PutObject"},
    "copy_object": {"s3:GetObject", "s3:PutObject"},
    "create_multipart_upload": {"s3:PutObject"},
    "upload_part": {"s3:PutObject"},
    "complete_multipart_upload": {"s3:PutObject"},
    "abort_multipart_upload": {"s3:AbortMultipartUpload"},
    "delete_object": {"s3:DeleteObject"},
    "list_objects_v2": {"s3:ListBucket"},
    "list_multipart_uploads": {"s3:ListBucketMultipartUploads"},
}
"""What AWS must allow for each operation (Service Authorization Reference, Amazon S3)."""

OPERATION = re.compile(r'(?:call|ask|get_paginator|generate_presigned_url)\(\s*"(\w+)"')


def used() -> set[str]:
    """The operations that the sources name."""
    found = set()
    for path in (ROOT / "backends" / "s3").glob("*.py"):
        found |= set(OPERATION.findall(path.read_text(encoding="utf-8")))
    return found


def documented() -> list[dict[str, object]]:
    page = (ROOT / "docs" / "howto" / "s3.rst").read_text(encoding="utf-8")
    block = re.search(r":caption: policy\.json\n\n((?:      .*\n)+)", page)
    assert block
    statements: list[dict[str, object]] = json.loads(block[1])["Statement"]
    return statements


def test_every_operation_is_known() -> None:
    assert used() == ACTIONS.keys()


def test_the_policy_allows_what_is_used_and_no_more() -> None:
    needed = set().union(*(ACTIONS[operation] for operation in used()))
    allowed: set[str] = set()
    for statement in documented():
        allowed |= set(statement["Action"])  # type: ignore[call-overload]
        objects = {action for action in needed if "ListBucket" not in action}
        on_objects = str(statement["Resource"]).endswith("/*")
        assert set(statement["Action"]) <= (objects if on_objects else needed - objects)  # type: ignore[call-overload]
    assert allowed == needed

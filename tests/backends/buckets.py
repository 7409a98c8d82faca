"""Stores in the bucket of the shared server, straight or through a proxy that counts requests and does harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mypi.backends.s3 import S3Store
from tests.proxies import Forwarder
from tests.stores import STORES

MIB = 2**20
KEY = "files/main/acme-lib/0123456789abcdef/acme_lib-1.0.zip"
DOCUMENT = "indexes/main/acme-lib.json"


def opened(folder: Path, through: Forwarder | None = None, **options: Any) -> S3Store:
    """Open a store whose place belongs to a folder; its options are the defaults but for those that are given."""
    place = {"endpoint": through.endpoint} if through else {}
    return S3Store(**{**STORES["s3"].options(folder), **place, **options})

"""Clients of the SDK: set up as mypi needs them, cheap to make after the first, and safe to fork."""

from __future__ import annotations

import functools
import os
import threading
from typing import Any
from weakref import WeakSet

import boto3
from botocore.config import Config

from .options import Options

CONNECTIONS = 64
"""Kept open to the server by each client: more than a server of ours has threads."""

_SHORT = 64 * 2**10

_making = threading.Lock()
_open: WeakSet[Any] = WeakSet()


@functools.cache
def session() -> Any:
    """Return the session that all clients share: it has read the SDK's tables, and found the credentials."""
    return boto3.session.Session()


def make(chosen: Options) -> Any:
    """Make a client, which the caller closes. Raises what the SDK raises, and ValueError for a bad endpoint."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": _addressing(chosen)},
        retries={"mode": "standard", "total_max_attempts": chosen.attempts},
        connect_timeout=chosen.timeout,
        read_timeout=chosen.timeout,
        max_pool_connections=CONNECTIONS,
        tcp_keepalive=True,
        # Many servers break on the checksums that the SDK adds by itself; ours are Content-MD5, which all know.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        user_agent_extra="mypi",
    )
    region = chosen.region or ("us-east-1" if chosen.endpoint else None)
    with _making:  # a session of the SDK is not safe for threads
        client = session().client("s3", endpoint_url=chosen.endpoint, region_name=region, config=config)
        _open.add(client)
    client.meta.events.register("before-call.s3.PutObject", _send_at_once)
    return client


def _addressing(chosen: Options) -> str:
    """Choose for ``auto``; the SDK's own choice signs links for a host that is not that of the region."""
    if chosen.addressing != "auto":
        return chosen.addressing
    # Certificates of AWS hold for one name before the host, not for one with dots.
    return "path" if chosen.endpoint or "." in chosen.bucket else "virtual"


def _send_at_once(params: dict[str, Any], **_: Any) -> None:
    """Send a short body unasked: the SDK would ask first (Expect: 100-continue), which costs a round trip."""
    body = params["body"]
    if len(body.getbuffer()) < _SHORT:
        params["headers"].pop("Expect", None)


def _forget_connections() -> None:
    """Let a forked child open connections of its own: on its parent's both would read each other's answers."""
    for client in list(_open):
        client.close()


os.register_at_fork(after_in_child=_forget_connections)

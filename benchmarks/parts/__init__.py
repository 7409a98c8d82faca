"""What can be measured, by name; each takes the run and adds its tables."""

from __future__ import annotations

from collections.abc import Callable

from ..bench import Bench
from . import fronts, growth, pages, publish, remote, servers, transfers

PARTS: dict[str, Callable[[Bench], None]] = {
    "pages": pages.measure,
    "growth": growth.measure,
    "publish": publish.measure,
    "transfers": transfers.measure,
    "fronts": fronts.measure,
    "servers": servers.measure,
    "s3": remote.measure,
}

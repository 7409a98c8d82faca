"""What can be measured, by name; each takes the run and adds its tables."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from ..bench import Bench
from . import clients, fronts, growth, pages, publish, remote, servers, transfers


@dataclass(frozen=True)
class Part:
    """``seconds`` is how long it takes on two cores with five rounds, for the bar; see ``about`` for what it is."""

    measure: Callable[[Bench], None]
    seconds: float

    @property
    def about(self) -> str:
        """The first line of its module."""
        return str(sys.modules[self.measure.__module__].__doc__).strip().partition("\n")[0]


PARTS: dict[str, Part] = {
    "pages": Part(pages.measure, 390),
    "growth": Part(growth.measure, 90),
    "publish": Part(publish.measure, 180),
    "transfers": Part(transfers.measure, 150),
    "fronts": Part(fronts.measure, 90),
    "servers": Part(servers.measure, 45),
    "s3": Part(remote.measure, 30),
    "clients": Part(clients.measure, 75),
}

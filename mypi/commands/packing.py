"""``mypi pack``: free the room that the stores keep for what is gone."""

from __future__ import annotations

import argparse
import time
from typing import Any

from ..options import number as days
from .configuration import repository


def add_to(commands: Any) -> None:
    text = "free the room that the stores keep for what was deleted or replaced, and what interrupted uploads left"
    command = commands.add_parser("pack", help=text, description=text.capitalize() + ".")
    command.add_argument(
        "--days", type=days, default=0, metavar="N", help="keep what was deleted or left in the last N days (0)"
    )
    command.set_defaults(run=pack)


def pack(arguments: argparse.Namespace) -> int:
    before = time.time() - arguments.days * 86400
    with repository(arguments) as index:
        for role, removed in index.maintain(before):
            print(f"packed {role}: {removed:,} files of deleted objects and interrupted uploads cleared away")
    return 0

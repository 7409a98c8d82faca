"""``mypi sweep``: purge what was removed long ago, clear away what interrupted uploads left."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

from ..options import number as seconds
from ..repository import Sweep
from ..upstream import Cleared, Space
from .configuration import actor, add_dry_run, confirmed, repository, settings


def add_to(commands: Any) -> None:
    text = "purge what was removed longer ago than mypi.trash_days, and clear away what interrupted uploads left"
    command = commands.add_parser("sweep", help=text, description=text.capitalize() + ".")
    command.add_argument(
        "--grace", type=seconds, default=86400, metavar="SECONDS", help="leave younger rubbish alone (a day)"
    )
    add_dry_run(command)
    command.set_defaults(run=sweep)


def sweep(arguments: argparse.Namespace) -> int:
    loaded = settings(arguments)
    # Where no other index is named any more, what is kept of one stays: it may be named again tomorrow.
    days, limit = loaded.trash_days, loaded.upstream.limit if loaded.upstream else None
    with repository(arguments) as index:
        space = Space(index.outside, limit)
        planned = _show(
            index.sweep(actor(), trash_days=days, grace=arguments.grace, dry_run=True),
            space.sweep(grace=arguments.grace, dry_run=True),
        )
        if arguments.dry_run:
            print("nothing was done: --dry-run")
            return 0
        if planned and not confirmed(arguments):
            return 1
        done = list(index.sweep(actor(), trash_days=days, grace=arguments.grace))
        freed = sum(s.freed for s in done) + space.sweep(grace=arguments.grace).freed
    print(f"done: {freed:,} bytes freed, {sum(len(s.purged) for s in done)} files purged for ever")
    return 0


def _show(planned: Iterable[Sweep], theirs: Cleared) -> bool:
    """Print what a sweep would do; say whether it is anything."""
    found = theirs != Cleared()
    for each in planned:
        for name in each.purged:
            print(f"purge {each.project}: {name}")
        if each.deleted:
            print(f"delete of {each.project}: {len(each.deleted)} objects, {each.freed:,} bytes")
        found = found or bool(each.purged or each.deleted)
    if theirs != Cleared():
        objects = theirs.files + theirs.orphans + theirs.pages
        print(f"delete of other indexes: {objects} objects, {theirs.freed:,} bytes")
    if not found:
        print("nothing to sweep")
    return found

"""``mypi log``: who did what, on all projects and to the accounts, in one list.

Every change is recorded in the document that it changes, so this reads them all and merges their histories.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timezone
from typing import Any

from .. import rights, times
from ..model import Event
from ..repository import Damaged, Repository, in_threads
from ..store import NotFound
from ..times import timestamp
from .configuration import repository
from .people import printable, warn

_AT_ONCE = 8
"""Documents read at a time: a store far away takes its time for each."""


@dataclass(frozen=True)
class Entry:
    """An event and the project whose it is, None for the accounts."""

    project: str | None
    event: Event


def add_to(commands: Any) -> None:
    text = "show who did what on all projects and to the accounts, the newest last"
    command = commands.add_parser("log", help=text, description=text.capitalize() + ".")
    which = command.add_mutually_exclusive_group()
    which.add_argument(
        "--project", type=projects, metavar="PROJECT", help="only of this project, or those that match, as 'acme-*'"
    )
    which.add_argument("--accounts", action="store_true", help="only users, passwords, groups and tokens")
    command.add_argument("--user", help="only what this user did, or what was done to them")
    command.add_argument("--action", help="only this, such as yank, 'token add', or token for all that begins so")
    command.add_argument("--via", help="only by what stood for the user, such as 'token ci'")
    command.add_argument("--origin", metavar="ADDRESS", help="only from this address; command: by mypi itself")
    command.add_argument(
        "--since", type=moment, metavar="TIME", help="from then on: 2026-01-31, or 2026-01-31T12:00 (UTC)"
    )
    command.add_argument("--until", type=moment, metavar="TIME", help="before then")
    command.add_argument("--limit", type=limit, metavar="N", help="only the newest N (all)")
    command.add_argument("--json", action="store_true", help="print JSON, with all fields of each entry")
    command.set_defaults(run=show_log)


def projects(text: str) -> str:
    """Read a project's name in any spelling, or a pattern of names."""
    try:
        return rights.pattern(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def moment(text: str) -> str:
    """Read a day or a time as the history writes it; without a zone it is UTC.

    >>> moment("2026-01-31"), moment("2026-01-31T12:00:00+01:00")
    ('2026-01-31T00:00:00.000000Z', '2026-01-31T11:00:00.000000Z')
    """
    try:
        found = times.moment(text)
        zoned = found if found.tzinfo else found.replace(tzinfo=timezone.utc)
        return timestamp(zoned)
    except (ValueError, OverflowError) as exc:
        raise argparse.ArgumentTypeError(
            f"a day such as 2026-01-31, or a time as 2026-01-31T12:00, not {text}"
        ) from exc


def limit(text: str) -> int:
    """Read how many entries are wanted."""
    if not text.isdecimal() or not text.isascii() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {text}")
    return int(text)


def show_log(arguments: argparse.Namespace) -> int:
    damaged: list[Damaged] = []
    with repository(arguments, reading=True) as index:
        found = [entry for entry in _entries(index, arguments, damaged) if _wanted(entry.event, arguments)]
    # Of one moment, the order of each document stays.
    found.sort(key=lambda entry: entry.event.at)
    chosen = found[-arguments.limit :] if arguments.limit else found
    if arguments.json:
        print(json.dumps([{"project": e.project, **asdict(e.event)} for e in chosen], ensure_ascii=False, indent=2))
    else:
        print("\n".join(described(e.event, e.project or "(accounts)") for e in chosen) or "no entries")
    for problem in damaged:
        warn(f"{problem}; what it records is not shown")
    return 1 if damaged else 0


def described(event: Event, place: str = "") -> str:
    """Write an entry as one line: when, where, what, to what and whom, why, by whom, by what means, from where."""
    what = " ".join(filter(None, (event.did, event.file or event.version, event.subject)))
    because = f": {event.reason}" if event.reason else ""
    means = f" with {event.via}" if event.via else ""
    who = f"by {event.by or 'anonymous'}{means} from {event.origin or '?'}"
    return printable("  ".join(filter(None, (f"{event.at[:19]}Z", place, what + because, who))))


def _entries(index: Repository, arguments: argparse.Namespace, damaged: list[Damaged]) -> Iterator[Entry]:
    """Yield all that the chosen documents record. Raises NotFound for a project that is named and absent."""
    if not arguments.project:
        try:
            yield from (Entry(None, event) for event in index.members.get().history)
        except Damaged as exc:
            damaged.append(exc)
    if arguments.accounts:
        return
    held = index.names()
    wanted = (arguments.project,) if arguments.project else ("*",)
    chosen = [name for name in (held.value.projects if held else ()) if rights.matches(wanted, name)]
    if arguments.project and not chosen and "*" not in arguments.project and "?" not in arguments.project:
        index.project(arguments.project)

    def read(name: str) -> tuple[Entry, ...]:
        try:
            return tuple(Entry(name, event) for event in index.project(name).value.history)
        except NotFound:
            return ()  # announced, and not published yet
        except Damaged as exc:
            damaged.append(exc)
            return ()

    for each in in_threads(read, chosen, _AT_ONCE):
        yield from each


def _wanted(event: Event, arguments: argparse.Namespace) -> bool:
    action = arguments.action
    return (
        (arguments.user is None or arguments.user in (event.by, event.subject))
        and (action is None or event.did == action or event.did.startswith(f"{action} "))
        and (arguments.via is None or event.via == arguments.via)
        and (arguments.origin is None or event.origin == arguments.origin)
        and (arguments.since is None or event.at >= arguments.since)
        and (arguments.until is None or event.at < arguments.until)
    )

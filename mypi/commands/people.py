"""What the commands about people share: names, who is known, warnings, and tables."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..accounts import AccountError, tokens
from ..accounts.htpasswd import parse
from ..model import Accounts
from ..settings import Settings

STORE, FILE, ELSEWHERE = "store", "htpasswd", "elsewhere"


def add_actions(commands: Any, name: str, text: str) -> Any:
    """Add a command that has actions, such as ``mypi user``; return what they are added to."""
    command = commands.add_parser(name, help=text, description=text.capitalize() + ".")
    return command.add_subparsers(dest="action", required=True, metavar="ACTION", help="what to do; each has its help")


def add_action(actions: Any, name: str, text: str, run: Any) -> argparse.ArgumentParser:
    """Add one action."""
    action: argparse.ArgumentParser = actions.add_parser(name, help=text, description=text.capitalize() + ".")
    action.set_defaults(run=run)
    return action


def user_name(text: str) -> str:
    """Return the name of a user of any source: servers and directories may know more letters than the store takes.

    >>> user_name("CORP\\\\alice")
    'CORP\\\\alice'
    """
    if not 1 <= len(text) <= 200 or not text.isprintable() or " " in text or text == tokens.USER:
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a user")
    return text


def in_file(settings: Settings) -> frozenset[str]:
    """Return the users of the htpasswd file, none if there is no file. Raises AccountError."""
    if settings.htpasswd is None or not Path(settings.htpasswd).exists():
        return frozenset()
    try:
        return frozenset(parse(Path(settings.htpasswd).read_bytes()))
    except OSError as exc:
        raise AccountError(f"{settings.htpasswd}: cannot be read ({exc.strerror})") from exc


def source_of(user: str, accounts: Accounts, file: frozenset[str]) -> str:
    """Name the source that knows a user; of two the first decides, as for the server."""
    if user in accounts.users:
        return STORE
    return FILE if user in file else ELSEWHERE


def warn(text: str) -> None:
    """Say what may be wrong, apart from what a script reads."""
    print(f"mypi: warning: {text}", file=sys.stderr)


def warn_of_unknown(users: Iterable[str], accounts: Accounts, settings: Settings, what: str) -> None:
    """Warn of users whom no source knows, unless a server or a directory does: that may be anybody."""
    file = in_file(settings)
    for user in users:
        if not (settings.remote_user or settings.ldap) and source_of(user, accounts, file) == ELSEWHERE:
            nobody = (
                f"neither the store nor {settings.htpasswd} knows" if settings.htpasswd else "the store does not know"
            )
            warn(f"{nobody} a user {user}; {what} once there is one")


def table(head: Sequence[str], rows: Iterable[Sequence[str]], nothing: str) -> str:
    """Lay out rows in columns.

    >>> print(table(("name", "of"), [("ci", "alice"), ("laptop", "bob")], "none"))
    name    of
    ci      alice
    laptop  bob
    """
    lines = [tuple(head), *map(tuple, rows)]
    if len(lines) == 1:
        return nothing
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)


def printable(text: str) -> str:
    r"""Write text so that it stays in its line: what others typed may hold escape sequences for a terminal.

    >>> printable("a\nb \x1b[2J ü")
    'a\\nb \\x1b[2J ü'
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)

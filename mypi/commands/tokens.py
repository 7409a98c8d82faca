"""``mypi token``: secrets that stand for a user, within limits."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime, timedelta, timezone
from typing import Any

from .. import times
from ..accounts import fresh, tokens
from ..model import Token
from ..options import number
from ..rights import PERMISSIONS, pattern
from ..times import timestamp
from .configuration import actor, repository, settings
from .people import add_action, add_actions, printable, table, user_name, warn_of_unknown

USUAL = ("read", "upload")
LONGEST = 100
_DAYS = 36500


def add_to(commands: Any) -> None:
    actions = add_actions(commands, "token", "make, revoke and list tokens, which stand for a user within limits")
    text = "make a token and print it, once; nothing else goes to the standard output"
    add = add_action(actions, "add", text, add_token)
    add.add_argument("user", type=user_name, help="whom it stands for, a user of any source")
    add.add_argument("--name", type=label, required=True, help="what it is for, such as ci; the history shows it")
    add.add_argument(
        "--right",
        action="append",
        choices=PERMISSIONS,
        help="what it may be used for, as far as its user may: give it again for more (read and upload)",
    )
    add.add_argument(
        "--project",
        action="append",
        type=projects,
        metavar="PATTERN",
        help="only for projects whose names match, such as 'acme-*'; give it again for more (all)",
    )
    add.add_argument("--days", type=days, default=365, metavar="N", help="when it ends; 0: never (365)")
    remove = add_action(actions, "remove", "revoke a token: it is refused at once, by every server", remove_token)
    remove.add_argument("id", metavar="ID", help="its id, as the list shows it")
    listed = add_action(actions, "list", "list the tokens, with when they were last used; secrets are not kept", show)
    listed.add_argument("user", nargs="?", type=user_name, help="only those of this user")
    listed.add_argument("--json", action="store_true", help="print JSON")


def label(text: str) -> str:
    """Read the name of a token."""
    text = text.strip()
    if not 1 <= len(text) <= LONGEST or not text.isprintable():
        raise argparse.ArgumentTypeError(f"a name has 1 to {LONGEST} characters, in one line")
    return text


def projects(text: str) -> str:
    """Read a pattern of project names."""
    try:
        return pattern(text)
    except ValueError as exc:
        raise argparse.ArgumentTypeError(str(exc)) from exc


def days(text: str) -> int:
    """Read for how many days a token lives."""
    try:
        found = number(text)
    except ValueError:
        found = -1
    if not 0 <= found <= _DAYS:
        raise argparse.ArgumentTypeError(f"from 0 (never) to {_DAYS}, not {text}")
    return found


def add_token(arguments: argparse.Namespace) -> int:
    own, drawn, now = settings(arguments), fresh(), datetime.now(timezone.utc)
    token = Token(
        id=drawn.id,
        user=arguments.user,
        name=arguments.name,
        digest=drawn.digest,
        created=timestamp(now),
        permissions=tuple(right for right in PERMISSIONS if right in (arguments.right or USUAL)),
        projects=tuple(dict.fromkeys(arguments.project or ["*"])),
        expires=timestamp(now + timedelta(days=arguments.days)) if arguments.days else None,
    )
    with repository(arguments) as index:
        accounts = index.members.record(actor(), lambda held, event: held.add_token(token, event))
    print(drawn.text)
    sys.stdout.flush()
    limits = f"{', '.join(token.permissions)} on {', '.join(token.projects)}"
    print(f"the token {token.name} of {token.user}: {limits}, {_until(token)}", file=sys.stderr)
    print(f"it is shown this once; `mypi token remove {token.id}` revokes it", file=sys.stderr)
    warn_of_unknown([token.user], accounts, own, "the token is taken")
    return 0


def remove_token(arguments: argparse.Namespace) -> int:
    id = arguments.id
    if id.startswith(tokens.PREFIX):
        # Somebody has only the leaked token itself, whose secret part goes no further.
        id = id.removeprefix(tokens.PREFIX).partition("-")[0]
    with repository(arguments) as index:
        index.members.record(actor(), lambda held, event: held.revoke(id, event))
    print(f"the token {printable(id)} is revoked")
    return 0


def show(arguments: argparse.Namespace) -> int:
    with repository(arguments, reading=True) as index:
        accounts = index.members.get()
    found = sorted(accounts.tokens.values(), key=lambda token: (token.user, token.created))
    chosen = [token for token in found if arguments.user in (None, token.user)]
    if arguments.json:
        print(json.dumps([_described(token) for token in chosen], ensure_ascii=False, indent=2))
        return 0
    now = times.now()
    rows = [
        (
            token.id,
            token.name,
            token.user,
            ", ".join(token.permissions),
            ", ".join(token.projects),
            (token.expires or "for ever")[:10] + (" (over)" if token.expires and token.expires <= now else ""),
            f"{token.used[:13]}:00Z" if token.used else "never",
        )
        for token in chosen
    ]
    head = ("id", "name", "user", "rights", "projects", "until", "last used")
    print(table(head, rows, "no tokens; `mypi token add USER --name NAME` makes one"))
    return 0


def _described(token: Token) -> dict[str, Any]:
    """Return all but the digest of the secret."""
    return {
        "id": token.id,
        "name": token.name,
        "user": token.user,
        "rights": list(token.permissions),
        "projects": list(token.projects),
        "created": token.created,
        "expires": token.expires,
        "used": token.used,
    }


def _until(token: Token) -> str:
    return f"until {token.expires[:10]}" if token.expires else "for ever"

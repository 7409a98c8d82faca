"""``mypi user``: the users whose passwords the store keeps."""

from __future__ import annotations

import argparse
import json
from typing import Any

from ..accounts import Hasher, check_user
from ..model import Accounts, Event
from ..settings import Settings
from .configuration import CommandError, actor, repository, settings
from .groups import warn_of_useless
from .passwords import ask
from .people import add_action, add_actions, in_file, source_of, table, user_name, warn


def add_to(commands: Any) -> None:
    actions = add_actions(commands, "user", "make, change, remove and list users")
    add = add_action(
        actions, "add", "make a user; the password is asked for, or read as a line from a script", add_user
    )
    add.add_argument("user", help="letters, digits and any of _ . @ + -")
    add.add_argument("--group", action="append", default=[], metavar="GROUP", help="a group to join, made if it is new")
    passwd = add_action(actions, "passwd", "set the password of a user of the store", set_password)
    passwd.add_argument("user", help="the user's name")
    text = "take a user out, with all tokens, memberships and ownerships, wherever the password is kept"
    remove = add_action(actions, "remove", text, remove_user)
    remove.add_argument("user", type=user_name, help="the user's name")
    text = "list the users of the store, of the htpasswd file, and those who have groups or tokens here"
    listed = add_action(actions, "list", text, list_users)
    listed.add_argument("--json", action="store_true", help="print JSON")


def add_user(arguments: argparse.Namespace) -> int:
    own, name = settings(arguments), check_user(arguments.user)
    groups = [check_user(group) for group in arguments.group]
    with repository(arguments) as index:
        _refuse_known(index.members.get(), name)
        hashed = Hasher().hash(ask())

        def add(accounts: Accounts, event: Event) -> Accounts:
            # Applied twice, the hash is our own.
            if name not in accounts.users or accounts.users[name].password != hashed:
                _refuse_known(accounts, name)
            made = accounts.set_password(name, hashed, event)
            for group in groups:
                made = made.join(group, [name], event)
            return made

        index.members.record(actor(), add)
    print(f"{name} is a user in {', '.join(groups)}" if groups else f"{name} is a user")
    warn_of_useless(groups, own)
    if name in in_file(own):
        warn(f"{own.htpasswd} has a user {name}, too; the password in the store is the one that counts")
    return 0


def _refuse_known(accounts: Accounts, name: str) -> None:
    if name in accounts.users:
        raise CommandError(
            f"there is a user {name} already; `mypi user passwd {name}` sets another password; nothing was changed"
        )


def set_password(arguments: argparse.Namespace) -> int:
    own, name = settings(arguments), arguments.user
    with repository(arguments) as index:
        _refuse_unknown(index.members.get(), name, own)
        hashed = Hasher().hash(ask())

        def change(accounts: Accounts, event: Event) -> Accounts:
            _refuse_unknown(accounts, name, own)
            return accounts.set_password(name, hashed, event)

        index.members.record(actor(), change)
    print(f"{name} has a new password")
    return 0


def _refuse_unknown(accounts: Accounts, name: str, own: Settings) -> None:
    if name in accounts.users:
        return
    remedy = "mypi htpasswd" if name in in_file(own) else "mypi user add"
    raise CommandError(f"the store has no user {name}; nothing was changed, try `{remedy} {name}`")


def remove_user(arguments: argparse.Namespace) -> int:
    own, name = settings(arguments), arguments.user
    with repository(arguments) as index:
        before = index.members.get()
        # The user first, who is locked out at once. Interrupted, it is run again.
        after = index.members.record(actor(), lambda accounts, event: accounts.remove_user(name, event))
        owned, damaged = index.disown(name, actor())
    for exc in damaged:
        warn(f"{exc}; who owns it was left as it is")
    if before.history == after.history and not owned:
        where = f"; {own.htpasswd} has: `mypi htpasswd --remove {name}`" if name in in_file(own) else ""
        raise CommandError(f"the store has no user {name}, nor a token, a group or a project of one{where}")
    tokens = len(before.tokens_of(name))
    groups = ", ".join(sorted(before.groups_of(name))) or "no group"
    print(f"{name} is removed, with {tokens} token{'' if tokens == 1 else 's'}; was in {groups}")
    if owned:
        print(f"{name} owns no longer: {', '.join(owned)}")
    if name in in_file(own):
        warn(f"{own.htpasswd} still has a user {name}; `mypi htpasswd --remove {name}` takes the password away")
    return 0


def list_users(arguments: argparse.Namespace) -> int:
    own = settings(arguments)
    with repository(arguments, reading=True) as index:
        accounts = index.members.get()
    file = in_file(own)
    elsewhere = {member for members in accounts.groups.values() for member in members}
    elsewhere |= {token.user for token in accounts.tokens.values()}
    found = [_described(name, accounts, file) for name in sorted({*accounts.users, *file, *elsewhere})]
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return 0
    rows = [
        (each["name"], each["source"], ", ".join(each["groups"]), str(each["tokens"]), (each["created"] or "")[:10])
        for each in found
    ]
    print(table(("user", "password in", "groups", "tokens", "made"), rows, "no users; `mypi user add NAME` makes one"))
    return 0


def _described(name: str, accounts: Accounts, file: frozenset[str]) -> dict[str, Any]:
    known = accounts.users.get(name)
    return {
        "name": name,
        "source": source_of(name, accounts, file),
        "groups": sorted(accounts.groups_of(name)),
        "tokens": len(accounts.tokens_of(name)),
        "created": known.created if known else None,
    }

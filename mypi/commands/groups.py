"""``mypi group``: groups of users, which the rules of the ``.ini`` file name."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from typing import Any

from ..accounts import check_user
from ..settings import Settings
from .configuration import CommandError, actor, repository, settings
from .people import add_action, add_actions, table, user_name, warn, warn_of_unknown


def add_to(commands: Any) -> None:
    actions = add_actions(commands, "group", "put users into groups, take them out, and list groups")
    for name, text, run in (
        ("add", "put users into a group, which is made if it is new", add_members),
        ("remove", "take users out of a group; one without members is gone", remove_members),
    ):
        action = add_action(actions, name, text, run)
        action.add_argument("group", help="its name: letters, digits and any of _ . @ + -")
        action.add_argument("user", nargs="+", type=user_name, metavar="USER", help="users of any source")
    listed = add_action(actions, "list", "list the groups with their members", list_groups)
    listed.add_argument("--json", action="store_true", help="print JSON")


def add_members(arguments: argparse.Namespace) -> int:
    own, group = settings(arguments), check_user(arguments.group)
    with repository(arguments) as index:
        accounts = index.members.record(actor(), lambda held, event: held.join(group, arguments.user, event))
    print(f"{group}: {', '.join(accounts.groups[group])}")
    warn_of_unknown(arguments.user, accounts, own, "the membership counts")
    warn_of_useless([group], own)
    return 0


def remove_members(arguments: argparse.Namespace) -> int:
    group = arguments.group
    with repository(arguments) as index:
        members = index.members.get().groups.get(group, ())
        if strangers := [user for user in arguments.user if user not in members]:
            said = f"its members are {', '.join(members)}" if members else "there is no such group"
            raise CommandError(f"{strangers[0]} is not in {group}, {said}; nothing was changed")
        accounts = index.members.record(actor(), lambda held, event: held.leave(group, arguments.user, event))
    left = accounts.groups.get(group)
    print(f"{group}: {', '.join(left)}" if left else f"{group} has no members any more, and is gone")
    return 0


def list_groups(arguments: argparse.Namespace) -> int:
    with repository(arguments, reading=True) as index:
        groups = index.members.get().groups
    if arguments.json:
        print(json.dumps({name: list(groups[name]) for name in sorted(groups)}, ensure_ascii=False, indent=2))
        return 0
    rows = [(name, ", ".join(groups[name])) for name in sorted(groups)]
    print(table(("group", "members"), rows, "no groups; `mypi group add GROUP USER` makes one"))
    return 0


def warn_of_useless(groups: Iterable[str], own: Settings) -> None:
    """Warn of groups that no rule names: perhaps one is misspelt."""
    for group in groups:
        if f"group:{group}" not in own.rights.named:
            warn(f"no rule of the .ini file names group:{group}, so that it gives nobody a right yet")

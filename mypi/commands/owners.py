"""``mypi owner``: who owns a project; the rules of the ``.ini`` file say what owners may do."""

from __future__ import annotations

import argparse
from typing import Any

from .. import names
from .configuration import CommandError, actor, add_project, repository, settings
from .people import add_action, add_actions, user_name, warn_of_unknown


def add_to(commands: Any) -> None:
    actions = add_actions(commands, "owner", "make users owners of a project, or no longer; `mypi show` lists them")
    for name, text, run in (
        ("add", "make users owners of a project", add_owners),
        ("remove", "make users no owners of a project any more", remove_owners),
    ):
        action = add_action(actions, name, text, run)
        add_project(action)
        action.add_argument("user", nargs="+", type=user_name, metavar="USER", help="users of any source")


def add_owners(arguments: argparse.Namespace) -> int:
    own = settings(arguments)
    with repository(arguments) as index:
        name = names.project(arguments.project)
        for user in arguments.user:
            project = index.add_owner(name, user, actor())
        accounts = index.members.get()
    print(f"{project.display} is owned by {', '.join(project.owners)}")
    warn_of_unknown(arguments.user, accounts, own, "the ownership counts")
    return 0


def remove_owners(arguments: argparse.Namespace) -> int:
    with repository(arguments) as index:
        name = names.project(arguments.project)
        project = index.project(name).value
        if strangers := [user for user in arguments.user if user not in project.owners]:
            said = f"its owners are {', '.join(project.owners)}" if project.owners else "it has no owners"
            raise CommandError(f"{strangers[0]} does not own {project.display}, {said}; nothing was changed")
        for user in arguments.user:
            project = index.remove_owner(name, user, actor())
    print(f"{project.display} is owned by {', '.join(project.owners) or 'nobody'}")
    return 0

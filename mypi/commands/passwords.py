"""``mypi htpasswd``: users and passwords in the file that the ``.ini`` names; and how passwords are asked for."""

from __future__ import annotations

import argparse
import getpass
import sys
from typing import Any

from ..accounts import set_password
from .configuration import CommandError, settings


def add_to(commands: Any) -> None:
    text = "set a user's password in the file that mypi.htpasswd names"
    command = commands.add_parser("htpasswd", help=text, description=text.capitalize() + ".")
    command.add_argument("user", help="letters, digits and any of _ . @ + -")
    command.add_argument("--remove", action="store_true", help="take the user out instead")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    path = settings(arguments).htpasswd
    if path is None:
        raise CommandError("mypi.htpasswd is not set in the .ini file; name a file there, such as %(here)s/htpasswd")
    set_password(path, arguments.user, None if arguments.remove else ask())
    print(f"{arguments.user} is {'taken out of' if arguments.remove else 'in'} {path}")
    return 0


def ask() -> str:
    """Ask twice at a terminal; read one line from a script."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Once more: "):
        raise CommandError("the two passwords differ; nothing was changed")
    return first

"""What every command needs: the ``.ini`` file, the repository that it names, and who is asking."""

from __future__ import annotations

import argparse
import configparser
import getpass
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyramid.paster import get_appsettings

from ..model import Actor
from ..repository import Repository
from ..settings import Settings

USUAL = ("mypi.ini", "production.ini", "development.ini")
"""Files looked for in the current folder, in this order."""


class CommandError(Exception):
    """A command cannot be done; the message says why and what to do."""


def ini(arguments: argparse.Namespace) -> str:
    """Return the path of the ``.ini`` file to use. Raises CommandError if there is none."""
    named = arguments.config or os.environ.get("MYPI_INI")
    for candidate in (named,) if named else USUAL:
        if Path(candidate).is_file():
            return str(Path(candidate).absolute())
    missing = named or f"{', '.join(USUAL[:-1])} or {USUAL[-1]}"
    raise CommandError(f"there is no {missing} here; `mypi init` writes one, -c names another")


def settings(arguments: argparse.Namespace) -> Settings:
    """Read the settings of the ``.ini`` file. Raises CommandError, SettingError."""
    return settings_in(ini(arguments))


def settings_in(path: str) -> Settings:
    """Read the settings of an ``.ini`` file that is named. Raises CommandError, SettingError."""
    if not Path(path).is_file():
        raise CommandError(f"there is no {path}; `mypi init` writes one")
    return Settings.load(given_in(str(Path(path).absolute())), os.environ)


def given_in(path: str) -> Mapping[str, str]:
    """Return what stands in the section of an ``.ini`` file that serves mypi. Raises CommandError."""
    try:
        found: Mapping[str, str] = get_appsettings(path)
    except configparser.InterpolationError as exc:
        # Its own message shows the value, which may be a secret.
        wrong = f"the value of {exc.option} in [{exc.section}] has a % that stands for nothing; write %% for one"
        raise CommandError(f"{path} is no .ini file that serves mypi: {wrong}") from exc
    except (LookupError, ValueError, OSError, configparser.Error) as exc:
        raise CommandError(f"{path} is no .ini file that serves mypi: {exc}") from exc
    return found


@contextmanager
def repository(arguments: argparse.Namespace, *, reading: bool = False) -> Iterator[Repository]:
    """Open the repository, perhaps only for ``reading``, and close it again. Raises as Repository.open does."""
    opened = Repository.open(settings(arguments), reading=reading)
    try:
        yield opened
    finally:
        opened.close()


def actor() -> Actor:
    """Say who runs the command, for the history."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name; Python 3.13 raises the first, older the second
        user = None
    return Actor(user, "command")


def confirmed(arguments: argparse.Namespace) -> bool:
    """Ask a person at a terminal whether to go on, and say so if not; a script, and ``--yes``, go on unasked."""
    if arguments.yes or not sys.stdin.isatty() or input("Go on? [y/N] ").strip().lower() in ("y", "yes"):
        return True
    print("nothing was done")
    return False


def add_project(command: argparse.ArgumentParser) -> None:
    """Add the argument that names a project, in any spelling."""
    command.add_argument("project", help="its name, in any spelling")


def add_dry_run(command: argparse.ArgumentParser) -> None:
    """Add the options of a command that takes something away."""
    command.add_argument("-n", "--dry-run", action="store_true", help="only show what would be done")
    command.add_argument("-y", "--yes", action="store_true", help="do not ask at a terminal")

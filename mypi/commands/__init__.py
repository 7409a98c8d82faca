"""The command ``mypi``: everything that an operator does, over the same repository as the server, while it runs."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from ..accounts import AccountError
from ..locks import LockError
from ..model import ModelError
from ..names import InvalidName
from ..options import SettingError
from ..store import NotFound, StoreError
from ..upstream import UpstreamError
from . import (
    changing,
    explaining,
    groups,
    history,
    importing,
    listing,
    moving,
    nginx,
    owners,
    packing,
    passwords,
    serving,
    sweeping,
    takeover,
    tokens,
    upstream,
    users,
    verifying,
)
from .configuration import CommandError

MODULES = (
    *(serving, nginx, listing, explaining, changing, importing, sweeping, packing, verifying, moving),
    *(upstream, takeover, users, groups, tokens, owners, history, passwords),
)


class Parser(argparse.ArgumentParser):
    """Takes options only as they are written in full, so that a new one never changes what an old script means."""

    def __init__(self, **given: Any) -> None:
        super().__init__(allow_abbrev=False, **given)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; the reference page is made from it."""
    top = Parser(prog="mypi", description="A private Python package index.")
    top.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="the .ini file (default: $MYPI_INI, or mypi.ini, production.ini or development.ini in this folder)",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in MODULES:
        module.add_to(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 1 not or not wholly done, 2 wrong usage."""
    arguments = parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except NotFound as exc:
        print(f"mypi: there is no {exc.key} on this index; `mypi list` shows what there is", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # Whoever read our output, such as `head`, has seen enough; what is still buffered must go nowhere, silently.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except EOFError:
        print("mypi: the input ended before an answer came; nothing was done", file=sys.stderr)
        return 1
    except (
        CommandError,
        SettingError,
        StoreError,
        ModelError,
        AccountError,
        InvalidName,
        LockError,
        UpstreamError,
    ) as exc:
        print(f"mypi: {exc}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mypi: stopped; what was done so far stays done", file=sys.stderr)
        return 130
    return code

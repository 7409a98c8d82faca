"""The documentation is right: its commands run and print what is shown, its settings load, its links lead somewhere.

Every `.. code-block:: console` of a page in SCENARIOS is run, in order, in a fresh folder, and what is printed is
compared with what is shown (`...` stands for anything). Comments in a page tell the test what a reader does otherwise:

    .. test: in place of the next block: COMMAND     runs COMMAND instead, in the background until the page ends
    .. test: first: COMMAND                          runs COMMAND before the next block
    .. test: not the next block                      is shown, and not run

A block with a `:caption:` becomes a file of that name.
"""

from __future__ import annotations

import configparser
import doctest
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mypi.commands import parser
from mypi.server.options import read as read_server
from mypi.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(path for path in DOCS.rglob("*.rst") if "_build" not in path.parts), ROOT / "README.rst"]

SCENARIOS = (
    *("tutorial", "howto/users", "howto/remove", "howto/import", "howto/verify", "howto/backup", "howto/move"),
    *("howto/zodb", "howto/tokens"),
)
"""Pages whose console blocks are run from the first to the last."""

_BLOCK = re.compile(
    r"(?m)^(?P<indent> *)\.\. (?:code-block:: (?P<language>\w+)\n(?P<options>(?:(?P=indent)   :.*\n)*)\n"
    r"(?P<body>(?:(?P=indent)   .*\n|\n)+)|test: (?P<order>.*)\n)"
)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@dataclass
class Block:
    """A block of a page: its language, the file that it becomes, its text, and the line it begins at."""

    language: str
    caption: str | None
    text: str
    line: int
    orders: list[str] = field(default_factory=list)


def blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page, with the comments for the test that stand before each."""
    text = page.read_text(encoding="utf-8")
    orders: list[str] = []
    for found in _BLOCK.finditer(text):
        if found["order"]:
            orders.append(found["order"])
            continue
        margin = len(found["indent"]) + 3
        caption = re.search(r":caption: (.*)", found["options"])
        lines = [line[margin:] for line in found["body"].splitlines()]
        line = text.count("\n", 0, found.start()) + 1
        yield Block(found["language"], caption and caption[1], "\n".join(lines).strip("\n") + "\n", line, orders)
        orders = []


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with the output that is shown after it."""
    command, shown = "", ""
    for line in text.splitlines(keepends=True):
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:], ""
        elif command.endswith("\\\n") and not shown:
            command += line.removeprefix("> ")
        else:
            shown += line
    yield command, shown


class Terminal:
    """A reader in an own folder, whose mypi, uv and pip know of no other index."""

    def __init__(self, folder: Path) -> None:
        self.folder = self.home = folder
        self.port = _free_port()
        self.servers: list[subprocess.Popen[bytes]] = []
        lost = ("PIP_", "UV_", "MYPI_", "TWINE_", "PYTHONPATH", "VIRTUAL_ENV", "COLUMNS")
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith(lost)} | {
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_CACHE_DIR": "1",
            "UV_NO_CONFIG": "1",
            "UV_CACHE_DIR": str(folder / ".uv"),
            "UV_PYTHON": sys.executable,
            "NO_COLOR": "1",
            "USER": "you",
            "LOGNAME": "you",
            "SOURCE_DATE_EPOCH": "1767225600",
        }

    def here(self, text: str) -> str:
        """Name the port and the folder of this test in place of the documented ones."""
        return text.replace("6543", str(self.port)).replace("/home/you", str(self.home))

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.here(text), encoding="utf-8")

    def run(self, command: str) -> str:
        """Run a command, stay where it went, and return what it printed."""
        place = self.home / ".place"
        done = subprocess.run(
            ["/bin/bash", "-c", f"{self.here(command)}\npwd > {place}"],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        self.folder = Path(place.read_text(encoding="utf-8").strip())
        return done.stdout

    def serve(self, command: str) -> None:
        """Start a server, and wait until it answers."""
        server = subprocess.Popen(
            ["/bin/bash", "-c", f"exec {self.here(command)}"],
            cwd=self.folder,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.servers.append(server)
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert server.poll() is None, f"{command} ended with {server.returncode}"
            time.sleep(0.1)
        raise AssertionError(f"{command} does not answer")

    def close(self) -> None:
        for server in self.servers:
            server.send_signal(signal.SIGTERM)
            server.wait(60)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    # What `make serve` and `mypi init` give, at this test's port and in its folder.
    for name in ("development.ini", "production.ini"):
        opened.write(name, (ROOT / name).read_text(encoding="utf-8"))
    yield opened
    opened.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize("name", SCENARIOS)
def test_what_a_page_shows_is_what_happens(name: str, terminal: Terminal) -> None:
    page = DOCS / f"{name}.rst"
    checker = doctest.OutputChecker()
    for block in blocks(page):
        where = f"{page.relative_to(ROOT)}:{block.line}"
        skipped = False
        for order in block.orders:
            kind, _, command = order.partition(": ")
            if kind == "in place of the next block":
                terminal.serve(command)
                skipped = True
            elif kind == "first":
                terminal.run(command)
            else:
                assert order == "not the next block", where
                skipped = True
        if skipped:
            continue
        if block.caption:
            terminal.write(block.caption, block.text)
        elif block.language == "console":
            for command, shown in commands(block.text):
                seen = terminal.run(command)
                message = f"{where}: $ {command}\nshown:\n{shown}\nseen:\n{seen}"
                assert checker.check_output(terminal.here(shown), seen, _FLAGS), message


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_ini_examples_load(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.language != "ini":
            continue
        found = configparser.RawConfigParser()
        found.read_string(block.text.replace("%(here)s", str(tmp_path)))
        if found.has_section("app:main"):
            given = {"mypi.storage.path": str(tmp_path), **dict(found["app:main"])}
            if given.get("mypi.storage", "filesystem") != "filesystem":
                given.pop("mypi.storage.path")
            Settings.load({"mypi.htpasswd": str(tmp_path / "htpasswd"), **given}, {})
        # Of another server, such as pyruvate, tests/system/test_wsgi_servers.py knows more.
        if found.get("server:main", "use", fallback="") == "egg:mypi":
            read_server({name: value for name, value in found["server:main"].items() if name != "use"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_named_commands_exist(page: Path) -> None:
    known = {word for action in parser()._actions for word in (action.choices or ())}
    text = page.read_text(encoding="utf-8")
    for named in re.findall(r"(?:\$ |``|bin/)mypi (?:-c \S+ )?([a-z][a-z-]*)", text):
        assert named in known, f"{page.relative_to(ROOT)} names mypi {named}"


def test_links_lead_somewhere_and_named_settings_exist(tmp_path: Path) -> None:
    # Every setting and option is named by a role, and -n warns of one that the reference does not have.
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going", "-b", "html", str(DOCS), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = [path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")]
    loaded = [found for page in pages for found in re.findall(r'<(?:script|link|img)[^>]*"https?://[^>]*>', page)]
    assert not loaded, "pages load nothing from another host"

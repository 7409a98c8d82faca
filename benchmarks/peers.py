"""The indexes that are measured, each as its own documentation says it is run."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import venv
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from .corpora import Package
from .load import Account, Publisher, publish_all
from .running import Process, environment, free_port, running

ENVIRONMENTS = Path("build/bench/environments")
"""Where peers are installed, once."""


class Peer(ABC):
    """An index. ``name`` is how the tables call it, ``note`` says what must be known to compare it."""

    name: str
    note: str = ""
    requirements: tuple[str, ...] = ()
    upload_path = "/"
    account: Account | None = None
    env: Mapping[str, str] = {}

    @property
    def bin(self) -> Path:
        """Where its programs are; mypi's own is this Python's."""
        return ENVIRONMENTS / self.name / "bin" if self.requirements else Path(sys.executable).parent

    def install(self) -> None:
        """Install it from the package registry into an environment of its own, unless it is there."""
        if not self.requirements or (self.bin.parent / "installed").exists():
            return
        venv.create(self.bin.parent, with_pip=True, clear=True)
        command = [str(self.bin / "python"), "-m", "pip", "install", "--quiet", *self.requirements]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - it stands above
        if done.returncode:
            raise RuntimeError(f"{' '.join(self.requirements)} cannot be installed: {done.stderr[-500:]}")
        (self.bin.parent / "installed").touch()

    @contextlib.contextmanager
    def serving(self, folder: Path) -> Iterator[Process]:
        """Run it on a folder until the block ends."""
        folder.mkdir(parents=True, exist_ok=True)
        port = free_port()
        self.prepare(folder, port)
        with running(self.command(folder, port), port, folder / "log", env=environment(**self.env)) as process:
            self.begin(process)
            yield process

    def prepare(self, folder: Path, port: int) -> None:
        """Write what it needs before it is started."""

    @abstractmethod
    def command(self, folder: Path, port: int) -> list[str | Path]:
        """Return the command that runs it."""

    def begin(self, process: Process) -> None:
        """Do what it needs once it runs."""

    def page(self, project: str) -> str:
        """Return the path of a project's page in the Simple API."""
        return f"/simple/{project}/"

    def publisher(self, process: Process) -> Publisher:
        """Return a client that uploads."""
        return Publisher(process.port, self.upload_path, self.account)

    def fill(self, process: Process, folder: Path, packages: Iterable[Package]) -> None:
        """Have it serve packages, by the way that its users go."""
        publish_all(packages, lambda: self.publisher(process), 4)


class Mypi(Peer):
    """mypi under its own server, open to everyone on this machine, as ``development.ini`` is."""

    def __init__(
        self,
        storage: str = "filesystem",
        *,
        threads: int = 4,
        settings: str = "",
        server: str = "",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = "mypi" if storage == "filesystem" else f"mypi on {storage}"
        self.env = env or {}
        self._storage = storage
        self._threads = threads
        self._settings = settings if storage == "s3" else f"mypi.storage.path = %(here)s/store\n{settings}"
        self._server = server
        self.note = "syncs each file, its folders and the project's document before it answers"

    def prepare(self, folder: Path, port: int) -> None:
        (folder / "mypi.ini").write_text(
            INI.format(
                storage=self._storage,
                port=port,
                threads=self._threads,
                settings=self._settings,
                server=self._server,
            )
        )

    def command(self, folder: Path, port: int) -> list[str | Path]:
        return [self.bin / "pserve", folder / "mypi.ini"]


class Pypiserver(Peer):
    """pypiserver under waitress."""

    name = "pypiserver"
    note = "syncs nothing"
    requirements = ("pypiserver", "waitress")

    def prepare(self, folder: Path, port: int) -> None:
        (folder / "packages").mkdir(exist_ok=True)

    def command(self, folder: Path, port: int) -> list[str | Path]:
        return [self.bin / "python", "-c", PYPISERVER, folder / "packages", str(port)]

    def fill(self, process: Process, folder: Path, packages: Iterable[Package]) -> None:
        for package in packages:
            (folder / "packages" / package.filename).write_bytes(package.content)


class Devpi(Peer):
    """devpi-server, with a stage of its own and no mirror."""

    name = "devpi"
    note = "syncs its database and not its files"
    requirements = ("devpi-server", "devpi-client")
    upload_path = "/bench/dev/"
    account = Account()

    def prepare(self, folder: Path, port: int) -> None:
        if not (folder / "server").exists():
            command = [str(self.bin / "devpi-init"), "--serverdir", str(folder / "server"), "--no-root-pypi"]
            subprocess.run(command, check=True, capture_output=True, env=environment())  # noqa: S603

    def command(self, folder: Path, port: int) -> list[str | Path]:
        return [self.bin / "devpi-server", "--serverdir", folder / "server", "--host", "127.0.0.1", "--port", str(port)]

    def begin(self, process: Process) -> None:
        home = process.log.parent / "client"
        if home.exists():
            return
        account = self.account or Account()
        for words in (
            ("use", f"http://127.0.0.1:{process.port}"),
            ("user", "-c", account.user, f"password={account.password}", "email=bench@example.com"),
            ("login", account.user, f"--password={account.password}"),
            ("index", "-c", "dev", "bases=", "volatile=True"),
        ):
            command = [str(self.bin / "devpi"), words[0], "--clientdir", str(home), *words[1:]]
            subprocess.run(command, check=True, capture_output=True, env=environment())  # noqa: S603

    def page(self, project: str) -> str:
        return f"/bench/dev/+simple/{project}/"


class Pypiron(Peer):
    """pypiron, which asks nobody outside here."""

    name = "pypiron"
    note = "syncs the bytes of a file, no folder and not its index; lists an upload some milliseconds after its answer"
    requirements = ("pypiron",)
    upload_path = "/legacy/"
    account = Account()

    def command(self, folder: Path, port: int) -> list[str | Path]:
        account = self.account or Account()
        place = ["--data-dir", str(folder / "data"), "--bind-addr", f"127.0.0.1:{port}", "--advisory-feed", ""]
        return [
            *(self.bin / "pypiron", "serve", *place),
            *("--uploader-user", account.user, "--uploader-pass", account.password),
        ]

    def fill(self, process: Process, folder: Path, packages: Iterable[Package]) -> None:
        """Also wait until it lists them, which may be later than its answers."""
        packages = list(packages)
        super().fill(process, folder, packages)
        with contextlib.closing(self.publisher(process)) as asks:
            for package in {each.project: each for each in packages}.values():
                asks.wait_for(self.page(package.project), package.filename)


PYPISERVER = """
import pathlib, sys
import pypiserver, waitress
app = pypiserver.app(
    roots=[pathlib.Path(sys.argv[1])], authenticate=[], password_file=".", disable_fallback=True, overwrite=False
)
waitress.serve(app, listen="127.0.0.1:" + sys.argv[2], threads=4)
"""

INI = """\
[app:main]
use = egg:mypi
mypi.storage = {storage}
mypi.read = everyone
mypi.upload = everyone
mypi.scrub.rate = 0
{settings}

[server:main]
use = egg:mypi
listen = 127.0.0.1:{port}
threads = {threads}
{server}

[loggers]
keys = root

[handlers]
keys = console

[formatters]
keys = line

[logger_root]
level = WARNING
handlers = console

[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = line

[formatter_line]
format = %(message)s
"""

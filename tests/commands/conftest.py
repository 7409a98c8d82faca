"""The command line over an index in a folder, named by an ``.ini`` file as an operator writes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mypi.backends.filesystem import FilesystemStore
from mypi.commands import main
from mypi.repository import Repository
from tests import builders, upstreams
from tests.issuers import Authority
from tests.repository.shorthand import settings

INI = """\
[app:main]
use = egg:mypi
mypi.storage = filesystem
mypi.storage.path = %(here)s/var
mypi.upload = everyone
mypi.htpasswd = %(here)s/htpasswd
mypi.trash_days = 0
"""


@dataclass(frozen=True)
class Result:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def ini(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ``.ini`` file in the current folder; no other is near."""
    monkeypatch.delenv("MYPI_INI", raising=False)
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "mypi.ini"
    path.write_text(INI)
    return path


@pytest.fixture
def run(ini: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command: ``run("show", "acme-lib")``."""

    def run(*argv: str) -> Result:
        capsys.readouterr()
        code = main(argv)
        said = capsys.readouterr()
        return Result(code, said.out, said.err)

    return run


@pytest.fixture
def index(ini: Path) -> Iterator[Repository]:
    """The same index as a server has it, open all the time."""
    store = FilesystemStore(str(ini.parent / "var"))
    store.check()
    repository = Repository(store, store, settings())
    yield repository
    repository.close()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a person at a terminal who answers so; Ctrl-D if the answer is empty."""

    def answer(text: str) -> None:
        def asked(prompt: str = "") -> str:
            print(prompt, end="")
            if not text:
                raise EOFError
            return text

        monkeypatch.setattr("sys.stdin.isatty", lambda: True)
        monkeypatch.setattr("builtins.input", asked)

    return answer


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One authority for all: keys take their time."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def elsewhere(ini: Path, authority: Authority) -> Iterator[upstreams.Upstream]:
    """Another index, which the ``.ini`` file names: with acme-lib 1.0 and 2.0, and six 1.0."""
    with upstreams.running(ini.parent, authority=authority) as upstream:
        for version in ("1.0", "2.0"):
            upstream.add("acme-lib", *builders.wheel("acme-lib", version))
            upstream.add("acme-lib", *builders.sdist("acme-lib", version))
        upstream.add("six", *builders.wheel("six", "1.0"))
        write(ini, **upstream.settings())
        yield upstream


def write(ini: Path, **given: str) -> None:
    """Put further settings into the ``.ini`` file."""
    with ini.open("a") as file:
        file.writelines(f"mypi.{key} = {value}\n" for key, value in given.items())

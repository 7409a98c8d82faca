"""`setup.py upload` and `register` of mypi-upload, on today's setuptools, with each Python there is."""

from __future__ import annotations

import os
import pty
import shutil
import stat
import subprocess
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin

import pytest
import uv

from . import servers
from .clients import Home, Result
from .environments import Environment, Environments
from .interpreters import need, this
from .packages import Package
from .publishers import PREBUILT, SETUP, Account, write_pypirc
from .servers import Server

ROOT = Path(__file__).resolve().parents[2]
USERS = {"alice": "correct horse"}
RIGHT = {"TWINE_USERNAME": "alice", "TWINE_PASSWORD": "correct horse"}
ARMOR = "-----BEGIN PGP SIGNATURE-----"
FORMS = ("", "/", "/simple", "/simple/", "/legacy", "/legacy/")


@dataclass(frozen=True)
class Tools:
    """What mypi-upload is run with; no series is the tests' own Python."""

    setuptools: str
    twine: str
    series: str = ""
    others: tuple[str, ...] = ()

    def environment(self, environments: Environments) -> Environment:
        """Return the environment; skip the test if there is none."""
        pins = (f"setuptools=={self.setuptools}", f"twine=={self.twine}", *self.others)
        return environments.need(need(self.series) if self.series else this(), *pins)

    def __str__(self) -> str:
        return f"{self.series}-setuptools-{self.setuptools}-twine-{self.twine}"


NEWEST = Tools("84.2.1", "7.0.0")
MATRIX = (
    Tools("75.3.4", "6.1.0", "3.8"),
    Tools("82.0.1", "6.2.0", "3.9"),
    *(replace(NEWEST, series=series) for series in ("3.10", "3.11", "3.12", "3.13")),
    # These have commands of that name themselves, which the plug-in's replace.
    Tools("65.5.0", "6.1.0", "3.11", ("wheel==0.45.1",)),
    Tools("74.1.3", "6.2.0", "3.12"),
)
"""For each Python the newest setuptools and the newest twine that it can run, then older ones."""


@pytest.fixture(scope="module")
def wheel(environments: Environments, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of mypi-upload."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copy_of(ROOT / "client", folder / "client")
    python = environments.need(this(), "setuptools==84.2.1").python
    words = [uv.find_uv_bin(), "build", "--quiet", "--no-build-isolation", "--python", python, "--wheel"]
    Home(folder / "home").run(*words, "--out-dir", folder / "dist", source).succeeded()
    [path] = (folder / "dist").glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PYTHONPATH where mypi-upload is installed, so that one copy of it serves all environments."""
    folder = tmp_path_factory.mktemp("installed")
    words = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--offline", "--target", folder / "lib", wheel]
    Home(folder / "home").run(*words, "--python", this().path).succeeded()
    return folder / "lib"


@pytest.fixture(scope="module")
def open_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with servers.running(tmp_path_factory.mktemp("open")) as server:
        yield server


@pytest.fixture(scope="module")
def users_index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"mypi.upload_limit": "100 KiB", "mypi.refuse": "unknown-classifiers"}
    with servers.running(tmp_path_factory.mktemp("users"), users=USERS, settings=settings) as server:
        yield server


Setup = Callable[..., Result]


@pytest.fixture
def setup(environments: Environments, installed: Path, home: Home) -> Setup:
    """Run setup.py in a folder with mypi-upload installed; keywords are environment variables."""

    def run(folder: Path, *words: str, tools: Tools = NEWEST, **environ: str) -> Result:
        python = tools.environment(environments).python
        return home.run(python, "setup.py", *words, cwd=folder, env={"PYTHONPATH": str(installed), **environ})

    return run


@pytest.fixture
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A toy project of its own name."""
    return project(tmp_path / "project", name_for(request))


def name_for(request: pytest.FixtureRequest) -> str:
    return "acme-" + "".join(c if c.isalnum() else "-" for c in request.node.name.removeprefix("test_")).strip("-")


def project(folder: Path, name: str, **values: str) -> Path:
    """Write a toy project, without the setup.cfg that makes its wheels those of two Pythons."""
    Package(name, **values).write(folder)
    (folder / "setup.cfg").unlink()
    return folder


def copy_of(source: Path, target: Path) -> Path:
    """Copy a source tree without what was made in it."""
    made = ("build", "dist", "*.egg-info", "__pycache__", ".*", "var")
    shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*made))
    return target


@pytest.mark.parametrize("tools", MATRIX, ids=str)
def test_sdist_and_wheel_are_published_in_the_run_that_builds_them(
    tools: Tools, setup: Setup, users_index: Server, home: Home, tmp_path: Path
) -> None:
    name = f"acme-{tools}".replace(".", "-")
    folder = project(tmp_path / "project", name)
    write_pypirc(home, Account(users_index.url + FORMS[MATRIX.index(tools) % len(FORMS)], "alice", USERS["alice"]))

    published = setup(
        folder, "register", "-r", "local", "sdist", "bdist_wheel", "upload", "-r", "local", tools=tools
    ).succeeded()

    assert published.output.count("Server response (200): OK") == 3, published
    assert "100%" in published.output, published
    assert "DEBUG" not in published.output
    files = sorted((folder / "dist").iterdir())
    assert {path.suffix for path in files} == {".whl", ".gz"}
    assert users_index.files(name).keys() == {path.name for path in files}
    assert all(users_index.serves(name, path) for path in files)


def test_mypi_itself_is_published_and_installed_again(
    setup: Setup, environments: Environments, open_index: Server, home: Home, tmp_path: Path
) -> None:
    source = copy_of(ROOT, tmp_path / "mypi")

    setup(source, "--quiet", "sdist", "bdist_wheel", "upload", "-r", open_index.url).succeeded()

    [sdist], [wheel] = (list((source / "dist").glob(pattern)) for pattern in ("*.tar.gz", "*.whl"))
    assert open_index.files("mypi").keys() == {sdist.name, wheel.name}
    with tarfile.open(sdist) as archive:
        assert {member.name.partition("/")[2] for member in archive} >= {
            "client/setup.py",
            "client/README.rst",
            "client/mypi_upload/upload.py",
        }
    with zipfile.ZipFile(wheel) as archive:
        assert {name.partition("/")[0].partition("-")[0] for name in archive.namelist()} == {"mypi"}
    python = NEWEST.environment(environments).python
    install = [uv.find_uv_bin(), "pip", "install", "--python", python, "--index-url", f"{open_index.url}/simple/"]
    install += ["--no-deps", "--no-build-isolation"]
    for kind, words in {"wheel": ["--only-binary", "mypi"], "sdist": ["--no-binary", "mypi"]}.items():
        home.run(*install, *words, "--target", tmp_path / kind, "mypi").succeeded()
        for place in ("mypi", "backends"):
            inside = "mypi" if place == "mypi" else "mypi/backends"
            assert (tmp_path / kind / inside / "__init__.py").read_bytes() == (
                ROOT / place / "__init__.py"
            ).read_bytes()


def test_what_pip_installs_suits_its_requirements_and_publishes_itself(
    wheel: Path, environments: Environments, open_index: Server, home: Home, tmp_path: Path
) -> None:
    env = NEWEST.environment(environments).copy(tmp_path / "environment")
    tool = [uv.find_uv_bin(), "pip"]
    home.run(*tool, "install", "--offline", "--no-deps", "--python", env.python, wheel).succeeded()
    home.run(*tool, "check", "--python", env.python).succeeded()
    source = copy_of(ROOT / "client", tmp_path / "client")

    home.run(env.python, "setup.py", "sdist", "bdist_wheel", "upload", "-r", open_index.url, cwd=source).succeeded()

    assert len(open_index.files("mypi-upload")) == 2
    assert all(open_index.serves("mypi-upload", path) for path in (source / "dist").iterdir())


def test_register_makes_a_release_and_verify_does_not(
    setup: Setup, users_index: Server, folder: Path, request: pytest.FixtureRequest
) -> None:
    name, to = name_for(request), ("-r", users_index.url)

    verified = setup(folder, "register", "--verify", "--strict", "--show-response", *to, **RIGHT).succeeded()
    assert "The metadata is good" in verified.output, verified
    assert users_index.versions(name) == []

    setup(folder, "register", *to, **RIGHT).succeeded()
    assert (users_index.versions(name), users_index.files(name)) == (["1.0"], {})


def test_classifiers_are_listed_without_a_login(setup: Setup, users_index: Server, folder: Path) -> None:
    listed = setup(folder, "register", "--list-classifiers", "-r", users_index.url).succeeded()
    assert "\nTopic :: Utilities\n" in listed.output, listed


def test_dry_run_publishes_nothing_where_setuptools_knows_it(
    setup: Setup, users_index: Server, folder: Path, request: pytest.FixtureRequest
) -> None:
    tools = next(tools for tools in MATRIX if tools.setuptools == "74.1.3")
    file = folder / "setup.py"
    file.write_text(PREBUILT + file.read_text(encoding="utf-8").replace("setup(\n", SETUP), "utf-8")
    (folder / "dist").mkdir()
    (folder / "dist" / "acme-1.0.tar.gz").touch()  # setuptools' own commands fail in a dry run
    to = ("-r", users_index.url)

    pretended = setup(folder, "-n", "register", *to, "prebuilt", "upload", *to, tools=tools, **RIGHT).succeeded()

    assert "Server response (200): OK" in pretended.output, pretended
    assert f"Would upload dist/acme-1.0.tar.gz to {users_index.url}" in pretended.output, pretended
    assert users_index.versions(name_for(request)) == []


def test_signatures_are_made_and_published(
    setup: Setup, open_index: Server, folder: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    sign = ("sdist", "upload", "-r", open_index.url, "--sign", "--identity", "Zoe")
    path = f"{tmp_path}:{os.defpath}"
    gpg(tmp_path, f'for file; do :; done; printf "%s\\n" "{ARMOR}" "$*" > "$file.asc"')

    setup(folder, *sign, PATH=path).succeeded()

    name = name_for(request)
    [(filename, listed)] = open_index.files(name).items()
    signature = open_index.get(urljoin(f"simple/{name}/", f"{listed['url']}.asc"))
    assert signature.body.decode() == f"{ARMOR}\n--detach-sign --local-user Zoe -a dist/{filename}\n"
    gpg(tmp_path, "exit 2")
    refused = setup(folder, *sign, PATH=path).failed()
    assert "error: Upload failed: gpg did not sign; exit code 2" in refused.output, refused


def gpg(folder: Path, script: str) -> None:
    """Write a stand-in for gpg, which not every machine has."""
    path = folder / "gpg"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@dataclass(frozen=True)
class Mistake:
    """What a user does wrong: the words and the environment, and what the terminal says."""

    words: str
    said: str
    environ: Mapping[str, str]
    setup: str = ""
    tools: Tools = NEWEST


WRONG = RIGHT | {"TWINE_PASSWORD": "wrong"}
HERE = "-r URL/"
MISTAKES = {
    "wrong password": Mistake(
        f"sdist upload {HERE}",
        "error: Upload failed (401): The user name or password is wrong\nIt was sent as alice.",
        WRONG,
    ),
    "register with a wrong password": Mistake(
        f"register {HERE}",
        "error: Registration failed (401): The user name or password is wrong\nIt was sent as alice.",
        WRONG,
    ),
    "no login": Mistake(
        f"sdist upload {HERE}",
        "error: Upload failed (401): This needs a user name and password\n"
        "It was sent without a user name; write one into HOME/.pypirc, or pass --username.",
        {},
    ),
    "no password, and nobody to ask": Mistake(
        f"sdist upload {HERE} -u alice",
        "error: the password of alice for URL/ is not known, and nobody is at a terminal to ask: "
        "write it into HOME/.pypirc, or set TWINE_PASSWORD",
        {},
    ),
    "bad metadata": Mistake(
        f"sdist upload {HERE}", "error: Upload failed (400): ", RIGHT, setup="classifiers=['Topic :: Nothing']"
    ),
    "too large": Mistake(
        f"sdist upload {HERE}",
        "error: Upload failed (413): The file has more than 102400 bytes, which is the most that this index takes",
        RIGHT,
        setup="data_files=['blob']",
    ),
    "nothing built": Mistake(
        f"upload {HERE}", "error: Must create and upload files in one command (e.g. setup.py sdist upload)", RIGHT
    ),
    "unknown section": Mistake(
        "sdist upload -r nosuch",
        "error: nosuch is neither an address, http://... or https://..., nor a section of HOME/.pypirc, which has none",
        RIGHT,
    ),
    "nobody answers": Mistake(
        "sdist upload -r http://127.0.0.1:1/",
        "error: Upload failed: http://127.0.0.1:1/: [Errno 111] Connection refused",
        RIGHT,
    ),
    "no index there": Mistake(
        f"register {HERE}nowhere/", "error: Registration failed (405): POST is not possible here", RIGHT
    ),
    "identity without sign": Mistake(
        f"sdist upload {HERE} --identity Zoe", "error: Must use --sign for --identity to have meaning", RIGHT
    ),
    "letters that HTTP does not take": Mistake(
        f"sdist upload {HERE}",
        "error: Upload failed: a user name or password can hold only letters of Latin-1",
        RIGHT | {"TWINE_PASSWORD": "日本"},
    ),
    "skipping, which twine does for PyPI only": Mistake(
        f"sdist upload {HERE} --skip-existing",
        "does not have support for the following features: --skip-existing",
        RIGHT,
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_a_sentence_and_a_non_zero_exit(
    mistake: str, setup: Setup, users_index: Server, home: Home, folder: Path, request: pytest.FixtureRequest
) -> None:
    made = MISTAKES[mistake]
    (folder / "blob").write_bytes(os.urandom(2 << 20))
    if made.setup:
        file = folder / "setup.py"
        file.write_text(file.read_text(encoding="utf-8").replace("setup(\n", f"setup(\n    {made.setup},\n"), "utf-8")

    def shown(text: str) -> str:
        return text.replace("URL", users_index.url).replace("HOME", str(home.folder))

    refused = setup(folder, *shown(made.words).split(), tools=made.tools, **made.environ).failed()

    assert shown(made.said) in refused.output, refused
    assert "Traceback" not in refused.output, refused
    assert users_index.files(name_for(request)) == {}


def test_a_name_that_is_taken_is_told_and_the_same_bytes_are_no_mistake(
    setup: Setup, open_index: Server, folder: Path, request: pytest.FixtureRequest
) -> None:
    name, words = name_for(request), ("bdist_wheel", "upload", "-r", open_index.url)
    date = {"SOURCE_DATE_EPOCH": "1700000000"}
    setup(folder, *words, **date).succeeded()
    before = open_index.files(name)
    again = setup(folder, *words, "--show-response", **date).succeeded()
    assert again.output.count(f"{'-' * 75}\n") == 2, again
    project(folder, name, content="changed = True")

    refused = setup(folder, *words, **date).failed()

    assert "error: Upload failed (409): File already exists: acme" in refused.output, refused
    assert open_index.files(name) == before

    # Twine before 6.2 passes over the file for any index.
    tools = Tools("65.5.0", "6.1.0", "3.11", ("wheel==0.45.1",))
    skipped = setup(folder, *words, "--skip-existing", tools=tools, **date).succeeded()
    assert "Skipping acme" in skipped.output, skipped
    assert open_index.files(name) == before


def test_an_open_index_is_asked_for_no_password(
    setup: Setup, open_index: Server, home: Home, folder: Path, request: pytest.FixtureRequest
) -> None:
    (home.folder / ".pypirc").write_text(f"[local]\nrepository = {open_index.url}\nusername = anyone\npassword =\n")
    setup(folder, "sdist", "upload", "-r", "local").succeeded()
    (folder / "setup.cfg").write_text(f"[upload]\nrepository = {open_index.url}/simple/\nusername =\n")
    setup(folder, "bdist_wheel", "upload").succeeded()
    assert len(open_index.files(name_for(request))) == 2


@pytest.mark.parametrize(
    ("answers", "code"), [(["alice", "correct horse"], 0), (["alice", "wrong"], 1), ([""], 1), (["\x04"], 1)]
)
def test_at_a_terminal_what_is_missing_is_asked_for_once(
    answers: list[str],
    code: int,
    environments: Environments,
    installed: Path,
    users_index: Server,
    home: Home,
    folder: Path,
    request: pytest.FixtureRequest,
) -> None:
    if not shutil.which("setsid"):
        pytest.skip("setsid is not here; on Debian: apt-get install util-linux")
    words = ["setup.py", "register", "-r", users_index.url, "sdist", "upload", "-r", users_index.url]
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "r+b", buffering=0) as terminal:
        started = subprocess.Popen(
            ["setsid", "--ctty", "--wait", NEWEST.environment(environments).python, *words],
            cwd=folder,
            env=home.environ | {"PYTHONPATH": str(installed)},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        said = typed(terminal, answers)
        assert started.wait(60) == code, said

    assert said.count("User name for ") == 1, said
    assert said.count("Enter your password: ") == len(answers) - 1, said
    assert "correct horse" not in said
    assert len(users_index.files(name_for(request))) == (code == 0)
    if answers == ["\x04"]:
        assert "error: no user name was given; nothing was sent" in said, said


def typed(terminal: BinaryIO, answers: list[str]) -> str:
    """Type an answer at each question, and return all that the terminal showed."""
    said, waiting = "", list(answers)
    while True:
        try:
            data = terminal.read(4096)
        except OSError:  # Linux's way to say that the other side is gone
            return said
        if not data:
            return said
        said += data.decode("utf-8", "replace")
        if waiting and said.endswith(": "):
            answer = waiting.pop(0)
            terminal.write(answer.encode() if answer == "\x04" else f"{answer}\n".encode())

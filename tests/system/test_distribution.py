"""mypi as it is handed out, clone, sdist and wheel: from nothing to a running index, or to one clear sentence."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv

from tests.system import interpreters, processes
from tests.system.processes import ROOT, Server, environment, free_port, wheel

UV = uv.find_uv_bin()
NEEDED = ("templates/*", "templates/people/*", "static/*", "scaffold/*.ini", "py.typed")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")


def run(*command: str | Path, cwd: Path | None = None, input: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command with the machine's own configuration of pip and uv."""
    return subprocess.run(
        list(map(str, command)),
        input=input,
        capture_output=True,
        text=True,
        env=environment(),
        cwd=cwd,
        check=False,
        timeout=600,
    )


def need(done: subprocess.CompletedProcess[str]) -> None:
    """Skip the test if a command failed because there is no package registry; fail it if it failed otherwise."""
    if done.returncode:
        said = done.stdout + done.stderr
        if re.search(r"error sending request|Failed to fetch|dns error|Could not connect|NewConnectionError", said):
            pytest.skip(f"the package registry cannot be reached: {said[-500:]}")
        pytest.fail(said)


def clone(target: Path) -> Path:
    """Copy what a clone would hold once the work tree is committed; links stay links."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().rstrip("\0").split("\0"):
        source, copy = ROOT / name, target / name
        if source.is_symlink() or source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    return target


@dataclass(frozen=True)
class Built:
    """The two archives that are handed out."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist, and the wheel that is built from the sdist alone."""
    folder = tmp_path_factory.mktemp("built")
    sources = clone(folder / "sources")
    need(run(UV, "build", "--quiet", "--python", sys.executable, "--out-dir", folder / "dist", sources))
    return Built(next(folder.glob("dist/*.tar.gz")), next(folder.glob("dist/*.whl")))


def install(folder: Path, archive: Path, python: str | Path = sys.executable) -> Path:
    """Install into a fresh environment outside the clone, and return its folder of scripts."""
    need(run(UV, "venv", "--quiet", "--python", python, folder))
    need(run(UV, "pip", "install", "--quiet", "--python", folder / "bin" / "python", archive))
    return folder / "bin"


@pytest.fixture(scope="module")
def scripts(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment that has nothing but mypi's wheel and what it needs."""
    return install(tmp_path_factory.mktemp("installed") / "venv", built.wheel)


def contents() -> dict[str, bytes]:
    """Return what an installed mypi must hold, by its path in the wheel."""
    found = {path.relative_to(ROOT).as_posix(): path for pattern in NEEDED for path in (ROOT / "mypi").glob(pattern)}
    for folder, place in ((ROOT / "mypi", "mypi"), (ROOT / "backends", "mypi/backends")):
        for path in folder.rglob("*.py"):
            if path.is_relative_to(ROOT / "mypi/backends"):
                continue
            found[f"{place}/{path.relative_to(folder).as_posix()}"] = path
    return {name: path.read_bytes() for name, path in found.items() if path.is_file()}


def test_wheel_holds_all_that_runs_and_nothing_else(built: Built) -> None:
    with zipfile.ZipFile(built.wheel) as archive:
        held = {info.filename: info for info in archive.infolist() if ".dist-info/" not in info.filename}
        assert held.keys() == contents().keys()
        for name, data in contents().items():
            assert archive.read(name) == data, name
            assert held[name].external_attr >> 28 != 0o12, f"{name} is a link"


def test_sdist_holds_all_that_runs_and_that_tests(built: Built) -> None:
    with tarfile.open(built.sdist) as archive:
        members = {member.name.partition("/")[2]: member for member in archive}
        assert all(member.isfile() or member.isdir() for member in members.values())
        for name, data in contents().items():
            member = archive.extractfile(members[name])
            assert member is not None
            assert member.read() == data, name
    assert {"Makefile", "README.rst", "production.ini", "tests/conftest.py"} <= members.keys()


def serve(scripts: Path, ini: Path, port: int) -> Server:
    """Run `mypi serve` in the folder of the .ini file, on another port than the file says."""
    text = ini.read_text()
    assert "listen = 127.0.0.1:6543" in text
    ini.write_text(text.replace("127.0.0.1:6543", f"127.0.0.1:{port}"))
    return Server([str(scripts / "mypi"), "-c", ini.name, "serve"], port, ini.with_suffix(".out"), cwd=ini.parent)


def test_installed_wheel_serves_an_index_from_an_empty_folder(scripts: Path, tmp_path: Path) -> None:
    made = run(scripts / "mypi", "init", cwd=tmp_path)
    assert made.returncode == 0, made
    again = run(scripts / "mypi", "init", cwd=tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (1, 1), again
    with serve(scripts, tmp_path / "mypi.ini", free_port()) as server:
        package = wheel("acme-lib")
        assert server.upload(package).status == 200
        assert server.fetch("acme-lib", package.filename) == package.data
        home = server.get("/", Accept="text/html,application/xhtml+xml")
        assert home.status == 200
        style = re.search(rb'href="([^"]+\.css)[?"]', home.body)
        assert style is not None
        assert server.get("/" + style[1].decode().lstrip("./")).status == 200
        listed = run(scripts / "mypi", "list", cwd=tmp_path)
        assert listed.stdout == "acme-lib\n"
        assert server.stop() == 0
        assert not [line for line in server.said.splitlines() if "warning" in line.lower()], server.said
    assert {path.name for path in tmp_path.iterdir()} == {"mypi.ini", "mypi.out", "var"}


@pytest.mark.parametrize("series", PYTHONS)
def test_sdist_installs_and_serves_on_every_python_here(built: Built, tmp_path: Path, series: str) -> None:
    found = interpreters.need(series)
    scripts = install(tmp_path / "venv", built.sdist, found.path)
    folder = tmp_path / "empty"
    folder.mkdir()
    run(scripts / "mypi", "init", cwd=folder)
    with serve(scripts, folder / "mypi.ini", free_port()) as server:
        package = wheel("acme-lib")
        assert server.upload(package).status == 200
        assert server.fetch("acme-lib", package.filename) == package.data
        assert server.stop() == 0
        assert "Traceback" not in server.said


def test_production_takes_uploads_of_users_only_and_logs_to_files_that_can_be_rotated(
    scripts: Path, tmp_path: Path
) -> None:
    ini = tmp_path / "production.ini"
    assert run(scripts / "mypi", "init", "--production", ini.name, cwd=tmp_path).returncode == 0
    assert ini.read_bytes() == (ROOT / "production.ini").read_bytes()
    set_up = run(scripts / "mypi", "user", "add", "alice", cwd=tmp_path, input="correct horse\n")
    assert set_up.returncode == 0, set_up
    with serve(scripts, ini, free_port()) as server:
        package = wheel("acme-lib")
        refused = server.upload(package)
        assert (refused.status, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="pypi"')
        assert server.upload(package, user=("alice", "wrong")).status == 401
        assert server.files("acme-lib") == {}
        assert server.upload(package, user=("alice", "correct horse")).status == 200
        assert server.fetch("acme-lib", package.filename) == package.data
        access, log = tmp_path / "access.log", tmp_path / "mypi.log"
        lines = access.read_text().splitlines()
        assert any(" alice POST / 200 " in line for line in lines), lines
        assert log.exists()
        assert "horse" not in log.read_text() + access.read_text() + server.said
        access.rename(tmp_path / "access.log.1")
        server.get("/simple/after-rotation/", X_Forwarded_For="192.0.2.7")
        rotated = access.read_text()
        assert rotated.count("\n") == 1
        assert " 192.0.2.7 - GET /simple/after-rotation/ 404 " in rotated
        assert server.stop() == 0


def damage(setting: str, value: str) -> Callable[[str, Path], str]:
    return lambda text, folder: re.sub(
        rf"(?m)^{re.escape(setting)} = .*$", f"{setting} = {value.replace('FOLDER', str(folder))}", text
    )


def typo(text: str, folder: Path) -> str:
    return text.replace("mypi.upload = ", "mypi.uplaod = ")


def server_typo(text: str, folder: Path) -> str:
    return text.replace("listen = ", "lisen = ")


def users(text: str, folder: Path) -> str:
    return text.replace("mypi.upload = everyone", f"mypi.upload = users\nmypi.htpasswd = {folder}/nobody")


def everyone_manages_what_users_read(text: str, folder: Path) -> str:
    return text.replace("mypi.read = everyone", "mypi.read = users")


MISTAKES = {
    "typo in a setting": (typo, "mypi.uplaod is not a setting of mypi; did you mean mypi.upload?"),
    "typo in a server option": (server_typo, "lisen is not a setting of mypi; did you mean [server:main] listen?"),
    "bad value": (damage("mypi.read", "everybody"), "mypi.read = everybody: everybody is nobody known; write everyone"),
    "bad listen": (damage("listen", "127.0.0.1:http:x"), "[server:main]"),
    "no htpasswd file": (users, "/nobody: cannot be read (No such file or directory); make it with `mypi htpasswd`"),
    "rules that contradict": (everyone_manages_what_users_read, "everyone may manage, but only users may read"),
    "busy port": (damage("listen", "127.0.0.1:BUSY"), "Address already in use"),
    "unknown backend": (damage("mypi.storage", "flesystem"), "write one of filesystem, memory"),
    "storage path is a file": (damage("mypi.storage.path", "FOLDER/mypi.ini"), "mypi.ini"),
}


@pytest.mark.parametrize("command", ["pserve", "mypi serve"])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_clear_sentence_and_a_non_zero_exit(tmp_path: Path, mistake: str, command: str) -> None:
    change, sentence = MISTAKES[mistake]
    ini = tmp_path / "mypi.ini"
    text = (ROOT / "development.ini").read_text()
    changed = change(text, tmp_path)
    assert changed != text
    with processes.pserve(processes.ini(tmp_path, free_port())) if "BUSY" in changed else _Nobody() as other:
        ini.write_text(changed.replace("BUSY", str(other.port)).replace("127.0.0.1:6543", f"127.0.0.1:{free_port()}"))
        words = [processes.PSERVE, ini] if command == "pserve" else [processes.MYPI, "-c", ini, "serve"]
        done = run(*words, cwd=tmp_path)
    assert done.returncode != 0, done
    said = done.stderr.strip().splitlines()
    assert sentence in said[-1], done
    assert "Traceback" not in done.stderr
    # A start that failed is logged, too, for who reads only the log.
    assert all(sentence in line for line in said if not line.startswith("Starting server")), done


class _Nobody:
    """The other server, where there is none."""

    port = 0

    def __enter__(self) -> _Nobody:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_no_ini_file_is_one_clear_sentence(tmp_path: Path) -> None:
    done = run(processes.MYPI, "serve", cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "`mypi init` writes one" in done.stderr


def test_make_serve_in_a_fresh_clone_and_again_in_seconds(tmp_path: Path) -> None:
    for tool in ("make", "git", "python3"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is not here; on Debian: apt-get install {tool}")
    fresh, port = clone(tmp_path / "mypi"), free_port()
    ini = fresh / "development.ini"
    ini.write_text(ini.read_text().replace("127.0.0.1:6543", f"127.0.0.1:{port}"))
    need(run("make", ".venv/.mypi", cwd=fresh))
    for _ in range(2):
        began = time.monotonic()
        with Server(["make", "serve"], port, tmp_path / "out", cwd=fresh) as server:
            assert server.upload(wheel("acme-lib")).status == 200
            assert list(server.files("acme-lib"))
    assert time.monotonic() - began < 60
    assert (fresh / "var").is_dir()
    assert "pip install" not in server.said


FAKES = {
    "no venv": ("sys.modules['ensurepip'] = None", "apt-get install python3-venv"),
    "too old": ("sys.version_info = (3, 9)", "needs Python 3.10 or newer"),
}


@pytest.mark.parametrize("lack", FAKES)
def test_make_says_in_a_sentence_what_the_machine_lacks(tmp_path: Path, lack: str) -> None:
    """Debian's python3 comes without venv's other half; pip outside an environment is refused there."""
    fresh = clone(tmp_path / "mypi")
    fake = tmp_path / "python3"
    before, sentence = FAKES[lack]
    fake.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} -c "import sys; {before}; $2"\nexit 9\n')
    fake.chmod(0o755)
    done = run("make", "serve", f"PYTHON={fake}", cwd=fresh)
    assert done.returncode != 0
    said = done.stderr.strip().splitlines()
    assert sentence in said[0], done
    assert len(said) == 2, done  # the other is make's own: *** [Makefile: ...] Error 1
    assert not (fresh / ".venv").exists()

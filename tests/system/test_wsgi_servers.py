"""`mypi.wsgi:application` under servers that know nothing of Pyramid, and pyruvate of the `.ini`."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

from tests.system import processes
from tests.system.processes import JSON, MIB, ROOT, NotReady, Server, environment, wheel

BIN = Path(sys.executable).parent
APACHE = Path("/usr/sbin/apache2")
MODULES = Path("/usr/lib/apache2/modules")


def gunicorn(folder: Path, ini: Path, port: int, patience: float = 60) -> Server:
    command = [BIN / "gunicorn", "--threads", "4", "--workers", "2", "--bind", f"127.0.0.1:{port}"]
    command += ["--no-control-socket", "mypi.wsgi:application"] if _has_control_socket() else ["mypi.wsgi:application"]
    return Server(
        [*map(str, command)], port, folder / "log", env=environment(MYPI_INI=str(ini)), cwd=folder, patience=patience
    )


def _has_control_socket() -> bool:
    done = subprocess.run([str(BIN / "gunicorn"), "--help"], capture_output=True, text=True, check=True)
    return "--no-control-socket" in done.stdout


def granian(folder: Path, ini: Path, port: int, patience: float = 60) -> Server:
    command = [BIN / "granian", "--interface", "wsgi", "--workers", "2", "--blocking-threads", "4"]
    command += ["--host", "127.0.0.1", "--port", str(port), "mypi.wsgi:application"]
    return Server(
        [*map(str, command)], port, folder / "log", env=environment(MYPI_INI=str(ini)), cwd=folder, patience=patience
    )


def pyruvate(folder: Path, ini: Path, port: int, patience: float = 60) -> Server:
    """Run pyruvate, which an .ini file names as it names mypi's own server."""
    pytest.importorskip("pyruvate")
    if ini.exists():
        text = ini.read_text().replace(f"use = egg:mypi\nlisten = 127.0.0.1:{port}\n", _PYRUVATE.format(port=port))
        assert "egg:pyruvate" in text
        ini.write_text(text)
    command = [str(BIN / "mypi"), "-c", str(ini), "serve"]
    return Server(command, port, folder / "log", cwd=folder, patience=patience)


_PYRUVATE = """\
use = egg:pyruvate#main
socket = 127.0.0.1:{port}
workers = 4
max_number_headers = 64
"""


def apache(folder: Path, ini: Path, port: int, patience: float = 60) -> Server:
    """Run Apache with docs/examples/apache.conf, its paths and its user replaced by those of the test."""
    python, root = folder / "venv", os.geteuid() == 0
    modules = ["mpm_event", "authz_core", "headers", "wsgi"]
    if not APACHE.exists() or not all((MODULES / f"mod_{name}.so").exists() for name in modules):
        pytest.skip("Apache with mod_wsgi is not here; on Debian: apt-get install apache2 libapache2-mod-wsgi-py3")
    made = [uv.find_uv_bin(), "venv", "--quiet", "--python", "/usr/bin/python3", str(python)]
    filled = [
        uv.find_uv_bin(),
        "pip",
        "install",
        "--quiet",
        "--python",
        str(python / "bin/python"),
        str(sources(folder)),
    ]
    for command in (made, filled):
        done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mypi cannot be installed for the Python of mod_wsgi: {done.stderr}")
    user = "www-data" if root else pwd.getpwuid(os.geteuid()).pw_name
    group = "www-data" if root else grp.getgrgid(os.getegid()).gr_name
    example = (ROOT / "docs/examples/apache.conf").read_text()
    ours = {"*:80": f"127.0.0.1:{port}", "=/opt/mypi": f"={python}", "/srv/mypi": str(folder)}
    for written, here in (ours | {"user=mypi": f"user={user}", "group=mypi": f"group={group}"}).items():
        assert written in example
        example = example.replace(written, here)
    script = (ROOT / "docs/examples/mypi.wsgi").read_text()
    assert "/srv/mypi/production.ini" in script
    (folder / "mypi.wsgi").write_text(script.replace("/srv/mypi/production.ini", str(ini)))
    (folder / "apache.conf").write_text(
        "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in modules)
        + f"Listen 127.0.0.1:{port}\nServerName localhost\nPidFile {folder}/pid\nErrorLog {folder}/error.log\n"
        + f"ServerRoot {folder}\nDocumentRoot {folder}\nUser {user}\nGroup {group}\nWSGISocketPrefix {folder}/wsgi\n"
        + example
    )
    if root:
        subprocess.run(["chown", "-R", f"{user}:{group}", str(folder)], check=True)
    command = [str(APACHE), "-f", str(folder / "apache.conf"), "-DFOREGROUND"]
    return Server(command, port, folder / "error.log", cwd=folder, patience=patience)


def sources(folder: Path) -> Path:
    """Copy the sources, for a build writes beside them."""
    target = folder / "sources"
    ignored = shutil.ignore_patterns(".*", "var", "build", "dist", "*.egg-info", "docs", "tests", "__pycache__")
    return shutil.copytree(ROOT, target, symlinks=True, ignore=ignored)


STARTS = {"gunicorn": gunicorn, "granian": granian, "pyruvate": pyruvate, "apache": apache}


@pytest.fixture(scope="module", params=STARTS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A WSGI server with mypi; its folder can be read by the user that Apache becomes."""
    with tempfile.TemporaryDirectory(prefix="mypi-wsgi-") as name:
        folder, port = Path(name), processes.free_port()
        folder.chmod(0o755)
        ini = processes.ini(folder, port)
        with STARTS[request.param](folder, ini, port) as running:
            yield running
            assert "Traceback" not in running.said


def test_publish_and_install(server: Server) -> None:
    package = wheel("acme-lib")
    assert server.upload(package).status == 200
    assert server.upload(package).status == 200
    assert server.fetch("acme-lib", package.filename) == package.data
    other = wheel("acme-lib", "1.0", 5000)
    taken = server.upload(other)
    assert taken.status == 409
    assert b"File already exists" in taken.body


def test_page_is_revalidated(server: Server) -> None:
    server.upload(wheel("acme-page"))
    page = server.get("/simple/acme-page/", Accept=JSON)
    assert page.status == 200
    assert page.headers["Cache-Control"]
    again = server.get("/simple/acme-page/", Accept=JSON, If_None_Match=page.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    moved = server.get("/simple/Acme.Page/")
    assert moved.status == 301
    assert server.get("/acme-nothing/").status == 404


def test_file_whole_in_part_and_as_headers(server: Server) -> None:
    package = wheel("acme-big", "1.0", 5 * MIB)
    assert server.upload(package).status == 200
    path, size = server.url("acme-big", server.files("acme-big")[package.filename]), len(package.data)
    whole = server.get(path)
    assert (whole.status, whole.body) == (200, package.data)
    assert whole.headers["Content-Type"] == "application/octet-stream"
    head = server.ask("HEAD", path)
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(size), b"")
    for asked, start, stop in (
        ("bytes=0-99", 0, 100),
        (f"bytes=1000000-{2 * MIB}", 1_000_000, 2 * MIB + 1),
        ("bytes=-10000", size - 10_000, size),
        (f"bytes={size - 5}-", size - 5, size),
    ):
        part = server.get(path, Range=asked)
        assert (part.status, part.headers["Content-Range"]) == (206, f"bytes {start}-{stop - 1}/{size}")
        assert part.body == package.data[start:stop], asked
    assert server.get(path, Range=f"bytes={size}-").status == 416
    same = server.get(path, If_None_Match=whole.headers["ETag"])
    assert (same.status, same.body) == (304, b"")
    assert server.get(path + ".metadata").body.startswith(b"Metadata-Version: 2.1\n")


# pyruvate reads no such body; nginx in front that buffers requests gives it a length.
@pytest.mark.parametrize("server", sorted(STARTS.keys() - {"pyruvate"}), indirect=True)
def test_body_of_unknown_length(server: Server) -> None:
    for number, size in enumerate((1000, 3 * MIB)):
        package = wheel("acme-chunked", f"{number}.0", size)
        answer = server.upload(package, chunked=True)
        assert answer.status == 200, answer
        assert server.fetch("acme-chunked", package.filename) == package.data


def test_refusals_are_answers(server: Server) -> None:
    content_type, body = wheel("acme-cut").form()
    assert server.ask("POST", "/", body[: len(body) // 2], Content_Type=content_type).status == 400
    assert server.ask("POST", "/", b"", Content_Type="text/plain").status in (400, 415)
    assert server.files("acme-cut") == {}
    assert server.get("/simple/%ff/").status in (400, 404)


@pytest.mark.parametrize("name", STARTS)
@pytest.mark.parametrize("mistake", ["typo", "no file"])
def test_wrong_configuration_is_one_sentence(name: str, mistake: str) -> None:
    """Servers that can end do; none starts its workers again and again."""
    port = processes.free_port()
    with tempfile.TemporaryDirectory(prefix="mypi-wsgi-") as folder_name:
        folder = Path(folder_name)
        folder.chmod(0o755)
        ini = processes.ini(folder, port, uplaod_limit="1 GiB")
        wanted = "mypi.uplaod_limit is not a setting of mypi; did you mean mypi.upload_limit?"
        if mistake == "no file":
            ini, wanted = folder / "absent.ini", "absent.ini"
        with pytest.raises(NotReady) as raised:
            STARTS[name](folder, ini, port, patience=10)
    said = str(raised.value)
    assert wanted in said, said
    line = next(line for line in said.splitlines() if wanted in line)
    assert "Error:" not in line, said
    if name != "apache":
        assert "exit code None" not in said, said


def test_no_file_named_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import mypi.wsgi"], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert done.stderr.count("\n") == 1
    assert "MYPI_INI" in done.stderr

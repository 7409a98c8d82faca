"""The files of docs/examples: read by the programs that they are for, and nginx in front of mypi for real."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.system import processes
from tests.system.processes import MIB, ROOT, Server, wheel

EXAMPLES = ROOT / "docs" / "examples"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")


def run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    """Users and programs that only a real installation has are those of this machine here."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not here; on Debian: apt-get install systemd")
    for name in ("mypi.service", "mypi-sweep.service", "mypi-sweep.timer"):
        text = (EXAMPLES / name).read_text()
        assert "/opt/mypi/bin/mypi" in text or name.endswith(".timer")
        (tmp_path / name).write_text(text.replace("/opt/mypi/bin/mypi", "/bin/true"))
    units = [str(tmp_path / name) for name in ("mypi.service", "mypi-sweep.service", "mypi-sweep.timer")]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    about_ours = [line for line in (done.stdout + done.stderr).splitlines() if str(tmp_path) in line or "mypi" in line]
    assert not about_ours
    assert done.returncode == 0, done


def test_units_run_what_the_command_line_knows() -> None:
    for name in ("mypi.service", "mypi-sweep.service"):
        line = next(line for line in (EXAMPLES / name).read_text().splitlines() if line.startswith("ExecStart="))
        _, _, _, *words = line.split()
        run(processes.MYPI, *words, "--help")


def nginx(folder: Path, port: int, server: str) -> Server:
    """Run nginx with a server block."""
    assert NGINX
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n"
        f"access_log off;\nclient_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/fastcgi;\nuwsgi_temp_path {folder}/uwsgi;\nscgi_temp_path {folder}/scgi;\n"
        f"{server}\n}}\n"
    )
    run(NGINX, "-t", "-q", "-p", str(folder), "-c", str(path))
    return Server([NGINX, "-p", str(folder), "-c", str(path)], port, folder / "nginx.log")


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Callable[[str, str], Server]]:
    """Start mypi and nginx in front of it; the arguments are its server block and mypi's options of [server:main]."""
    if not NGINX:
        pytest.skip("nginx is not here; on Debian: apt-get install nginx-light")
    started: list[Server] = []

    def start(block: str, options: str) -> Server:
        inner, outer = processes.free_port(), processes.free_port()
        believed = "trusted_proxy = 127.0.0.1\ntrusted_proxy_headers = x-forwarded-for x-forwarded-proto\n"
        started.append(processes.pserve(processes.ini(tmp_path, inner, server=believed + options)))
        block = block.replace("127.0.0.1:6543", f"127.0.0.1:{inner}").replace("LISTEN", f"127.0.0.1:{outer}")
        started.append(nginx(tmp_path, outer, block))
        return started[-1]

    yield start
    for server in started:
        server.kill()


def test_nginx_on_a_host_of_its_own(behind: Callable[[str, str], Server], tmp_path: Path) -> None:
    key, pem = tmp_path / "key.pem", tmp_path / "cert.pem"
    run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", "/CN=pypi.example.com", "-days", "2", "-keyout", str(key), "-out", str(pem)),
    )
    example = (EXAMPLES / "nginx.conf").read_text()
    secure = example[example.rindex("server {") :]
    tls = str(processes.free_port())
    for written, here in (
        ("/etc/ssl/certs/pypi.example.com.pem", str(pem)),
        ("/etc/ssl/private/pypi.example.com.key", str(key)),
        ("    listen [::]:443 ssl http2;\n", ""),
        # The same places, without TLS, for the requests of this test.
        ("listen 443 ssl http2;", f"listen 127.0.0.1:{tls} ssl http2;\n    listen LISTEN;"),
    ):
        assert written in secure
        secure = secure.replace(written, here)
    server = behind(secure, "")
    package = wheel("acme-lib", "1.0", 3 * MIB)
    assert server.upload(package).status == 200
    assert server.upload(wheel("acme-lib", "2.0"), chunked=True).status == 200
    assert server.fetch("acme-lib", package.filename) == package.data
    path = server.url("acme-lib", server.files("acme-lib")[package.filename])
    part = server.get(path, Range="bytes=5-14")
    assert (part.status, part.body) == (206, package.data[5:15])


def test_nginx_under_a_prefix(behind: Callable[[str, str], Server], tmp_path: Path) -> None:
    prefix = (EXAMPLES / "nginx-prefix.conf").read_text()
    snippet = (EXAMPLES / "nginx-snippet.conf").read_text()
    assert "include snippets/mypi.conf;" in prefix
    places = prefix.replace("include snippets/mypi.conf;", snippet)
    # The server is ready when its root answers; the site around mypi is somebody else's.
    others = 'location / { return 200 "another page"; }'
    server = behind(f"server {{\nlisten LISTEN;\n{places}\n{others}\n}}\n", "url_prefix = /pypi")
    package = wheel("acme-lib")
    content_type, body = package.form()
    for address in ("/pypi/", "/pypi", "/pypi/legacy/", "/pypi/simple"):
        assert server.ask("POST", address, body, Content_Type=content_type).status == 200, address
    page = server.get("/pypi/simple/acme-lib/")
    assert page.status == 200
    assert package.filename.encode() in page.body
    moved = server.get("/pypi/simple/Acme_Lib?x=1")
    assert moved.status == 301
    assert urljoin("/pypi/simple/Acme_Lib", moved.headers["Location"]) == "/pypi/simple/acme-lib/?x=1"


def test_nginx_before_two_nodes_goes_on_with_one(tmp_path: Path) -> None:
    if not NGINX:
        pytest.skip("nginx is not here; on Debian: apt-get install nginx-light")
    inner = [processes.free_port(), processes.free_port()]
    outer = processes.free_port()
    block = (EXAMPLES / "nginx-nodes.conf").read_text()
    for written, port in zip(("192.0.2.11:6543", "192.0.2.12:6543"), inner, strict=True):
        assert written in block
        block = block.replace(written, f"127.0.0.1:{port}")
    place = "location / { proxy_pass http://mypi; proxy_http_version 1.1; proxy_request_buffering off; }"
    block += f"server {{\nlisten 127.0.0.1:{outer};\nclient_max_body_size 0;\n{place}\n}}\n"
    with (
        processes.pserve(processes.ini(tmp_path, inner[0])) as one,
        processes.pserve(processes.ini(tmp_path, inner[1])) as other,
        nginx(tmp_path, outer, block) as server,
    ):
        packages = [wheel("acme-lib", f"{number}.0") for number in range(4)]
        assert [server.upload(package).status for package in packages[:2]] == [200, 200]
        one.kill()
        for _ in range(4):
            assert len(server.files("acme-lib")) == 2
        assert [server.upload(package).status for package in packages[2:]] == [200, 200]
        assert other.fetch("acme-lib", packages[0].filename) == packages[0].data
        assert len(server.files("acme-lib")) == 4


def test_logrotate_takes_its_file(tmp_path: Path) -> None:
    if not shutil.which("logrotate", path="/usr/sbin:/usr/bin"):
        pytest.skip("logrotate is not here; on Debian: apt-get install logrotate")
    path = tmp_path / "logrotate.conf"
    # The user that the page tells to make is not on this machine.
    path.write_text((EXAMPLES / "logrotate.conf").read_text().replace("mypi mypi", "root root"))
    path.chmod(0o644)
    run("/usr/sbin/logrotate", "--debug", "--state", str(tmp_path / "state"), str(path))

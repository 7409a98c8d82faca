"""The files of docs/examples: read by the programs that they are for, and nginx in front of two nodes for real."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system import nginxes, processes
from tests.system.nginxes import nginx
from tests.system.processes import ROOT, wheel

EXAMPLES = ROOT / "docs" / "examples"


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


def test_nginx_before_two_nodes_goes_on_with_one(tmp_path: Path) -> None:
    nginxes.needed()
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

"""A real nginx on loopback, with the configuration that ``mypi nginx-config`` writes, and mypi behind it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import processes
from .processes import Server

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")


def needed() -> str:
    """Return the program, or skip the test."""
    if NGINX is None:
        pytest.skip("nginx is not here; on Debian: apt-get install nginx-light")
    return NGINX


def nginx(folder: Path, port: int, site: str) -> Server:
    """Run nginx with a site's configuration, once ``nginx -t`` finds nothing in it."""
    path = folder / "nginx.conf"
    path.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n"
        f"access_log off;\nclient_body_temp_path {folder}/body;\nproxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/fastcgi;\nuwsgi_temp_path {folder}/uwsgi;\nscgi_temp_path {folder}/scgi;\n"
        f"{site}\n}}\n"
    )
    check(folder, path)
    return Server([needed(), "-p", str(folder), "-c", str(path)], port, folder / "nginx.log")


def check(folder: Path, path: Path) -> None:
    """Have nginx read a configuration; it must say nothing, but that it has another spelling of http2 since 1.25."""
    done = subprocess.run(
        [needed(), "-t", "-q", "-p", str(folder), "-c", str(path)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if "http2" not in line]
    assert (done.returncode, done.stdout, said) == (0, "", []), done


@dataclass
class Deployment:
    """nginx, mypi behind it, and the site's configuration as the command wrote it."""

    front: Server
    behind: Server
    ini: Path
    site: str
    folder: Path

    def end(self) -> None:
        """End mypi, whichever runs by now."""
        self.behind.kill()

    def restart(self) -> None:
        """Start mypi again, at the same place."""
        self.behind = processes.pserve(self.ini)


Change = Callable[[str], str]


@contextlib.contextmanager
def deployment(
    folder: Path,
    *options: str,
    server: str = "",
    change: Change = lambda site: site,
    tls: tuple[Path, Path] | None = None,
    **settings: str,
) -> Iterator[Deployment]:
    """Start both; ``options`` are those of the command, and ``change`` is made to what it writes."""
    needed()
    inner, outer = processes.free_port(), processes.free_port()
    believed = "trusted_proxy = 127.0.0.1\ntrusted_proxy_headers = x-forwarded-for x-forwarded-proto\n"
    ini = processes.ini(folder, inner, server=believed + server, **settings)
    done = processes.mypi(
        ini, "nginx-config", "--server-name", "localhost", "--cache-folder", str(folder / "cache"), *options
    )
    assert done.returncode == 0, done.stderr
    site = change(done.stdout)
    # Ports that a test may have, in the place of those that the world knows.
    site = re.sub(r" *listen \[::\]:(80|443).*\n", "", site)
    site = site.replace("listen 443 ssl http2;", f"listen 127.0.0.1:{processes.free_port()} ssl http2;\n    listen 80;")
    head, _, last = site.rpartition("listen 80;")
    site = f"{head.replace('listen 80;', f'listen 127.0.0.1:{processes.free_port()};')}listen 127.0.0.1:{outer};{last}"
    with contextlib.ExitStack() as running:
        made = Deployment(None, processes.pserve(ini), ini, done.stdout, folder)  # type: ignore[arg-type]
        running.callback(made.end)
        made.front = running.enter_context(nginx(folder, outer, site))
        yield made


def certificate(folder: Path) -> tuple[Path, Path]:
    """Make a certificate for a day, and its key."""
    key, pem = folder / "key.pem", folder / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-subj", "/CN=localhost", "-days", "2", "-keyout", str(key), "-out", str(pem)]
    subprocess.run(command, check=True, capture_output=True, env={**os.environ})
    return pem, key

"""Behind a real nginx, under /pypi: publishing, installing and redirects stay under the prefix."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest

from . import servers
from .clients import Home
from .environments import Environments
from .installers import INSTALLERS, Installer, installed
from .packages import Builder, Package
from .projects import chosen as installers
from .publishers import PUBLISHERS, Account, Publisher
from .publishers import chosen as publishers
from .seen import seen
from .servers import Server, Site

NGINX = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    server {{
        listen 127.0.0.1:{port};
        location /pypi/ {{
            proxy_pass {target};
            {host}
        }}
    }}
}}
"""
HOST = "proxy_set_header Host $http_host;"


@dataclass(frozen=True)
class Way:
    """How the prefix is taken away, and whether the server is told the host that the client asked."""

    name: str
    prefix: str = ""
    slash: str = "/"
    host: str = ""


WAYS = (
    Way("host lost"),
    Way("host kept", host=HOST),
    Way("server knows the prefix", prefix="/pypi", slash="", host=HOST),
)


@dataclass(frozen=True)
class Deployment:
    """mypi, and the address of the proxy in front of it."""

    server: Server
    site: Site


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: way.name.replace(" ", "-"))
def deployment(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    way: Way = request.param
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None:
        pytest.skip("nginx is not installed (Debian: apt-get install nginx-light)")
    folder = tmp_path_factory.mktemp("nginx")
    with servers.running(folder / "server", prefix=way.prefix) as server:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        parts = urlsplit(server.url)
        config = folder / "nginx.conf"
        config.write_text(
            NGINX.format(
                folder=folder,
                port=port,
                target=f"http://{parts.netloc}{way.slash}",
                host=way.host,
                user="user root;" if os.geteuid() == 0 else "",
            )
        )
        said = folder / "said"
        with said.open("wb") as output:
            argv = [nginx, "-e", str(folder / "error.log"), "-c", str(config)]
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            site = Site(f"http://127.0.0.1:{port}/pypi")
            _wait(process, site, said)
            yield Deployment(server, site)
        finally:
            process.terminate()
            process.wait(15)


def _wait(process: subprocess.Popen[bytes], site: Site, said: Path) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        assert process.poll() is None, said.read_text()
        try:
            site.get("simple/")
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"nginx does not answer: {said.read_text()}")


def publisher(name: str) -> Publisher:
    return next(each for each in PUBLISHERS if each.name == name)


def installer(name: str) -> Installer:
    return next(each for each in INSTALLERS if each.name == name)


@pytest.fixture(scope="module")
def published(deployment: Deployment, builder: Builder, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """A library and an application that needs it, published through the proxy."""
    folder = tmp_path_factory.mktemp("published")
    builder.collect(folder / "dist", Package("acme-lib"), Package("acme-app", requires=("acme-lib",)), kinds=("wheel",))
    to = Account(f"{deployment.site.url}/legacy/")
    publisher("uv").publish(None, Home(folder / "home"), folder, to).succeeded()
    return deployment


@pytest.mark.parametrize(
    ("name", "form"), [("twine-7", "/"), ("twine-6.1", "/simple"), ("distutils-3.8", "/legacy"), ("poetry", "/simple/")]
)
def test_clients_publish_through_the_proxy(
    name: str,
    form: str,
    deployment: Deployment,
    builder: Builder,
    environments: Environments,
    home: Home,
    tmp_path: Path,
):
    client, folder = publisher(name), tmp_path / "project"
    env = client.environment(environments)
    client.build(builder, folder, Package(client.project, backend=client.backend))

    client.publish(env, home, folder, Account(deployment.site.url + form)).succeeded()

    files = sorted((folder / "dist").iterdir())
    assert files
    assert all(deployment.site.serves(client.project, path) for path in files)


@pytest.mark.parametrize(
    ("name", "form"),
    [("pip-26.3", ""), ("pip-20.3.4", "/simple/"), ("uv", "/simple"), ("uv", "/"), ("easy_install-3.8", "/simple/")],
)
def test_clients_install_through_the_proxy(
    name: str, form: str, published: Deployment, environments: Environments, home: Home, tmp_path: Path
):
    client = installer(name)
    env = client.fresh(environments, tmp_path / "env")

    client.install(env, home, published.site.url + form, "acme-app").succeeded()

    assert {"acme-app": "1.0", "acme-lib": "1.0"}.items() <= installed(env).items()


KEPT = WAYS[1]


@pytest.mark.parametrize("deployment", [KEPT], indirect=True, ids=["host-kept"])
@pytest.mark.parametrize("client", publishers(), ids=lambda publisher: publisher.name)
def test_every_client_publishes_under_the_prefix(
    client: Publisher,
    deployment: Deployment,
    builder: Builder,
    environments: Environments,
    home: Home,
    tmp_path: Path,
):
    env, folder = client.environment(environments), tmp_path / "project"
    package = Package(f"{client.project}-here", backend=client.backend)
    client.build(builder, folder, package)

    client.publish(env, home, folder, Account(f"{deployment.site.url}/legacy/")).succeeded()

    files = sorted((folder / "dist").iterdir())
    assert files
    assert all(deployment.site.serves(package.name, path) for path in files)
    seen.check(client.name, {"publish prefix": "published"})


@pytest.mark.parametrize("deployment", [KEPT], indirect=True, ids=["host-kept"])
@pytest.mark.parametrize("client", installers(), ids=lambda installer: installer.name)
def test_every_client_installs_under_the_prefix(
    client: Installer, published: Deployment, environments: Environments, home: Home, tmp_path: Path
):
    env = client.fresh(environments, tmp_path / "env")

    client.install(env, home, f"{published.site.url}/simple/", "acme-app").succeeded()

    assert {"acme-app": "1.0", "acme-lib": "1.0"}.items() <= installed(env).items()
    seen.check(client.name, {"install prefix": "installed"})


@pytest.mark.parametrize(
    "path", ["simple/Acme_Lib?a=1&b=%2F", "simple/acme-lib?a=1&b=%2F", "simple/Acme.Lib/?a=1&b=%2F"]
)
def test_redirects_keep_prefix_and_query(path: str, published: Deployment):
    answer = published.site.get(path)

    assert answer.status == 301
    target = urljoin(f"{published.site.url}/{path}", answer.headers["Location"])
    assert target == f"{published.site.url}/simple/acme-lib/?a=1&b=%2F"
    assert published.site.get(target).status == 200


@pytest.mark.parametrize("path", ["", "project/acme-lib/", "simple/", "simple/acme-lib/"])
def test_links_stay_under_the_prefix(path: str, published: Deployment, links: Callable[[bytes], list[str]]):
    page = published.site.get(path, Accept="text/html,application/xhtml+xml")

    assert page.status == 200, page
    found = [urljoin(f"{published.site.url}/{path}", link) for link in links(page.body)]
    local = [link for link in found if urlsplit(link).netloc == urlsplit(published.site.url).netloc]
    assert local
    assert all(link.startswith(f"{published.site.url}/") for link in local), local
    assert [published.site.get(link).status for link in sorted(set(local))] == [200] * len(set(local))


@pytest.fixture
def links() -> Callable[[bytes], list[str]]:
    """Find what a page links to: pages, styles, scripts, pictures."""
    from bs4 import BeautifulSoup

    def find(body: bytes) -> list[str]:
        tags = BeautifulSoup(body, "html.parser").find_all(["a", "link", "script", "img"])
        return [str(tag.get("href") or tag.get("src")) for tag in tags if tag.get("href") or tag.get("src")]

    return find

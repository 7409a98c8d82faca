"""Whether popular projects resolve through mypi as they do directly, and how long it takes, cold and warm.

``python -m benchmarks.upstream_compare`` needs a public index that can be reached, and uv beside this Python. Each
project is resolved for itself: by ``uv pip compile`` with all hashes, and by ``pip install --dry-run``. At last the
upstream is switched off when half of the projects are resolved, once with an empty store and once with a warm one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests import tunnels

POPULAR = (
    *("boto3", "botocore", "urllib3", "requests", "certifi", "typing-extensions", "charset-normalizer", "idna"),
    *("packaging", "setuptools", "python-dateutil", "aiobotocore", "s3fs", "six", "numpy", "grpcio-status"),
    *("pyyaml", "s3transfer", "cryptography", "pydantic", "cffi", "pycparser", "fsspec", "google-api-core"),
    *("click", "attrs", "pandas", "protobuf", "pydantic-core", "markupsafe", "jinja2", "pytz", "jmespath"),
    *("platformdirs", "importlib-metadata", "rsa", "pip", "filelock", "virtualenv", "wheel", "zipp", "pyasn1"),
    *("pluggy", "iniconfig", "pytest", "googleapis-common-protos", "aiohttp", "jsonschema", "tzdata", "pygments"),
    *("tomli", "colorama", "google-auth", "yarl", "multidict", "frozenlist", "aiosignal", "sqlalchemy", "pyjwt"),
    *("rich", "psutil", "wrapt", "docutils", "greenlet", "tqdm", "pillow", "requests-oauthlib", "oauthlib"),
    *("soupsieve", "beautifulsoup4", "lxml", "werkzeug", "flask", "scipy", "httpx", "anyio", "httpcore", "h11"),
    *("sniffio", "starlette", "fastapi", "uvicorn", "pyarrow", "openpyxl", "et-xmlfile", "decorator", "tomlkit"),
    *("coverage", "mypy-extensions", "mypy", "black", "isort", "pathspec", "distlib", "redis", "async-timeout"),
    *("websockets", "django", "gunicorn", "celery"),
)

INI = """
[app:main]
use = egg:mypi
mypi.storage = filesystem
mypi.storage.path = %(here)s/store
mypi.read = everyone
mypi.upload = nobody
mypi.upstream = pypi {upstream}
mypi.upstream.private_addresses = {private}
[server:main]
use = egg:mypi
listen = 127.0.0.1:{port}
"""

Resolve = Callable[[str, str, str], str]


def environment() -> dict[str, str]:
    """The environment without what would lead pip or uv elsewhere, or let them remember."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_"))}


def run(command: list[str], given: str = "") -> str:
    """Run a client; its output, or the last line of what it complained of."""
    done = subprocess.run(  # noqa: S603 - what is run stands in this module
        command, input=given, capture_output=True, text=True, env=environment(), check=False
    )
    return done.stdout if done.returncode == 0 else f"failed: {done.stderr.strip()[-300:]}"


def by_uv(project: str, url: str, before: str) -> str:
    """What uv locks: every version with the hashes of all its files."""
    uv = str(Path(sys.executable).with_name("uv"))
    told = ["--no-header", "--no-annotate", "--generate-hashes", "--exclude-newer", before]
    return run([uv, "pip", "compile", "-", "--no-cache", "--index-url", url, *told], f"{project}\n")


def by_pip(project: str, url: str, before: str, *, python: str = sys.executable) -> str:
    """What the pip of a Python would install: names, versions and digests. Only the newest could look ``before``."""
    told = ["--dry-run", "--quiet", "--ignore-installed", "--no-cache-dir", "--only-binary=:all:", "--report", "-"]
    text = run([python, "-m", "pip", "--disable-pip-version-check", "install", *told, "-i", url, project])
    if text.startswith("failed"):
        return text.replace(url, "INDEX")
    chosen = json.loads(text)["install"]
    lines = (
        f"{each['metadata']['name']}=={each['metadata']['version']} {each['download_info']['archive_info']['hash']}"
        for each in chosen
    )
    return "\n".join(sorted(lines))


@contextlib.contextmanager
def served(folder: Path, upstream: str, *, private: bool, proxy: str | None = None) -> Iterator[str]:
    """Run mypi before the upstream, perhaps through a proxy, until the block ends; yield where its Simple API is."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ini = folder / "mypi.ini"
    ini.write_text(INI.format(upstream=upstream, private=str(private).lower(), port=port), encoding="utf-8")
    log = (folder / "log").open("w")
    server = subprocess.Popen(  # noqa: S603 - so does this
        [sys.executable, "-m", "pyramid.scripts.pserve", str(ini)],
        stdout=log,
        stderr=log,
        env=os.environ | ({"HTTPS_PROXY": proxy} if proxy else {}),
    )
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/+health"):
                break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/simple/"
    finally:
        server.terminate()
        server.wait()
        log.close()


def resolved(resolve: Resolve, projects: list[str], url: str, before: str, jobs: int) -> tuple[dict[str, str], float]:
    """Resolve each project; what came of each, and how long all took."""
    began = time.perf_counter()
    with ThreadPoolExecutor(jobs) as workers:
        found = dict(zip(projects, workers.map(lambda each: resolve(each, url, before), projects), strict=True))
    return found, time.perf_counter() - began


def compare(client: str, resolve: Resolve, projects: list[str], urls: dict[str, str], given: argparse.Namespace) -> int:
    """Resolve through each address and print times and differences; return how many there are."""
    direct: dict[str, str] = {}
    differences = 0
    for label, url in urls.items():
        found, took = resolved(resolve, projects, url, given.before, given.jobs)
        direct = direct or found
        failed = sum(text.startswith("failed") for text in found.values())
        other = [name for name in projects if found[name] != direct[name]]
        differences += len(other)
        print(f"{client:4} {label:14} {took:7.1f} s  {failed} failed  {len(other)} other than directly", flush=True)
        for name in other:
            print(f"     {name}: {found[name][-200:]!r} instead of {direct[name][-200:]!r}")
    return differences


def switched_off(resolve: Resolve, projects: list[str], given: argparse.Namespace, *, warm: bool) -> int:
    """Switch the upstream off when half of the projects are resolved; print what came, return what is wrong.

    With a warm store everything must go on as before; with an empty one what was never asked for must fail, and say so.
    """
    half = len(projects) // 2
    with tempfile.TemporaryDirectory() as folder, tunnels.running() as way:
        place = Path(folder)
        with served(place, given.upstream, private=given.private_addresses, proxy=way.url) as url:
            before, _ = resolved(resolve, projects if warm else projects[:half], url, given.before, given.jobs)
            if warm:
                resolved(resolve, projects[:half], url, given.before, given.jobs)
            way.cut()
            rest, took = resolved(resolve, projects[half:], url, given.before, given.jobs)
            again, _ = resolved(resolve, projects[:half], url, given.before, given.jobs)
    failed = [name for name, text in (rest | again).items() if text.startswith("failed")]
    other = [name for name in before if before[name] != (rest | again).get(name)]
    lost = [name for name in failed if "not found in the package registry" in rest.get(name, "")]
    print(
        f"switched off, {'warm' if warm else 'cold'}: {len(failed)} of {len(projects)} failed, {len(other)} other than "
        f"before, {len(lost)} called unknown; the second half took {took:.1f} s",
        flush=True,
    )
    for name in (*other, *lost):
        print(f"     {name}: {(rest | again)[name][-200:]!r} instead of {before.get(name, '')[-200:]!r}")
    return len(other) + len(lost)


def main() -> None:
    reads = argparse.ArgumentParser(description=__doc__)
    reads.add_argument("--upstream", default="https://pypi.org/simple/")
    reads.add_argument(
        "--private-addresses", action="store_true", help="the upstream has an address of a private network"
    )
    reads.add_argument("--uv", type=int, default=100, help="how many projects uv resolves (100)")
    reads.add_argument("--pip", type=int, default=100, help="how many projects pip resolves (100)")
    reads.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    reads.add_argument("--before", default=time.strftime("%Y-%m-%dT00:00:00Z"), help="no file that is newer (today)")
    reads.add_argument("--python", default=sys.executable, help="the Python whose pip is run (this one)")
    given = reads.parse_args()
    pip = partial(by_pip, python=given.python)
    differences = 0
    for client, resolve, number in (("uv", by_uv, given.uv), ("pip", pip, given.pip)):
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            with served(place, given.upstream, private=given.private_addresses) as mypi:
                urls = {"directly": given.upstream, "mypi, cold": mypi, "mypi, warm": mypi}
                differences += compare(client, resolve, list(POPULAR[:number]), urls, given)
            away = "https://upstream-that-is-away.invalid/simple/"
            with served(place, away, private=given.private_addresses) as mypi:
                urls = {"directly": given.upstream, "upstream away": mypi} if number else {}
                differences += compare(client, resolve, list(POPULAR[: min(number, 10)]), urls, given)
    for warm in (False, True):
        differences += switched_off(by_uv, list(POPULAR[: given.uv]), given, warm=warm) if given.uv else 0
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()

"""What `mypi nginx-config` writes, in a real nginx: files that it sends itself, and answers that it keeps a second."""

from __future__ import annotations

import contextlib
import http.client
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from tests.system import nginxes, processes
from tests.system.nginxes import Deployment, deployment
from tests.system.processes import JSON, MIB, Server, wheel

USER, PASSWORD = "alice", "a long enough password"
OURS = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01"


def basic(user: str = USER) -> dict[str, str]:
    from base64 import b64encode

    return {"Authorization": "Basic " + b64encode(f"{user}:{PASSWORD}".encode()).decode()}


def users(folder: Path) -> dict[str, str]:
    """Return settings that let alice see what is secret, and bob not."""
    word = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    (folder / "htpasswd").write_text(f"alice:{word}\nbob:{word}\n")
    return {"htpasswd": str(folder / "htpasswd"), "read.secret-*": "user:alice", "upload": "everyone"}


@pytest.fixture(scope="module")
def sending(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """nginx that sends files, and an index with a public and a secret project."""
    folder = tmp_path_factory.mktemp("sending")
    with deployment(folder, accel="nginx", **users(folder)) as found:
        for name in ("acme-lib", "secret-lib"):
            assert found.front.upload(wheel(name, "1.0+local.1", 3 * MIB)).status == 200
        yield found


def place(server: Server, name: str, **headers: str) -> str:
    return server.url(name, next(iter(server.files(name, **headers).values())))


def told(found: Deployment, path: str, **headers: str) -> processes.Answer:
    """Ask mypi as nginx does, and see what nginx sees."""
    return found.behind.get(path, X_Sendfile_Type="X-Accel-Redirect", **headers)


def test_file_is_sent_by_nginx_byte_for_byte_with_the_same_headers(sending: Deployment) -> None:
    path = place(sending.front, "acme-lib")
    redirect = told(sending, path)
    assert (redirect.status, redirect.body) == (200, b"")
    assert redirect.headers["X-Accel-Redirect"].startswith("/_mypi_files/files/main/acme-lib/")
    assert redirect.headers["X-Accel-Redirect"].endswith("acme_lib-1.0%2Blocal.1-py3-none-any.whl")
    direct, through = sending.behind.get(path), sending.front.get(path)
    assert direct.body == through.body == wheel("acme-lib", "1.0+local.1", 3 * MIB).data
    own = ("Server", "Date", "Connection", "Via", "Keep-Alive")
    ours, theirs = (
        sorted((name.lower(), value) for name, value in answer.headers.items() if name not in own)
        for answer in (direct, through)
    )
    assert ours == theirs
    assert "X-Accel-Redirect" not in through.headers


def test_parts_are_those_that_mypi_gives(sending: Deployment) -> None:
    path = place(sending.front, "acme-lib")
    etag = sending.front.get(path).headers["ETag"]
    size = len(wheel("acme-lib", "1.0+local.1", 3 * MIB).data)
    for asked in (
        {"Range": "bytes=5-14"},
        {"Range": "bytes=-10000"},
        {"Range": f"bytes=-{size + 5}"},
        {"Range": f"bytes={size - 5}-"},
        {"Range": f"bytes={size}-"},
        {"Range": "bytes=0-1,5-6"},
        {"Range": "bytes=9-2"},
        {"Range": "bytes=5-14", "If_Range": etag},
        {"Range": "bytes=5-14", "If_Range": '"another"'},
        {"Range": "bytes=5-14", "If_Range": "Thu, 01 Jan 2099 00:00:00 GMT"},
    ):
        direct, through = sending.behind.get(path, **asked), sending.front.get(path, **asked)
        assert through.status == direct.status, asked
        assert through.body == direct.body, asked
        for header in ("Content-Range", "Content-Length", "ETag"):
            assert through.headers[header] == direct.headers[header], (asked, header)


def test_conditions_and_head_are_answered_by_mypi(sending: Deployment) -> None:
    path = place(sending.front, "acme-lib")
    etag = sending.front.get(path).headers["ETag"]
    later = "Thu, 01 Jan 2099 00:00:00 GMT"
    for asked in ({"If_None_Match": etag}, {"If_None_Match": "*"}, {"If_None_Match": f'"x", W/{etag}'}):
        known = sending.front.get(path, **asked)
        assert (known.status, known.body, known.headers["ETag"]) == (304, b"", etag), asked
        assert "X-Accel-Redirect" not in told(sending, path, **asked).headers
    for asked in ({"If_Modified_Since": later}, {"If_Match": '"x"'}, {"If_Unmodified_Since": later[:-9] + "GMT"}):
        assert sending.front.get(path, **asked).status == 200, asked
    head = sending.front.ask("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(wheel("acme-lib", "1.0+local.1", 3 * MIB).data))


def test_rights_are_looked_at_before_nginx_is_told(sending: Deployment) -> None:
    path = place(sending.front, "secret-lib", **basic())
    assert sending.front.get(path).status == 401
    assert sending.front.get(path, **basic("bob")).status == 404
    assert sending.front.get(path, Authorization="Basic bm9ib2R5Ong=").status == 401
    mine = sending.front.get(path, **basic())
    assert (mine.status, mine.body) == (200, wheel("secret-lib", "1.0+local.1", 3 * MIB).data)
    assert "private" in mine.headers["Cache-Control"]
    assert {"Authorization", "Cookie"} <= set(mine.headers["Vary"].split(", "))
    assert sending.front.get(path.replace("secret", "absent"), **basic()).status == 404


def test_place_of_the_files_cannot_be_asked_from_outside(sending: Deployment) -> None:
    path = place(sending.front, "acme-lib")
    inside = told(sending, path).headers["X-Accel-Redirect"]
    for address in (inside, f"/./{inside[1:]}", f"/x/..{inside}", inside.replace("_mypi", "%5Fmypi"), f"/{inside}"):
        assert sending.front.get(address).status in (400, 404), address
    for header in ("X-Accel-Redirect", "X-Sendfile-Type", "X-Original-URL", "X-Rewrite-URL"):
        assert sending.front.get("/+health", **{header: inside}).body == sending.front.get("/+health").body


def test_who_asks_past_nginx_gets_the_bytes_whatever_a_client_of_nginx_says(sending: Deployment) -> None:
    path = place(sending.behind, "acme-lib")
    data = wheel("acme-lib", "1.0+local.1", 3 * MIB).data
    assert sending.behind.get(path).body == data
    assert sending.behind.get(path, X_Sendfile_Type="X-Sendfile").body == data
    assert sending.front.get(path, X_Sendfile_Type="none").body == data


def test_nothing_but_files_is_there_even_for_nginx_itself(sending: Deployment) -> None:
    """Another site of the same nginx, or a mistake in one, cannot read documents through it."""
    trap = "".join(
        f"location = /trap{number} {{ rewrite ^ /_mypi_files/{name} last; }}\n"
        for number, name in enumerate(("accounts.json", "indexes/main.json", ".spool/x", "files/../store.json"))
    )

    def site(text: str) -> str:
        return text.replace("    location / {", f"{trap}    location / {{")

    with beside(sending, site) as front:
        for number in range(4):
            answer = front.get(f"/trap{number}")
            assert answer.status == 404, answer
            assert b"revision" not in answer.body


@contextlib.contextmanager
def beside(found: Deployment, change: nginxes.Change) -> Iterator[Server]:
    """Start another nginx in front of the same mypi, with a change to what the command wrote."""
    folder, port = found.folder / f"nginx-{time.monotonic_ns()}", processes.free_port()
    folder.mkdir()
    site = change(found.site.replace("    listen 80;\n    listen [::]:80;\n", f"    listen 127.0.0.1:{port};\n"))
    with nginxes.nginx(folder, port, site) as front:
        yield front


def test_file_that_nginx_cannot_read_is_sent_by_mypi(sending: Deployment) -> None:
    """Also one that a sweep takes between the two."""
    path = place(sending.front, "acme-lib")
    with beside(sending, lambda site: site.replace("/var/", "/elsewhere/")) as front:
        whole, part = front.get(path), front.get(path, Range="bytes=5-14")
        assert "X-Accel-Redirect" not in whole.headers
    data = wheel("acme-lib", "1.0+local.1", 3 * MIB).data
    assert (whole.status, whole.body) == (200, data)
    assert (part.status, part.body) == (206, data[5:15])


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_damaged_file_is_no_200_and_no_404(sending: Deployment, damage: str) -> None:
    package = wheel("acme-hurt", damage.replace("cut", "1").replace("gone", "2"))
    assert sending.front.upload(package).status == 200
    path = sending.front.url("acme-hurt", sending.front.files("acme-hurt")[package.filename])
    kept = next((sending.folder / "var").rglob(package.filename))
    kept.chmod(0o600)
    if damage == "cut":
        kept.write_bytes(package.data[:-1])
    else:
        kept.unlink()
    assert sending.front.get(path).status == 503


def test_removed_file_is_gone_at_once(sending: Deployment) -> None:
    package = wheel("acme-gone")
    sending.front.upload(package)
    path = place(sending.front, "acme-gone")
    assert sending.front.get(path).status == 200
    assert processes.mypi(sending.ini, "remove", "-y", "acme-gone", "1.0").returncode == 0
    assert sending.front.get(path).status == 404


def test_pages_are_packed_once_and_what_mypi_leaves_by_nginx(sending: Deployment) -> None:
    page = sending.front.get("/", Accept="text/html,application/xhtml+xml", Accept_Encoding="gzip")
    assert page.headers["Content-Encoding"] == "gzip"
    assert sending.front.get("/", Accept="text/html", If_None_Match=page.headers.get("ETag", "none")).status in (
        200,
        304,
    )
    for number in range(20):
        sending.front.upload(wheel("acme-many", f"{number}.0"))
    direct = sending.behind.get("/simple/acme-many/", Accept=OURS, Accept_Encoding="gzip")
    through = sending.front.get("/simple/acme-many/", Accept=OURS, Accept_Encoding="gzip")
    assert direct.headers["Content-Encoding"] == through.headers["Content-Encoding"] == "gzip"
    assert through.body == direct.body
    assert through.headers["ETag"] == direct.headers["ETag"]

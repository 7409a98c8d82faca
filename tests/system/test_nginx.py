"""What `mypi nginx-config` writes, in a real nginx: files that it sends itself, and answers that it keeps."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest

from mypi.commands.fronting import ACCEPTED
from mypi.views.negotiation import JSON
from tests.system import nginxes, processes
from tests.system.nginxes import Deployment, deployment
from tests.system.processes import MIB, Server, wheel

USER, PASSWORD = "alice", "a long enough password"
OURS = ACCEPTED[5]


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
    own = ("x-request-id", "server", "date", "connection", "via", "keep-alive")
    ours, theirs = (
        sorted((name.lower(), value) for name, value in answer.headers.items() if name.lower() not in own)
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


# The fast profile


@pytest.fixture(scope="module")
def fast(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """nginx that keeps pages and files for a second, before an index with a public and a secret project."""
    folder = tmp_path_factory.mktemp("fast")
    with deployment(folder, "--profile", "fast", accel="nginx", **users(folder)) as found:
        for name in ("acme-lib", "secret-lib"):
            assert found.front.upload(wheel(name, "1.0", 3 * MIB)).status == 200
        yield found


def test_upload_is_seen_when_its_time_is_over(fast: Deployment) -> None:
    fast.front.upload(wheel("acme-new", "1.0"))
    known = fast.front.get("/simple/acme-new/", Accept=OURS)
    assert known.status == 200
    fast.front.upload(wheel("acme-new", "2.0"))
    next_second()
    again = fast.front.get("/simple/acme-new/", Accept=OURS)
    assert b"acme_new-2.0" in again.body
    same = fast.front.get("/simple/acme-new/", Accept=OURS, If_None_Match=again.headers["ETag"])
    assert (same.status, same.body) == (304, b"")


def next_second() -> None:
    """Wait until the second is over in which nginx may keep what it has, by its own clock too, which lags a little."""
    time.sleep(1.1 - time.time() % 1)


def test_page_that_was_asked_for_all_the_while_is_new_in_the_next_second(fast: Deployment) -> None:
    """nginx asks again, by ETag, and is told anew until when: of what has not changed, and of what has."""
    for number in range(3):
        for _ in range(2):
            fast.front.get("/simple/acme-often/", Accept=OURS)
            next_second()
        fast.front.upload(wheel("acme-often", f"{number}.0"))
        next_second()
        page = fast.front.get("/simple/acme-often/", Accept=OURS)
        assert f"acme_often-{number}.0-".encode() in page.body
        assert "X-Accel-Expires" not in page.headers


@pytest.mark.parametrize("packing", ["identity", "gzip, deflate", "br, gzip;q=0"])
def test_each_form_is_kept_by_itself(fast: Deployment, packing: str) -> None:
    for number in range(20):
        fast.behind.upload(wheel("acme-many", f"{number}.0"))
    browsers = ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/xhtml+xml")
    unusual = (
        "application/vnd.pypi.simple.latest+json",
        "text/html;q=0",
        "image/png",
        "text/html, */*;q=0.1, x/y",
        "?",
        "TEXT/HTML",
        JSON.upper(),
    )
    for path in ("/simple/acme-many/", "/acme-many/", "/simple/", "/simple/acme-many/?format=text/html"):
        for accept in (*ACCEPTED, *browsers, *unusual) * 2:
            direct, through = (
                each.get(path, Accept=accept, Accept_Encoding=packing) for each in (fast.behind, fast.front)
            )
            assert through.status == direct.status, (path, accept)
            assert through.headers["Content-Type"] == direct.headers["Content-Type"], (path, accept)
            if "xhtml" not in accept:  # each of these has a token of its own
                assert through.body == direct.body, (path, accept)
                assert through.headers["Content-Encoding"] == direct.headers["Content-Encoding"], (path, accept)


def test_private_page_is_shown_to_nobody_else(fast: Deployment) -> None:
    path = place(fast.front, "secret-lib", **basic())
    for _ in range(2):
        for address in ("/simple/secret-lib/", "/secret-lib/", path):
            assert fast.front.get(address, Accept=OURS, **basic()).status == 200, address
            assert fast.front.get(address, Accept=OURS).status == 401, address
            assert fast.front.get(address, Accept=OURS, **basic("bob")).status == 404, address
            for wrong in ("0", "Basic 0", ""):
                assert fast.front.get(address, Accept=OURS, Authorization=wrong).status == 401, (address, wrong)
            assert fast.front.get(address, Accept=OURS, Cookie="mypi-session=x").status == 401, address
        assert b"secret-lib" not in fast.front.get("/simple/", Accept=OURS).body
        assert b"secret-lib" in fast.front.get("/simple/", Accept=OURS, **basic()).body
        assert b"secret-lib" not in fast.front.get("/simple/", Accept=OURS, **basic("bob")).body
        assert b"secret-lib" not in fast.front.get("/simple/", Accept=OURS, Cookie="0").body


def test_file_of_the_cache_is_the_same_whole_and_in_part(fast: Deployment) -> None:
    path, data = place(fast.front, "acme-lib"), wheel("acme-lib", "1.0", 3 * MIB).data
    for _ in range(2):
        assert fast.front.get(path).body == data
        part = fast.front.get(path, Range="bytes=5-14")
        assert (part.status, part.body) == (206, data[5:15])
        head = fast.front.ask("HEAD", path)
        assert (head.status, head.headers["Content-Length"]) == (200, str(len(data)))
    whole = fast.front.get(path)
    assert whole.headers["ETag"] == fast.behind.get(path).headers["ETag"]
    assert "immutable" in whole.headers["Cache-Control"]
    assert fast.front.get(path, If_None_Match=whole.headers["ETag"]).status == 304
    secret = place(fast.front, "secret-lib", **basic())
    mine = fast.front.get(secret, **basic(), Range="bytes=5-14")
    assert (mine.status, mine.body) == (206, wheel("secret-lib", "1.0", 3 * MIB).data[5:15])


def test_what_is_kept_is_shown_while_mypi_restarts(fast: Deployment) -> None:
    path = place(fast.front, "acme-lib")
    page, file = fast.front.get("/simple/acme-lib/", Accept=OURS), fast.front.get(path)
    fast.behind.kill()
    try:
        time.sleep(1.1)  # what is kept is older than its second by now
        stale = fast.front.get("/simple/acme-lib/", Accept=OURS)
        assert (stale.status, stale.body) == (200, page.body)
        assert fast.front.get(path).body == file.body
        for headers in (basic(), {"Cookie": "mypi-session=x"}, {"Accept": "text/html,application/xhtml+xml"}):
            assert fast.front.get("/simple/acme-lib/", **{"Accept": OURS, **headers}).status == 502, headers
        assert fast.front.get("/simple/acme-lib/", Accept=ACCEPTED[4]).status in (200, 502)
    finally:
        fast.restart()
    assert fast.front.upload(wheel("acme-later")).status == 200
    assert fast.front.get("/simple/acme-later/", Accept=OURS).status == 200


def test_nothing_is_sent_to_mypi_by_who_is_not_known_but_once_a_second(fast: Deployment) -> None:
    """A public file comes from the cache: a removal holds once the second is over."""
    package = wheel("acme-gone")
    fast.front.upload(package)
    path = place(fast.front, "acme-gone")
    assert fast.front.get(path).status == 200
    assert processes.mypi(fast.ini, "remove", "-y", "acme-gone", "1.0").returncode == 0
    next_second()
    assert fast.front.get(path).status == 404


# Elsewhere: under a path, behind TLS, over a ZODB

OTHERS = '    location / { return 200 "another page"; }\n'


def test_under_a_path_by_https_over_zodb(tmp_path: Path) -> None:
    pem, key = nginxes.certificate(tmp_path)
    with deployment(
        tmp_path,
        *("--tls-cert", str(pem), "--tls-key", str(key)),
        server="url_prefix = /py.pi\n",
        change=lambda site: site.replace("    # Other pages of this host go here.\n", OTHERS),
        accel="nginx",
        storage="zodb",
        storage__path=str(tmp_path / "zodb"),
    ) as found:
        package = wheel("acme-lib", "1.0", 2 * MIB)
        content_type, body = package.form()
        for address in ("/py.pi/", "/py.pi", "/py.pi/legacy/", "/py.pi/simple"):
            assert found.front.ask("POST", address, body, Content_Type=content_type).status == 200, address
        assert found.front.ask("POST", "/pyxpi/", body, Content_Type=content_type).body == b"another page"
        file = next(iter(found.behind.files("acme-lib").values()))
        path = "/py.pi" + found.behind.url("acme-lib", file)
        redirect = told(found, path).headers["X-Accel-Redirect"]
        assert redirect.startswith("/py.pi/_mypi_files/0x")
        assert found.front.get(path).body == package.data
        assert found.front.get(path, Range="bytes=5-14").body == package.data[5:15]
        assert found.front.get(redirect).status == 404

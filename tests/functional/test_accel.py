"""Files that a web server in front sends (``mypi.accel``): when it is told of them, and when mypi sends them itself."""

from __future__ import annotations

import http.client
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mypi import server
from mypi.backends.filesystem import FilesystemStore
from mypi.backends.memory import MemoryStore
from mypi.options import SettingError
from mypi.server import options
from mypi.settings import Settings
from mypi.upstream import shelf
from mypi.upstream.flights import SMALL
from mypi.views.handing import PLACE
from tests import upstreams
from tests.builders import sdist, wheel
from tests.functional.conftest import Index
from tests.functional.support import served

NAME, CONTENT = wheel("acme-lib", "1.0+le.x")
PROXY = {"mypi.accel": True}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("accel")


@pytest.fixture(scope="module")
def index(folder: Path) -> Iterator[Index]:
    """An index in a folder, which holds a wheel, and whose files nginx is to send."""
    index = over(folder, accel="nginx")
    index.publish(NAME, CONTENT)
    yield index
    index.repository.close()


def over(folder: Path, **settings: str) -> Index:
    store = FilesystemStore(str(folder))
    store.check()
    return Index.over(store, storage="filesystem", **{"storage.path": str(folder)}, **settings)


def accel(index: Index, url: str, *, status: int = 200, **headers: str) -> Any:
    """Ask as nginx does that sends files."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return index.get(url, headers=named, extra_environ=PROXY, status=status)


def test_A6_6_the_file_is_named_by_its_key_and_all_else_is_as_it_is(index: Index, folder: Path) -> None:
    url = index.url("acme-lib", NAME)
    whole, told = index.get(url), accel(index, url)
    place = told.headers.pop("X-Accel-Redirect")
    assert place.startswith(f"{PLACE}files/main/acme-lib/")
    assert place.endswith("acme_lib-1.0%2Ble.x-py3-none-any.whl")
    assert (folder / place.removeprefix(PLACE).replace("%2B", "+")).read_bytes() == CONTENT
    assert told.body == b""
    # Length and Accept-Ranges are those of whoever sends.
    assert told.headers.pop("Content-Length") == "0"
    del whole.headers["Content-Length"], whole.headers["Accept-Ranges"], whole.headers["X-Request-ID"]
    del told.headers["X-Request-ID"]
    assert sorted(told.headers.items()) == sorted(whole.headers.items())


def test_the_place_stands_below_the_prefix(index: Index) -> None:
    url = index.url("acme-lib", NAME)
    told = index.get(url, extra_environ={**PROXY, "SCRIPT_NAME": "/pypi"})
    assert told.headers["X-Accel-Redirect"].startswith(f"/pypi{PLACE}files/")


@pytest.mark.parametrize("asked", [{"Range": "bytes=5-14"}, {"Range": "bytes=-9999999"}])
def test_A6_4_a_part_is_found_by_who_sends(index: Index, asked: dict[str, str]) -> None:
    told = accel(index, index.url("acme-lib", NAME), **asked)
    assert "X-Accel-Redirect" in told.headers
    assert "Content-Range" not in told.headers


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ({"Range": "bytes=0-1,5-6"}, 200),
        ({"Range": "bytes=9-2"}, 200),
        ({"Range": "bytes=5-14", "If_Range": '"another"'}, 200),
        ({"Range": "bytes=99999999-"}, 416),
        ({"If_None_Match": "*"}, 304),
        ({"If_Match": '"x"'}, 200),
        ({"If_Unmodified_Since": "Thu, 01 Jan 1970 00:00:00 GMT"}, 200),
    ],
)
def test_what_is_read_in_two_ways_is_answered_by_mypi(index: Index, asked: dict[str, str], status: int) -> None:
    answer = accel(index, index.url("acme-lib", NAME), status=status, **asked)
    assert "X-Accel-Redirect" not in answer.headers
    assert (answer.body == CONTENT) is (status == 200)


def test_head_sidecars_pages_and_who_is_not_the_proxy_are_answered_by_mypi(index: Index) -> None:
    url = index.url("acme-lib", NAME)
    head = index.head(url, extra_environ=PROXY)
    assert (head.headers["Content-Length"], "X-Accel-Redirect" in head.headers) == (str(len(CONTENT)), False)
    assert accel(index, f"{url}.metadata").body.startswith(b"Metadata-Version")
    assert accel(index, "/simple/acme-lib/").body
    assert index.get(url, headers={"X-Sendfile-Type": "X-Accel-Redirect"}).body == CONTENT


def test_rights_and_removal_come_first(tmp_path: Path) -> None:
    index = over(tmp_path, accel="nginx", **{"read.acme-*": "users"})
    index.publish(*sdist())
    name, content = wheel("six")
    index.publish(name, content)
    listed = index.url("six", name)
    path = next(Path(tmp_path).rglob("acme_lib-1.0.tar.gz"))
    accel(index, f"/files/acme-lib/{path.parent.name}/{path.name}", status=401)
    assert "X-Accel-Redirect" in accel(index, listed).headers
    accel(index, listed.replace("/six/", "/sex/"), status=404)
    index.repository.close()


@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_invariant_3_damaged_bytes_are_not_handed_over(index: Index, folder: Path, damage: str) -> None:
    name, content = wheel(f"acme-{damage}")
    index.publish(name, content)
    url, kept = index.url(f"acme-{damage}", name), next(folder.rglob(name))
    kept.chmod(0o600)
    if damage == "cut":
        kept.write_bytes(content[1:])
    else:
        kept.unlink()
    accel(index, url, status=503)


def test_without_the_setting_nobody_is_told(tmp_path: Path) -> None:
    index = over(tmp_path)
    index.publish(NAME, CONTENT)
    assert accel(index, index.url("acme-lib", NAME)).body == CONTENT
    index.repository.close()


def test_a_path_elsewhere_is_not_named(tmp_path: Path) -> None:
    """As where the settings and the store that is open differ."""
    store = FilesystemStore(str(tmp_path / "one"))
    store.check()
    given = {"storage": "filesystem", "storage.path": str(tmp_path / "on"), "accel": "nginx"}
    index = Index.over(store, **given)
    index.publish(NAME, CONTENT)
    assert accel(index, index.url("acme-lib", NAME)).body == CONTENT
    index.repository.close()


def test_a_store_without_local_files_is_refused() -> None:
    with pytest.raises(SettingError, match=r"mypi\.accel = nginx: a web server can send only files of its own host"):
        Settings.load({"mypi.storage": "memory", "mypi.upload": "everyone", "mypi.accel": "nginx"}, {})
    with pytest.raises(SettingError, match="write nginx or leave it empty"):
        Settings.load({"mypi.storage": "memory", "mypi.upload": "everyone", "mypi.accel": "apache"}, {})
    assert MemoryStore.local() is None


@pytest.mark.parametrize("size", [100, SMALL + 100])
def test_an_upstreams_file_is_named_once_it_was_read_whole_and_right(tmp_path: Path, size: int) -> None:
    with upstreams.running(tmp_path) as elsewhere:
        data = bytes(range(100)) * (size // 100)
        elsewhere.add("six", "six-1.0-py3-none-any.whl", data)
        index = over(tmp_path / "var", accel="nginx", **elsewhere.settings())
        url = index.url("six", "six-1.0-py3-none-any.whl")
        assert index.get(url).body == data  # on its way, and kept
        for _ in range(300):
            first = accel(index, url)
            if "X-Accel-Redirect" in first.headers:
                break
            assert first.body == data
        place = first.headers["X-Accel-Redirect"]
        assert place.startswith(f"{PLACE}upstream-files/")
        kept = tmp_path / "var" / place.removeprefix(PLACE)
        assert kept.read_bytes() == data
        assert accel(index, url, Range="bytes=5-14").headers["X-Accel-Redirect"] == place
        kept.chmod(0o600)
        kept.write_bytes(data[1:])
        assert accel(index, url).body == data  # of another size: fetched again
        index.repository.close()


# What the server says of who asks


@pytest.mark.parametrize(
    ("given", "header", "believed"),
    [
        ({"trusted_proxy": "127.0.0.1"}, "X-Accel-Redirect", True),
        ({"trusted_proxy": "127.0.0.1"}, "x-accel-redirect", True),
        ({"trusted_proxy": "127.0.0.1"}, "X-Sendfile", False),
        ({"trusted_proxy": "127.0.0.1"}, None, False),
        ({"trusted_proxy": "192.0.2.1"}, "X-Accel-Redirect", False),
        ({}, "X-Accel-Redirect", False),
    ],
)
def test_only_the_trusted_proxy_may_say_that_it_sends(
    given: dict[str, str], header: str | None, believed: bool
) -> None:
    seen = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append(environ["mypi.accel"])
        start_response("200 OK", [("Content-Length", "0")])
        return []

    with served(application, **given) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        # Whom it claims to speak for changes nothing.
        connection.request("GET", "/", headers={"X-Sendfile-Type": header} if header else {})
        connection.getresponse().read()
        connection.close()
    assert seen == [believed]


@pytest.mark.parametrize(
    ("trusted", "header", "status", "told"),
    [
        ("127.0.0.1", "X-Accel-Expires", "200 OK", True),
        ("127.0.0.1", "x-accel-expires", "304 Not Modified", True),
        ("127.0.0.1", "X-Accel-Expires", "404 Not Found", False),
        ("127.0.0.1", "another", "200 OK", False),
        ("127.0.0.1", None, "200 OK", False),
        ("192.0.2.1", "X-Accel-Expires", "200 OK", False),
    ],
)
def test_the_trusted_proxy_may_keep_an_answer_to_the_end_of_its_second(
    trusted: str, header: str | None, status: str, told: bool
) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        assert "HTTP_X_EXPIRES_TYPE" not in environ
        start_response(status, [])
        return []

    with served(application, trusted_proxy=trusted) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        before = int(time.time())
        connection.request("GET", "/", headers={"X-Expires-Type": header} if header else {})
        answer = connection.getresponse()
        answer.read()
        connection.close()
    until = answer.headers.get("X-Accel-Expires")
    assert (until is not None) is told
    assert until is None or before <= int(until.removeprefix("@")) <= int(time.time())


@pytest.mark.parametrize("given", [{}, {"trusted_proxy": "127.0.0.1"}])
def test_a_proxy_that_nobody_named_is_warned_of(
    index: Index, given: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "mypi.server")
    with served(index.app, **given):
        pass
    assert ("no proxy would be told to send files" in caplog.text) is not bool(given)


def test_an_application_without_registry_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    rules, keywords = options.read({})
    server._warn_of_files(lambda environ, start: [], server.adjust(rules, keywords))
    assert not caplog.text


def test_what_was_found_right_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "_REMEMBERED", 1)
    with upstreams.running(tmp_path) as elsewhere:
        for name in ("six", "seven"):
            elsewhere.add(name, f"{name}-1.0-py3-none-any.whl", name.encode())
        index = over(tmp_path / "var", accel="nginx", **elsewhere.settings())
        for name in ("six", "seven", "six"):
            url = index.url(name, f"{name}-1.0-py3-none-any.whl")
            for _ in range(300):
                if "X-Accel-Redirect" in accel(index, url).headers:
                    break
        assert "X-Accel-Redirect" in accel(index, url).headers
        index.repository.close()

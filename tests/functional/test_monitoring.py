"""What watches an index: its numbers, whether it can work, and the id of each request."""

from __future__ import annotations

import contextlib
import errno
import io
import json
import logging
import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from typing import IO

import pytest
from pyramid.request import Request

from mypi.application import application
from mypi.backends.memory import MemoryStore
from mypi.logs import Json, Text
from mypi.metrics import Metrics
from mypi.readiness import Readiness
from mypi.repository import Repository
from mypi.settings import Settings
from mypi.store import Full, Reader, Sealed, Tag, Unavailable
from mypi.testing.doubles import WrappedStore
from tests.accounts import add_token, add_users, basic, bearer
from tests.builders import wheel
from tests.functional.conftest import Index
from tests.functional.support import BROWSER, JSON, one_store, served

store = one_store

NAME, CONTENT = wheel("acme-lib")


class Away(WrappedStore):
    """Can be switched off: ``away`` is raised by everything, ``closed`` by what asks for writes, ``spooled`` on spools.

    While ``gate`` is closed nothing is answered.
    """

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(store)
        self.away: Exception | None = None
        self.closed: Exception | None = None
        self.spooled: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.opened = 0

    def _open(self, key: str, start: int, stop: int | None, unless: Tag | None) -> Reader:
        self.opened += 1
        assert self.gate.wait(30)
        if self.away:
            raise self.away
        return super()._open(key, start, stop, unless)

    def probe(self) -> None:
        if self.closed:
            raise self.closed

    def spool(self) -> IO[bytes]:
        if self.spooled:
            raise self.spooled
        return super().spool()


@pytest.fixture
def far(store: MemoryStore) -> Away:
    return Away(store)


def numbers(index: Index, **headers: str) -> dict[str, float]:
    """Return every number of an index by its name and labels."""
    lines = index.get("/+metrics", headers=headers).text.splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def looking_anew(index: Index, **given: float) -> Readiness:
    """Have an index look at its store each time it is asked."""
    made = Readiness(index.repository, **{"fresh": 0.0, "patience": 30.0, **given})
    index.app.registry["mypi.readiness"] = made
    return made


# Numbers


def test_metrics_count_requests_by_kind_of_address(make_index):
    index = make_index(manage="everyone")
    index.publish(NAME, CONTENT)
    before = numbers(index)
    for path, headers in (
        ("/simple/", {}),
        ("/simple/acme-lib/", {}),
        ("/simple/acme-lib/", {"Accept": BROWSER}),
        ("/acme-lib/", {}),
        ("/acme-lib/", {"Accept": BROWSER}),
        ("/pypi/acme-lib/json", {}),
        ("/project/acme-lib/", {}),
        ("/+search?q=acme", {}),
        ("/", {}),
        (index.url("acme-lib", NAME), {}),
        (index.url("acme-lib", NAME) + ".metadata", {}),
        ("/+health", {}),
        ("/robots.txt", {}),
        ("/simple/nothing/", {}),
        ("/%00", {}),
    ):
        index.get(path, headers=headers, status="*")
    after = numbers(index)

    def more(kind: str, status: int = 200) -> float:
        name = f'mypi_requests_total{{kind="{kind}",method="GET",status="{status}"}}'
        return after.get(name, 0) - before.get(name, 0)

    assert {kind: more(kind) for kind in ("index", "simple", "json", "page", "file", "metadata")} == {
        "index": 1,
        "simple": 3 + 2,  # index.url asks for the page
        "json": 1,
        "page": 4,
        "file": 1,
        "metadata": 1,
    }
    assert more("other") == 3  # and the numbers themselves
    assert more("simple", 404) == 1
    assert more("other", 400) == 1
    assert after['mypi_sent_bytes_total{kind="file"}'] == len(CONTENT)
    assert after['mypi_received_bytes_total{kind="upload"}'] > len(CONTENT)
    assert after['mypi_requests_total{kind="upload",method="POST",status="200"}'] == 1
    assert after['mypi_request_seconds_count{kind="file"}'] == 1
    assert after['mypi_cache_lookups_total{cache="pages",outcome="kept"}'] > 0
    assert after['mypi_cache_lookups_total{cache="documents",outcome="unchanged"}'] > 0
    assert (after["mypi_store_readable"], after["mypi_store_writable"]) == (1, 1)
    scrub = ("mypi_scrub_damaged", "mypi_scrub_reading", "mypi_scrub_rounds_total")
    assert [after[name] for name in scrub] == [0, 0, 0]
    assert not any("acme" in name for name in after)


def test_metrics_count_no_body_that_head_announces(make_index):
    index = make_index(manage="everyone")
    index.publish(NAME, CONTENT)
    index.head(index.url("acme-lib", NAME))
    assert numbers(index)['mypi_sent_bytes_total{kind="file"}'] == 0


def test_metrics_count_no_length_that_is_none(make_index):
    index = make_index(manage="everyone")
    for length in ("-5", "x", "9" * 5000, "\u00b2"):
        answer = Request.blank("/simple/", environ={"CONTENT_LENGTH": length}).get_response(index.app)
        assert answer.status_int < 500
    assert numbers(index)['mypi_received_bytes_total{kind="index"}'] == 0


def test_metrics_count_refused_uploads_by_reason(make_index):
    index = make_index(manage="everyone", refuse="long-summary")
    index.publish(NAME, CONTENT)
    index.publish(NAME, wheel("acme-lib", summary="Another")[1], status=409)
    index.publish(*wheel("acme-lib", "3.0", summary="long " * 200), status=400)
    index.publish("acme_lib-2.0-py3-none-any.whl", b"no archive", status=400)
    index.publish(NAME, CONTENT, status=400, name=None)
    index.publish(NAME, CONTENT, status=400, version="x y")
    index.post("/", {":action": "doc_upload"}, status=410)
    seen = numbers(index)
    reasons = {
        re.findall('"(.*)"', name)[0]: count for name, count in seen.items() if "mypi_uploads_refused_total" in name
    }
    assert reasons == {"taken": 1, "rule": 1, "archive": 1, "other": 1, "name": 1, "action": 1}


def test_metrics_count_what_a_page_refused(make_index):
    index = make_index(manage="everyone")
    token = re.search(r'name="csrf_token" value="([^"]+)"', index.get("/+upload").text)
    form = {"csrf_token": token[1]} if token else {}
    index.post("/+upload", form, upload_files=[("content", "x.whl", b"x")], status=400)
    assert any("mypi_uploads_refused_total" in name for name in numbers(index))


def test_metrics_count_a_body_that_is_too_large_as_size(make_index):
    index = make_index(manage="everyone", upload_limit="10")
    index.publish(NAME, CONTENT, status=413)
    assert numbers(index)['mypi_uploads_refused_total{reason="size"}'] == 1


def test_metrics_count_what_the_server_refused_before_the_application(make_index):
    index = make_index(manage="everyone", upload="users")
    with served(index.app) as port, socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
        assert b" 401 " in sock.recv(65536)
    assert numbers(index)['mypi_server_refusals_total{status="401"}'] == 1


def test_metrics_count_calls_of_the_store(store):
    metrics = Metrics()
    settings = Settings.load({"mypi.storage": "memory", "mypi.manage": "everyone", "mypi.upload": "everyone"}, {})
    watched = metrics.around("storage", store)
    index = Index(application(settings, Repository(watched, watched, settings), metrics=metrics))
    index.publish(NAME, CONTENT)
    seen = numbers(index)
    # A file with its metadata, together.
    assert seen['mypi_store_calls_total{operation="add",outcome="ok",role="storage"}'] == 1
    assert seen['mypi_store_calls_total{operation="swap",outcome="ok",role="storage"}'] >= 2
    assert seen['mypi_store_calls_total{operation="open",outcome="absent",role="storage"}'] >= 1
    assert seen['mypi_store_seconds_count{operation="add",role="storage"}'] == 1


def test_metrics_are_for_who_manages_unless_somebody_is_named(make_index):
    index = make_index(manage="user:ada", metrics="user:alice user:bob")
    add_users(index.repository, "ada", "alice", "bob")
    index.get("/+metrics", status=401)
    index.get("/+metrics", headers=basic("ada"), status=403)
    assert "mypi_info" in index.get("/+metrics", headers=basic("alice"), status=200).text
    everyone = make_index(read="user:ada", manage="user:ada", metrics="everyone")
    everyone.get("/+metrics", status=200)


def test_metrics_are_for_a_token_that_may_read_all(make_index):
    index = make_index(manage="user:ada")
    add_users(index.repository, "ada")
    for permissions, projects, status in ((["read"], "*", 200), (["read"], "acme-*", 403), (["upload"], "*", 403)):
        token = add_token(index.repository, "ada", permissions, projects, name=f"{status}{projects}{permissions}")
        answer = index.get("/+metrics", headers=bearer(token), status=status)
        assert answer.cache_control.no_store
    assert "has no right to monitor on this index" in answer.text


def test_metrics_that_nobody_may_see_are_403(make_index):
    assert "Nobody may monitor here" in make_index(manage="owners").get("/+metrics", status=403).text


def test_metrics_and_readiness_are_told_under_any_host_name(make_index):
    index = make_index(allowed_hosts="pypi.example.com", manage="everyone")
    for path in ("/+metrics", "/+ready"):
        index.get(path, headers={"Host": "10.0.0.1"}, status=200)


# Whether it can work


def test_ready_needs_nobody_and_is_kept_by_nobody(make_index):
    answer = make_index(read="nobody", upload="nobody", manage="nobody").get("/+ready", status=200)
    assert answer.text == "ready\n"
    assert answer.cache_control.no_store


SECRET = "s3://bucket.internal/secret"


@pytest.mark.parametrize(
    ("what", "exc", "said", "reads"),
    [
        ("away", Unavailable("store.json", SECRET), "cannot be reached", False),
        ("away", Sealed("store.json", SECRET), "is sealed", False),
        ("closed", Sealed("(probe)", SECRET), "is sealed", True),
        ("closed", Full("(probe)", SECRET), "is full", True),
        ("closed", Unavailable("(probe)", SECRET), "cannot be written", True),
        ("spooled", OSError(errno.ENOSPC, SECRET), "is full", True),
        ("spooled", OSError(errno.EROFS, SECRET), "cannot be written", True),
    ],
)
def test_ready_tells_what_ails_the_store_and_no_more(make_index, far, what, exc, said, reads):
    index = make_index(over=far)
    looking_anew(index)
    index.get("/+ready", status=200)
    setattr(far, what, exc)
    answer = index.get("/+ready", status=503)
    assert said in answer.text
    assert SECRET not in answer.text + str(answer.headers) and "store.json" not in answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert index.get("/+ready?for=reading", status=200 if reads else 503).text == answer.text
    index.get("/+health", status=200)
    setattr(far, what, None)
    index.get("/+ready", status=200)


def test_ready_tells_of_a_store_that_is_another(make_index, far, store):
    index = make_index(over=far)
    looking_anew(index)
    data, tag = store.read("store.json")
    store.swap("store.json", json.dumps({**json.loads(data), "id": "another"}).encode(), tag)
    assert "right disk mounted" in index.get("/+ready", status=503).text


def test_ready_tells_of_a_moved_index(make_index, far, store):
    index = make_index(over=far)
    index.publish(NAME, CONTENT)
    looking_anew(index)
    key = "indexes/main.json"
    data, tag = store.read(key)
    document = {name: value for name, value in json.loads(data).items() if name != "sha256"}
    store.swap(key, json.dumps({**document, "sealed": "2026-01-01T00:00:00Z"}).encode(), tag)
    assert "moves to another place" in index.get("/+ready", status=503).text
    index.get("/+ready?for=reading", status=200)


def test_ready_waits_no_longer_than_its_bound_for_a_store_that_hangs(make_index, far):
    index = make_index(over=far, manage="everyone")
    looking_anew(index, patience=0.05)
    far.gate.clear()
    asked = far.opened
    for _ in range(20):
        assert "does not answer in time" in index.get("/+ready", status=503).text
    assert far.opened == asked + 1, "one look is waited for, and no other is begun"
    assert [thread.name for thread in threading.enumerate()].count("mypi-readiness") == 1
    assert numbers(index)["mypi_store_readable"] == 0
    index.get("/+health", status=200)
    far.gate.set()
    for thread in threading.enumerate():
        if thread.name == "mypi-readiness":
            thread.join(30)
    looking_anew(index)
    index.get("/+ready", status=200)


def test_ready_lets_nobody_load_the_store(make_index, far):
    index = make_index(over=far)
    looking_anew(index, fresh=3600.0)
    index.get("/+ready", status=200)
    asked = far.opened
    for _ in range(20):
        index.get("/+ready", status=200)
    assert far.opened == asked


def test_ready_tells_of_a_mistake_of_ours_only_that(make_index, far, caplog):
    index = make_index(over=far)
    looking_anew(index)
    far.closed = RuntimeError(SECRET)
    answer = index.get("/+ready", status=503)
    assert "mistake" in answer.text and SECRET not in answer.text
    assert SECRET in caplog.text


def test_ready_ends_at_once_when_the_server_is_to_stop(index):
    index.get("/+ready", status=200)
    index.app.registry["mypi.stopping"]()
    answer = index.get("/+ready", status=503)
    assert "being stopped" in answer.text
    index.get("/+ready?for=reading", status=503)
    index.get("/simple/", status=200)
    index.get("/+health", status=200)


# Pages while the store is away


def test_pages_go_on_within_cache_seconds_while_the_store_is_away(make_index, far):
    """Honest is what the operator allowed: a page may be that old, and no older."""
    index = make_index(over=far, cache_seconds="3600")
    index.publish(NAME, CONTENT)
    pages = ["/simple/", "/simple/acme-lib/"]
    shown = {page: index.get(page, headers={"Accept": JSON}).body for page in pages}
    link = index.url("acme-lib", NAME)
    far.away = Unavailable("x", "away")
    for page in pages:
        assert index.get(page, headers={"Accept": JSON}, status=200).body == shown[page]
    for path in ("/simple/never-asked-for/", link):
        answer = index.get(path, status=503)
        assert int(answer.headers["Retry-After"]) > 0
        assert answer.cache_control.no_store
    assert index.publish("acme_lib-2.0-py3-none-any.whl", wheel("acme-lib", "2.0")[1], status=503)
    far.away = None
    assert index.get(link, status=200).body == CONTENT


def test_no_page_is_older_than_cache_seconds_while_the_store_is_away(make_index, far):
    """By default every page is the newest: it is kept in memory, and yet none is shown that may be withdrawn."""
    index = make_index(over=far)
    index.publish(NAME, CONTENT)
    etag = index.get("/simple/acme-lib/").headers["ETag"]
    far.away = Unavailable("x", "away")
    for headers in ({}, {"If-None-Match": etag}):
        answer = index.get("/simple/acme-lib/", headers=headers, status=503)
        assert int(answer.headers["Retry-After"]) > 0
    far.away = None
    index.get("/simple/acme-lib/", headers={"If-None-Match": etag}, status=304)


def test_who_is_out_is_out_also_while_pages_go_on(make_index, far):
    """Accounts are asked for each time: a token that was revoked must not live for as long as a page."""
    index = make_index(over=far, cache_seconds="3600", read="users")
    add_users(index.repository, "alice")
    index.publish(NAME, CONTENT)
    index.get("/simple/acme-lib/", headers=basic("alice"), status=200)
    far.away = Unavailable("x", "away")
    index.get("/simple/acme-lib/", headers=basic("alice"), status=503)


# The id of each request


def test_each_answer_carries_an_id_of_its_own(index):
    ids = [
        index.get(path, status="*").headers["X-Request-ID"] for path in ("/simple/", "/simple/", "/nothing/", "/%00")
    ]
    assert len(set(ids)) == 4
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in ids)


def test_no_client_chooses_the_id(index):
    answer = index.get("/simple/", headers={"X-Request-ID": "mine"})
    assert answer.headers["X-Request-ID"] != "mine"


@pytest.mark.parametrize(
    ("trusted", "given", "taken"),
    [
        ("127.0.0.1", "1a2b.X_y-Z", True),
        ("127.0.0.1", "x" * 64, True),
        ("127.0.0.1", "x" * 65, False),
        ("127.0.0.1", "a b", False),
        ("127.0.0.1", 'a"b', False),
        ("192.0.2.1", "1a2b", False),
        (None, "1a2b", False),
    ],
)
def test_the_trusted_proxy_gives_the_id(index, trusted, given, taken):
    options = {"trusted_proxy": trusted} if trusted else {}
    with served(index.app, **options) as port:
        asked = urllib.request.Request(f"http://127.0.0.1:{port}/simple/", headers={"X-Request-ID": given})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            assert (answer.headers["X-Request-ID"] == given) is taken


@pytest.mark.parametrize("accept", ["text/plain", "application/json", BROWSER], ids=["text", "json", "page"])
def test_an_error_names_its_request(make_index, far, caplog, accept):
    index = make_index(over=far)
    far.away = Unavailable("x", "away")
    answer = index.get("/simple/acme-lib/", headers={"Accept": accept}, status=503)
    assert f"(request {answer.headers['X-Request-ID']})" in answer.text
    assert answer.headers["X-Request-ID"] in answer.status
    far.away = RuntimeError(SECRET)
    answer = index.get("/simple/acme-lib/", headers={"Accept": accept}, status=500)
    assert f"tell its operator (request {answer.headers['X-Request-ID']})" in answer.text
    assert SECRET not in answer.text
    assert "request" not in index.get("/%00", headers={"Accept": "text/plain"}, status=400).text


@contextlib.contextmanager
def written(name: str, formatter: logging.Formatter) -> Iterator[io.StringIO]:
    """Collect what a logger writes through a formatter."""
    found, logger = io.StringIO(), logging.getLogger(name)
    handler, level = logging.StreamHandler(found), logger.level
    handler.setFormatter(formatter)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_the_log_carries_the_id_of_the_request(make_index, far):
    index = make_index(over=far, read="users", manage="nobody")
    add_users(index.repository, "alice")
    with written("mypi", Json()) as ours, written("mypi.access", Text("%(request)s %(message)s")) as access:
        answer = index.get("/simple/?token=secret", headers=basic("alice"), extra_environ={"REMOTE_ADDR": "192.0.2.7"})
        far.away = Unavailable("x", "away")
        failed = index.get("/simple/", headers=basic("alice"), status=503)
    line, error, last = map(json.loads, ours.getvalue().splitlines())
    assert {name: line[name] for name in ("client", "user", "method", "path", "status", "bytes")} == {
        "client": "192.0.2.7",
        "user": "alice",
        "method": "GET",
        "path": "/simple/",
        "status": 200,
        "bytes": len(answer.body),
    }
    assert 0 < line["seconds"] < 30
    assert line["request"] == answer.headers["X-Request-ID"]
    assert error["request"] == last["request"] == failed.headers["X-Request-ID"]
    assert error["level"] == "ERROR" and "Traceback" in error["traceback"]
    assert "secret" not in ours.getvalue() and "wonderland" not in ours.getvalue()
    first, _ = access.getvalue().splitlines()
    assert re.fullmatch(rf"{line['request']} 192\.0\.2\.7 alice GET /simple/ 200 \d+ ms", first)


def test_no_line_is_made_for_an_access_log_that_nobody_keeps(index):
    logger = logging.getLogger("mypi.access")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with written("mypi", logging.Formatter()) as ours:
            logger.setLevel(logging.ERROR)
            index.get("/simple/", status=200)
    finally:
        logger.setLevel(level)
    assert ours.getvalue() == ""

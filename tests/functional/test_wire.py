"""Uploads as real publishing tools sent them, replayed byte for byte (B1, B3).

The archives inside the captures are whole and honest: each is published, but for the egg and the zip of documentation.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import socket

import pytest

from mypi.application import application
from mypi.backends.memory import MemoryStore
from mypi.repository import Repository
from mypi.settings import Settings
from tests import wire
from tests.functional.conftest import Index
from tests.functional.support import served

GONE = ("du27docs-13", "du311docs-14")
EGG = "du27egg-17"
REGISTRATIONS = ("du27reg-3", "du27reg-4", "du311reg-7", "du311reg-8")
UNSUCCESSFUL = (*GONE, EGG)
SIGNED = ("gpg27-9", "gpg311-10", "pdmgpg-11", "twgpg-13")
PUBLISHED = [name for name in wire.names() if name not in (*UNSUCCESSFUL, *REGISTRATIONS)]


def replay(index, name, place="/legacy/"):
    """Send a capture to an address of this index, with its own head and body."""
    capture = wire.load(name)
    return index.request(place, method="POST", headers=capture.headers, body=capture.body, expect_errors=True)


def sent(name) -> tuple[str, str, bytes]:
    """The project, the file name and the bytes of the file in a capture, found without a form parser."""
    body = wire.load(name).body
    head = re.search(rb'name="content"; ?filename="([^"]+)"[^\0]*?\r\n\r\n', body)
    boundary = re.match(rb"\r?\n?(--[^\r\n]+)", body)[1]
    content = body[head.end() : body.index(b"\r\n" + boundary, head.end())]
    filename = head[1].decode()
    return filename.partition("-")[0].replace("_", "-"), filename, content


def stored(store) -> int:
    return sum(1 for _ in store.list())


def test_every_capture_is_accounted_for():
    assert len(wire.names()) == 29
    assert set(UNSUCCESSFUL) | set(REGISTRATIONS) | set(SIGNED) <= set(wire.names())


def test_no_byte_of_a_capture_has_changed():
    # An editor, or a checkout, that mends line ends would leave requests that no client ever sent.
    whole = hashlib.sha256()
    for name in wire.names():
        whole.update(name.encode() + b"\0" + wire.FOLDER.joinpath(f"{name}.bin").read_bytes())
    assert whole.hexdigest() == "675db625e37a9a8765e1398c4ac18b667ffed3c62f08956cc1b5511f10847d08"


def raw(port: int, request: bytes) -> http.client.HTTPResponse:
    """Send a request as it is, and read the answer."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.sendall(request)
        answer = http.client.HTTPResponse(sock)
        answer.begin()
        answer.read()
        return answer


@pytest.fixture
def quick():
    """An index in memory: how bytes become a request does not depend on where files are kept."""
    store = MemoryStore()
    loaded = Settings.load({"mypi.storage": "memory", "mypi.read": "everyone", "mypi.upload": "everyone"}, {})
    return Index(application(loaded, Repository(store, store, loaded)))


@pytest.mark.parametrize("name", wire.names())
def test_A3_4_B1_21_the_server_reads_each_request_byte_for_byte(quick, name):
    # All but the address, which was the recording server's.
    rest = wire.FOLDER.joinpath(f"{name}.bin").read_bytes().partition(b"\r\n")[2]
    with served(quick.app) as port:
        answer = raw(port, b"POST /legacy/ HTTP/1.1\r\n" + rest)
        page = raw(port, b"GET /simple/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.status == (410 if name in GONE else 400 if name == EGG else 200)
    assert all(each.headers["Date"].endswith(" GMT") for each in (answer, page))
    if name in PUBLISHED:
        project, filename, content = sent(name)
        assert quick.get(quick.url(project, filename)).body == content


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name.startswith(("du", "gpg"))])
def test_B3_upload_is_what_distutils_of_every_age_writes(index, name):
    capture = wire.load(name)
    boundary = "--------------GHSKFJDLGDS7543FJKLFHRE75642756743254"
    assert capture.headers["content-type"] == f"multipart/form-data; boundary={boundary}"
    assert capture.body.startswith(f"\r\n--{boundary}\r\n".encode())
    assert b"\r\nContent-Type:" not in capture.body
    assert replay(index, name).status == "200 OK"


@pytest.mark.parametrize("name", PUBLISHED)
def test_B1_1_B2_success_what_each_tool_sends_is_published_with_its_exact_bytes(index, name):
    project, filename, content = sent(name)
    assert replay(index, name).status == "200 OK"
    entry = next(entry for entry in index.json(project)["files"] if entry["filename"] == filename)
    assert entry["size"] == len(content)
    assert index.get(index.url(project, filename)).body == content


@pytest.mark.parametrize("place", ["/", "/simple", "/simple/", "/legacy", "/legacy/"])
@pytest.mark.parametrize("name", ["du27-2", "du311-6", "twine7-19", "uv-28"])
def test_B1_14_each_address_takes_them_without_a_redirect(index, name, place):
    assert replay(index, name, place).status == "200 OK"


@pytest.mark.parametrize("name", PUBLISHED)
def test_B1_15_the_same_upload_again_is_200_and_stores_nothing(index, store, name):
    replay(index, name)
    before = stored(store)
    assert replay(index, name).status == "200 OK"
    assert stored(store) == before


@pytest.mark.parametrize("name", SIGNED)
def test_B2_signature_is_kept_whichever_way_the_tool_sends_it(index, name):
    project, filename, _ = sent(name)
    replay(index, name)
    signature = index.get(index.url(project, filename) + ".asc").body
    assert signature.startswith(b"-----BEGIN")
    assert signature in wire.load(name).body


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_B3_register_notes_the_release(index, name):
    assert replay(index, name).status == "200 OK"
    assert index.json("demo-pkg")["versions"] == ["1.0"]


@pytest.mark.parametrize("name", [name for name in REGISTRATIONS if "authorization" not in wire.load(name).headers])
def test_B3_register_without_credentials_is_asked_for_them(make_index, htpasswd, store, name):
    index = make_index(upload="users", htpasswd=htpasswd)
    before = stored(store)
    answer = replay(index, name)
    assert answer.status_int == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="pypi"'
    assert stored(store) == before


@pytest.mark.parametrize("name", GONE)
def test_B1_2_B3_docs_are_410_and_not_dropped_in_silence(index, store, name):
    before = stored(store)
    answer = replay(index, name)
    assert answer.status_int == 410
    assert "documentation" in answer.status
    assert stored(store) == before


def test_C10_an_egg_is_refused_with_what_to_upload_instead(index, store):
    before = stored(store)
    answer = replay(index, EGG)
    assert answer.status_int == 400
    assert "egg" in answer.status
    assert "wheel" in answer.text
    assert stored(store) == before


@pytest.mark.parametrize("name", PUBLISHED)
def test_B1_5_one_changed_byte_of_the_file_is_noticed(index, store, name):
    _, _, content = sent(name)
    capture = wire.load(name)
    place = capture.body.index(content) + len(content) // 2
    body = capture.body[:place] + bytes([capture.body[place] ^ 1]) + capture.body[place + 1 :]
    before = stored(store)
    answer = index.request("/", method="POST", headers=capture.headers, body=body, expect_errors=True)
    assert answer.status_int == 400
    assert "digest" in answer.status
    assert stored(store) == before

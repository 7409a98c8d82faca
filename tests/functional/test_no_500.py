"""Promise 7: no request answers 5xx because of what it contains. Bounded here, longer with MYPI_TORTURE set."""

from __future__ import annotations

import os
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from webob import Request

from mypi.application import application
from mypi.backends.memory import MemoryStore
from mypi.repository import Repository
from mypi.settings import Settings
from tests.builders import wheel
from tests.functional.conftest import Index
from tests.functional.support import BROWSER, HTML, JSON, PIP, UV_PUBLISH, basic
from tests.tally import Tally

EXAMPLES = 5_000 if os.environ.get("MYPI_TORTURE") else 300

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"]
SEGMENTS = [
    *("simple", "+simple", "legacy", "files", "project", "pypi", "integrity", "robots.txt", "favicon.ico"),
    *(
        "+health",
        "+ready",
        "+metrics",
        "+static",
        "mypi.css",
        "json",
        "1.0",
        "v1.0.0",
        "1.0po%C5%BFt1",
        "acme-lib",
        "Acme.Lib",
        "nothing",
        "acme_lib-1.0-py3-none-any.whl",
    ),
    *("", ".", "..", "@@", "@@home", "*", "*traverse", "%ff", "%00", "%2e%2e", "%2F", "%0d%0a", "%7f", "%u0041", "~"),
    *("TOKEN", "acme_lib-1.0-py3-none-any.whl.metadata", "acme_lib-1.0-py3-none-any.whl.asc", "x" * 300, "\\", "%"),
]
ODD = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40)
VALUES = {
    "Accept": [
        JSON,
        HTML,
        PIP,
        BROWSER,
        UV_PUBLISH,
        "*/*",
        "",
        ";q=",
        'a/b;c="',
        "text/html;q=2",
        ", ,",
        f"{JSON};q=0",
    ],
    "Accept-Encoding": ["gzip", "gzip;q=0", "*", "", "gzip;q=x", "identity;q=0"],
    "Range": [
        "bytes=0-9",
        "bytes=-5",
        "bytes=5-",
        "bytes=-",
        "bytes=9-1",
        "bytes=0-0,5-6",
        "lines=1-2",
        f"bytes={'9' * 5000}-",
    ],
    "If-Range": ['"x"', "x", "W/", "Wed, 99 Foo 2026", '"'],
    "If-None-Match": ['"x"', "*", "x", 'W/"', '"', ","],
    "If-Modified-Since": ["Wed, 21 Oct 2026 07:28:00 GMT", "x", "Wed, 21 Oct 9999999 07:28:00 GMT", "0"],
    "Authorization": ["Basic", "Basic x", 'Basic "x"', "Digest a=b", "", " ", *basic("alice", "x").values()],
    "Origin": ["null", "http://[", "http://localhost:80", "x", "//", "http://evil.example"],
    "Sec-Fetch-Site": ["cross-site", "same-origin", "none", "x", ""],
    "Host": ["", "[", "[::1]", "[::1]:x", "a:b:c", "localhost:", "x\xff"],
    "X-Vhm-Root": ["/simple", "\xff", "..", ""],
    "X-Forwarded-For": ["1.2.3.4", "\xff", ","],
    "X-Forwarded-Host": ["evil.example"],
    "Content-Type": [
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "application/x-www-form-urlencoded",
        "text/x",
        "",
    ],
    "Content-Length": ["0", "5", "x", "-1", "99999999999999"],
    "Cookie": ["a=b", "\xff", ";;="],
}
QUERIES = [":action", "format", "x", "", "%ff", "%00"]
ACTIONS = [
    "file_upload",
    "submit",
    "verify",
    "doc_upload",
    "list_classifiers",
    "x",
    JSON,
    HTML,
    "%ff",
    "%0a",
    "",
    "\xff",
]

headers = st.fixed_dictionaries({}, optional={name: st.sampled_from(given) | ODD for name, given in VALUES.items()})
paths = st.lists(st.sampled_from(SEGMENTS) | ODD.map(quote), max_size=6).map(lambda parts: "/" + "/".join(parts))
queries = st.lists(st.tuples(st.sampled_from(QUERIES), st.sampled_from(ACTIONS)), max_size=3).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
PARTS = [
    b"--b\r\n",
    b"--b--\r\n",
    b'Content-Disposition: form-data; name=":action"\r\n\r\n',
    b'Content-Disposition: form-data; name="content"; filename="acme_lib-1.0-py3-none-any.whl"\r\n\r\n',
    b'Content-Disposition: form-data; name="name"\r\n\r\n',
    b"file_upload\r\n",
    b"submit\r\n",
    b"acme-lib\r\n",
    b":action=submit&name=acme-lib&version=1&metadata_version=1.0",
    b"%ff=%ff&;&&=",
]
bodies = st.lists(st.sampled_from(PARTS) | st.binary(max_size=30), max_size=10).map(b"".join)


@pytest.fixture(scope="module", params=["open", "closed"])
def served(request, tmp_path_factory):
    """An index that holds one file: open to everyone, or to users only."""
    given = {"storage": "memory", "read": "everyone", "upload": "everyone", "upload_limit": "100 KiB"}
    loaded = Settings.load({f"mypi.{name}": value for name, value in given.items()}, {})
    store = MemoryStore()
    index = Index(application(loaded, Repository(store, store, loaded)))
    name, content = wheel()
    index.publish(name, content)
    token = index.url("acme-lib", name).split("/")[3]
    if request.param == "closed":
        users = tmp_path_factory.mktemp("users") / "htpasswd"
        users.write_text(f"bob:$2b$04${'a' * 53}\n")
        given |= {"read": "users", "upload": "user:bob", "htpasswd": str(users), "allowed_hosts": "localhost, [::1]"}
        loaded = Settings.load({f"mypi.{key}": value for key, value in given.items()}, {})
        index = Index(application(loaded, Repository(store, store, loaded)))
    return index, token


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=EXAMPLES == 300)
@given(method=st.sampled_from(METHODS), path=paths, query=queries, headers=headers, body=bodies)
@example(
    method="GET",
    path="/files/acme-lib/TOKEN/acme_lib-1.0-py3-none-any.whl",
    query="",
    headers={"Range": "bytes=-"},
    body=b"",
)
@example(method="POST", path="/", query="", headers={"Origin": "http://["}, body=b"")
@example(method="POST", path="/", query="", headers={"Authorization": 'Basic "x"'}, body=b"")
@example(method="GET", path="/simple/", query="format=%ff", headers={}, body=b"")
def test_no_request_answers_5xx_because_of_what_it_contains(tally: Tally, served, method, path, query, headers, body):
    tally.add("requests with odd parts")
    index, token = served
    request = Request.blank("/", method=method, body=body)
    request.headers.update(headers)
    raw = path.replace("TOKEN", token)
    request.environ["PATH_INFO"] = unquoted(raw)
    request.environ["QUERY_STRING"] = query
    request.environ["REQUEST_URI"] = f"{raw}?{query}"
    answer = request.get_response(index.app)  # an exception that got through would be raised here
    assert answer.status_int < 500, answer.status
    assert not any(ord(character) < 32 for line in answer.headers.items() for character in "".join(line))
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not answer.body or method != "HEAD"


def unquoted(path: str) -> str:
    """The path as WSGI has it: percent-escapes undone, each byte as a Latin-1 character."""
    return Request.blank(path).environ["PATH_INFO"] if path.isascii() else path

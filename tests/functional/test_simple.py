"""The Simple API's addresses, negotiation and caching: A1, A2 and A3 of the conformance list."""

from __future__ import annotations

import gzip
from urllib.parse import urljoin

import pytest
from webob import Request

from mypi.model import Actor
from tests.builders import wheel
from tests.functional.support import BROWSER, HTML, JSON, PIP, POETRY, TEXT, UV, anchors, basic, path_of, told

PAGES = ("/simple/", "/simple/acme-lib/", "/acme-lib/")


@pytest.fixture
def held(index):
    """An index that holds one project, published under another spelling than the canonical one."""
    index.publish(*wheel("Acme.Lib", filename="Acme.Lib-1.0-py3-none-any.whl"))
    return index


def test_A1_1_the_base_lists_every_project_and_each_has_a_page(held):
    ((attributes, text),) = anchors(held.get("/simple/"))
    assert text == "Acme.Lib"
    assert path_of("/simple/", attributes["href"]) == "/simple/acme-lib/"
    assert anchors(held.get("/simple/acme-lib/"))[0][1] == "Acme.Lib-1.0-py3-none-any.whl"


def test_A1_1_an_empty_index_lists_nothing(index):
    assert anchors(index.get("/simple/")) == []
    assert index.get("/simple/", headers={"Accept": JSON}).json["projects"] == []


@pytest.mark.parametrize("asked", ["/simple", "/simple/acme-lib", "/acme-lib", "/+simple", "/project/acme-lib"])
def test_A1_2_a_missing_slash_is_added_by_a_relative_redirect_that_keeps_the_query(held, asked):
    answer = held.get(f"{asked}?x=1&y=%20", status=301)
    assert not answer.headers["Location"].startswith(("/", "http"))
    assert path_of(asked, answer.headers["Location"]) == f"{asked}/"
    assert answer.headers["Location"].endswith("?x=1&y=%20")


@pytest.mark.parametrize("place", ["/simple/", "/", "/+simple/", "/project/"])
def test_A1_3_another_spelling_leads_to_the_canonical_name_under_any_prefix(held, place):
    for spelling in ("Acme.Lib/", "ACME_LIB/", "acme--lib/", "Acme.Lib", "acme_lib"):
        answer = held.get(place + spelling, status=301)
        assert answer.content_type == "text/plain"
        # The prefix is the proxy's secret: only the client knows it.
        for prefix in ("", "/pypi", "/a/b"):
            assert path_of(prefix + place + spelling, answer.headers["Location"]) == f"{prefix}{place}acme-lib/"


def test_A1_3_a_redirect_has_no_body_for_head(held):
    answer = held.head("/simple/Acme.Lib/", status=301)
    assert answer.headers["Location"] == held.get("/simple/Acme.Lib/").headers["Location"]
    assert answer.body == b""


@pytest.mark.parametrize(
    "asked", ["/simple/nothing/", "/simple/nothing", "/simple/No.Thing/", "/nothing/", "/project/x/"]
)
def test_A1_4_an_unknown_project_is_404_and_never_a_redirect(held, asked):
    answer = held.get(asked, status=404)
    assert answer.content_type == "text/plain"
    assert answer.text == f"There is nothing at {asked}\n"


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("//acme-lib/", "/acme-lib/"),
        ("/simple//acme-lib/", "/simple/acme-lib/"),
        ("//simple//Acme.Lib", "/simple/acme-lib/"),
        ("/simple/acme-lib//", "/simple/acme-lib/"),
    ],
)
def test_A1_5_a_doubled_slash_leads_to_the_same_page(held, asked, leads_to):
    answer = held.get(asked, status=301)
    assert path_of(asked, answer.headers["Location"]) == leads_to


def test_A1_5_also_where_the_server_has_taken_the_slash_from_the_path(held):
    # waitress gives PATH_INFO without it and the request line's own words as REQUEST_URI.
    answer = held.get("/acme-lib/", extra_environ={"REQUEST_URI": "//acme-lib/?a=b"}, status=301)
    assert path_of("//acme-lib/", answer.headers["Location"]) == "/acme-lib/"


def test_A1_5_pipenv_under_a_prefix_still_finds_the_project(held):
    # Its urljoin takes a level away for the doubled slash that RFC 3986 does not: it arrives at the bare project.
    location = held.get("/simple//acme-lib/").headers["Location"]
    reached = urljoin("/pypi/simple//acme-lib/", location)
    assert reached == "/pypi/acme-lib/"
    assert anchors(held.get(reached.removeprefix("/pypi")))[0][1] == "Acme.Lib-1.0-py3-none-any.whl"


@pytest.mark.parametrize(
    "name", ["-acme", "acme-", ".acme", "a%20b", "acme%0A", "%C4%B0", "acme+lib", "x" * 101, "@@acme"]
)
def test_A1_6_what_is_no_name_is_not_there(held, name):
    assert held.get(f"/simple/{name}/", expect_errors=True).status_int in (400, 404)
    assert held.get(f"/{name}/", expect_errors=True).status_int in (400, 404)


@pytest.mark.parametrize(
    "asked", [*PAGES, "/", "/project/acme-lib/", "/simple", "/simple/nothing/", "/robots.txt", "/+health"]
)
def test_A1_7_head_has_the_status_and_the_headers_of_get(held, asked):
    got = held.get(asked, expect_errors=True)
    headers = held.head(asked, expect_errors=True)
    assert (headers.status, told(headers)) == (got.status, told(got))
    assert headers.body == b""


TABLE = [
    ("A2.1", None, TEXT),
    ("A2.1", "*/*", TEXT),
    ("A2.2", "text/html", TEXT),
    ("A2.3", PIP, JSON),
    ("A2.4", UV, JSON),
    ("A2.5", POETRY, JSON),
    ("A2.6", HTML, HTML),
    ("A2.7", f"{JSON};q=0, */*", TEXT),
    ("A2.9", "application/vnd.pypi.simple.latest+json", JSON),
    ("A2.11", JSON.upper(), JSON),
    ("A2.12", "garbage", TEXT),
]


@pytest.mark.parametrize("page", PAGES)
def test_each_client_gets_the_form_it_can_read(held, page):
    for _rule, accept, expected in TABLE:
        check_form(held.get(page, headers={"Accept": accept} if accept else {}), expected)


def check_form(answer, expected):
    wanted = expected if expected == JSON else f"{expected}; charset=UTF-8"
    assert answer.headers["Content-Type"] == wanted
    assert ("projects" in answer.json or "files" in answer.json) if expected == JSON else anchors(answer)


@pytest.mark.parametrize("page", ["/simple/", "/simple/acme-lib/"])
def test_A2_8_a_browser_gets_the_simple_page_as_html(held, page):
    assert held.get(page, headers={"Accept": BROWSER}).headers["Content-Type"] == "text/html; charset=UTF-8"


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("accept", ["application/json", "text/plain"])
def test_A2_10_what_fits_nobody_is_406_and_says_what_there_is(held, page, accept):
    answer = held.get(page, headers={"Accept": accept}, status=406)
    assert JSON in answer.text
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize("page", PAGES)
def test_A2_14_format_in_the_query_wins_over_accept(held, page):
    assert held.get(f"{page}?format={JSON}", headers={"Accept": "text/html"}).content_type == JSON
    assert held.get(f"{page}?format=text/html", headers={"Accept": JSON}).content_type == TEXT
    assert held.get(f"{page}?format=application/json", headers={"Accept": JSON}, status=406)


def test_A2_15_every_answer_names_its_type(held):
    file = held.url("acme-lib", "Acme.Lib-1.0-py3-none-any.whl")
    others = ("/", "/simple", "/simple/nothing/", "/robots.txt", "/+health", "/+static/mypi.css")
    for page in (*PAGES, *others, file, f"{file}.metadata", f"{file}.asc"):
        assert held.get(page, expect_errors=True).headers["Content-Type"]


def test_the_bare_host_serves_installers_the_simple_page_and_people_theirs(held):
    for accept in ("*/*", "text/html", PIP, UV, POETRY):
        assert "sha256" in held.get("/acme-lib/", headers={"Accept": accept}).text
    page = held.get("/acme-lib/", headers={"Accept": BROWSER})
    assert "<h1>Acme.Lib" in page.text
    assert "Accept" in page.headers["Vary"]
    assert "Accept" in held.get("/acme-lib/").headers["Vary"]


@pytest.mark.parametrize("below", ["", "/legacy", "/simple"])
def test_B1_20_hatch_finds_below_the_upload_address_what_is_published(held, below):
    answer = held.get(f"{below}/%2Bsimple/acme-lib/", headers={"Accept": "*/*", **basic("__token__", "x")})
    assert answer.content_type == TEXT
    ((attributes, text),) = anchors(answer)
    held.get(path_of(f"{below}/+simple/acme-lib/", attributes["href"]))
    assert text == "Acme.Lib-1.0-py3-none-any.whl"
    moved = held.get(f"{below}/+simple/Acme.Lib", status=301).headers["Location"]
    assert path_of(f"{below}/+simple/Acme.Lib", moved) == f"{below}/+simple/acme-lib/"


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("encoding", ["identity", "gzip, deflate, zstd"])
def test_A3_1_a_page_that_the_client_has_is_304(held, page, encoding):
    for accept in (JSON, HTML, TEXT):
        asked = {"Accept": accept, "Accept-Encoding": encoding}
        tag = held.get(page, headers=asked).headers["ETag"]
        assert tag.startswith('"')
        answer = held.get(page, headers={**asked, "If-None-Match": tag}, status=304)
        assert answer.body == b""
        assert answer.headers["ETag"] == tag
        assert answer.headers["Cache-Control"] == "no-cache"
        assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("change", ["publish", "yank", "remove", "status"])
def test_A3_1_a_changed_page_is_not_304(held, change):
    repository, actor = held.repository, Actor(None, "test")
    name = "Acme.Lib-1.0-py3-none-any.whl"
    tag = held.html("acme-lib").headers["ETag"]
    if change == "publish":
        held.publish(*wheel(version="2.0"))
    elif change == "status":
        repository.set_status("acme-lib", "deprecated", "", actor)
    else:
        getattr(repository, change)("acme-lib", [name], *(["broken"] if change == "yank" else []), actor)
    held.get("/simple/acme-lib/", headers={"If-None-Match": tag}, status=200)


def test_A3_1_every_representation_has_an_etag_of_its_own(held):
    tags = [
        held.get(page, headers={"Accept": accept, "Accept-Encoding": encoding}).headers["ETag"]
        for page in ("/simple/acme-lib/", "/acme-lib/")
        for accept in (JSON, HTML, TEXT)
        for encoding in ("gzip", "identity")
    ]
    assert len(set(tags)) == len(tags)


@pytest.mark.parametrize("page", PAGES)
def test_A3_2_pages_are_revalidated_each_time(held, page):
    assert held.get(page).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("page", PAGES)
def test_A3_3_a_restricted_index_is_private_and_varies_by_who_asks(make_index, htpasswd, page):
    index = make_index(read="users", htpasswd=htpasswd)
    index.publish(*wheel())
    index.get(page, status=401)
    answer = index.get(page, headers=basic("alice", "wonder"))
    assert "private" in answer.headers["Cache-Control"]
    assert "no-cache" in answer.headers["Cache-Control"]
    assert {"Accept", "Accept-Encoding", "Authorization"} <= set(answer.headers["Vary"].split(", "))


def test_A3_3_an_open_index_does_not_vary_by_who_asks(held):
    assert held.get("/simple/").headers["Vary"] == "Accept, Accept-Encoding"


def raw(index, accept, encoding):
    """Ask for the project's page past WebTest, which unpacks what it gets."""
    headers = {"Accept": accept, "Accept-Encoding": encoding}
    return Request.blank("/simple/acme-lib/", headers=headers).get_response(index.app)


def test_A3_5_large_pages_are_packed_for_whoever_takes_gzip(held):
    for number in range(4):
        held.publish(*wheel(version=f"2.{number}"))
    for accept in (JSON, TEXT):
        plain, packed = raw(held, accept, "identity"), raw(held, accept, "gzip, deflate")
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert int(packed.headers["Content-Length"]) == len(packed.body) < len(plain.body)
    assert "Content-Encoding" not in raw(held, JSON, "gzip;q=0, identity").headers


def test_A3_5_small_pages_are_sent_as_they_are(held):
    assert "Content-Encoding" not in raw(held, JSON, "gzip").headers


def test_A3_2_the_next_request_sees_what_was_published(held):
    before = held.json("acme-lib")
    held.publish(*wheel(version="1.1"))
    assert len(held.json("acme-lib")["files"]) == len(before["files"]) + 1


def test_a_page_that_is_too_large_to_keep_is_drawn_each_time(make_index):
    index = make_index(cache_size="600")
    index.publish(*wheel())
    assert index.html("acme-lib").body == index.html("acme-lib").body
    assert len(index.json("acme-lib")["files"]) == 1

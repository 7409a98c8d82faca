"""The pages that people read, the application's own addresses, and answers to what is wrong."""

from __future__ import annotations

import logging
import re
from urllib.parse import quote

import pytest

from mypi.model import Actor
from tests.builders import sdist, wheel
from tests.functional.support import BROWSER, PIP, Anchors, path_of

ACTOR = Actor("tester", "test")
PEOPLE = {"Accept": BROWSER}
NAME, CONTENT = wheel(requires_python=">=3.8")
EVERYTHING = ["/", "/simple/", "/simple/acme-lib/", "/acme-lib/", "/project/acme-lib/", "/robots.txt", "/+health"]
WRONG = [
    "/nothing/",
    "/%ff",
    "/legacy/",
    "/simple/acme-lib?format=x/y",
    "/files/",
    "/favicon.ico",
    "/pypi/nothing/json",
]


@pytest.fixture
def held(index):
    """An index with one project of two releases."""
    index.publish(NAME, CONTENT)
    index.publish(*sdist(version="0.9"))
    return index


def follow(index, page, headers=PEOPLE):
    """Every address that a page links to, with what is there."""
    read = Anchors(index.get(page, headers=headers).text)
    links = [attributes["href"] for attributes, _ in read.found]
    return {path_of(page, link): index.get(path_of(page, link), headers=headers) for link in links}


def href(page, text):
    """Where the link with this text leads to."""
    return next(attributes["href"] for attributes, shown in Anchors(page.text).found if shown == text)


def named(page):
    """The projects that the list on the home page names."""
    return [text for _, text in Anchors(page.text.partition('<ul class="names">')[2].partition("</ul>")[0]).found]


# The home page


def test_the_home_page_says_how_to_use_this_very_address(held):
    page = held.get("/", headers={**PEOPLE, "Host": "127.0.0.1:6543"}).text
    assert "pip install -i http://127.0.0.1:6543 NAME" in page
    assert "uv pip install --index-url http://127.0.0.1:6543/simple/ NAME" in page
    assert "twine upload --repository-url http://127.0.0.1:6543/legacy/" in page
    assert "repository = http://127.0.0.1:6543/legacy/" in page
    assert "1 project on this index, 2 files" in page


@pytest.mark.parametrize(
    ("address", "needed"),
    [
        ("http://pypi.example.com:8080", "--trusted-host pypi.example.com "),
        ("http://[2001:db8::1]", "--trusted-host [2001:db8::1] "),
        ("https://pypi.example.com", None),
        ("http://localhost:6543", None),
        ("http://127.0.0.1", None),
        ("http://[::1]", None),
        ("http://[::1]:6543", None),
    ],
)
def test_plain_http_hosts_are_shown_with_the_option_that_pip_needs(make_index, address, needed):
    page = make_index(public_url=address).get("/", headers=PEOPLE).text
    assert f"pip install -i {address} " in page
    assert ("--trusted-host" in page) == (needed is not None)
    assert (needed or "") in page


def test_the_public_address_is_shown_instead_of_the_requests(make_index):
    page = make_index(public_url="https://pypi.example.com/team/").get("/", headers={"Host": "10.0.0.1"}).text
    assert "https://pypi.example.com/team/legacy/" in page
    assert "10.0.0.1" not in page


def test_an_empty_index_says_what_to_do(index):
    assert "Nothing is published yet" in index.get("/").text


def test_the_home_page_names_the_first_projects_and_links_the_rest(held, monkeypatch):
    monkeypatch.setattr("mypi.views.home.SHOWN", 1)
    held.publish(*sdist("zebra"))
    first = held.get("/")
    assert "2 projects" in first.text
    assert named(first) == ["acme-lib"]
    second = held.get("/" + href(first, "Next").partition("#")[0])
    assert named(second) == ["zebra"]
    assert path_of("/", href(second, "Back")) == "/"


@pytest.mark.parametrize("prefix", ["/pypi", "/a/b"])
def test_a_prefix_without_its_slash_leads_to_the_home_page(held, prefix):
    answer = held.get("/?x=1", extra_environ={"SCRIPT_NAME": prefix, "PATH_INFO": ""}, status=301)
    assert path_of(prefix, answer.headers["Location"]) == f"{prefix}/"
    assert answer.headers["Location"].endswith("?x=1")
    assert "acme-lib" in held.get("/", extra_environ={"SCRIPT_NAME": prefix}).text


def test_a_request_without_a_path_is_for_the_home_page(index):
    request = index.RequestClass.blank("")
    del request.environ["PATH_INFO"]
    assert request.get_response(index.app).status_int == 200


# The page of a project


def test_every_link_on_the_pages_leads_somewhere(held):
    for page in ("/", "/project/acme-lib/", "/acme-lib/"):
        reached = follow(held, page)
        assert reached
        assert all(answer.status_int == 200 for answer in reached.values())
    assert CONTENT in [answer.body for answer in follow(held, "/project/acme-lib/").values()]


def test_the_page_of_a_project_shows_releases_newest_first_and_how_to_install(held):
    page = held.get("/project/acme-lib/").text
    versions = page[page.index('id="versions"') :]
    assert versions.index("acme-lib/1.0/") < versions.index("acme-lib/0.9/")
    assert "pip install -i" in page
    assert "&gt;=3.8" in page
    assert 'class="version">1.0<' in page


def test_the_newest_version_is_the_one_that_an_installer_takes(held):
    held.publish(*wheel(version="2.0rc1"))
    held.publish(*wheel(version="3.0"))
    held.repository.yank("acme-lib", ["acme_lib-3.0-py3-none-any.whl"], "broken", ACTOR)
    page = held.get("/project/acme-lib/").text
    assert 'class="version">1.0<' in page
    assert 'class="badge warn">yanked<' in page
    assert 'class="badge info">pre-release<' in page
    assert "This release is yanked:</strong> broken." in held.get("/project/acme-lib/3.0/").text


def test_a_prerelease_counts_where_there_is_nothing_else(index):
    index.publish(*wheel(version="2.0rc1"))
    assert 'class="version">2.0rc1<' in index.get("/project/acme-lib/").text


def test_a_registered_release_without_files_is_shown_with_its_summary(index):
    release = {":action": "submit", "metadata_version": "1.0", "name": "acme-lib", "version": "1.0"}
    index.post("/", release)
    assert "without files yet" in index.get("/project/acme-lib/").text
    index.post("/", release | {"summary": "<b>bold</b>"})
    page = index.get("/project/acme-lib/").text
    assert "&lt;b&gt;bold" in page
    assert "pip install" not in page


def test_a_quarantined_project_says_so_and_offers_nothing(held):
    held.repository.set_status("acme-lib", "quarantined", "<malware>", ACTOR)
    page = held.get("/project/acme-lib/").text
    assert "This project is quarantined." in page
    assert "&lt;malware&gt;" in page
    assert NAME not in page
    assert "no files on offer" in page


@pytest.mark.parametrize("page", ["/", "/project/acme-lib/", "/acme-lib/"])
def test_pages_are_revalidated_and_vary_by_who_asks(held, page):
    answer = held.get(page, headers=PEOPLE)
    assert answer.headers["Cache-Control"] == "no-cache, private"
    assert answer.headers["Vary"] == "Accept, Cookie"


@pytest.mark.parametrize("page", ["/", "/project/acme-lib/", "/nothing/"])
def test_no_page_loads_anything_from_another_host_or_has_script_or_style_in_it(held, page):
    answer = held.get(page, headers=PEOPLE, expect_errors=True)
    read = Anchors(answer.text)
    assert {"style", "iframe"}.isdisjoint(read.tags)
    assert (
        read.tags.count("script") == answer.text.count('<script type="module" src="') == answer.text.count("></script>")
    )
    assert "style=" not in answer.text
    assert " on" not in "".join(re.findall(r"<[^>]*>", answer.text)).replace(" on this", "")
    assert 'src="http' not in answer.text
    assert 'href="http' not in answer.text


# The application's own addresses


def test_robots_stay_away(index):
    answer = index.get("/robots.txt")
    assert (answer.content_type, answer.text) == ("text/plain", "User-agent: *\nDisallow: /\n")


def test_health_needs_nobody(make_index, htpasswd):
    assert make_index(read="users", htpasswd=htpasswd).get("/+health").text == "ok\n"


@pytest.mark.parametrize(("file", "kind"), [("mypi.css", "text/css"), ("mypi.svg", "image/svg+xml")])
def test_static_files(index, file, kind):
    answer = index.get(f"/+static/{file}")
    assert answer.content_type == kind
    assert answer.headers["Cache-Control"] == "max-age=3600"


@pytest.mark.parametrize("path", ["/+static", "/+static/", "/+static/nothing.css", "/+static/mypi.css/x"])
def test_the_folder_of_static_files_is_no_page(index, path):
    assert "Location" not in index.get(path, status=404).headers


# What is wrong


@pytest.mark.parametrize("address", [*EVERYTHING, *WRONG, "/simple", "/+static/mypi.css", "/?:action=list_classifiers"])
def test_threats_9_and_12_every_answer_has_the_safe_headers(held, address):
    for headers in ({}, PEOPLE):
        answer = held.get(address, headers=headers, expect_errors=True)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


@pytest.mark.parametrize(
    ("method", "address", "allow"),
    [
        ("DELETE", "/", "GET, HEAD, POST"),
        ("PUT", "/simple/", "GET, HEAD, POST"),
        ("OPTIONS", "/simple", "GET, HEAD, POST"),
        ("GET", "/legacy/", "POST"),
        ("HEAD", "/legacy", "POST"),
        ("POST", "/simple/acme-lib/", "GET, HEAD"),
        ("POST", "/acme-lib/", "GET, HEAD"),
        ("PATCH", "/project/acme-lib/", "GET, HEAD"),
        ("POST", "/+health", "GET, HEAD"),
        ("POST", "/robots.txt", "GET, HEAD"),
        ("DELETE", "{file}", "GET, HEAD"),
    ],
)
def test_another_method_is_405_and_told_which_are_allowed(held, method, address, allow):
    address = address.format(file=held.url("acme-lib", NAME))
    answer = held.request(address, method=method, status=405)
    assert answer.headers["Allow"] == allow


@pytest.mark.parametrize(
    "address", ["/nothing/", "/simple/x/y/z", "/files/", "/pypi/acme-lib/", "/_/oidc/audience", "/project/"]
)
def test_what_is_not_there_is_404(held, address):
    assert held.get(address, status=404).text == f"There is nothing at {address}\n"


BAD = [
    "/%ff",
    "/simple/%ff/",
    "/?x=%ff",
    "/?%ff",
    "/%00",
    "/a%0d%0aX-Evil:1",
    "/%7f",
    "/%1b[31m",
    "/./",
    "/a/../",
    "/..",
    "/%2e%2e/",
]


@pytest.mark.parametrize("address", BAD)
def test_finding_4_threat_5_a_bad_address_is_400(held, address):
    for headers in ({}, PEOPLE, {"Accept": "application/json"}):
        assert "X-Evil" not in held.get(address, headers=headers, status=400).headers


@pytest.mark.parametrize("raw", ["/simple%2Facme-lib/", "/simple%2facme-lib/?x=1"])
def test_a_hidden_slash_is_400_where_the_server_shows_it(held, raw):
    # Relative links on the page would lead elsewhere under a prefix.
    held.get("/simple/acme-lib/", extra_environ={"REQUEST_URI": raw}, status=400)
    held.get("/simple/acme-lib/", extra_environ={"REQUEST_URI": "/simple/acme-lib/?next=%2F"})


def test_errors_are_pages_for_browsers_and_text_for_the_others(held):
    page = held.get("/<b>nothing</b>/", headers=PEOPLE, status=404)
    assert page.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert "&lt;b&gt;nothing" in page.text
    assert path_of("/nothing/", href(page, "To the first page")) == "/"
    assert held.get("/nothing/", headers={"Accept": "text/html"}, status=404).content_type == "text/html"
    for accept in (None, "*/*", "text/plain", "garbage", "image/png"):
        text = held.get("/nothing/", headers={"Accept": accept} if accept else {}, status=404)
        assert text.headers["Content-Type"] == "text/plain; charset=UTF-8"


def test_pip_understands_the_answer_to_an_unknown_project(held):
    assert held.get("/simple/nothing/", headers={"Accept": PIP}, status=404).content_type in ("text/html", "text/plain")


@pytest.mark.parametrize("address", ["/nothing/", "/simple/", "/%ff"])
def test_errors_are_not_kept_and_vary_by_accept(held, address):
    answer = held.get(address, headers={"Accept": "application/json"}, expect_errors=True)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize("name", ["\u0142\u00f3d\u017a", "caf\u00e9", "\U0001f600", "\u2028", "\u0085"])
def test_B1_13_an_address_beyond_latin_1_breaks_no_status_line(held, name):
    answer = held.get(f"/{quote(name)}/", status=404)
    assert answer.status.encode("latin-1")
    assert answer.text.rstrip("\n") == f"There is nothing at /{name}/"


@pytest.mark.parametrize("headers", [{}, PEOPLE, {"Accept": PIP}])
def test_a_mistake_of_ours_is_500_that_says_nothing_and_a_log_that_says_all(index, monkeypatch, caplog, headers):
    def broken(*_):
        raise RuntimeError("the secret is swordfish")

    monkeypatch.setattr(type(index.repository), "names", broken)
    answer = index.get("/simple/", headers=headers, status=500)
    assert "swordfish" not in answer.status + answer.text
    assert "RuntimeError" not in answer.text
    assert "the secret is swordfish" in caplog.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_a_damaged_document_is_503_that_names_no_key(index, store, caplog):
    index.publish(NAME, CONTENT)
    key = next(entry.key for entry in store.list() if entry.key.endswith("acme-lib.json"))
    store.swap(key, b"{", store.read(key)[1])
    answer = index.get("/simple/acme-lib/", status=503)
    assert "mypi verify" in answer.text
    assert key not in answer.text
    assert key in caplog.text


def test_the_access_log_has_one_line_for_each_request_on_one_line(held, caplog):
    with caplog.at_level(logging.INFO, "mypi.access"):
        held.get("/simple/", extra_environ={"REMOTE_ADDR": "198.51.100.7"})
        held.get("/caf%C3%A9?token=secret", status=404)
        held.get("/%0aforged", status=400)
    lines = [record.getMessage() for record in caplog.records if record.name == "mypi.access"]
    assert lines[0].startswith("198.51.100.7 - GET /simple/ 200 ")
    assert lines[1].startswith("- - GET /caf\\xc3\\xa9 404 ")
    assert lines[2].startswith("- - GET /\\nforged 400 ")
    assert not any("secret" in line or "\n" in line for line in lines)


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=0-3", "bytes=-99999"])
def test_static_files_are_sent_whole_whatever_range_is_asked(index, asked):
    answer = index.get("/+static/mypi.css", headers={"Range": asked}, status=200)
    assert answer.content_length == len(answer.body) > 1000


def test_health_is_told_under_any_host_name(make_index):
    guarded = make_index(allowed_hosts="pypi.example.com")
    assert guarded.get("/+health", headers={"Host": "10.0.0.1"}, status=200).text == "ok\n"
    guarded.get("/", headers={"Host": "10.0.0.1"}, status=421)


def test_no_page_has_endless_addresses(index):
    index.get("/+simple/+simple/", status=404)
    index.get("/simple/+simple/", status=200)
    index.get("/simple/+simple/+simple/", status=404)

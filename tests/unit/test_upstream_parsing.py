"""Pages of other indexes: whatever bytes they are, either a page that keeps our rules (A4, A5), or Garbage."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mypi import names
from mypi.model.remote import Cached, RemotePage
from mypi.upstream import Garbage
from mypi.upstream.parsing import parse
from tests.functional.support import HTML, JSON, TEXT

URL = "https://index.example/simple/acme-lib/"
A, B = "a" * 64, "b" * 64
WHEEL, SDIST = "acme_lib-1.0-py3-none-any.whl", "acme_lib-1.0.tar.gz"


def entry(filename: str = WHEEL, **said: Any) -> dict[str, Any]:
    given = {"filename": filename, "url": f"https://files.example/{filename}", "hashes": {"sha256": A}, **said}
    return {key.replace("_", "-"): value for key, value in given.items()}


def from_json(*entries: Any, **page: Any) -> RemotePage:
    whole = {"meta": {"api-version": "1.1"}, "name": "acme-lib", "files": entries, **page}
    return parse(JSON, json.dumps(whole).encode(), URL, "acme-lib")


def from_html(body: str, head: str = "<title>Links for acme-lib</title>", url: str = URL) -> RemotePage:
    return parse(TEXT, f"<html><head>{head}</head><body>{body}</body></html>".encode(), url, "acme-lib")


def only(page: RemotePage) -> Any:
    (file,) = page.files
    return file


def test_everything_that_json_says_is_read():
    page = from_json(
        entry(
            size=10,
            upload_time="2020-01-02T03:04:05.678901Z",
            requires_python=">=3.8,<4",
            yanked="broken",
            core_metadata={"sha256": B},
            provenance="https://index.example/p",
        ),
        versions=["1.0", "2.0", "v1.0", "not one"],
        **{"project-status": {"status": "archived", "reason": "done"}},
    )
    file = only(page)
    assert (file.version, file.digest, file.algorithm, file.token) == ("1.0", A, "sha256", A[:16])
    assert (file.size, file.uploaded, file.requires_python) == (10, "2020-01-02T03:04:05.678901Z", ">=3.8,<4")
    assert (file.yanked, file.metadata, file.provenance) == ("broken", B, "https://index.example/p")
    assert (page.versions, page.status, page.status_reason) == (("1.0", "2.0"), "archived", "done")
    assert Cached.load(Cached("pypi", "acme-lib", page).dump()).page == page


def test_what_json_does_not_say_is_not_made_up():
    file = only(from_json(entry()))
    assert (file.size, file.uploaded, file.requires_python, file.yanked, file.metadata) == (None,) * 5
    assert (file.provenance, from_json().status, from_json().files) == (None, "active", ())


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2020-01-02T03:04:05Z", "2020-01-02T03:04:05.000000Z"),
        ("2020-01-02T03:04:05.5Z", "2020-01-02T03:04:05.500000Z"),
        ("2020-01-02 03:04:05", "2020-01-02T03:04:05.000000Z"),
        ("2020-01-02T03:04:05+02:00", "2020-01-02T01:04:05.000000Z"),
        ("2020-13-02T03:04:05Z", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("yesterday", None),
        (1577934245, None),
    ],
)
def test_times_are_in_the_one_form_that_every_client_reads(said, read):
    assert only(from_json(entry(upload_time=said))).uploaded == read


@pytest.mark.parametrize("size", [-1, "10", True, 1.5, None, 2**60])
def test_a_size_that_is_none_is_left_out(size):
    assert only(from_json(entry(size=size))).size is None


@pytest.mark.parametrize(("said", "read"), [(True, ""), (False, None), (None, None), ("", None), ("a\n b", "a b")])
def test_yanks_are_read_as_installers_do(said, read):
    assert only(from_json(entry(yanked=said))).yanked == read


@pytest.mark.parametrize(
    ("key", "said", "read"),
    [
        ("core-metadata", True, ""),
        ("core-metadata", False, None),
        ("core-metadata", {"sha256": B.upper()}, B),
        ("core-metadata", {"sha512": "c"}, ""),
        ("data-dist-info-metadata", {"sha256": B}, B),
        ("dist-info-metadata", True, ""),
    ],
)
def test_metadata_under_each_of_its_names(key, said, read):
    assert only(from_json(entry(**{key: said}))).metadata == read


def test_A6_1_only_wheels_have_metadata():
    assert only(from_json(entry(SDIST, core_metadata={"sha256": B}))).metadata is None


def test_digests_are_lower_case_and_the_weak_ones_are_left_out():
    assert only(from_json(entry(hashes={"SHA256": A.upper(), "md5": "1"}))).digest == A
    strong = only(from_json(entry(hashes={"sha512": "c" * 128, "blake2b_256": A})))
    assert (strong.algorithm, strong.digest) == ("sha512", "c" * 128)


@pytest.mark.parametrize("hashes", [{}, {"md5": "d" * 32}, {"sha256": "zz"}, None])
def test_a_page_of_files_that_cannot_be_verified_is_no_empty_page(hashes):
    with pytest.raises(Garbage, match="1 files, none with a sha256"):
        from_json(entry(hashes=hashes))
    assert only(from_json(entry(SDIST, hashes=hashes), entry())).filename == WHEEL


@pytest.mark.parametrize(
    "filename",
    [
        *("acme_lib-1.0-py3.8.egg", "acme_lib-1.0.win32.exe", "acme_lib-1.0-1.noarch.rpm", "acme_lib-1.0.tar.gz.asc"),
        *(
            "other-1.0.tar.gz",
            "other-1.0-py3-none-any.whl",
            "acme_lib-1.0.whl",
            "acme_lib-2004d.tar.gz",
            "acme_lib.zip",
        ),
        *("", "../acme_lib-1.0.tar.gz", "acme_lib-1.0.tar.gz\n", f"acme_lib-1.0{'0' * 300}.zip"),
    ],
)
def test_files_that_no_installer_takes_are_left_out(filename):
    assert from_json(entry(filename)).files == ()


@pytest.mark.parametrize(
    ("filename", "version"),
    [
        ("acme-lib-1.0-1.tar.gz", "1.0.post1"),
        ("Acme.Lib-1.0.tar.bz2", "1.0"),
        ("acme__lib-2.0.zip", "2.0"),
        ("acme_lib-3.0.tgz", "3.0"),
    ],
)
def test_the_project_settles_what_an_sdists_name_means(filename, version):
    assert only(from_json(entry(filename))).version == version


def test_files_are_by_version_and_name_each_once():
    page = from_json(entry("acme_lib-10.0.zip"), entry(SDIST), entry("acme_lib-9.0.zip"), entry(), entry(SDIST))
    assert [file.filename for file in page.files] == [WHEEL, SDIST, "acme_lib-9.0.zip", "acme_lib-10.0.zip"]
    assert page.versions == ("1.0", "9.0", "10.0")


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("../../files/a.whl", "https://index.example/files/a.whl"),
        ("//cdn.example/a.whl#sha256=x", "https://cdn.example/a.whl"),
        ("https://files.example/a b.whl?x=1", "https://files.example/a%20b.whl?x=1"),
        ("https://files.example/é%20.whl", "https://files.example/%C3%A9%20.whl"),
    ],
)
def test_addresses_are_absolute_and_can_be_asked_for(url, read):
    assert only(from_json(entry(url=url))).url == read


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/a.whl",
        "javascript:alert(1)",
        "https://[x/a",
        "https://:0/a",
        "https://x:99999/a",
        "https://ü/a",
        "\ud800",
    ],
)
def test_files_at_addresses_that_nobody_can_ask_are_left_out(url):
    assert only(from_json(entry(url=url), entry(SDIST))).filename == SDIST


@pytest.mark.parametrize("said", ["http://x/p", "javascript:1", 'https://x/"', 1, None])
def test_A4_10_provenance_is_an_https_address(said):
    found = only(from_json(entry(provenance=said))).provenance
    assert found is None or (found.startswith("https://") and '"' not in found)


def test_text_that_no_document_can_hold_is_replaced():
    page = from_json(entry(yanked="\ud800", requires_python="\udfff"), **{"project-status": {"reason": "\ud800"}})
    assert (only(page).yanked, only(page).requires_python, page.status_reason) == ("?", "?", "?")
    Cached("pypi", "acme-lib", page).dump()


def test_an_unknown_status_is_none():
    assert from_json(**{"project-status": {"status": "odd"}}).status == "active"


# HTML, as several servers write it.

DEVPI = f'<a href="../../+f/aaa/{WHEEL}#sha256={A}" data-requires-python="&gt;=3.8,&lt;4">{WHEEL}</a><br/>'
PYPISERVER = f'<a href="/packages/{WHEEL}#sha256={A}">{WHEEL}</a><br>'
ARTIFACTORY = f'<a href="../../packages/packages/aa/{WHEEL}#sha256={A}" rel="internal" >{WHEEL}</a><br/>'
OLD_PYPI = f'<A HREF="../../packages/{WHEEL}#sha256={A.upper()}" rel="internal">{WHEEL}</A><br/>'


@pytest.mark.parametrize("body", [DEVPI, PYPISERVER, ARTIFACTORY, OLD_PYPI])
def test_pages_of_other_servers(body):
    file = only(from_html(body))
    assert (file.filename, file.version, file.digest) == (WHEEL, "1.0", A)
    assert file.url.startswith("https://index.example/") and file.url.endswith(f"/{WHEEL}")


def test_everything_that_html_says_is_read():
    page = from_html(
        f'<a href="{SDIST}#sha256={A}&amp;x=1" data-yanked="a &quot;b&quot;" data-requires-python="&gt;=3.8"'
        f' data-provenance="https://x/p">x</a><a href="{WHEEL}#sha256={A}" data-core-metadata="SHA256={B}" data-yanked>'
        f'x</a><a name="top">no link</a><a href="acme_lib-0.9-py3-none-any.whl#sha256={A}" data-core-metadata="false">x'
        f'</a><a href="acme_lib-0.8-py3-none-any.whl#sha256={A}" data-dist-info-metadata="true">x</a>',
        '<meta name="pypi:repository-version" content="1.4"><meta name="pypi:project-status" content="deprecated">'
        '<meta name="pypi:project-status-reason" content="old"><meta name="viewport" content="x">',
    )
    eight, nine, wheel, sdist = page.files
    assert (sdist.yanked, sdist.requires_python, sdist.provenance) == ('a "b"', ">=3.8", "https://x/p")
    assert [file.metadata for file in page.files] == ["", None, B, None]
    assert (wheel.yanked, eight.yanked, nine.size, nine.uploaded) == ("", None, None, None)
    assert (page.status, page.status_reason) == ("deprecated", "old")


def test_a_base_moves_relative_links():
    page = from_html(f'<a href="{WHEEL}#sha256={A}">x</a>', '<base href="/files/"><base href="/no/">')
    assert only(page).url == f"https://index.example/files/{WHEEL}"


def test_names_in_addresses_are_quoted_there():
    page = from_html(f'<a href="x/acme_lib-1.0%2Bcu1-py3-none-any.whl?a=b#sha256={A}">x</a>')
    assert only(page).filename == "acme_lib-1.0+cu1-py3-none-any.whl"


@pytest.mark.parametrize(
    "head", ["<title>Links for acme-lib</title>", '<meta name="pypi:repository-version" content="1.0">']
)
def test_a_project_without_files_is_one(head):
    assert from_html("", head).files == ()


@pytest.mark.parametrize("body", ["", "<form><a href='/forgotten'>Forgotten?</a></form>"])
def test_a_page_of_logging_in_is_garbage(body):
    with pytest.raises(Garbage, match="none of its links is a file"):
        from_html(body, "<title>Log in</title>")


@pytest.mark.parametrize(
    ("content_type", "body", "sentence"),
    [
        ("", b"{}", "its type is not given"),
        ("application/json", b"{}", "its type is application/json"),
        (JSON, b"{", "cannot be read"),
        (JSON, b"[]", "cannot be read"),
        (JSON, b"\xff", "cannot be read"),
        (JSON, b"[" * 100_000, "cannot be read"),
        (JSON, b'{"meta":{"api-version":"2.0"},"files":[]}', "speaks version 2.0"),
        (JSON, b'{"meta":{"api-version":"1.0"},"files":[{"filename":1}]}', "cannot be read"),
        (JSON, b'{"meta":{"api-version":"1.0"},"files":[1]}', "cannot be read"),
        (JSON, b'{"meta":{"api-version":"1.0"},"files":[],"name":"evil"}', "is the page of evil, not of acme-lib"),
        (HTML, b'<meta name="pypi:repository-version" content="2.0">', "speaks version 2.0"),
        (HTML, b"\xff", "cannot be read"),
    ],
)
def test_what_is_no_page_is_garbage_with_the_reason(content_type, body, sentence):
    with pytest.raises(Garbage, match=sentence):
        parse(content_type, body, URL, "acme-lib")


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from([WHEEL, SDIST, A]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
KEYS = ["url", "hashes", "size", "upload-time", "requires-python", "yanked", "core-metadata", "provenance"]
ENTRIES = st.builds(
    lambda filename, said: {**entry(), "filename": filename, **said},
    st.sampled_from([WHEEL, SDIST, "acme-lib-1-1.zip"]) | VALUES,
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3),
)
PAGES = st.builds(
    lambda files, said: {"meta": {"api-version": "1.0"}, "files": files, **said},
    st.lists(ENTRIES, max_size=3) | VALUES,
    st.dictionaries(st.sampled_from(["meta", "name", "versions", "project-status"]), VALUES, max_size=2),
)


def sound(page: RemotePage) -> None:
    """Whatever came, what is made of it keeps the rules and can be kept."""
    assert Cached.load(Cached("pypi", "acme-lib", page).dump()).page == page
    assert {file.version for file in page.files} <= set(page.versions)
    for file in page.files:
        assert str(names.version(file.version)) == file.version
        assert file.url.isascii() and file.url.isprintable() and " " not in file.url
        assert file.size is None or file.size >= 0


@settings(max_examples=150, deadline=None)
@given(PAGES | VALUES)
@example({"meta": {"api-version": "1.0"}, "files": [entry(yanked=["a"])]})
def test_nothing_but_a_sound_page_or_garbage_comes_of_json(page):
    try:
        found = parse(JSON, json.dumps(page).encode(), URL, "acme-lib")
    except Garbage:
        return
    sound(found)


MARKS = st.sampled_from(
    [
        *("<a href='", "'>", "<base href='", "https://[", "</a>", "<!--", "<![", "&#xD800;", f"{WHEEL}#sha256={A}"),
        *("\0", "<meta name='pypi:repository-version' content='", "data-yanked='", "data-provenance='https://", "' "),
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(MARKS | st.text(max_size=5), max_size=12).map("".join))
def test_nothing_but_a_sound_page_or_garbage_comes_of_html(text):
    try:
        found = parse(TEXT, text.encode(), URL, "acme-lib")
    except Garbage:
        return
    sound(found)

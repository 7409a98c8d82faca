"""The Simple API's HTML as installers read it: A4 of the conformance list, and what a hostile document may not do."""

from __future__ import annotations

import hashlib
import time

import pytest

from mypi.model import Actor, Event, File, Project
from mypi.repository import keys
from tests.builders import sdist, wheel
from tests.functional.support import HTML, JSON, PIP, Anchors, anchors, as_hatch_reads, last_segment, path_of

ACTOR = Actor("tester", "test")
WHEEL = "acme_lib-1.0-py3-none-any.whl"


def plant(index, store, project: Project) -> None:
    """Write a project's document as no upload would: what the pages show must not depend on who wrote it."""
    index.publish(*sdist(project.name, "0.1"))
    _, tag = store.read(keys.project("main", project.name))
    store.swap(keys.project("main", project.name), project.revised("planted").dump(), tag)


def file(filename: str, **changes: object) -> File:
    sha256 = hashlib.sha256(filename.encode()).hexdigest()
    given = {
        "version": "1.0",
        "token": "0" * 16,
        "size": 5,
        "uploaded": "2026-01-02T03:04:05.000006Z",
        "sha256": sha256,
    }
    return File(filename, **(given | changes))


def project(*files: File, **changes: object) -> Project:
    held = {each.filename: each for each in files}
    return Project("acme-lib", **({"display": "acme-lib"} | changes), files=held, history=(Event("2026", "publish"),))


@pytest.mark.parametrize("page", ["/simple/", "/simple/acme-lib/"])
def test_A4_1_pages_are_html5_in_utf8_and_say_so(index, page):
    index.publish(*wheel())
    answer = index.get(page)
    assert answer.text.startswith("<!DOCTYPE html>\n")
    assert Anchors(answer.text).doctype == "DOCTYPE html"
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert index.get(page, headers={"Accept": HTML}).headers["Content-Type"] == f"{HTML}; charset=UTF-8"
    answer.body.decode("utf-8")


def test_A4_2_one_anchor_per_file_and_its_text_ends_the_address(index):
    published = [wheel(), sdist(), wheel(version="1.0+local.1"), wheel(version="2!1.0")]
    for each in published:
        index.publish(*each)
    found = anchors(index.html("acme-lib"))
    assert sorted(text for _, text in found) == sorted(name for name, _ in published)
    for attributes, text in found:
        assert last_segment(attributes["href"]) == text
        assert "?" not in attributes["href"]
        index.get(path_of("/simple/acme-lib/", attributes["href"]))


def test_A4_3_links_are_relative_and_there_is_no_base(index):
    index.publish(*wheel())
    page = Anchors(index.html("acme-lib").text)
    assert page.found[0][0]["href"].startswith("../../files/acme-lib/")
    assert "base" not in page.tags


def test_A4_4_the_fragment_is_the_sha256_and_nothing_else(index):
    name, content = wheel()
    index.publish(name, content)
    ((attributes, _),) = anchors(index.html("acme-lib"))
    assert attributes["href"].partition("#")[2] == f"sha256={hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize("page", ["/simple/", "/simple/acme-lib/", "/acme-lib/"])
def test_A4_5_pages_name_the_version_of_the_api(index, page):
    index.publish(*wheel())
    assert Anchors(index.get(page).text).metas["pypi:repository-version"] == "1.4"


def test_A4_6_requires_python_is_escaped(index):
    index.publish(*wheel(requires_python=">=3.8,<4"))
    page = index.html("acme-lib")
    assert 'data-requires-python="&gt;=3.8,&lt;4"' in page.text
    assert anchors(page)[0][0]["data-requires-python"] == ">=3.8,<4"


def test_A4_7_core_metadata_of_wheels_only(index):
    index.publish(*wheel())
    index.publish(*sdist())
    of_wheel, of_sdist = [attributes for attributes, _ in anchors(index.html("acme-lib"))][::-1]
    if of_wheel["href"].partition("#")[0].endswith(".tar.gz"):
        of_wheel, of_sdist = of_sdist, of_wheel
    metadata = index.get(path_of("/simple/acme-lib/", of_wheel["href"]) + ".metadata").body
    assert of_wheel["data-core-metadata"] == f"sha256={hashlib.sha256(metadata).hexdigest()}"
    assert of_wheel["data-dist-info-metadata"] == of_wheel["data-core-metadata"]
    assert not {"data-core-metadata", "data-dist-info-metadata"} & of_sdist.keys()


def test_A4_8_yanked_without_a_reason_is_an_empty_attribute(index):
    index.publish(*wheel())
    assert "data-yanked" not in anchors(index.html("acme-lib"))[0][0]
    index.repository.yank("acme-lib", [WHEEL], "", ACTOR)
    page = index.html("acme-lib")
    assert 'data-yanked=""' in page.text
    assert anchors(page)[0][0]["data-yanked"] == ""


def test_A4_8_the_reason_for_a_yank_is_escaped(index):
    index.publish(*wheel())
    reason = "breaks \"x\" & <y> ünter '3.8'"
    index.repository.yank("acme-lib", [WHEEL], reason, ACTOR)
    assert anchors(index.html("acme-lib"))[0][0]["data-yanked"] == reason
    index.repository.unyank("acme-lib", [WHEEL], ACTOR)
    assert "data-yanked" not in index.html("acme-lib").text


def test_A4_9_signatures_are_told_on_every_link_of_a_project_that_has_one(index):
    index.publish(*sdist())
    assert "gpg-sig" not in index.html("acme-lib").text
    index.publish(*wheel(), gpg_signature="-----BEGIN PGP SIGNATURE-----\n")
    told = {text: attributes["data-gpg-sig"] for attributes, text in anchors(index.html("acme-lib"))}
    assert told == {WHEEL: "true", "acme_lib-1.0.tar.gz": "false"}


@pytest.mark.parametrize("status", ["active", "archived", "deprecated", "quarantined"])
def test_A4_11_the_status_of_the_project(index, status):
    index.publish(*wheel())
    assert Anchors(index.html("acme-lib").text).metas.get("pypi:project-status-reason") is None
    index.repository.set_status("acme-lib", status, 'a "reason" <b>', ACTOR)
    metas = Anchors(index.html("acme-lib").text).metas
    assert metas["pypi:project-status"] == status
    assert metas["pypi:project-status-reason"] == 'a "reason" <b>'


def test_A4_12_the_root_page_links_each_project_by_its_canonical_name(index):
    for name in ("Zope.Interface", "acme_lib", "Beta"):
        index.publish(*sdist(name))
    page = index.get("/simple/")
    found = {path_of("/simple/", attributes["href"]): text for attributes, text in anchors(page)}
    assert found == {
        "/simple/acme-lib/": "acme_lib",
        "/simple/beta/": "Beta",
        "/simple/zope-interface/": "Zope.Interface",
    }


def test_A4_13_hatch_reads_every_file_with_its_expression(index):
    for each in (wheel(requires_python=">=3.8,<4"), sdist(requires_python=">2.7"), wheel(version="2.0")):
        index.publish(*each)
    index.repository.yank("acme-lib", [WHEEL], "1 > 0", ACTOR)
    page = index.html("acme-lib")
    assert as_hatch_reads(page.text) == [text for _, text in anchors(page)]
    assert len(as_hatch_reads(page.text)) == 3


HOSTILE = [
    '"><script>alert(1)</script>',
    "</a></body><base href='//evil.example/'>",
    "&quot;&#34;&lt;",
    "'\" onmouseover=alert(1) x='",
    "\u2028\u2029\u202e\U0001f600 ünï\u0085",
    "{{ 7 * 7 }}{% raw %}",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_that_a_document_says_can_break_a_page(index, store, text):
    bad = file("acme_lib-1.0-py3-none-any.whl", requires_python=text, yanked=text, metadata=text, uploader=text)
    named = file(f"acme-1.0{text}.tar.gz", token="1" * 16)
    hostile = project(bad, named, display=text, status="deprecated", status_reason=text, releases={"3.0": text})
    plant(index, store, hostile)
    page = index.html("acme-lib")
    read = Anchors(page.text)
    assert {"script", "base", "b"}.isdisjoint(read.tags)
    found = {text: attributes for attributes, text in read.found}
    assert found.keys() == {bad.filename, named.filename}
    attributes = found[bad.filename]
    assert attributes["data-yanked"] == attributes["data-requires-python"] == text
    assert len(as_hatch_reads(page.text)) == 2
    assert read.metas["pypi:project-status-reason"] == text
    assert all(last_segment(attributes["href"]) == text for text, attributes in found.items())
    shown = Anchors(index.get("/project/acme-lib/").text)
    assert (shown.tags.count("script"), shown.tags.count("base")) == (1, 0)  # the one of ours
    (entry,) = [entry for entry in index.json("acme-lib")["files"] if entry["filename"] == bad.filename]
    assert entry["yanked"] == entry["requires-python"] == text


def test_a_hostile_display_name_is_text_on_every_page(index, store):
    index.publish(*wheel())
    key = keys.index("main")
    names, tag = index.repository.names().value, store.read(key)[1]
    store.swap(key, names.add("beta", "<script>x</script>").revised("planted").dump(), tag)
    for page, ours in (("/", 1), ("/simple/", 0)):
        assert Anchors(index.get(page).text).tags.count("script") == ours
    assert index.get("/simple/", headers={"Accept": JSON}).json["projects"][1]["name"] == "<script>x</script>"


def test_a_project_with_a_thousand_files_is_shown_quickly(index, store):
    files = [
        file(f"acme_lib-1.{number}-py3-none-any.whl", version=f"1.{number}", token=f"{number:016x}", metadata="a" * 64)
        for number in range(1000)
    ]
    plant(index, store, project(*files))
    for accept in (PIP, "text/html"):
        began = time.process_time()
        answer = index.get("/simple/acme-lib/", headers={"Accept": accept})
        drawn = time.process_time() - began
        assert drawn < 10
        began = time.process_time()
        assert index.get("/simple/acme-lib/", headers={"Accept": accept}).body == answer.body
        assert time.process_time() - began < max(0.1, drawn / 2)
    assert len(anchors(index.html("acme-lib"))) == 1000

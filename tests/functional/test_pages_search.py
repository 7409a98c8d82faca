"""The search: results as a page and as JSON, and what is said while the index is still being read."""

from __future__ import annotations

import pytest

from mypi.model import Actor
from mypi.overview import Overview
from tests.builders import sdist, wheel
from tests.functional.support import BROWSER, Anchors, one_store, path_of

ACTOR = Actor("tester", "test")
PEOPLE = {"Accept": BROWSER}
SCRIPT = {"Accept": "application/json"}


store = one_store
"""The search asks a store for nothing that is not tested on each."""


@pytest.fixture
def held(index):
    index.publish(*wheel("acme-lib", summary="Parts & <anvils>"))
    index.publish(*sdist("acme-core"))
    index.publish(*sdist("beta"))
    return index


def found(answer):
    listed = answer.text.partition('<ul class="rows">')[2].partition("</ul>")[0]
    return [path_of("/+search", each["href"]) for each, _ in Anchors(listed).found if each.get("class") != "version"]


def test_projects_are_found_by_their_words(held):
    answer = held.get("/+search?q=acme", headers=PEOPLE)
    assert sorted(found(answer)) == ["/project/acme-core/", "/project/acme-lib/"]
    assert "Parts &amp; &lt;anvils&gt;" in answer.text
    assert 'value="acme"' in answer.text
    assert "2 projects." in answer.text


def test_a_script_gets_json_with_links_relative_to_the_search(held):
    answer = held.get("/+search?q=anvils", headers=SCRIPT)
    assert answer.json == {
        "words": "anvils",
        "total": 1,
        "results": [
            {
                "name": "acme-lib",
                "display": "acme-lib",
                "version": "1.0",
                "summary": "Parts & <anvils>",
                "url": "project/acme-lib/",
            }
        ],
    }
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Vary"] == "Accept, Cookie"
    assert answer.headers["Cache-Control"] == "no-cache, private"


@pytest.mark.parametrize("accept", [None, "*/*", "text/html", "image/png", "garbage"])
def test_everybody_else_gets_the_page(held, accept):
    answer = held.get("/+search?q=acme", headers={"Accept": accept} if accept else {})
    assert answer.content_type == "text/html"


@pytest.mark.parametrize("query", ["", "?q=", "?q=%20%20", "?p=acme"])
def test_no_words_find_nothing_and_are_told_what_to_type(held, query):
    answer = held.get(f"/+search{query}", headers=PEOPLE)
    assert "Type a word" in answer.text
    assert held.get(f"/+search{query}", headers=SCRIPT).json["results"] == []


def test_no_results_say_what_to_do(held):
    text = held.get("/+search?q=nothing+at+all", headers=PEOPLE).text
    assert "No project is found for these words" in text
    assert "Try fewer or shorter words" in text


def test_many_results_come_in_pages(held, monkeypatch):
    monkeypatch.setattr("mypi.views.search.SHOWN", 1)
    monkeypatch.setattr("mypi.views.search.MOST", 2)
    held.publish(*sdist("acme-cli"))
    answer = held.get("/+search?q=acme", headers=PEOPLE)
    assert "3 projects, of which the best 2 are listed" in answer.text
    assert "?q=acme&amp;page=2" in answer.text
    again = held.get("/+search?q=acme&page=2", headers=PEOPLE)
    assert len(found(again)) == 1
    assert found(again) != found(answer)


def test_a_status_and_a_project_without_files_are_marked(held):
    release = {":action": "submit", "metadata_version": "1.0", "name": "acme-new", "version": "1.0"}
    held.post("/", release)
    held.repository.set_status("acme-lib", "deprecated", "", ACTOR)
    text = held.get("/+search?q=acme", headers=PEOPLE).text
    assert ">deprecated<" in text
    assert "no files" in text


def test_E1_nobody_finds_what_they_may_not_read(make_index, htpasswd):
    index = make_index(htpasswd=htpasswd, **{"read.secret": "user:alice"})
    index.publish(*sdist("secret"))
    index.publish(*sdist("secretary"))
    for address in ("/+search?q=secret", "/"):
        assert "project/secret/" not in index.get(address, headers=PEOPLE).text
        index.authorization = ("Basic", ("alice", "wonder"))
        assert "project/secret/" in index.get(address, headers=PEOPLE).text
        index.authorization = None


def test_an_index_that_is_still_being_read_says_so(held, monkeypatch):
    monkeypatch.setattr(Overview, "complete", property(lambda self: False))
    for address in ("/", "/+search?q=acme", "/project/beta/"):
        assert "still being read after its start" in held.get(address, headers=PEOPLE).text


def test_the_home_page_shows_what_came_last(make_index, htpasswd):
    index = make_index(upload="users", htpasswd=htpasswd)
    index.authorization = ("Basic", ("alice", "wonder"))
    index.publish(*wheel("acme-lib", summary="Parts & <anvils>"))
    text = index.get("/", headers=PEOPLE).text
    recent = text.partition('id="recent"')[2].partition("</section>")[0]
    assert "project/acme-lib/1.0/" in recent
    assert "by alice" in recent
    assert "Parts &amp; &lt;anvils&gt;" in recent


def test_an_index_for_its_users_only_says_where_the_password_goes(make_index, htpasswd):
    index = make_index(read="users", upload="nobody", htpasswd=htpasswd)
    index.authorization = ("Basic", ("alice", "wonder"))
    text = index.get("/", headers=PEOPLE).text
    assert ".netrc" in text
    assert "twine" not in text

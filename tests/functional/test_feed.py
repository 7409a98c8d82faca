"""The feed of recent uploads: valid Atom (RFC 4287), stable, cheap to ask again, and silent of what one may not see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from mypi.overview import Upload
from mypi.views import feed
from tests import builders
from tests.functional.support import basic, one_store

ATOM = "{http://www.w3.org/2005/Atom}"


store = one_store
"""The feed is drawn from the overview, which is tested on each store."""


def text(element: ET.Element, tag: str) -> str:
    """The text of the one child that RFC 4287 asks for."""
    (child,) = element.findall(f"{ATOM}{tag}")
    assert child.text
    return child.text


def check(root: ET.Element) -> None:
    """Hold what RFC 4287 says a feed and its entries must have (4.1.1, 4.1.2, 4.2.6)."""
    assert root.tag == f"{ATOM}feed"
    ids = []
    for element in (root, *root.findall(f"{ATOM}entry")):
        assert text(element, "title")
        datetime.fromisoformat(text(element, "updated").replace("Z", "+00:00"))
        ids.append(text(element, "id"))
        assert ids[-1].startswith("tag:")
        (alternate,) = [link for link in element.findall(f"{ATOM}link") if link.get("rel") == "alternate"]
        assert alternate.attrib["href"].startswith(("http://", "https://"))
    assert len(set(ids)) == len(ids)
    assert text(root.findall(f"{ATOM}author")[0], "name")
    assert [link.get("type") for link in root.findall(f"{ATOM}link") if link.get("rel") == "self"] == [
        "application/atom+xml"
    ]


def test_an_empty_feed_is_valid(index: Any) -> None:
    response = index.get("/+feed")
    assert response.headers["Content-Type"] == "application/atom+xml; charset=UTF-8"
    check(ET.fromstring(response.body))


def test_uploads_are_entries_the_newest_first(index: Any) -> None:
    index.publish(*builders.wheel("acme", "1.0", summary="Does <it> & more"))
    index.publish(*builders.wheel("zinc", "2.0+local.1"))
    root = ET.fromstring(index.get("/+feed").body)
    check(root)
    zinc, acme = root.findall(f"{ATOM}entry")
    assert text(acme, "title") == "acme 1.0"
    assert text(acme, "summary") == "Does <it> & more"
    assert text(acme, "content") == "acme-1.0-py3-none-any.whl"
    assert not acme.findall(f"{ATOM}author")
    link = zinc.find(f"{ATOM}link")
    assert link is not None
    assert link.attrib["href"] == "http://localhost/project/zinc/2.0+local.1/"
    assert not zinc.findall(f"{ATOM}summary")
    assert text(root, "updated") == text(zinc, "updated")


def test_an_entry_keeps_its_id_when_a_further_file_of_the_release_comes(index: Any) -> None:
    index.publish(*builders.wheel("acme", "1.0"))
    (before,) = ET.fromstring(index.get("/+feed").body).findall(f"{ATOM}entry")
    index.publish(*builders.sdist("acme", "1.0"))
    (after,) = ET.fromstring(index.get("/+feed").body).findall(f"{ATOM}entry")
    assert text(after, "id") == text(before, "id")
    assert text(after, "updated") > text(before, "updated")
    assert text(after, "published") == text(before, "published")


def test_addresses_are_those_that_people_use(make_index: Callable[..., Any]) -> None:
    index = make_index(public_url="https://Packages.example:8443/py")
    index.publish(*builders.wheel("acme", "1.0"))
    root = ET.fromstring(index.get("/+feed").body)
    check(root)
    assert text(root, "id").startswith("tag:packages.example,")
    assert {link.attrib["href"].partition("/py/")[0] for link in root.iter(f"{ATOM}link")} == {
        "https://Packages.example:8443"
    }


def test_who_has_the_feed_gets_304_until_something_is_uploaded(index: Any) -> None:
    index.publish(*builders.wheel("acme", "1.0"))
    first = index.get("/+feed")
    again = index.get("/+feed", headers={"If-None-Match": first.headers["ETag"]}, status=304)
    assert again.body == b""
    assert "private" in again.headers["Cache-Control"]
    index.publish(*builders.wheel("acme", "2.0"))
    assert (
        index.get("/+feed", headers={"If-None-Match": first.headers["ETag"]}).headers["ETag"] != first.headers["ETag"]
    )


def test_the_feed_names_only_what_who_asks_may_see(make_index: Callable[..., Any], htpasswd: str) -> None:
    index = make_index(htpasswd=htpasswd, **{"read.secret-*": "user:alice"})
    index.publish(*builders.wheel("acme"))
    index.publish(*builders.wheel("secret-plan"))
    assert "secret" not in index.get("/+feed").text
    assert "secret-plan" in index.get("/+feed", headers=basic("alice", "wonder")).text
    assert "secret" not in index.get("/+feed", headers=basic("bob", "builder")).text
    assert "Authorization" in index.get("/+feed").headers["Vary"]


def test_a_closed_index_has_a_closed_feed(make_index: Callable[..., Any], htpasswd: str) -> None:
    index = make_index(read="users", htpasswd=htpasswd)
    index.get("/+feed", status=401)
    index.get("/+feed", headers=basic("alice", "wonder"))


def test_what_no_xml_may_have_is_replaced_and_the_rest_escaped() -> None:
    upload = Upload(
        project="acme",
        display="<b>&\x00\ud800\uffff",
        version="1!2.0",
        files=("a\x1b.whl",),
        at="2026-01-01T01:00:00.000000Z",
        by='zoë"</name>',
        summary="]]>\u0001",
        began="2026-01-01T00:00:00.000000Z",
    )
    root = ET.fromstring(feed.written("http://[::1]:6543", [upload]))
    check(root)
    (entry,) = root.findall(f"{ATOM}entry")
    assert text(entry, "title") == "<b>&\ufffd\ufffd\ufffd 1!2.0"
    assert text(entry, "summary") == "]]>\ufffd"
    assert text(entry.findall(f"{ATOM}author")[0], "name") == 'zoë"</name>'
    assert text(entry, "id") == "tag:localhost,2026-01-01:acme/1!2.0/20260101000000000000"

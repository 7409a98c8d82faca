"""Relative links: they hold under any prefix, because only the client knows it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mypi.model import File, Project
from mypi.views import links
from tests.functional.support import last_segment, path_of


@pytest.mark.parametrize(("page", "up"), [("/", "./"), ("/a", "./"), ("/a/", "../"), ("/simple/acme-lib/", "../../")])
def test_up_leads_from_a_page_to_the_root(page, up):
    assert links.up(SimpleNamespace(environ={"PATH_INFO": page})) == up
    assert path_of("/pypi" + page, up) == "/pypi/"


paths = st.lists(st.sampled_from(["simple", "acme-lib", "Acme.Lib", ""]), max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)


@given(asked=paths, wanted=st.sampled_from(["/simple/", "/simple/acme-lib/", "/acme-lib/", "/project/acme-lib/"]))
def test_relative_leads_from_any_page_to_any_other_under_any_prefix(asked, wanted):
    way = links.relative(asked, wanted)
    assert path_of("/a/b" + asked, way) == "/a/b" + wanted
    assert not way.startswith("/")


@pytest.mark.parametrize("filename", ["acme-1.0.tar.gz", "acme-1.0+local.1.tar.gz", "acme-1!1.0.zip", "a b%2F?#.zip"])
def test_A4_2_the_link_to_a_file_ends_in_its_name(filename):
    file = File(filename, "1.0", "0" * 16, 1, "0" * 64, "2026")
    link = links.file("../../", Project("acme", "acme"), file)
    assert last_segment(link) == filename
    assert link.startswith("../../files/acme/0000000000000000/")
    assert not {"?", "#"} & set(link)

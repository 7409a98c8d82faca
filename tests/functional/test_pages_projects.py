"""The pages of projects, releases and files: what each shows, of whatever was published."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from mypi.contents import Unreadable
from mypi.model import Actor
from mypi.views.looking import Inside
from tests import attested, stores
from tests.builders import sdist, wheel
from tests.functional.support import BROWSER, Anchors, one_store, path_of

ACTOR = Actor("tester", "test")
PEOPLE = {"Accept": BROWSER}
NAME, CONTENT = wheel()
PAGE = f"/project/acme-lib/1.0/{NAME}/"


store = one_store
"""The pages ask a store for nothing that is not tested on each: one of them suffices."""


def described(**fields):
    return wheel(**{"description": "", **fields})


def page(index, address="/project/acme-lib/", status=200):
    return index.get(address, headers=PEOPLE, status=status)


def section(answer, name):
    """The part of a page that a heading begins."""
    return answer.text.partition(f'aria-labelledby="{name}"')[2].partition("</section>")[0]


def links(text):
    return {shown.strip(): attributes["href"] for attributes, shown in Anchors(text).found}


# A project


def test_what_a_release_says_of_itself_is_shown(index):
    index.publish(
        *wheel(
            description="# Anvils\n\nThey *fall*.\n",
            description_content_type="text/markdown",
            summary="Parts & <anvils>",
            author="Wile",
            author_email="wile@acme.example",
            maintainer="Road Runner",
            license="MIT",
            keywords="rockets,anvils",
            requires_python=">=3.9",
            provides_extra=["cli"],
            classifier=["Topic :: Software Development :: Libraries", "License :: OSI Approved :: MIT License", "Odd"],
            home_page="https://acme.example/",
            project_url=["Source, https://git.acme.example/", "Again, https://acme.example/"],
        )
    )
    text = page(index).text
    assert "They <em>fall</em>." in text
    assert "Parts &amp; &lt;anvils&gt;" in text
    assert "Wile, wile@acme.example" in text
    assert "Road Runner" in text
    assert "for Python &gt;=3.9" in text
    assert "Licence: </span>MIT<" in text
    assert "Software Development \u203a Libraries" in text
    assert ">Odd<" in text
    found = links(text)
    assert found["Homepage"] == "https://acme.example/"
    assert found["Source"] == "https://git.acme.example/"
    assert "Again" not in found
    assert found["rockets"] == "../../+search?q=rockets"


def test_threat_6_no_link_runs_anything(index):
    evil = ["Evil, javascript:alert(1)", "Data, data:text/html,x", "Broken, http://[", "None, https://"]
    index.publish(*wheel(home_page="javascript:alert(2)", project_url=evil, description="[x](javascript:alert(3))"))
    answer = page(index)
    hrefs = [attributes.get("href") or "" for attributes, _ in Anchors(answer.text).found]
    assert not [href for href in hrefs if "javascript" in href or "data:" in href]


def test_threat_6_everything_is_escaped(index):
    bad = '"><script>alert(1)</script>'
    fields = ("summary", "author", "license", "keywords", "maintainer")
    index.publish(
        *wheel(description=bad, provides_extra=[bad], classifier=[bad], **dict.fromkeys(fields, bad)),
    )
    index.repository.yank("acme-lib", [NAME], bad, ACTOR)
    for address in ("/project/acme-lib/", "/project/acme-lib/1.0/", PAGE, f"/+search?q={bad}", f"{PAGE}?member={bad}"):
        assert "<script>" not in page(index, address).text


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"license_expression": "MIT OR Apache-2.0", "license": "x"}, "MIT OR Apache-2.0"),
        ({"license": "BSD"}, "BSD"),
        ({"license": "x" * 200}, "x" * 80 + "…"),
        ({"license": "Long\n        text", "classifier": ["License :: OSI Approved :: MIT License"]}, "MIT License"),
        ({"license": "Permission\n        is granted"}, "Permission…"),
    ],
)
def test_a_licence_is_shown_in_a_few_words(index, fields, shown):
    index.publish(*wheel(**fields))
    assert f"Licence: </span>{shown}<" in page(index).text


def test_dependencies_are_grouped_by_extra_and_linked_if_they_live_here(index):
    index.publish(*sdist("acme-core"))
    needed = [
        "Acme.Core[fast,all]>=2",
        "elsewhere @ https://example.com/elsewhere.zip",
        "tomli; python_version < '3.11'",
        "rich; extra == 'CLI' and python_version >= '3.8'",
        "click; (python_version >= '3.9') and extra == 'cli'",
        "both; extra == 'a' or extra == 'b'",
        "not a requirement!",
    ]
    index.publish(*wheel(requires=needed))
    answer = page(index)
    shown = section(answer, "dependencies")
    assert links(shown) == {"Acme.Core": "../../project/acme-core/"}
    assert "[all,fast]&gt;=2" in shown
    assert "@ https://example.com/elsewhere.zip" in shown
    assert "not a requirement!" in shown
    always, _, cli = shown.partition("With <code>[cli]</code>")
    assert "both" in always
    assert "extra == &#34;a&#34; or extra == &#34;b&#34;" in always
    assert "rich" in cli
    assert "click" in cli
    assert cli.count("extra") == 0
    needing = section(page(index, "/project/acme-core/"), "dependents")
    assert links(needing) == {"acme-lib": "../../project/acme-lib/"}
    assert "No project here needs it" in section(answer, "dependents")


def test_who_needs_it_in_an_extra_is_said(index):
    index.publish(*sdist("acme-core"))
    index.publish(*wheel(requires=["acme-core; extra == 'cli'"]))
    assert "for [cli]" in section(page(index, "/project/acme-core/"), "dependents")


def test_a_project_that_one_may_not_see_is_neither_linked_nor_said_to_need_another(make_index, htpasswd):
    index = make_index(htpasswd=htpasswd, **{"read.secret": "user:alice"})
    index.publish(*wheel("secret", requires=["acme-lib"]))
    index.publish(*wheel(requires=["secret"]))
    answer = page(index)
    assert "secret" not in links(answer.text)
    assert "No project here needs it" in section(answer, "dependents")


def test_the_files_are_shown_with_all_that_is_known_of_them(make_index, htpasswd):
    index = make_index(upload="users", htpasswd=htpasswd)
    index.authorization = ("Basic", ("alice", "wonder"))
    given = json.dumps([attested.of(NAME, CONTENT)])
    index.publish(NAME, CONTENT, attestations=given, gpg_signature="-----BEGIN PGP SIGNATURE-----\n")
    index.publish(*wheel(tag="cp312-cp312-manylinux_2_17_x86_64.musllinux_1_1_x86_64"))
    index.publish(*wheel(tag="cp313-cp313t-macosx_11_0_arm64"))
    index.publish(*wheel(tag="jy27-none-plan9"))
    index.publish(*sdist())
    index.authorization = None
    answer = page(index)
    files = section(answer, "files")
    for words in ("CPython 3.12", "Linux x86_64, Linux (musl) x86_64", "without the GIL", "jy27", "plan9", "Source"):
        assert words in files
    assert "by alice" in files
    found = links(files)
    assert found[NAME] == f"../../project/acme-lib/1.0/{NAME}/"
    for begin in ("attested", "signed", "Download"):
        href = next(href for text, href in found.items() if text.startswith(begin))
        assert index.get(path_of("/project/acme-lib/", href)).status_int == 200
    digest = index.json("acme-lib")["files"][0]["hashes"]["sha256"]
    assert f'data-copy="{digest}"' in files
    assert "<dt>Owners here</dt>" in answer.text
    alone = page(index, PAGE)
    for begin in ("Attestations", "OpenPGP", "Download", "The whole file"):
        href = next(href for text, href in links(alone.text).items() if text.startswith(begin))
        assert index.get(path_of(PAGE, href)).status_int == 200
    assert "UTC by alice" in alone.text


def test_many_files_come_in_pages_and_can_be_narrowed(index, monkeypatch):
    monkeypatch.setattr("mypi.views.project.FILES", 2)
    for python in ("cp310", "cp311", "cp312"):
        index.publish(*wheel(tag=f"{python}-{python}-win_amd64"))
    index.publish(*wheel(tag="cp312-cp312-macosx_11_0_arm64"))
    first = page(index)
    files = section(first, "files")
    assert files.count("<tr>") == 1 + 2
    assert "1\u20132 of 4" in files
    assert links(files)["Next"] == "?files=2#files"
    assert "3\u20134 of 4" in section(page(index, "/project/acme-lib/?files=2"), "files")
    narrowed = section(page(index, "/project/acme-lib/?file=WIN"), "files")
    assert "1\u20132 of 3" in narrowed
    assert links(narrowed)["Next"] == "?file=WIN&files=2#files"
    assert "No file\u2019s name has \u201cnothing\u201d in it" in page(index, "/project/acme-lib/?file=nothing").text


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("0", "1\u20132"),
        ("99", "3\u20133"),
        ("-1", "1\u20132"),
        ("x", "1\u20132"),
        ("\u00b2", "1\u20132"),
        ("9" * 50, "1\u20132"),
    ],
)
def test_a_page_that_there_is_not_leads_to_the_nearest(index, monkeypatch, asked, shown):
    monkeypatch.setattr("mypi.views.project.VERSIONS", 2)
    for version in ("1.0", "2.0", "3.0"):
        index.publish(*sdist(version=version))
    assert f"{shown} of 3" in section(index.get("/project/acme-lib/", {"versions": asked}, PEOPLE), "versions")


def test_a_project_at_the_root_is_the_same_page_with_links_that_hold(index):
    index.publish(NAME, CONTENT)
    found = links(page(index, "/acme-lib/").text)
    assert path_of("/acme-lib/", found[NAME]) == PAGE
    assert path_of("/acme-lib/", found["1.0"]) == "/project/acme-lib/1.0/"


def test_who_may_manage_a_project_finds_the_way(make_index):
    open_to_all = make_index(manage="everyone")
    open_to_all.publish(NAME, CONTENT)
    for address in ("/project/acme-lib/", "/project/acme-lib/1.0/", PAGE, "/acme-lib/"):
        assert path_of(address, links(page(open_to_all, address).text)["Manage"]) == "/project/acme-lib/+manage"
    assert "Manage" not in links(page(make_index(manage="nobody")).text)


@pytest.mark.parametrize("status", ["archived", "deprecated"])
def test_the_status_of_a_project_is_said_plainly(index, status):
    index.publish(NAME, CONTENT)
    index.repository.set_status("acme-lib", status, "use beta", ACTOR)
    for address in ("/project/acme-lib/", "/project/acme-lib/1.0/"):
        text = page(index, address).text
        assert f"This project is {status}.</strong> use beta" in text
        assert ("takes no uploads" in text) == (status == "archived")
    assert f">{status}<" in page(index, PAGE).text


def test_metadata_that_is_lost_makes_the_page_poorer_and_no_error(index, store, monkeypatch):
    index.publish(NAME, CONTENT)
    monkeypatch.setattr(type(index.repository), "open_metadata", _lost)
    text = page(index).text
    assert NAME in text
    assert "Dependencies" not in text


def _lost(*_):
    from mypi.store import NotFound

    raise NotFound("x")


# A release


def test_a_release_has_its_own_page_with_its_own_install_line(index):
    for version in ("1.0", "2.0"):
        index.publish(*wheel(version=version, summary=f"The {version}"))
    answer = page(index, "/project/acme-lib/1.0/")
    assert "acme-lib==1.0</code>" in answer.text
    assert "The 1.0" in answer.text
    assert path_of("/project/acme-lib/1.0/", links(answer.text)["2.0"]) == "/project/acme-lib/2.0/"
    assert "The latest release is" in answer.text
    assert "The latest release is" not in page(index, "/project/acme-lib/2.0/").text


def test_a_yanked_release_says_so_without_a_reason_too(index):
    index.publish(NAME, CONTENT)
    index.repository.yank("acme-lib", [NAME], "", ACTOR)
    text = page(index, "/project/acme-lib/1.0/").text
    assert "This release is yanked.</strong>" in text
    assert "acme-lib==1.0</code>" in text
    assert "pip install" not in page(index).text.partition("</main>")[0].partition("Files of")[0]
    assert "This file is yanked.</strong>" in page(index, PAGE).text


def test_a_file_that_is_yanked_alone_has_its_reason_beside_it(index):
    index.publish(NAME, CONTENT)
    index.publish(*sdist())
    index.repository.yank("acme-lib", [NAME], "built wrongly", ACTOR)
    assert ">yanked: built wrongly<" in section(page(index), "files")
    assert "This file is yanked:</strong> built wrongly." in page(index, PAGE).text


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ("/project/acme-lib/1.0", "/project/acme-lib/1.0/"),
        ("/project/Acme.Lib/1.0/", "/project/acme-lib/1.0/"),
        ("/project/acme-lib/v1.0.0/", "/project/acme-lib/1.0/"),
        ("/project/acme-lib/1/", "/project/acme-lib/1.0/"),
        (f"/project/acme-lib/1.0.0/{NAME}/", PAGE),
        (f"/project/acme_lib/1.0/{NAME}", PAGE),
    ],
)
def test_any_spelling_leads_to_the_one_page(index, asked, wanted):
    index.publish(NAME, CONTENT)
    answer = index.get(asked + "?x=1", headers=PEOPLE, status=301)
    assert path_of(asked, answer.headers["Location"]) == wanted
    assert answer.headers["Location"].endswith("?x=1")


@pytest.mark.parametrize(
    "address",
    [
        "/project/nothing/1.0/",
        "/project/acme-lib/2.0/",
        "/project/acme-lib/no-version/",
        f"/project/acme-lib/2.0/{NAME}/",
        "/project/acme-lib/1.0/nothing.whl/",
        f"{PAGE}x/",
        "/acme-lib/1.0/",
    ],
)
def test_a_page_of_nothing_is_404(index, address):
    index.publish(NAME, CONTENT)
    index.publish(*sdist("beta", "2.0"))
    page(index, address, status=404)


def test_a_release_of_a_quarantined_project_is_404(index):
    index.publish(NAME, CONTENT)
    index.repository.set_status("acme-lib", "quarantined", "", ACTOR)
    for address in ("/project/acme-lib/1.0/", PAGE):
        page(index, address, status=404)


def test_E1_pages_of_what_one_may_not_read_are_404_or_ask_who_it_is(make_index, htpasswd):
    index = make_index(htpasswd=htpasswd, **{"read.acme-*": "user:alice"})
    index.publish(NAME, CONTENT)
    for address in ("/project/acme-lib/", "/project/acme-lib/1.0/", PAGE):
        assert "+login?next=" in page(index, address, status=303).headers["Location"]
        index.get(address, status=401)
        index.authorization = ("Basic", ("bob", "builder"))
        page(index, address, status=404)
        index.authorization = None


@pytest.mark.parametrize("address", ["/project/acme-lib/", "/project/acme-lib/1.0/", PAGE, "/+search?q=a"])
def test_HEAD_answers_as_GET_without_a_body(index, address):
    index.publish(NAME, CONTENT)
    got, asked = page(index, address), index.head(address, headers=PEOPLE)
    assert asked.status_int == 200
    assert asked.content_length == got.content_length
    assert got.headers["Cache-Control"] == "no-cache, private"
    assert got.headers["Vary"] == "Accept, Cookie"


# A file


def test_the_page_of_a_file_names_what_is_in_it(index):
    index.publish(*wheel(files={"acme/<b>.py": b"x" * 2000}, requires_python=">=3.9", description="long\n\ntext"))
    answer = page(index, PAGE)
    contents = section(answer, "contents")
    assert "acme/&lt;b&gt;.py" in contents
    assert "2.0 KiB" in contents
    assert "acme_lib-1.0.dist-info/RECORD" in contents
    shown = section(answer, "metadata")
    assert "Requires-Python: &gt;=3.9" in shown
    assert "long" not in shown
    assert "py3-none-any" in answer.text


def test_the_page_of_an_sdist_too(index):
    index.publish(*sdist())
    answer = page(index, "/project/acme-lib/1.0/acme_lib-1.0.tar.gz/")
    assert "acme_lib-1.0/setup.py" in section(answer, "contents")
    assert "<dd>Source</dd>" in answer.text


def test_many_members_come_in_pages_and_can_be_narrowed(index, monkeypatch):
    monkeypatch.setattr("mypi.views.inside.MEMBERS", 3)
    index.publish(*wheel(files={f"acme/part_{number}.py": b"" for number in range(7)}))
    contents = section(page(index, PAGE), "contents")
    assert "1\u20133 of 10" in contents
    assert "10 files" in contents
    assert links(contents)["Next"] == "?page=2#contents"
    assert "1\u20133 of 7" in section(page(index, f"{PAGE}?member=PART"), "contents")
    assert "No path has \u201cnothing\u201d in it" in page(index, f"{PAGE}?member=nothing").text


def test_a_file_without_metadata_has_none_on_its_page(index, store):
    index.publish(NAME, CONTENT)
    project = index.repository.project("acme-lib").value
    changed = replace(project, files={NAME: replace(project.files[NAME], metadata=None)}, revision="other")
    key = next(entry.key for entry in store.list() if entry.key.endswith("acme-lib.json"))
    store.swap(key, changed.dump(), store.read(key)[1])
    assert 'id="metadata"' not in page(index, PAGE).text
    assert NAME in page(index).text


def test_endless_metadata_is_cut(index, monkeypatch):
    monkeypatch.setattr("mypi.views.inside._LONGEST_HEAD", 20)
    index.publish(NAME, CONTENT)
    assert "Metadata-Version: 2.…" in page(index, PAGE).text


def test_an_archive_that_cannot_be_looked_into_says_why_and_is_not_read_again(index, monkeypatch):
    index.publish(NAME, CONTENT)
    reads = []

    def unreadable(file, filename):
        reads.append(filename)
        raise Unreadable("It is odd <b>")

    monkeypatch.setattr("mypi.contents.listing", unreadable)
    for _ in range(2):
        assert "It is odd &lt;b&gt;" in section(page(index, PAGE), "contents")
    assert reads == [NAME]


def test_what_is_in_a_file_is_read_once(index, monkeypatch):
    index.publish(NAME, CONTENT)
    first = page(index, PAGE).text
    monkeypatch.setattr("mypi.contents.listing", None)
    assert page(index, PAGE).text == first


def test_a_file_too_large_to_fetch_is_not_fetched(index, monkeypatch):
    index.publish(NAME, CONTENT)
    monkeypatch.setattr("mypi.contents.LARGEST", 10)
    assert "too large to look into here" in page(index, PAGE).text


def test_too_many_at_a_time_are_asked_to_come_again(index):
    index.publish(NAME, CONTENT)
    looker = Inside(index.repository, queue=0)
    project = index.repository.project("acme-lib").value
    for _ in range(2):
        assert looker._turns.acquire(timeout=0)
    with pytest.raises(Unreadable, match="try again in a moment"):
        looker.listing(project, project.live[0])
    looker._turns.release()
    assert looker.listing(project, project.live[0])


def test_who_waited_for_the_same_file_finds_it_read(index, monkeypatch):
    index.publish(NAME, CONTENT)
    looker = Inside(index.repository)
    project = index.repository.project("acme-lib").value
    found = [None, ("kept",)]
    monkeypatch.setattr(looker, "_find", lambda key: found.pop(0))
    assert looker.listing(project, project.live[0]) == ("kept",)


def test_a_listing_too_long_to_keep_is_made_again(index):
    index.publish(NAME, CONTENT)
    looker = Inside(index.repository, kept=10)
    project = index.repository.project("acme-lib").value
    assert looker.listing(project, project.live[0]) == looker.listing(project, project.live[0])
    assert not looker._kept


def test_a_file_whose_bytes_are_gone_is_damage_and_not_404(index, store):
    index.publish(NAME, CONTENT)
    project = index.repository.project("acme-lib").value
    (file,) = project.live
    store.delete(next(entry.key for entry in store.list() if entry.key.endswith(f"{file.token}/{NAME}")))
    assert "mypi verify" in page(index, PAGE, status=503).text


def test_a_file_on_the_servers_own_disk_is_read_where_it_lies(tmp_path, make_index):
    local = stores.make("filesystem", tmp_path)
    index = make_index(over=local)
    index.publish(NAME, CONTENT)
    assert "acme_lib/__init__.py" in page(index, PAGE).text
    local.close()

"""``mypi takeover``: a name that another index has becomes ours, for ever."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from mypi.store import NotFound
from mypi.upstream import Upstream
from tests.commands.conftest import write
from tests.repository.shorthand import live, package, publish, settings


def served(index, elsewhere):
    """What a server over the same store has for its clients; closed with the repository."""
    return Upstream.of(settings(**elsewhere.settings()), index)


def test_a_name_becomes_ours_and_what_was_kept_of_it_is_dropped(run, index, elsewhere):
    upstream = served(index, elsewhere)
    file = upstream.page("acme-lib").page.file(package()[0])
    with closing(upstream.open("acme-lib", file).pieces) as pieces:
        assert b"".join(pieces) == elsewhere.projects["acme-lib"].files[file.filename].content
    upstream.page("six")
    upstream.files.close()
    elsewhere.requests.clear()
    done = run("takeover", "Acme.Lib", "--reason", "squatted")
    assert (done.code, done.err) == (0, "")
    said, dropped = done.out.splitlines()
    assert said == "Acme.Lib is ours from now on"
    assert dropped == f"{file.size:,} bytes of other indexes' files of that name were dropped"
    assert not upstream.theirs("acme-lib")
    assert list(index.outside.names()) == [("pypi", "six")]
    assert list(index.outside.bytes()) == []
    assert elsewhere.requests == []
    project = index.project("acme-lib").value
    assert (project.display, project.files, project.taken_over) == ("Acme.Lib", {}, True)
    assert index.names().value.projects == {"acme-lib": "Acme.Lib"}
    log = run("log", "--action", "takeover").out
    assert "acme-lib  takeover: squatted  by " in log
    assert "from command" in log


def test_uploads_may_begin_it_and_its_owner_is_named(run, ini, index, elsewhere):
    write(ini, **{"upload.acme-*": "owners"})
    assert run("takeover", "acme-lib").out.splitlines()[1:] == ["nobody owns it yet: mypi owner add acme-lib USER"]
    served(index, elsewhere)
    publish(index)
    assert live(index) == [package()[0]]
    assert [event.did for event in index.project("acme-lib").value.history] == ["takeover", "publish"]


def test_a_second_time_changes_nothing(run, index, elsewhere):
    run("takeover", "acme-lib", "-r", "squatted")
    publish(index)
    tag = index.project("acme-lib").tag
    done = run("takeover", "ACME_LIB")
    assert done.code == 0
    first, second = done.out.splitlines()
    assert first == "acme-lib is ours already; nothing was changed"
    assert "takeover: squatted" in second
    assert index.project("acme-lib").tag == tag


def test_a_name_that_is_ours_is_refused(run, ini, index, elsewhere):
    publish(index)
    tag = index.project("acme-lib").tag
    done = run("takeover", "acme-lib")
    assert (done.code, done.err) == (1, "mypi: acme-lib is a project of this index already; nothing was changed\n")
    assert index.project("acme-lib").tag == tag
    write(ini, private="six* other")
    done = run("takeover", "Six")
    assert (done.code, done.err) == (1, "mypi: six is ours already, by mypi.private = six*; nothing was changed\n")
    with pytest.raises(NotFound):
        index.project("six")


def test_it_needs_no_other_index(run, index):
    assert run("takeover", "acme-lib").code == 0
    assert index.project("acme-lib").value.taken_over
    shown = run("show", "acme-lib").out
    assert shown.startswith("acme-lib: active\nhistory, 1 changes")
    assert json.loads(run("log", "--json").out)[0]["did"] == "takeover"


def test_what_is_no_name_is_refused(run, index):
    done = run("takeover", "no name")
    assert done.code == 1
    assert "is not a project name" in done.err
    assert index.names() is None

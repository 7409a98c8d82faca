"""``mypi upstream``: what is kept of other indexes is listed, fetched beforehand, and dropped."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timezone

import pytest

from mypi.repository import keys
from mypi.upstream import Upstream
from tests import upstreams
from tests.commands.conftest import write
from tests.repository.shorthand import publish, settings

WHEEL, SDIST = "acme_lib-1.0-py3-none-any.whl", "acme_lib-1.0.tar.gz"
NOTHING = "nothing is known of other indexes yet\n"


@pytest.fixture(autouse=True)
def here(elsewhere):
    """Every test has another index."""


def digest(elsewhere, filename, algorithm="sha256"):
    content = next(p.files[filename].content for p in elsewhere.projects.values() if filename in p.files)
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def kept(index):
    return {file for site, name in index.outside.names() for file in index.outside.passing(site, name).kept}


def uv_lock(ini, *files, name="acme-lib", version="1.0"):
    """Write a uv.lock that names files of a release with their hashes."""
    listed = ", ".join(f'{{url = "https://x/{filename}", hash = "{given}"}}' for filename, given in files)
    (ini.parent / "uv.lock").write_text(
        f'version = 1\n[[package]]\nname = "{name}"\nversion = "{version}"\nsource = {{registry = "https://x"}}\n'
        f"wheels = [{listed}]\n"
    )
    return "uv.lock"


def requirements(ini, text):
    (ini.parent / "requirements.txt").write_text(text)
    return "requirements.txt"


def test_files_of_pinned_releases_are_fetched_and_kept(run, ini, index, elsewhere):
    lock = requirements(ini, f"acme-lib==1.0\nsix==1 --hash={digest(elsewhere, 'six-1.0-py3-none-any.whl')}\n-e .\n")
    done = run("upstream", "warm", lock, lock, "--jobs", "2")
    assert (done.code, done.err) == (0, "")
    size = sum(f.size for s, n in index.outside.names() for f in index.outside.passing(s, n).kept.values())
    assert done.out == f"3 files, {size:,} bytes are kept; passed over: 0 of ours, 2 of no index; 0 failed\n"
    assert kept(index) == {WHEEL, SDIST, "six-1.0-py3-none-any.whl"}
    assert elsewhere.count(f"/files/{WHEEL}") == 1
    elsewhere.down()
    try:
        assert run("upstream", "warm", lock).code == 0
    finally:
        elsewhere.up()
    assert elsewhere.count(f"/files/{WHEEL}") == 1


def test_a_server_has_them_while_the_other_index_is_away(run, ini, index, elsewhere):
    run("upstream", "warm", requirements(ini, "acme-lib==1.0"))
    upstream = Upstream.of(settings(**elsewhere.settings()), index)
    elsewhere.down()
    try:
        file = upstream.page("acme-lib").page.file(WHEEL)
        assert b"".join(upstream.open("acme-lib", file).pieces) == elsewhere.projects["acme-lib"].files[WHEEL].content
    finally:
        elsewhere.up()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5"])
def test_files_that_a_lock_names_are_fetched_alone_by_their_hashes(run, ini, index, elsewhere, algorithm):
    lock = uv_lock(ini, (WHEEL, digest(elsewhere, WHEEL, algorithm)))
    assert run("upstream", "warm", lock).code == 0
    assert kept(index) == {WHEEL}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("sha256:" + "0" * 64, f"{WHEEL} has sha256:.* on its page, and the lock file wants sha256:000"),
        ("sha512:" + "0" * 128, f"{WHEEL} has sha512:.*, and the lock file wants sha512:000"),
        ("shake_128:00", f"{WHEEL}: the lock file gives shake_128:00, of a kind that is not known"),
    ],
)
def test_other_hashes_than_the_locked_fail(run, ini, index, elsewhere, given, sentence):
    done = run("upstream", "warm", uv_lock(ini, (WHEEL, given), (SDIST, digest(elsewhere, SDIST))))
    assert done.code == 1
    assert done.out.endswith("; 1 failed\n")
    assert done.out.startswith("1 files, ")
    assert len(done.err.splitlines()) == 1
    assert re.match(f"failed {sentence}", done.err)


def test_bytes_with_another_hash_than_the_page_has_fail_and_are_not_kept(run, ini, index, elsewhere):
    elsewhere.faults[f"/files/{WHEEL}"] = upstreams.wrong_bytes
    done = run("upstream", "warm", requirements(ini, "acme-lib==1.0"))
    assert done.code == 1
    assert done.err.startswith(f"failed {WHEEL}: ")
    assert kept(index) == {SDIST}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("acme-lib==3", "acme-lib 3 has no files"),
        ("nobody==1", "nobody 1: There is no project nobody here"),
        ("acme-lib>=1", "acme-lib>=1: says no version with ==; `uv pip compile` makes a list that does"),
        (f"acme-lib==1.0 --hash=sha256:{'0' * 64}", f"acme-lib 1.0 has no file with the hash sha256:{'0' * 64}"),
    ],
)
def test_each_that_failed_has_its_sentence_and_the_rest_is_fetched(run, ini, index, line, sentence):
    done = run("upstream", "warm", requirements(ini, f"{line}\nsix==1.0\n"))
    assert done.code == 1
    assert done.err.startswith(f"failed {sentence}")
    assert len(done.err.splitlines()) == 1
    assert kept(index) == {"six-1.0-py3-none-any.whl"}


def test_file_that_is_not_offered_any_more_fails(run, ini, index, elsewhere):
    done = run("upstream", "warm", uv_lock(ini, ("acme_lib-1.0-1-py3-none-any.whl", "sha256:" + "0" * 64)))
    assert (done.code, done.err) == (1, "failed acme_lib-1.0-1-py3-none-any.whl is not offered\n")


def test_an_index_that_is_away_fails_with_a_sentence_for_each(run, ini, index, elsewhere):
    elsewhere.faults["*"] = upstreams.status(500)
    done = run("upstream", "warm", requirements(ini, "acme-lib==1.0\nsix==1.0\n"))
    assert done.code == 1
    assert [line.split()[:3] for line in sorted(done.err.splitlines())] == [
        ["failed", "acme-lib", "1.0:"],
        ["failed", "six", "1.0:"],
    ]


def test_names_of_ours_are_passed_over_unasked(run, ini, index, elsewhere):
    write(ini, private="six")
    publish(index)
    done = run("upstream", "warm", requirements(ini, "acme-lib==1.0\nsix==1.0\n"))
    assert (done.code, done.err) == (0, "")
    assert done.out == "0 files, 0 bytes are kept; passed over: 2 of ours, 0 of no index; 0 failed\n"
    assert elsewhere.requests == []


def test_what_came_and_is_not_kept_is_a_failure(run, ini, index, elsewhere):
    write(ini, **{"upstream.limit": "10"})
    done = run("upstream", "warm", requirements(ini, "six==1.0"))
    assert done.code == 1
    assert done.err == (
        "failed six-1.0-py3-none-any.whl came and is not kept; is mypi.upstream.limit too small, or the store full?\n"
    )
    assert done.out.startswith("0 files, ")
    assert elsewhere.count("/files/six-1.0-py3-none-any.whl") == 1


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ({"upstream.mode": "redirect"}, "mypi.upstream.mode = redirect: clients fetch files elsewhere"),
        ({"upstream.limit": "0"}, "mypi.upstream.limit = 0: no file of other indexes is kept"),
        ({"upstream": ""}, "mypi.upstream is not set, so that there is no other index to fetch from"),
    ],
)
def test_where_nothing_is_kept_nothing_is_fetched(run, ini, index, elsewhere, setting, sentence):
    lines = [line for line in ini.read_text().splitlines() if line.split(" ")[0].removeprefix("mypi.") not in setting]
    ini.write_text("\n".join(lines) + "\n")
    write(ini, **setting)
    done = run("upstream", "warm", requirements(ini, "six==1.0"))
    assert (done.code, done.out) == (1, "")
    assert sentence in done.err
    assert elsewhere.requests == []


def test_what_is_no_lock_file_is_refused_before_anything_is_fetched(run, ini, index, elsewhere):
    done = run("upstream", "warm", requirements(ini, "six==1.0"), "missing.txt")
    assert (done.code, done.err) == (1, "mypi: missing.txt cannot be read: No such file or directory\n")
    assert elsewhere.requests == []


def test_list_shows_names_and_what_is_kept_of_them(run, ini, index, elsewhere):
    assert run("upstream", "list").out == NOTHING
    assert json.loads(run("upstream", "list", "--json").out) == []
    run("upstream", "warm", requirements(ini, "acme-lib==1.0"))
    upstream = Upstream.of(settings(**elsewhere.settings()), index)
    upstream.page("six")
    today = datetime.now(timezone.utc).date().isoformat()
    size = sum(len(elsewhere.projects["acme-lib"].files[name].content) for name in (WHEEL, SDIST))
    head, acme, six = run("upstream", "list").out.splitlines()
    assert head.split() == ["name", "from", "files", "bytes", "used"]
    assert acme.split() == ["acme-lib", "pypi", "2", f"{size:,}", today]
    assert six.split() == ["six", "pypi", "0", "0"]
    assert json.loads(run("upstream", "list", "Acme*", "--json").out) == [
        {"site": "pypi", "name": "acme-lib", "known": True, "files": 2, "size": size, "used": today}
    ]
    assert run("upstream", "list", "x*").out == NOTHING


def test_empty_drops_pages_and_files_of_a_name(run, ini, index, elsewhere):
    run("upstream", "warm", requirements(ini, "acme-lib==1.0\nsix==1.0\n"))
    before = len(elsewhere.requests)
    size = sum(len(elsewhere.projects["acme-lib"].files[name].content) for name in (WHEEL, SDIST))
    shown = f"1 pages, 2 files, {size:,} bytes\n"
    assert run("upstream", "empty", "Acme.Lib", "--dry-run").out == f"{shown}nothing was done: --dry-run\n"
    assert len(kept(index)) == 3
    assert run("upstream", "empty", "Acme.Lib").out == f"{shown}done: {size:,} bytes freed\n"
    assert [name for _, name in index.outside.names()] == ["six"]
    assert len(list(index.outside.bytes())) == 1
    done = run("upstream", "empty", "acme-lib")
    assert (done.code, done.err) == (
        1,
        "mypi: nothing of acme-lib is kept; `mypi upstream list` shows what is\n",
    )
    assert len(elsewhere.requests) == before


def test_empty_asks_a_person_first(run, ini, index, terminal):
    run("upstream", "warm", requirements(ini, "six==1.0"))
    terminal("n")
    done = run("upstream", "empty", "--all")
    assert done.code == 1
    assert done.out.endswith("nothing was done\n")
    assert len(kept(index)) == 1


def test_empty_drops_all_and_what_nobody_names_and_nothing_of_ours(run, ini, index, elsewhere):
    run("upstream", "warm", requirements(ini, "acme-lib==1.0\nsix==1.0\n"))
    index.outside.forget("pypi", "six")
    index.before_begin(lambda name, display: None)
    publish(index, "mine")
    assert run("upstream", "empty", "--all", "--yes").code == 0
    assert list(index.outside.names()) == []
    assert list(index.outside.bytes()) == []
    assert index.project("mine").value.live
    assert not [finding for finding in index.verify() if finding.problem]
    assert run("upstream", "empty", "--all").out == "0 pages, 0 files, 0 bytes\ndone: 0 bytes freed\n"


def test_empty_needs_a_name_or_all(run):
    with pytest.raises(SystemExit) as stopped:
        run("upstream", "empty")
    assert stopped.value.code == 2


def test_what_is_known_and_damaged_can_be_lost(run, ini, index):
    run("upstream", "warm", requirements(ini, "six==1.0"))
    key = keys.outside("pypi", "six")
    store = index.catalogue.store
    store.swap(key, b"{", store.read(key)[1])
    assert run("upstream", "list").out == NOTHING
    assert run("upstream", "empty", "--all").code == 0
    assert list(index.outside.bytes()) == []


# Are they indexes at all?


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (upstreams.page(b"{}"), 0, "right: pypi"),
        (upstreams.page(b"<title>Simple index</title>", "text/html"), 0, "in HTML alone"),
        (upstreams.page(b"<a href='/simple/six/'>Six</a>" + b" " * 200_000, "text/html"), 0, "in HTML alone"),
        (upstreams.LOGIN, 1, "wrong: pypi.* it is no index: it answers text/html, and not with a list of projects"),
        (upstreams.page(b"{}", "application/json"), 1, "it is no index: it answers application/json"),
        (upstreams.redirect("https://login.example.com/"), 1, "login.example.com, which mypi does not ask"),
        (upstreams.status(401), 1, "lets mypi not in"),
        (upstreams.status(404), 0, "unsure: pypi.* right only if it lists no projects"),
        (upstreams.status(500), 1, "it answers 500"),
        (upstreams.reset, 1, "cannot be reached"),
    ],
)
def test_an_index_is_asked_whether_it_is_one(fault, code, said, run, elsewhere):
    elsewhere.faults["/simple/"] = fault
    done = run("upstream", "check")
    assert (done.code, done.err) == (code, "")
    assert re.search(said, done.out)
    assert elsewhere.url in done.out


def test_without_another_index_there_is_nothing_to_check(run, ini):
    ini.write_text(re.sub(r"(?m)^mypi\.upstream.*\n", "", ini.read_text()))
    done = run("upstream", "check")
    assert (done.code, done.out) == (1, "")
    assert "mypi.upstream is not set" in done.err

"""Repair: bit rot of every kind is marked and withdrawn, what can be made again is made, what comes back is offered."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest

from mypi.model import Actor, Closed, File, Missing, Taken, Withdrawn
from mypi.repository import Finding, Moved, Repair, Repository, WrongStore
from mypi.repository.verifying import Verifier
from mypi.store import NotFound, Store, Unavailable
from mypi.testing.doubles import FaultyStore, Point, WrappedStore
from tests.repository.shorthand import (
    ALICE,
    YEAR,
    Clock,
    attested,
    content,
    entries,
    filename,
    live,
    package,
    problems,
    publish,
    settings,
    submission,
    sweep,
)
from tests.repository.test_verify import BadSector, put

WHEEL = filename()
SIGNATURE = b"signature of 1.0"


@pytest.fixture(params=["memory", "filesystem"])
def kind(request: pytest.FixtureRequest) -> str:
    """What a repair does depends on the store only in what a few cases below try on others."""
    return request.param


@pytest.fixture
def filled(repository: Repository) -> Repository:
    """An index with two projects and three files; acme-lib 1.0 has all that may lie beside a file."""
    publish(repository, signature=SIGNATURE, attestations=attested())
    publish(repository, version="2.0")
    publish(repository, "other", "1.0", content="o")
    return repository


def file_of(repository: Repository, name: str = WHEEL) -> File:
    return repository.project("acme-lib").value.files[name]


def key_of(repository: Repository, ending: str = "", name: str = WHEEL) -> str:
    return f"files/main/acme-lib/{file_of(repository, name).place(ending)}/{name}{ending}"


def repair(repository: Repository) -> list[Repair]:
    """Do what `mypi verify --repair` does."""
    return [repository.mender.repair(found, repository.event(ALICE)) for found in problems(repository)]


def lie(repository: Repository) -> list[str]:
    """Name the files on offer whose bytes are not what the page says (promise 2)."""
    wrong = []
    for name in ("acme-lib", "other"):
        with suppress(NotFound):
            for file in repository.project(name).value.live:
                try:
                    data = content(repository, file, name)
                except Exception:  # whatever it is, the file cannot be had
                    data = b""
                if hashlib.sha256(data).hexdigest() != file.sha256:
                    wrong.append(file.filename)
    return wrong


ROT: dict[str, Callable[[bytes], bytes] | None] = {
    "flipped": lambda data: data[:9] + bytes([data[9] ^ 1]) + data[10:],
    "truncated": lambda data: data[:-1],
    "appended": lambda data: data + b"\0",
    "deleted": None,
}
ENDINGS = ("", ".metadata", ".asc", ".provenance")


def rot(store: Store, key: str, kind: str) -> None:
    change = ROT[kind]
    if change is None:
        store.delete(key)
    else:
        put(store, key, change(store.read(key)[0]))


def named(repository: Repository) -> list[str]:
    """What verify names: the detector of promise 9, whose control is below."""
    return sorted(finding.subject for finding in problems(repository))


# Promise 9: a wrong digest is found by verify, and withdrawn


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("damage", sorted(ROT))
def test_promise_9_bit_rot_is_named_alone_and_repaired(
    store: Store, filled: Repository, damage: str, ending: str
) -> None:
    rot(store, key_of(filled, ending), damage)
    before = {entry.key: store.read(entry.key)[0] for entry in entries(store, "files/")}
    assert named(filled) == [key_of(filled, ending)]
    (done,) = repair(filled)
    assert not lie(filled)
    file = file_of(filled)
    if ending == ".metadata":
        assert (done.done, done.left) == (f"{WHEEL}.metadata was made again of {WHEEL}", "")
        assert not problems(filled)
        assert file.core_metadata
    else:
        assert done.done == f"{WHEEL}{ending} is marked as damaged"
        assert f"{WHEEL}{ending} of acme-lib (sha256 {file.sidecars.get(ending) or file.sha256}" in done.left
        assert [(each.kind, each.marked) for each in problems(filled)] == [("wrong", True)]
        event = filled.project("acme-lib").value.history[-1]
        assert (event.did, event.by, event.file, event.version) == ("damage", "alice", WHEEL, "1.0")
        assert event.reason and event.reason.startswith(f"{WHEEL}{ending} ")
    assert live(filled) == [filename(version="2.0")] if not ending else [WHEEL, filename(version="2.0")]
    assert (file.signed, file.attested) == (ending != ".asc", ending != ".provenance")
    # Nothing was deleted.
    assert before.items() <= {entry.key: store.read(entry.key)[0] for entry in entries(store, "files/")}.items()


def test_promise_9_control_a_verify_that_does_not_hash_is_caught(
    store: Store, filled: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sizes_only(self: Verifier, content, pace):  # type: ignore[no-untyped-def]
        with self._files.open(content.key) as reader:
            wrong = content.size not in (None, reader.size)
            return reader.size, "has another size" if wrong else None, False

    monkeypatch.setattr(Verifier, "_read", sizes_only)
    rot(store, key_of(filled), "flipped")
    assert named(filled) != [key_of(filled)]
    assert lie(filled) == [WHEEL]
    rot(store, key_of(filled), "truncated")
    assert named(filled) == [key_of(filled)]


def test_promise_9_swapped_files_are_both_withdrawn(store: Store, filled: Repository) -> None:
    first, second = key_of(filled), key_of(filled, name=filename(version="2.0"))
    ours, theirs = store.read(first)[0], store.read(second)[0]
    put(store, first, theirs)
    put(store, second, ours)
    repair(filled)
    assert live(filled) == []
    assert [file.filename for file in filled.project("acme-lib").value.withdrawn] == [WHEEL, filename(version="2.0")]
    assert live(filled, "other")


def test_what_is_withdrawn_is_told_apart_from_what_never_was(store: Store, filled: Repository) -> None:
    rot(store, key_of(filled), "deleted")
    repair(filled)
    project = filled.project("acme-lib").value
    with pytest.raises(Withdrawn, match="restore it from a backup"):
        project.live_file(WHEEL)
    with pytest.raises(Missing):
        project.live_file("acme_lib-9.0-py3-none-any.whl")
    assert not replace(project, status="quarantined").withdrawn


def test_the_name_of_a_damaged_file_stays_taken_promise_3(store: Store, filled: Repository) -> None:
    rot(store, key_of(filled), "flipped")
    repair(filled)
    with pytest.raises(Taken, match="has other contents"):
        publish(filled, content="other")


def test_a_second_repair_finds_nothing_to_do(store: Store, filled: Repository) -> None:
    for ending in ("", ".asc"):
        rot(store, key_of(filled, ending), "flipped")
    repair(filled)
    history = filled.project("acme-lib").value.history
    assert [(each.done, bool(each.left)) for each in repair(filled)] == [("", True)] * 2
    assert filled.project("acme-lib").value.history == history
    assert [filled.mender.proposal(found) for found in problems(filled)] == ["", ""]


def test_what_would_be_done_is_proposed(store: Store, filled: Repository) -> None:
    for ending in ENDINGS:
        rot(store, key_of(filled, ending), "flipped")
    put(store, "indexes/main.json", b"{")
    assert [filled.mender.proposal(found) for found in problems(filled)] == [
        "list every project again on the index page",
        f"mark {WHEEL} as damaged, and withdraw it from the pages",
        f"make {WHEEL}.metadata again of {WHEEL}",
        f"mark {WHEEL}.asc as damaged, and offer {WHEEL} without it",
        f"mark {WHEEL}.provenance as damaged, and offer {WHEEL} without it",
    ]


# Healing


def rotten_and_repaired(store: Store, repository: Repository, *endings: str) -> None:
    for ending in endings:
        rot(store, key_of(repository, ending), "flipped")
    repair(repository)


@pytest.mark.parametrize("damage", sorted(ROT))
def test_the_identical_bytes_uploaded_again_heal_it(
    store: Store, filled: Repository, clock: Clock, damage: str
) -> None:
    before = file_of(filled)
    wrong = key_of(filled)
    rot(store, wrong, damage)
    repair(filled)
    assert publish(filled) == file_of(filled)
    after = file_of(filled)
    assert not problems(filled)
    assert not lie(filled)
    assert live(filled) == [WHEEL, filename(version="2.0")]
    # The address is the one that lock files name.
    assert (after.token, after.sha256, after.damage) == (before.token, before.sha256, None)
    event = filled.project("acme-lib").value.history[-1]
    assert (event.did, event.file, event.reason) == ("mend", WHEEL, f"{WHEEL} right again")
    history = filled.project("acme-lib").value.history
    publish(filled)
    assert filled.project("acme-lib").value.history == history
    # The sidecars lie where they lay, so that the wrong bytes beside them stay, too.
    clock.ahead = YEAR
    sweep(filled)
    assert (wrong in [entry.key for entry in entries(store)]) is (damage != "deleted")
    assert not problems(filled)
    filled.remove("acme-lib", [WHEEL], ALICE)
    clock.ahead = 2 * YEAR
    sweep(filled)
    assert not [entry for entry in entries(store) if f"/{WHEEL}" in entry.key]


@pytest.mark.parametrize("kind", ["s3", "zodb"])
def test_bit_rot_is_repaired_and_healed_on_stores_of_other_kinds(store: Store, filled: Repository, kind: str) -> None:
    rotten_and_repaired(store, filled, "", ".metadata")
    assert live(filled) == [filename(version="2.0")]
    publish(filled)
    assert live(filled) == [WHEEL, filename(version="2.0")]
    assert not problems(filled)
    assert not lie(filled)


def test_wrong_bytes_that_nothing_lies_beside_go_with_a_later_sweep(
    store: Store, repository: Repository, clock: Clock
) -> None:
    publish(repository)
    old = file_of(repository).token
    rotten_and_repaired(store, repository, "", ".metadata")
    publish(repository)
    assert old not in file_of(repository).places
    clock.ahead = YEAR
    sweep(repository)
    assert not [entry for entry in entries(store) if f"/{old}/" in entry.key]
    assert not problems(repository)


def test_an_upload_heals_all_that_it_brings(store: Store, filled: Repository) -> None:
    rotten_and_repaired(store, filled, *ENDINGS)
    assert file_of(filled).damage and set(file_of(filled).damage or {}) == set(ENDINGS)
    publish(filled, signature=b"another signature")
    assert set(file_of(filled).damage or {}) == {".asc", ".provenance"}
    filled.catalogue.edit_known("acme-lib", lambda p: p.mend(WHEEL, {"": "0" * 16}, filled.event(ALICE)))
    publish(filled, signature=SIGNATURE)
    assert set(file_of(filled).damage or {}) == {".provenance"}
    publish(filled, signature=SIGNATURE)
    assert [each.subject for each in problems(filled)] == [key_of(filled, ".provenance")]


def test_metadata_comes_back_with_the_file_that_it_was_read_from(store: Store, filled: Repository) -> None:
    rotten_and_repaired(store, filled, "", ".metadata")
    filled.publish(submission(*package()), ALICE)
    assert not problems(filled)
    assert file_of(filled).core_metadata


def test_metadata_of_a_file_that_is_gone_is_marked(store: Store, filled: Repository) -> None:
    rot(store, key_of(filled), "deleted")
    rotten_and_repaired(store, filled, ".metadata")
    assert set(file_of(filled).damage or {}) == {"", ".metadata"}


def test_metadata_of_what_no_longer_reads_as_an_archive_is_marked(
    store: Store, filled: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filled.mender, "_metadata", lambda content, file: None)
    rotten_and_repaired(store, filled, ".metadata")
    assert file_of(filled).core_metadata is None
    assert live(filled) == [WHEEL, filename(version="2.0")]
    monkeypatch.undo()
    (done,) = repair(filled)
    assert done.done.endswith(f"was made again of {WHEEL}")
    assert not problems(filled)


def test_metadata_that_is_other_than_it_was_is_not_taken_for_it(store: Store, filled: Repository) -> None:
    project = filled.project("acme-lib").value
    for wrong in (replace(file_of(filled), metadata="0" * 64), replace(file_of(filled), filename="no-archive.whl")):
        assert filled.mender._metadata(io.BytesIO(content(filled, file_of(filled))), wrong) is None
    assert filled.mender._metadata(io.BytesIO(b"no archive"), project.files[WHEEL]) is None


def test_bytes_that_somebody_put_back_by_hand_are_offered_again(store: Store, filled: Repository) -> None:
    key, whole = key_of(filled), store.read(key_of(filled))[0]
    rotten_and_repaired(store, filled, "", ".asc")
    put(store, key, whole)
    found = problems(filled)
    assert [(each.kind, each.marked) for each in found] == [("right again", True), ("wrong", True)]
    assert filled.mender.proposal(found[0]) == f"offer {WHEEL} again"
    done, left = repair(filled)
    assert (done.done, done.left) == (f"{WHEEL} is offered again", "")
    assert left.left
    assert live(filled) == [WHEEL, filename(version="2.0")]
    assert file_of(filled).moved is None
    # Between the reading and the repair somebody else may have done it.
    assert filled.mender.repair(found[0], filled.event(ALICE)).left.startswith(WHEEL)
    filled.remove("acme-lib", [WHEEL], ALICE)


def test_a_backup_heals_what_is_damaged_though_the_index_is_newer(store: Store, filled: Repository) -> None:
    from mypi.backends.memory import MemoryStore

    kept = MemoryStore()
    backup = Repository(kept, kept, settings())
    assert [each.state for each in filled.copy(backup)].count("copied") >= 2
    whole = backup.project("acme-lib").value
    rotten_and_repaired(store, filled, "", ".asc")
    assert filled.mender.take_from(backup.mender, whole, filled.event(ALICE)) == [WHEEL, f"{WHEEL}.asc"]
    assert not problems(filled)
    assert filled.mender.take_from(backup.mender, whole, filled.event(ALICE)) == []
    # A backup that is rotten itself heals nothing, nor does one that has another file of this name.
    rotten_and_repaired(store, filled, "", ".asc")
    rot(kept, f"files/main/acme-lib/{whole.files[WHEEL].token}/{WHEEL}", "flipped")
    kept.delete(f"files/main/acme-lib/{whole.files[WHEEL].token}/{WHEEL}.asc")
    assert filled.mender.take_from(backup.mender, whole, filled.event(ALICE)) == []
    other = replace(whole, files={WHEEL: replace(whole.files[WHEEL], sha256="0" * 64)})
    assert filled.mender.take_from(backup.mender, other, filled.event(ALICE)) == []


def test_an_index_with_damage_can_be_copied_and_the_copy_says_the_same(store: Store, filled: Repository) -> None:
    from mypi.backends.memory import MemoryStore

    rotten_and_repaired(store, filled, "")
    kept = MemoryStore()
    backup = Repository(kept, kept, settings())
    assert not [problem for each in filled.copy(backup) for problem in each.problems]
    assert live(backup) == [filename(version="2.0")]
    assert [each.marked for each in problems(backup)] == [True]
    publish(filled)
    assert not [problem for each in filled.copy(backup) for problem in each.problems]
    assert not problems(backup)


def test_a_removed_file_that_is_damaged_is_restored_withdrawn(store: Store, filled: Repository) -> None:
    filled.remove("acme-lib", [WHEEL], ALICE)
    rotten_and_repaired(store, filled, "")
    with pytest.raises(Taken, match="restore it"):
        publish(filled)
    filled.restore("acme-lib", [WHEEL], ALICE)
    assert live(filled) == [filename(version="2.0")]
    publish(filled)
    assert live(filled) == [WHEEL, filename(version="2.0")]


def test_only_who_may_publish_there_may_heal(store: Store, filled: Repository) -> None:
    rotten_and_repaired(store, filled, "")
    stranger = Actor("bob", "127.0.0.1", owns=True, only_own=True)
    with pytest.raises(Closed, match="only its owners"):
        filled.publish(submission(*package()), stranger)
    filled.set_status("acme-lib", "archived", "", ALICE)
    with pytest.raises(Closed, match="archived"):
        publish(filled)
    assert live(filled) == [filename(version="2.0")]


def test_an_index_that_has_moved_is_not_mended(store: Store, filled: Repository) -> None:
    from mypi.backends.memory import MemoryStore

    rotten_and_repaired(store, filled, "")
    kept = MemoryStore()
    list(filled.copy(Repository(kept, kept, settings()), catch_up=True))
    with pytest.raises(Moved):
        publish(filled)


class Sweeping(WrappedStore):
    """Lets a sweep go over everything right after a file was added, as often as it is told."""

    sweeps = 0

    def _add(self, key: str, source, size: int) -> None:  # type: ignore[no-untyped-def]
        super()._add(key, source, size)
        if self.sweeps:
            self.sweeps -= 1
            beside = Repository(self.store, self.store, settings(), clock=lambda: 4_000_000_000.0)
            list(beside.sweep(ALICE, trash_days=10**6, grace=0))


def test_what_is_put_back_makes_way_for_sweeps(store: Store, filled: Repository) -> None:
    rotten_and_repaired(store, filled, "")
    sweeping = Sweeping(store)
    repository = Repository(sweeping, sweeping, settings())
    sweeping.sweeps = 2
    publish(repository)
    assert not problems(filled)
    assert not lie(filled)


def test_sweeps_that_keep_coming_are_told(store: Store, filled: Repository) -> None:
    rotten_and_repaired(store, filled, "")
    sweeping = Sweeping(store)
    repository = Repository(sweeping, sweeping, settings())
    sweeping.sweeps = 100
    with pytest.raises(Unavailable, match="sweeps kept coming"):
        publish(repository)
    assert not lie(filled)


# An outage is no damage


def test_an_outage_is_no_damage_and_nothing_is_withdrawn(store: Store, filled: Repository) -> None:
    for key in (key_of(filled), key_of(filled, ".metadata"), "indexes/main/acme-lib.json", "indexes/main.json"):
        away = BadSector(store)
        repository = Repository(away, away, settings())
        away.bad = key
        (found,) = problems(repository)
        assert (found.kind, found.subject) == ("unread", key)
        assert repository.mender.proposal(found) == ""
        done = repository.mender.repair(found, repository.event(ALICE))
        assert (done.done, done.left) == (
            "",
            f"{key} could not be read now: bad sector; try again when the store is well",
        )
    assert live(filled) == [WHEEL, filename(version="2.0")]


def test_metadata_is_not_marked_because_its_file_cannot_be_read_now(store: Store, filled: Repository) -> None:
    rot(store, key_of(filled, ".metadata"), "flipped")
    (found,) = problems(filled)
    away = BadSector(store)
    repository = Repository(away, away, settings())
    away.bad = key_of(filled)
    with pytest.raises(Unavailable):
        repository.mender.repair(found, repository.event(ALICE))
    assert file_of(filled).damage is None


class Once(WrappedStore):
    """Shows other bytes, or none, when a key is read the first time, and what is there from then on."""

    def __init__(self, store: Store, key: str, *shown: bytes | Exception) -> None:
        super().__init__(store)
        self.key = key
        self.shown = list(shown)

    def _open(self, key: str, *given):  # type: ignore[no-untyped-def]
        if key == self.key and self.shown:
            shown = self.shown.pop(0)
            if isinstance(shown, Exception):
                raise shown
            beside = f"{key}.shown{len(self.shown)}"
            self.store.add(beside, io.BytesIO(shown), len(shown))
            return self.store._open(beside, *given)
        return super()._open(key, *given)


@pytest.mark.parametrize("second", ["right", "wrong in another way", "away"])
def test_what_is_not_found_wrong_twice_is_not_withdrawn(store: Store, filled: Repository, second: str) -> None:
    key, whole = key_of(filled), store.read(key_of(filled))[0]
    shown: list[bytes | Exception] = [b"x" * len(whole)]
    shown += {
        "right": [],
        "wrong in another way": [b"y" * len(whole)],
        "away": [Unavailable(key, "gone")],
    }[second]
    noisy = Once(store, key, *shown)
    repository = Repository(noisy, noisy, settings())
    (done,) = repair(repository)
    assert done.done == ""
    assert {"right": "is as it should be", "wrong in another way": "has the sha256", "away": "could not be read now"}[
        second
    ] in done.left
    assert live(filled) == [WHEEL, filename(version="2.0")]


def test_what_was_put_back_meanwhile_is_not_withdrawn(store: Store, filled: Repository, clock: Clock) -> None:
    rotten_and_repaired(store, filled, "")
    (found,) = problems(filled)
    publish(filled)
    assert filled.mender.withdraw(found, filled.event(ALICE)) == "was put back or purged meanwhile"
    assert filled.mender.repair(replace(found, kind="right again"), filled.event(ALICE)).left
    stale = {"": (file_of(filled).token, "is missing")}
    filled.catalogue.edit_known("acme-lib", lambda p: p.mark(WHEEL, stale, filled.event(ALICE)))
    filled.remove("acme-lib", [WHEEL], ALICE)
    clock.ahead = YEAR
    sweep(filled)
    marks = {"": (file_of(filled).place(), "is missing")}
    filled.catalogue.edit_known("acme-lib", lambda p: p.mark(WHEEL, marks, filled.event(ALICE)))
    filled.catalogue.edit_known("acme-lib", lambda p: p.mend(WHEEL, {"": "0" * 16}, filled.event(ALICE)))
    assert file_of(filled).damage is None
    assert not problems(filled)


def test_what_is_put_back_while_verify_reads_is_no_damage(store: Store, filled: Repository) -> None:
    rotten_and_repaired(store, filled, "")
    store.delete(key_of(filled))
    project = filled.project("acme-lib").value
    publish(filled)
    assert not [each for each in filled._verifier.check(project) if each.problem]


def test_a_disk_that_is_gone_withdraws_nothing(store: Store, filled: Repository) -> None:
    store.delete(key_of(filled))
    (found,) = problems(filled)
    put(store, "store.json", b'{"id":"other","format":1}')
    with pytest.raises(WrongStore):
        filled.mender.withdraw(found, filled.event(ALICE))
    assert live(filled) == [WHEEL, filename(version="2.0")]


def test_a_document_that_cannot_be_read_after_a_finding_hides_it_not(store: Store, filled: Repository) -> None:
    project = filled.project("acme-lib").value
    store.delete(key_of(filled))
    put(store, "indexes/main/acme-lib.json", b"{")
    assert [each.problem for each in filled._verifier.check(project) if each.problem] == ["is missing"]


# Documents


@pytest.mark.parametrize("data", [b"", b"{", b'{"projects":[]}x'])
def test_the_names_are_made_again_and_what_was_there_is_kept(store: Store, filled: Repository, data: bytes) -> None:
    put(store, "indexes/main/other.json", b"{")
    store.add("files/main/lost/0123456789abcdef/lost-1.0.zip", io.BytesIO(b"x"), 1)
    store.add("files/main/strange", io.BytesIO(b"x"), 1)
    store.swap("indexes/main/blank.json", b'{"name":"blank","display":"blank","files":{},"history":[]}', None)
    put(store, "indexes/main.json", data)
    done = [each for each in repair(filled) if each.done]
    assert len(done) == 1
    aside = done[0].done.rpartition(" ")[2]
    assert store.read(aside)[0] == data
    names = filled.names()
    # A sweep takes the bytes of what is not listed; those of a lost document must wait for it.
    assert names and names.value.projects == {"acme-lib": "acme-lib", "other": "other", "lost": "lost"}
    assert named(filled) == ["indexes/main/other.json"]
    assert repair(filled) == [
        Repair(
            left="indexes/main/other.json is the truth about what it names, and nothing can stand for it: put it back "
            "from a backup"
        )
    ]


@pytest.mark.parametrize("names", [b'{"projects":{"other":"other"},"revision":"by hand"}', None])
def test_what_is_not_listed_is_listed_again(store: Store, filled: Repository, names: bytes | None) -> None:
    if names is None:
        store._delete("indexes/main.json")
    else:
        put(store, "indexes/main.json", names)
    fresh = Repository(store, store, settings())
    assert repair(fresh) == [Repair("every project is listed again")]
    assert not problems(fresh)


def test_the_names_are_not_made_again_of_a_store_that_is_away(store: Store, filled: Repository) -> None:
    put(store, "indexes/main.json", b"{")
    away = BadSector(store)
    repository = Repository(away, away, settings())
    away.bad = "indexes/main/other.json"
    found = next(each for each in problems(repository) if each.names)
    with pytest.raises(Unavailable):
        repository.mender.repair(found, repository.event(ALICE))
    assert named(filled) == ["indexes/main.json"]


def test_only_what_lies_beside_a_file_can_be_withdrawn(filled: Repository) -> None:
    with pytest.raises(ValueError, match=r"accounts\.json"):
        filled.mender.withdraw(Finding("accounts.json", 0, "is damaged", "wrong"), filled.event(ALICE))


# A fault at each operation of a repair


class Killed(BaseException):
    """Stands for the end of the process: nothing of ours catches it."""


def rotten(store: Store) -> None:
    repository = Repository(store, store, settings())
    publish(repository, signature=SIGNATURE)
    publish(repository, version="2.0")
    rot(store, key_of(repository), "flipped")
    rot(store, key_of(repository, ".metadata", filename(version="2.0")), "deleted")
    put(store, "indexes/main.json", b"{")


def healing(store: Store) -> None:
    rotten(store)
    repair(Repository(store, store, settings()))


ACTS: dict[str, tuple[Callable[[Store], None], Callable[[Repository], object]]] = {
    "repair": (rotten, repair),
    "heal": (healing, lambda repository: publish(repository, signature=SIGNATURE)),
}


def failed_at_each(fresh_store: Callable[[], Store], story: str, error: Callable[[], BaseException]) -> Iterator[Store]:
    before, act = ACTS[story]
    store = fresh_store()
    before(store)
    counted = FaultyStore(store)
    repository = Repository(counted, counted, settings())
    started = counted.calls.copy()
    act(repository)
    for point in counted.points():
        if point.nth > started[point.operation]:
            store = fresh_store()
            before(store)
            faulty = FaultyStore(store)
            repository = Repository(faulty, faulty, settings())
            faulty.fail(Point(point.when, point.nth, point.operation), error())
            with suppress(Unavailable, Killed):
                act(repository)
            yield store


@pytest.mark.parametrize("kind", ["memory"])
@pytest.mark.parametrize("error", ["unavailable", "killed"])
@pytest.mark.parametrize("story", sorted(ACTS))
def test_after_a_fault_at_each_operation_nothing_is_lost_and_a_second_repair_makes_it_so(
    fresh_store: Callable[[], Store], kind: str, story: str, error: str
) -> None:
    tried = 0
    make = {"unavailable": lambda: Unavailable("key", "injected"), "killed": Killed}[error]
    for store in failed_at_each(fresh_store, story, make):  # type: ignore[arg-type] # a class makes its own
        tried += 1
        repository = Repository(store, store, settings())
        repair(repository)
        assert not lie(repository)
        publish(repository, signature=SIGNATURE)
        assert not problems(repository)
        assert live(repository) == [WHEEL, filename(version="2.0")]
        history = [event.did for event in repository.project("acme-lib").value.history]
        assert history.count("damage") == history.count("mend") == 2
    assert tried >= 10

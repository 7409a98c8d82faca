"""Users of an htpasswd file: a source of users with bcrypt hashes."""

from __future__ import annotations

import stat
from pathlib import Path

import bcrypt
import pytest

from mypi.accounts import AccountError, Htpasswd, htpasswd, set_password


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """bcrypt at its lowest cost: the tests are about what is decided, not about how long guessing takes."""
    slow = bcrypt.gensalt
    monkeypatch.setattr(htpasswd.bcrypt, "gensalt", lambda rounds=4: slow(4))


@pytest.fixture
def path(tmp_path):
    file = str(tmp_path / "htpasswd")
    set_password(file, "alice", "secret")
    return file


def test_the_right_password_is_right_again_and_again(path):
    users = Htpasswd(path)
    assert users.verify("alice", "secret")
    assert users.verify("alice", "secret")


@pytest.mark.parametrize(
    ("user", "password"), [("alice", "Secret"), ("bob", "secret"), ("alice", ""), ("alice", "a\0b")]
)
def test_anything_else_is_wrong(path, user, password):
    assert not Htpasswd(path).verify(user, password)


def test_an_unknown_user_costs_a_verification_too(path, monkeypatch):
    users, verified = Htpasswd(path), []
    monkeypatch.setattr(htpasswd.bcrypt, "checkpw", lambda secret, stored: verified.append(stored) or True)
    assert not users.verify("nobody", "x")
    assert len(verified) == 1


def test_nobody_costs_a_verification_too_and_is_never_right(path, monkeypatch):
    users, verified = Htpasswd(path), []
    monkeypatch.setattr(htpasswd.bcrypt, "checkpw", lambda secret, stored: verified.append(stored) or True)
    assert not users.verify(None, "secret")
    assert len(verified) == 1


def test_an_unknown_users_verification_is_as_dear_as_the_dearest_of_the_file(tmp_path):
    file = tmp_path / "htpasswd"
    lines = [f"u{cost}:$2b${cost}${'a' * 53}" for cost in ("04", "06", "05")]
    file.write_text("\n".join(lines))
    asked = []
    slow = htpasswd.bcrypt.gensalt
    htpasswd.bcrypt.gensalt = lambda rounds: asked.append(rounds) or slow(4)
    Htpasswd(str(file))
    assert asked == [6]


def test_a_stamp_changes_with_the_password_and_tells_nothing_of_it(path):
    users = Htpasswd(path)
    before = users.stamp("alice")
    assert users.stamp("bob") is None
    set_password(path, "alice", "secret")
    assert users.stamp("alice") not in (None, before)
    assert len(before) == 16


def test_the_file_names_its_users_and_knows_no_groups(path):
    users = Htpasswd(path)
    set_password(path, "bob", "other")
    assert users.names() == {"alice", "bob"}
    assert users.groups("alice") == frozenset()


def test_a_changed_password_counts_at_once(path):
    users = Htpasswd(path)
    assert users.verify("alice", "secret")
    set_password(path, "alice", "other")
    assert not users.verify("alice", "secret")
    assert users.verify("alice", "other")


def test_a_long_password_is_cut_where_htpasswd_cuts_it(tmp_path):
    file = tmp_path / "htpasswd"
    stored = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt())
    file.write_bytes(b"alice:" + stored.replace(b"$2b$", b"$2y$", 1) + b"\n")
    assert Htpasswd(str(file)).verify("alice", "x" * 100)


def test_an_empty_file_lets_nobody_in(tmp_path):
    file = tmp_path / "htpasswd"
    file.write_text("# nobody yet\n\n")
    assert not Htpasswd(str(file)).verify("alice", "secret")


def test_setting_a_password_leaves_the_other_lines(path):
    set_password(path, "bob", "other")
    set_password(path, "alice", "new")
    set_password(path, "bob", None)
    users = Htpasswd(path)
    assert users.verify("alice", "new")
    assert not users.verify("bob", "other")


def test_the_file_keeps_its_mode_and_begins_private(path):
    file = Path(path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    set_password(path, "bob", "other")
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


@pytest.mark.parametrize("written", [" secret ", "secret\r"])
def test_a_password_is_kept_without_the_blanks_that_the_server_takes_off(path, written):
    set_password(path, "alice", written)
    assert Htpasswd(path).verify("alice", "secret")


def test_a_linked_file_stays_a_link_and_keeps_its_owner(path, tmp_path, monkeypatch):
    link, owners = tmp_path / "link", []
    link.symlink_to(path)
    monkeypatch.setattr(htpasswd.os, "fchown", lambda file, *owner: owners.append(owner))
    set_password(str(link), "bob", "other")
    assert link.is_symlink()
    assert owners == [(Path(path).stat().st_uid, Path(path).stat().st_gid)]
    assert Htpasswd(path).verify("bob", "other")


def test_a_file_that_cannot_be_replaced_leaves_nothing_behind(path, tmp_path, monkeypatch):
    monkeypatch.setattr(htpasswd.os, "fsync", lambda _: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        set_password(path, "bob", "other")
    assert [file.name for file in tmp_path.iterdir()] == ["htpasswd"]


@pytest.mark.parametrize("cost", ["03", "18", "31", "99"])
def test_a_hash_that_costs_next_to_nothing_or_days_is_refused(tmp_path, cost):
    file = tmp_path / "htpasswd"
    file.write_text(f"alice:$2y${cost}${'a' * 53}\n")
    with pytest.raises(AccountError, match="cost from 4 to 17"):
        Htpasswd(str(file))


@pytest.mark.parametrize("user", ["", "a:b", "a b", "a\nb", "ä"])
def test_a_user_name_that_cannot_be_is_refused(path, user):
    with pytest.raises(AccountError, match="is no user name"):
        set_password(path, user, "secret")


@pytest.mark.parametrize("password", ["", "a\0b", "ä" * 37])
def test_a_password_that_cannot_be_is_refused(path, password):
    with pytest.raises(AccountError, match="1 to 72 bytes"):
        set_password(path, "bob", password)


def test_removing_an_unknown_user_is_refused(path):
    with pytest.raises(AccountError, match="there is no user bob"):
        set_password(path, "bob", None)


def test_another_hash_than_bcrypt_is_refused_with_its_line(tmp_path):
    file = tmp_path / "htpasswd"
    file.write_text("# team\nalice:$apr1$abcdefgh$0123456789012345678901\n")
    with pytest.raises(AccountError, match=r"line 2 .* no bcrypt hash.*htpasswd -B"):
        Htpasswd(str(file))


def test_an_absent_file_is_refused(tmp_path):
    with pytest.raises(AccountError, match=r"cannot be read .*mypi htpasswd"):
        Htpasswd(str(tmp_path / "htpasswd"))

"""What `.pypirc` says, read as distutils read it, and whose password goes where."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypi_upload import pypirc
from mypi_upload.pypirc import PYPI, Login, PypircError, Server

FILE = """\
[distutils]
index-servers =
    pypi
    local

[pypi]
username = __token__
password = pypi-secret

[local]
repository: http://127.0.0.1:6543/legacy/
username: alice
password: 50% = ; #1

[unlisted]
repository = https://pypi.example.com/
username = bob
realm = somewhere
ca_cert = /etc/ours.pem
client_cert = /home/bob/bob.pem
"""
LOCAL = Server("http://127.0.0.1:6543/legacy/", "local", "alice", "50% = ; #1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / ".pypirc"
    path.write_text(FILE)
    return path


def find(repository: str | None, file: Path) -> Server:
    return pypirc.find(repository, str(file))


def test_a_section_is_found_by_its_name(file: Path) -> None:
    assert find("local", file) == LOCAL
    assert find(None, file) == find("pypi", file) == Server(PYPI, "pypi", "__token__", "pypi-secret")


def test_a_section_that_index_servers_forgets_is_found_too(file: Path) -> None:
    assert find("unlisted", file) == Server(
        "https://pypi.example.com/", "unlisted", "bob", None, "somewhere", "/etc/ours.pem", "/home/bob/bob.pem"
    )


@pytest.mark.parametrize("url", ["http://127.0.0.1:6543/legacy/", "http://127.0.0.1:6543/legacy"])
def test_an_address_that_a_section_has_is_that_section(file: Path, url: str) -> None:
    assert find(url, file) == LOCAL


def test_another_address_gets_nobodys_password(file: Path) -> None:
    for url in ("http://127.0.0.1:6543/", "https://127.0.0.1:6543/legacy/", "http://127.0.0.1:6544/legacy/"):
        assert find(url, file) == Server(url)


def test_without_a_file_an_address_is_enough(tmp_path: Path) -> None:
    nowhere = tmp_path / ".pypirc"
    assert find("http://127.0.0.1:6543", nowhere) == Server("http://127.0.0.1:6543")
    assert find(None, nowhere) == find("pypi", nowhere) == Server(PYPI)


def test_the_file_of_the_home_folder_is_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(file.parent))
    assert pypirc.path() == str(file)
    assert pypirc.find("local") == LOCAL


def test_user_and_password_may_stand_in_the_address(file: Path) -> None:
    found = find("http://al%40ce:s%3Acret@127.0.0.1:6543/legacy/", file)
    assert found == Server("http://127.0.0.1:6543/legacy/", "", "al@ce", "s:cret")
    assert find("http://alice@[::1]:6543/", file) == Server("http://[::1]:6543/", "", "alice")


def test_a_section_may_have_them_in_its_address_and_its_options_win(tmp_path: Path) -> None:
    file = tmp_path / ".pypirc"
    file.write_text(
        "[a]\nrepository = http://alice:secret@127.0.0.1/\n[b]\nrepository = http://alice:secret@127.0.0.1/\n"
        "username = bob\n"
    )
    assert find("a", file) == Server("http://127.0.0.1/", "a", "alice", "secret")
    assert find("b", file) == Server("http://127.0.0.1/", "b", "bob")


def test_the_section_pypi_may_name_another_index(tmp_path: Path) -> None:
    file = tmp_path / ".pypirc"
    file.write_text("[distutils]\nindex-servers = pypi\n[pypi]\nrepository = http://127.0.0.1/\n")
    assert find(None, file) == Server("http://127.0.0.1/", "pypi")


@pytest.mark.parametrize("old", ["http://pypi.python.org/pypi", "https://pypi.python.org/pypi/", "https://pypi.org/"])
def test_old_addresses_of_pypi_become_the_one_that_takes_uploads(tmp_path: Path, old: str) -> None:
    file = tmp_path / ".pypirc"
    file.write_text(f"[distutils]\nindex-servers = pypi\n[pypi]\nrepository = {old}\nusername = __token__\n")
    assert find(None, file) == Server(PYPI, "pypi", "__token__")


def test_a_server_login_of_python_2_5_is_the_index_meant_by_default(tmp_path: Path) -> None:
    file = tmp_path / ".pypirc"
    file.write_text("[server-login]\nrepository: http://127.0.0.1/\nusername: alice\npassword: secret\n")
    assert find(None, file) == find("http://127.0.0.1/", file) == Server("http://127.0.0.1/", "pypi", "alice", "secret")
    assert find("http://127.0.0.2/", file) == Server("http://127.0.0.2/")
    file.write_text("[server-login]\nusername: alice\npassword: secret\n")
    assert find(None, file) == Server(PYPI, "pypi", "alice", "secret")


def test_a_section_of_distutils_without_a_list_hides_nothing(tmp_path: Path) -> None:
    file = tmp_path / ".pypirc"
    file.write_text("[distutils]\n[local]\nrepository = http://127.0.0.1/\n")
    assert find("local", file) == Server("http://127.0.0.1/", "local")
    file.write_text("[local]\nrepository = http://127.0.0.1/\n")
    assert find("local", file) == Server("http://127.0.0.1/", "local")


@pytest.mark.parametrize("wanted", ["nosuch", "127.0.0.1:6543", "ftp://127.0.0.1/", "http://", "/simple/"])
def test_what_is_neither_a_section_nor_an_address_is_refused_with_those_there_are(file: Path, wanted: str) -> None:
    with pytest.raises(PypircError) as caught:
        find(wanted, file)
    assert str(caught.value) == (
        f"{wanted} is neither an address, http://... or https://..., nor a section of {file}, "
        "which has pypi, local, unlisted"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"password = hunter2\n", ", line 1: MissingSectionHeaderError; write [section] and name = value"),
        (b"[local]\n\nhunter2\n", ", line 3: ParsingError; write [section] and name = value"),
        (b"[a]\nusername = x\nusername = hunter2\n", ", line 3: DuplicateOptionError"),
        (b"[a]\npassword = hunter2\xff\n", " is not UTF-8 text"),
    ],
)
def test_a_damaged_file_is_refused_without_showing_a_password(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / ".pypirc"
    file.write_bytes(content)
    with pytest.raises(PypircError) as caught:
        find("local", file)
    assert str(caught.value).startswith(f"{file}{said}")
    assert "hunter2" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(PypircError, match=r"cannot be read: Is a directory$"):
        find("local", tmp_path)


@pytest.mark.parametrize(
    ("username", "password", "environ", "expected"),
    [
        (None, None, {}, Login("alice", "50% = ; #1")),
        (None, None, {"TWINE_USERNAME": "bob"}, Login("bob", None)),
        (None, None, {"TWINE_USERNAME": "bob", "TWINE_PASSWORD": "b"}, Login("bob", "b")),
        (None, None, {"TWINE_PASSWORD": "b"}, Login("alice", "b")),
        ("carol", None, {"TWINE_USERNAME": "bob"}, Login("carol", None)),
        ("alice", None, {}, Login("alice", "50% = ; #1")),
        ("alice", "c", {"TWINE_PASSWORD": "b"}, Login("alice", "c")),
        ("", None, {}, Login("", None)),
        (None, "", {}, Login("alice", "")),
    ],
)
def test_the_command_line_wins_then_the_environment_and_no_password_goes_to_another_user(
    username: str | None, password: str | None, environ: dict[str, str], expected: Login
) -> None:
    assert pypirc.login(LOCAL, username, password, environ) == expected


def test_an_empty_password_is_one(tmp_path: Path) -> None:
    file = tmp_path / ".pypirc"
    file.write_text("[local]\nrepository = http://127.0.0.1/\nusername = anyone\npassword =\n")
    assert pypirc.login(find("local", file), None, None, {}) == Login("anyone", "")

"""Lock files of other tools, read."""

from __future__ import annotations

from pathlib import Path

import pytest

from mypi.locks import LockError, Pin, Wanted, read
from mypi.locks.parts import pin

A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


@pytest.fixture
def written(tmp_path: Path):
    """Write a file and return what is read from it: ``written("uv.lock", text)``."""

    def write(name: str, text: str) -> Wanted:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return read(path)

    return write


def test_requirements_pin_versions_with_hashes_comments_and_continuations(written):
    wanted = written(
        "requirements.txt",
        f"""\ufeff# made by hand \\
--index-url https://pypi.org/simple
-c constraints.txt
Acme.Lib==1.0-b1 ; python_version < "3.8" \\
    --hash={A.upper()} \\
    --hash {B}
    # via nothing
six[extra]==1.0  # of 2020
other === 2.0 --config-settings x=y
""",
    )
    assert wanted == Wanted(
        pins=(
            Pin("acme-lib", "1.0b1", hashes=frozenset({A, B})),
            Pin("six", "1.0"),
            Pin("other", "2.0"),
        )
    )


def test_what_comes_from_no_index_is_passed_over(written):
    wanted = written(
        "requirements.txt",
        "-e .\n--editable=../lib\n./lib\nhttps://x/y.whl\nlib @ https://x/y.whl\ndist/a-1.tar.gz\nfile:lib\n"
        "git+https://x/y\n",
    )
    assert wanted == Wanted(
        passed=(
            "-e .",
            "--editable=../lib",
            "./lib",
            "https://x/y.whl",
            "lib @ https://x/y.whl",
            "dist/a-1.tar.gz",
            "file:lib",
            "git+https://x/y",
        )
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("six>=1", "six>=1: says no version with =="),
        ("six", "six: says no version with =="),
        ("six==1.*", "says no version with =="),
        ("six==1,==2", "says no version with =="),
        ("six===not-a-version", "not-a-version"),
        ("a" * 101 + "==1", "is longer than 100 characters"),
        ("six = 1", "six = 1: no requirement ("),
        ("-r https://x/r.txt", "includes https://x/r.txt; fetch it"),
    ],
)
def test_what_is_no_pin_is_named_and_the_rest_is_read(written, line, sentence):
    wanted = written("requirements.txt", f"{line}\nother==1 \\\n")
    assert wanted.pins == (Pin("other", "1"),)
    (said,) = wanted.wrong
    assert sentence in said


def test_included_files_are_read_once_and_from_beside_the_file(written, tmp_path):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "a.txt").write_text("a==1\n-r b.txt\n-r ../requirements.txt\n")
    (tmp_path / "more" / "b.txt").write_text("b==1\n--requirement=a.txt")
    wanted = written("requirements.txt", "-rmore/a.txt\n-r 'more/b.txt'\nc==1\n")
    assert [each.name for each in wanted.pins] == ["a", "b", "c"]
    assert not wanted.wrong


def test_comment_after_a_backslash_at_the_end_is_no_requirement(written):
    assert written("requirements.txt", "six==1\n\\") == Wanted(pins=(Pin("six", "1"),))


def test_pylock(written):
    wanted = written(
        "pylock.dev.toml",
        f"""
lock-version = "1.0"
created-by = "uv"
[[packages]]
name = "acme-lib"
version = "1.0"
index = "https://pypi.org/simple"
sdist = {{ url = "https://x/acme_lib-1.0.tar.gz", hashes = {{ sha256 = "{"a" * 64}" }} }}
[[packages.wheels]]
name = "acme_lib-1.0-py3-none-any.whl"
url = "https://x/y"
hashes = {{ sha256 = "{"b" * 64}", sha512 = "{"c" * 128}" }}
[[packages]]
name = "near"
directory = {{ path = "near" }}
""",
    )
    assert wanted == Wanted(
        pins=(
            pin(
                "acme-lib",
                "1.0",
                {"acme_lib-1.0.tar.gz": [A], "acme_lib-1.0-py3-none-any.whl": [B, "sha512:" + "c" * 128]},
            ),
        ),
        passed=("near",),
    )


def test_uv_lock(written):
    wanted = written(
        "uv.lock",
        f"""
version = 1
[[package]]
name = "mine"
source = {{ virtual = "." }}
[[package]]
name = "acme-lib"
version = "1.0+local.1"
source = {{ registry = "https://pypi.org/simple" }}
sdist = {{ url = "https://x/acme_lib-1.0%2Blocal.1.tar.gz", hash = "{A}", size = 1 }}
wheels = [
  {{ path = "flat/acme_lib-1.0+local.1-py3-none-any.whl", hash = "{B}" }},
  {{ filename = "acme_lib-1.0+local.1-py2-none-any.whl" }},
]
[[package]]
name = "none"
version = "1.0"
source = {{ registry = "https://pypi.org/simple" }}
""",
    )
    assert wanted == Wanted(
        pins=(
            pin(
                "acme-lib",
                "1.0+local.1",
                {
                    "acme_lib-1.0+local.1.tar.gz": [A],
                    "acme_lib-1.0+local.1-py3-none-any.whl": [B],
                    "acme_lib-1.0+local.1-py2-none-any.whl": [],
                },
            ),
        ),
        passed=("mine", "none"),
    )


def test_poetry_lock_of_today_and_of_old(written):
    today = written(
        "poetry.lock",
        f"""
[[package]]
name = "Acme.Lib"
version = "1.0"
files = [{{ file = "acme_lib-1.0.tar.gz", hash = "{A}" }}]
[[package]]
name = "private"
version = "1.0"
files = [{{ file = "private-1.0.tar.gz", hash = "{B}" }}]
[package.source]
type = "legacy"
url = "https://x/simple"
[[package]]
name = "git"
version = "1.0"
files = []
[package.source]
type = "git"
[metadata]
lock-version = "2.1"
""",
    )
    assert today == Wanted(
        pins=(pin("acme-lib", "1.0", {"acme_lib-1.0.tar.gz": [A]}), pin("private", "1.0", {"private-1.0.tar.gz": [B]})),
        passed=("git",),
    )
    old = written(
        "old.lock",
        f"""
[[package]]
name = "acme"
version = "1.0"
[metadata]
content-hash = "x"
[metadata.files]
acme = [{{ file = "acme-1.0.tar.gz", hash = "{A}" }}]
""",
    )
    assert old.pins == (pin("acme", "1.0", {"acme-1.0.tar.gz": [A]}),)


def test_kind_is_told_by_what_is_in_a_file_of_another_name(written):
    assert written("a.lock", 'lock-version = "1.0"\ncreated-by = "x"\npackages = []') == Wanted()
    assert written("b.lock", 'version = 1\n[[package]]\nname = "x"\nsource = {editable = "."}').passed == ("x",)
    assert written("c.toml", '[metadata]\nlock-version = "2.0"') == Wanted()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("pyproject.toml", "[project]\nname='x'", "is no lock file that mypi knows; it reads pylock.toml"),
        ("uv.lock", "version =", "uv.lock is no lock file: "),
        ("uv.lock", '[[package]]\nname = "x"', "is no uv lock file that mypi can read: there is no 'source'"),
        ("uv.lock", "package = 1", "is no uv lock file that mypi can read: "),
        (
            "uv.lock",
            '[[package]]\nname = "-"\nversion = "1"\nsource = {registry = ""}\nwheels = [{path = "x"}]',
            "-: '-'",
        ),
        ("poetry.lock", "metadata = 1", "is no poetry lock file that mypi can read: "),
        ("pylock.toml", "packages = []", "is no lock file as PEP 751 has it: "),
        ("pylock.toml", 'lock-version = "7.0"\ncreated-by = "x"\npackages = []', "is no lock file as PEP 751 has it: "),
    ],
)
def test_what_is_no_lock_file_is_refused_with_its_name(written, name, text, sentence):
    with pytest.raises(LockError, match=name) as caught:
        written(name, text)
    assert sentence in str(caught.value)


def test_what_cannot_be_read_is_refused(tmp_path, written):
    for name in ("none.txt", "none.lock"):
        with pytest.raises(LockError, match="cannot be read: No such file"):
            read(tmp_path / name)
    (tmp_path / "latin.txt").write_bytes(b"six==1 # \xe9")
    with pytest.raises(LockError, match="is no text in UTF-8"):
        read(tmp_path / "latin.txt")
    (tmp_path / "latin.lock").write_bytes(b"# \xe9")
    with pytest.raises(LockError, match="is no lock file: "):
        read(tmp_path / "latin.lock")

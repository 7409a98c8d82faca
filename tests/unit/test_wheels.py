"""Wheels: what is inside must be what the file name and RECORD say."""

from __future__ import annotations

import base64
import hashlib
import io
import os
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mypi import names
from mypi.archives import Limits
from mypi.artifacts import RELAXABLE, Artifact, ArtifactError, inspect, record
from tests import builders
from tests.builders import Entry, record_row
from tests.tally import Tally

TORTURE = int(os.environ.get("MYPI_TORTURE", "1"))
INFO = "acme_lib-1.0.dist-info/"
ALL = frozenset(RELAXABLE)


def inspected(made: tuple[str, bytes], **options) -> Artifact:
    return inspect(io.BytesIO(made[1]), names.filename(made[0]), **options)


def test_an_honest_wheel_is_inspected():
    artifact = inspected(builders.wheel(requires=["six"], requires_python=">=3.8", summary="Short"))
    assert artifact.filename == names.filename("acme_lib-1.0-py3-none-any.whl")
    assert artifact.metadata == builders.metadata("acme-lib", "1.0", ["six"], ">=3.8", summary="Short")
    assert (artifact.core.summary, artifact.core.requires_dist) == ("Short", ("six",))
    assert artifact.members == {"acme_lib/__init__.py", INFO + "METADATA", INFO + "WHEEL", INFO + "RECORD"}
    assert artifact.relaxed == frozenset()


@pytest.mark.parametrize(
    ("folder", "filename", "version"),
    [
        ("Acme.Lib-1.0.dist-info/", "acme_lib-1.0-py3-none-any.whl", "1.0"),
        ("acme_lib-1.0+a.b.dist-info/", "acme_lib-1.0+a.b-py3-none-any.whl", "1.0+a-b"),
        ("acme_lib-2!1.0.dist-info/", "acme_lib-2!1.0-1-py2.py3-none-any.whl", "2!1"),
    ],
)
def test_C_identity_names_and_versions_are_compared_in_their_canonical_form(folder, filename, version):
    files = {folder + "METADATA": builders.metadata(version=version), folder + "WHEEL": b"Wheel-Version: 1.0\n"}
    rows = [record_row(name, data) for name, data in files.items()] + [folder + "RECORD,,"]
    files[folder + "RECORD"] = "\n".join(rows).encode()
    assert inspected((filename, builders.zip_of(files))).core.project == "acme-lib"


def test_C21_licences_are_looked_for_in_their_folder():
    made = builders.wheel(info={"licenses/LICENSE": b"MIT"}, license_file=["LICENSE", "NOTICE"])
    assert inspected(made).missing_licences == ("NOTICE",)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (builders.wheel(filename="acme_lib-2.0-py3-none-any.whl"), "does not have the name and version"),
        (builders.wheel(filename="other-1.0-py3-none-any.whl"), "does not have the name and version"),
        (builders.wheel(info={"METADATA": builders.metadata("other")}), "METADATA says that this is other 1.0"),
        (
            builders.wheel(info={"METADATA": builders.metadata(version="1.1")}),
            "METADATA says that this is acme-lib 1.1",
        ),
        (builders.wheel(info={"METADATA": b"Name: acme-lib\n"}), "no Version"),
        (builders.wheel(info={"METADATA": b"x" * 2**21}), "longer than 1048576"),
        (builders.wheel(info={"METADATA": None}), "there is no acme_lib-1.0.dist-info/METADATA"),
        (builders.wheel(info={"WHEEL": None}), "there is no acme_lib-1.0.dist-info/WHEEL"),
        (builders.wheel(files={"other-1.0.dist-info/METADATA": b""}), "acme_lib-1.0.dist-info, other-1.0.dist-info"),
        (builders.wheel(files={"ACME_LIB-1.0.DIST-INFO/METADATA": b""}), "one folder whose name ends in"),
        (("a-1-py3-none-any.whl", builders.zip_file([Entry(b"x.dist-info/", attributes=0)])), "does not have the name"),
        (("a-1-py3-none-any.whl", builders.zip_file([Entry(b"a-b.dist-info/", attributes=0)])), "does not have"),
        (("a-1-py3-none-any.whl", builders.zip_of({"a.py": b""})), "here are: none"),
        (("a-1-py3-none-any.whl", b"no zip"), "not a zip archive"),
        (("a-1-py3-none-any.whl", builders.zip_of({"../a": b""})), "climbs out"),
    ],
)
def test_C18_C22_C25_C_identity_a_wheel_that_is_not_what_it_says_is_refused(made, said):
    with pytest.raises(ArtifactError, match=said) as caught:
        inspected(made, allow=ALL)
    assert str(caught.value).startswith(made[0])


def row(name: str, data: bytes = b"", algorithm: str = "sha256", size: object = None) -> str:
    digest = record_row(name, data).split("=")[1].split(",")[0]
    return f"{name},{algorithm}={digest},{len(data) if size is None else size}"


def recorded(*rows: str) -> tuple[str, bytes]:
    """A wheel of one file whose RECORD has these rows after the three that are right."""
    made = builders.wheel(files={"a.py": b"A"})
    wheel = inspect(io.BytesIO(made[1]), names.filename(made[0]))
    tag = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    right = [record_row(INFO + "METADATA", wheel.metadata), record_row(INFO + "WHEEL", tag), INFO + "RECORD,,"]
    return builders.wheel(files={"a.py": b"A"}, info={"RECORD": "\n".join([*right, *rows]).encode()})


@pytest.mark.parametrize(
    "rows",
    [
        [row("a.py", b"A")],
        [row("a.py", b"A", size="")],
        [row("a.py", b"A"), "", row("a.py", b"A")],
        [row("a.py", b"A"), f"{INFO}RECORD.jws,,", f"{INFO}RECORD.p7s,,"],
        [row("a.py", b"A").replace(",1", "=,1")],
    ],
    ids=["right", "without size", "twice the same", "signatures", "padded"],
)
def test_a_record_that_fits_is_accepted(rows):
    assert inspected(recorded(*rows)).relaxed == frozenset()


@pytest.mark.parametrize("algorithm", ["sha384", "SHA512"])
def test_stronger_digests_are_compared(algorithm):
    digest = base64.urlsafe_b64encode(hashlib.new(algorithm.lower(), b"A").digest()).rstrip(b"=").decode()
    inspected(recorded(f"a.py,{algorithm}={digest},1"))


def test_backslashes_in_record_are_understood():
    made = builders.wheel(files={"pkg/a.py": b"A"})
    with io.BytesIO(made[1]) as file:
        data = inspect(file, names.filename(made[0])).metadata
    tag = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    rows = [record_row("pkg/a.py", b"A"), record_row(INFO + "METADATA", data), record_row(INFO + "WHEEL", tag)]
    text = "\n".join([*rows, INFO + "RECORD,,"]).replace("/", "\\").encode()
    inspected(builders.wheel(files={"pkg/a.py": b"A"}, info={"RECORD": text}))


BAD_RECORDS = {
    "missing": (builders.wheel(info={"RECORD": None}), "there is no"),
    "a file too few": (recorded(), "does not list 'a.py'"),
    "a file too many": (recorded(row("a.py", b"A"), row("b.py")), "lists 'b.py', which is not in the wheel"),
    "another digest": (recorded(row("a.py", b"B")), "another sha256"),
    "another size": (recorded(row("a.py", b"A", size=2)), "says 2 bytes of 'a.py', which has 1"),
    "no digest": (recorded("a.py,,"), "no sha256 or better"),
    "nothing but the name": (recorded("a.py"), "no sha256 or better"),
    "a weak digest": (recorded(row("a.py", b"A", "md5")), "no sha256 or better"),
    "a digest that is not ASCII": (recorded("a.py,sha256=é,1"), "another sha256"),
    "two rows": (recorded(row("a.py", b"A"), row("a.py", b"B")), "two different rows"),
    "not UTF-8": (builders.wheel(info={"RECORD": b"\xff"}), "cannot be read"),
    "a huge field": (builders.wheel(info={"RECORD": b"x" * 200_000}), "cannot be read"),
}


@pytest.mark.parametrize(("made", "said"), BAD_RECORDS.values(), ids=BAD_RECORDS)
def test_C23_a_record_that_does_not_fit_is_refused_unless_relaxed(made, said):
    with pytest.raises(ArtifactError, match=said):
        inspected(made, allow=ALL - {"record"})
    assert inspected(made, allow=frozenset({"record"})).relaxed == {"record"}


@pytest.mark.parametrize(
    "text",
    ["", "[console_scripts]\nacme = acme:main\n# note\n\n[acme.plugins]\nan odd/name = acme.a:b [extra]\n; note\n"],
)
def test_honest_entry_points_are_accepted(text):
    assert inspected(builders.wheel(info={"entry_points.txt": text.encode() or b"\n"})).relaxed == frozenset()


@pytest.mark.parametrize("name", ["../evil", "/bin/sh", "a b", "C:\\x", "..", ".", ""])
@pytest.mark.parametrize("group", ["console_scripts", "gui_scripts"])
def test_C24_a_script_whose_name_is_a_path_is_always_refused(name, group):
    made = builders.wheel(info={"entry_points.txt": f"[ {group} ]\nfine = a:b\n  {name} = a:b\n".encode()})
    with pytest.raises(ArtifactError, match=r"entry_points\.txt has the script"):
        inspected(made, allow=ALL)


@pytest.mark.parametrize("text", [b"\xff", b"a = b\n", b"[console_scripts]\nacme\n"])
def test_C24_malformed_entry_points_are_refused_unless_relaxed(text):
    made = builders.wheel(info={"entry_points.txt": text})
    with pytest.raises(ArtifactError, match=r"entry_points\.txt"):
        inspected(made, allow=ALL - {"entry-points"})
    assert inspected(made, allow=frozenset({"entry-points"})).relaxed == {"entry-points"}


def test_a_check_that_cannot_be_relaxed_is_an_error():
    with pytest.raises(ValueError, match="everything is no check that can be relaxed"):
        inspected(builders.wheel(), allow=frozenset({"everything"}))


def test_the_limits_of_the_caller_hold():
    with pytest.raises(ArtifactError, match="more than 3 members"):
        inspected(builders.wheel(), limits=Limits(members=3))


def test_wrong_data_of_any_member_is_found():
    bad = Entry(b"a.py", b"VALUE", method=0, packed=b"value")
    info = [Entry(f"{INFO}METADATA".encode(), builders.metadata()), Entry(f"{INFO}WHEEL".encode())]
    with pytest.raises(ArtifactError, match="length and checksum"):
        inspected(("acme_lib-1.0-py3-none-any.whl", builders.zip_file([bad, *info])), allow=ALL)


def test_a_digest_is_made_even_without_a_row():
    assert record.hasher(None).name == "sha256"


CHANGES = st.lists(st.tuples(st.integers(0, 5_000), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4)
WHEEL, SDIST, ZIP = builders.wheel(), builders.sdist(), builders.sdist(ending=".zip")


@settings(max_examples=600 * TORTURE, deadline=2_000, derandomize=True, suppress_health_check=list(HealthCheck))
@given(which=st.sampled_from(range(3)), changes=CHANGES, allow=st.sampled_from([frozenset(), ALL]))
def test_a_mutated_artifact_is_inspected_or_refused(tally: Tally, which, changes, allow):
    tally.add("archives mutated")
    name, data = (WHEEL, SDIST, ZIP)[which]
    raw = bytearray(data)
    for place, fresh in changes:
        raw[place % len(raw) : place % len(raw) + len(fresh)] = fresh
    with suppress(ArtifactError):
        inspected((name, bytes(raw)), allow=allow)


@settings(max_examples=300 * TORTURE, deadline=2_000, derandomize=True)
@given(st.sampled_from(["METADATA", "RECORD", "WHEEL", "entry_points.txt"]), st.binary(max_size=200))
def test_any_bytes_in_dist_info_are_read_or_refused(file, data):
    with suppress(ArtifactError):
        inspected(builders.wheel(info={file: data}), allow=ALL)

"""What is checked of an upload before a store is asked: whose file it claims to be, and its digests."""

from __future__ import annotations

import hashlib

import pytest

from mypi.names import InvalidName, InvalidVersion
from mypi.repository import Refused, check_digests, claimed

DATA = b"the file"
COMPUTED = {
    "md5": hashlib.md5(DATA).hexdigest(),
    "sha256": hashlib.sha256(DATA).hexdigest(),
    "blake2b-256": hashlib.blake2b(DATA, digest_size=32).hexdigest(),
    "blake2b-512": hashlib.blake2b(DATA).hexdigest(),
}
FIELDS = {"md5_digest": "md5", "sha256_digest": "sha256", "blake2_256_digest": "blake2b-256"}


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_B1_5_each_digest_alone_suffices_in_either_case(field: str) -> None:
    for claim in (COMPUTED[FIELDS[field]], COMPUTED[FIELDS[field]].upper()):
        assert check_digests({field: claim, "other": "x"}, COMPUTED) is None
    with pytest.raises(Refused, match=f"The field {field} does not match the file"):
        check_digests({field: COMPUTED[FIELDS[field]][:-1] + "x"}, COMPUTED)


def test_B1_6_distutils_of_3_9_sends_the_longer_blake2() -> None:
    assert check_digests({"blake2_256_digest": COMPUTED["blake2b-512"]}, COMPUTED) is None


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_B1_5_every_digest_that_is_given_must_match(field: str) -> None:
    given = {each: COMPUTED[algorithm] for each, algorithm in FIELDS.items()}
    assert check_digests(given, COMPUTED) is None
    with pytest.raises(Refused, match=field):
        check_digests({**given, field: "0" * len(given[field])}, COMPUTED)


def test_what_has_not_the_length_of_a_digest_is_told() -> None:
    with pytest.raises(Refused, match="The field sha256_digest is not a digest: 3 characters instead of"):
        check_digests({"sha256_digest": "abc"}, COMPUTED)


@pytest.mark.parametrize("given", [{}, {"sha256_digest": ""}, {"sha1_digest": "0" * 40}])
def test_an_upload_without_a_digest_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(Refused, match="No digest was sent; send sha256_digest"):
        check_digests(given, COMPUTED)


def test_B1_9_a_file_belongs_to_what_the_form_names() -> None:
    name = claimed("acme_lib-1.0-py3-none-any.whl", name="Acme.Lib", version="1.0.0", filetype="bdist_wheel")
    assert (name.project, str(name.version)) == ("acme-lib", "1.0")


def test_a_name_with_two_readings_is_read_as_the_form_says() -> None:
    name = claimed("foo-1.0-1.tar.gz", name="foo", version="1.0-1", filetype="sdist")
    assert (name.project, str(name.version)) == ("foo", "1.0.post1")


@pytest.mark.parametrize(
    "name, version, filetype, problem",
    [
        ("other", "1.0", "bdist_wheel", "does not belong to other 1.0, which the form names"),
        ("acme-lib", "1.1", "bdist_wheel", "does not belong to acme-lib 1.1"),
        ("acme-lib", "1.0", "sdist", "The field filetype is 'sdist', but .* is a wheel"),
        ("acme-lib", "1.0", "bdist_egg", "only sdist and bdist_wheel can be published"),
    ],
)
def test_a_form_that_contradicts_the_file_name_is_refused(name: str, version: str, filetype: str, problem: str) -> None:
    with pytest.raises(Refused, match=problem):
        claimed("acme_lib-1.0-py3-none-any.whl", name=name, version=version, filetype=filetype)


def test_names_and_versions_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidName):
        claimed("acme_lib-1.0-py3-none-any.whl", name="no name", version="1.0", filetype="bdist_wheel")
    with pytest.raises(InvalidVersion):
        claimed("acme_lib-1.0-py3-none-any.whl", name="acme-lib", version="one", filetype="bdist_wheel")

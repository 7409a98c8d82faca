"""Attestations: the shape that an upload must bring, who may sign, and signatures that are verified for real."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mypi import names
from mypi.attestations import AttestationError, prepare, provenance
from mypi.attestations.attesters import attesters
from mypi.options import SettingError
from mypi.settings import Settings
from tests import attested
from tests.attested import GITHUB, GITLAB, GOOGLE, PUBLISH, SLSA, attestation, of, statement

CONTENT = b"whatever is in it"
WHEEL = "acme_lib-1.0-1-py3-none-any.whl"


def provenance_of(
    value: Any, filename: str = WHEEL, sha256: str | None = None, by: str | None = "alice", who: str = ""
) -> Any:
    text = value if isinstance(value, str) else json.dumps(value)
    digest = sha256 or attested.sha256_of(of(filename, CONTENT))
    return json.loads(provenance(text, names.filename(filename), digest, by, attesters(who)) or b"null")


def test_without_the_field_there_is_no_provenance():
    assert provenance(None, names.filename(WHEEL), "", None) is None


def test_attestations_are_kept_as_they_came_under_a_publisher_that_nobody_takes_for_verified():
    sent = [of(WHEEL, CONTENT) | {"extra": ["kept", 1.5, "ü\ud800"]}, of(WHEEL, CONTENT, SLSA)]
    publisher = {"kind": "unverified", "claims": {}, "uploader": "alice"}
    bundle = {"publisher": publisher, "attestations": sent}
    assert provenance_of(sent) == {"version": 1, "attestation_bundles": [bundle]}
    assert provenance_of(sent, by=None)["attestation_bundles"][0]["publisher"] == {"kind": "unverified", "claims": {}}


@pytest.mark.parametrize(("filename", "kind"), [(GITHUB, "publish"), (GITHUB, "slsa"), (GITLAB, "publish")])
def test_what_real_tools_sign_is_taken(filename: str, kind: str):
    sent = attested.real(filename, kind)
    found = provenance_of([sent], filename, attested.sha256_of(sent))
    assert found["attestation_bundles"][0]["attestations"] == [sent]


@pytest.mark.parametrize(
    "subject",
    [WHEEL, "Acme.Lib-1.0-1-py3-none-any.whl", "acme_lib-1.0.0-1-py3-none-any.whl"],
)
def test_another_spelling_of_the_file_name_is_the_same_file(subject: str):
    said = statement(subject, CONTENT)
    assert provenance_of([attestation(said)])


def test_an_sdist_whose_name_reads_in_several_ways_is_the_same_file():
    settled = names.settle(names.filename("foo-1.0-1.tar.gz"), names.project("foo"), names.version("1.0.post1"))
    sent = [attestation(statement("foo-1.0.post1.tar.gz", CONTENT))]
    sha256 = attested.sha256_of(sent[0])
    assert settled
    assert provenance(json.dumps(sent), settled, sha256, None)


def changed(**changes: Any) -> list[Any]:
    return [attestation(statement(WHEEL, CONTENT, **changes))]


DIGEST = {"sha256": attested.sha256_of(of(WHEEL, CONTENT))}
MATERIAL, ENVELOPE = (of(WHEEL, CONTENT)[key] for key in ("verification_material", "envelope"))
REFUSED: dict[str, tuple[Any, str]] = {
    "no JSON": ("{", "is not JSON"),
    "an object": ({}, "no JSON array"),
    "an empty array": ([], "or is empty"),
    "NaN": ("[NaN]", "is not JSON"),
    "Infinity": ('[{"a": -Infinity}]', "is not JSON"),
    "a number beyond all": ("[1e999]", "is not JSON"),
    "an endless number": (f"[{'9' * 5000}]", "is not JSON"),
    "a key twice": ('[{"version": 1, "version": 1}]', "is not JSON"),
    "deep": ("[" * 33 + "]" * 33, "nested more than 32 levels"),
    "bottomless": ("[" * 60_000, "is not JSON"),
    "a text": (["x"], "Attestation 1 is missing, or no JSON object"),
    "version 2": ([of(WHEEL, CONTENT) | {"version": 2}], "not of version 1"),
    "version true": ([of(WHEEL, CONTENT) | {"version": True}], "not of version 1"),
    "no material": ([of(WHEEL, CONTENT) | {"verification_material": None}], "verification_material is missing"),
    "no certificate": (
        [of(WHEEL, CONTENT) | {"verification_material": MATERIAL | {"certificate": ""}}],
        "certificate is missing",
    ),
    "no entries": (
        [of(WHEEL, CONTENT) | {"verification_material": MATERIAL | {"transparency_entries": []}}],
        "transparency_entries is no array",
    ),
    "odd entries": (
        [of(WHEEL, CONTENT) | {"verification_material": MATERIAL | {"transparency_entries": [1]}}],
        "transparency_entries is no array",
    ),
    "no envelope": ([of(WHEEL, CONTENT) | {"envelope": []}], "envelope is missing"),
    "signature": ([of(WHEEL, CONTENT) | {"envelope": ENVELOPE | {"signature": "c2ln*"}}], "signature is not base64"),
    "signature in other letters": (
        [of(WHEEL, CONTENT) | {"envelope": ENVELOPE | {"signature": "üü=="}}],
        "signature is not base64",
    ),
    "statement a number": ([of(WHEEL, CONTENT) | {"envelope": ENVELOPE | {"statement": 1}}], "statement is missing"),
    "statement Latin-1": ([attestation(b"\xff")], "is not UTF-8"),
    "statement no JSON": ([attestation(b"x")], "statement is not JSON"),
    "statement a list": ([attestation([])], "statement is missing, or no JSON object"),
    "another format": (changed(_type="https://in-toto.io/Statement/v0.1"), "no in-toto statement"),
    "no subject": (changed(subject=[]), "not exactly one subject"),
    "subject an object": (changed(subject={}), "not exactly one subject"),
    "two subjects": (changed(subject=[{"name": WHEEL, "digest": DIGEST}] * 2), "not exactly one subject"),
    "subject a text": (changed(subject=["x"]), "subject is missing, or no JSON object"),
    "subject without a name": (changed(subject=[{"digest": DIGEST}]), "another file"),
    "another build": (changed(subject=[{"name": "acme_lib-1.0-py3-none-any.whl", "digest": DIGEST}]), "another file"),
    "another version": (changed(subject=[{"name": WHEEL.replace("1.0", "1.1"), "digest": DIGEST}]), "another file"),
    "another kind": (changed(subject=[{"name": "acme_lib-1.0.tar.gz", "digest": DIGEST}]), "another file"),
    "no digest": (changed(subject=[{"name": WHEEL}]), "digest is missing"),
    "another digest": (changed(subject=[{"name": WHEEL, "digest": {"sha256": "0" * 64}}]), "has another sha256"),
    "another predicate": (changed(predicateType="https://slsa.dev/provenance/v0.2"), "predicateType that is none of"),
    "a type twice": ([of(WHEEL, CONTENT)] * 2, f"There are 2 attestations of {PUBLISH}"),
    "the second is bad": ([of(WHEEL, CONTENT), {}], "Attestation 2 is not of version 1"),
}


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_what_is_not_as_it_must_be_is_refused_with_the_reason(case: str):
    value, reason = REFUSED[case]
    with pytest.raises(AttestationError, match=reason):
        provenance_of(value)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["eyJ9", "e30=", WHEEL, SLSA]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
PLACES = (
    "version",
    "verification_material",
    "envelope",
    "certificate",
    "transparency_entries",
    "signature",
    "statement",
)
SAID = ("_type", "subject", "predicateType", "predicate", "name", "digest", "sha256")


@given(place=st.sampled_from(PLACES + SAID), value=VALUES)
def test_whatever_stands_in_an_attestation_it_is_kept_or_refused(place: str, value: Any):
    said = statement(WHEEL, CONTENT)
    made = attestation(said)
    inside = (said, said["subject"][0], said["subject"][0]["digest"]) if place in SAID else tuple(made.values())[1:]
    next(each for each in (made, *inside) if place in each)[place] = value
    if place in SAID:
        made = attestation(said)
    with suppress(AttestationError):
        assert provenance_of([made])["attestation_bundles"][0]["attestations"] == [made]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("acme", "names no attester"),
        ("acme github acme/lib", "names no attester"),
        ("acme github acme/lib a.yml b.yml", "names no attester"),
        ("acme gitea acme/lib a.yml", "one of github REPOSITORY WORKFLOW, gitlab REPOSITORY WORKFLOW_FILEPATH, google"),
        ("[a-z] google x@example.com", "is no project and no pattern"),
    ],
)
def test_an_attester_that_cannot_be_understood_is_refused_with_the_forms_that_can(text: str, problem: str):
    with pytest.raises(SettingError, match=r"mypi\.attesters = "):
        Settings.load({"mypi.storage": "memory", "mypi.upload": "everyone", "mypi.attesters": text}, {})
    with pytest.raises(ValueError, match=problem):
        attesters(text)


def test_an_attester_is_for_the_projects_of_its_pattern():
    first, second = attesters("\n Acme_Lib* github acme/lib release.yml\n\n other google x@example.com ")
    assert [first.may_attest(name) for name in ("acme-lib", "acme-lib-extra", "acme")] == [True, True, False]
    assert [second.may_attest(name) for name in ("other", "others")] == [True, False]


def test_attesters_need_the_extra(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pypi_attestations", None)
    sent = {"mypi.storage": "memory", "mypi.upload": "everyone"}
    Settings.load(sent, {})
    with pytest.raises(SettingError, match=r"pip install 'mypi\[attestations\]'"):
        Settings.load(sent | {"mypi.attesters": "* google x@example.com"}, {})


def test_what_verifies_is_imported_only_where_attesters_are_named():
    code = """if True:
        import sys
        from mypi.application import application
        from mypi.repository import Repository
        from mypi.settings import Settings
        settings = Settings.load({"mypi.storage": "memory", "mypi.upload": "everyone"}, {})
        application(settings, Repository.open(settings))
        print([name for name in sys.modules if name.startswith(("sigstore", "pypi_attestations", "pydantic", "tuf"))])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture
def trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache folder of its own, into which sigstore copies the trust root that it ships."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    prepare(attesters("* google x@example.com"))


def verified(attestations: list[Any], filename: str, who: str, sha256: str | None = None) -> list[Any]:
    found = provenance_of(attestations, filename, sha256 or attested.sha256_of(attestations[0]), who=who)
    bundles: list[Any] = found["attestation_bundles"]
    return bundles


def test_nothing_is_prepared_where_nobody_is_named():
    prepare(())


def test_a_start_fails_where_the_trust_root_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "file"
    path.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    with pytest.raises(SettingError, match="set XDG_CACHE_HOME"):
        prepare(attesters("* google x@example.com"))


@pytest.mark.parametrize(
    ("filename", "publisher"),
    [
        (GITHUB, {"kind": "GitHub", "repository": "trailofbits/pypi-attestations", "workflow": "release.yml"}),
        (
            GITLAB,
            {
                "kind": "GitLab",
                "repository": "facutuesca/gitlab-oidc-project",
                "workflow_filepath": ".gitlab-ci.yml",
            },
        ),
        (GOOGLE, {"kind": "Google", "email": "919436158236-compute@developer.gserviceaccount.com"}),
    ],
)
def test_a_real_attestation_verifies_and_names_its_publisher(trust: None, filename: str, publisher: dict[str, str]):
    sent = [attested.real(filename)]
    who = f"* google somebody@example.com; {names.filename(filename).project} {attested.ATTESTERS[filename]}"
    assert verified(sent, filename, who) == [{"publisher": {"claims": {}, **publisher}, "attestations": sent}]


def test_what_one_publisher_signed_stands_together_and_is_what_clients_verify(trust: None):
    from pypi_attestations import Distribution, Provenance

    sent = [attested.real(GITHUB, "publish"), attested.real(GITHUB, "slsa")]
    sha256 = attested.sha256_of(sent[0])
    text = json.dumps(sent)
    data = provenance(text, names.filename(GITHUB), sha256, None, attesters(f"* {attested.ATTESTERS[GITHUB]}"))
    (bundle,) = Provenance.model_validate_json(data or b"").attestation_bundles
    kinds = [
        each.verify(bundle.publisher, Distribution(name=GITHUB, digest=sha256), offline=True)[0]
        for each in bundle.attestations
    ]
    assert kinds == [PUBLISH, SLSA]


def flipped(text: str) -> str:
    """Change a bit in the middle of base64."""
    data = bytearray(base64.b64decode(text))
    data[len(data) // 2] ^= 1
    return base64.b64encode(data).decode()


def broken(part: str, key: str) -> dict[str, Any]:
    found = copy.deepcopy(attested.real(GITHUB))
    found[part][key] = flipped(found[part][key])
    return found


def another_log_entry() -> dict[str, Any]:
    found = copy.deepcopy(attested.real(GITHUB))
    found["verification_material"]["transparency_entries"] = attested.real(GITHUB, "slsa")["verification_material"][
        "transparency_entries"
    ]
    return found


def another_statement() -> dict[str, Any]:
    """Say of this file what was signed of it with another predicate."""
    found = copy.deepcopy(attested.real(GITHUB))
    said = attested.statement_of(found) | {"predicateType": SLSA}
    found["envelope"]["statement"] = base64.b64encode(json.dumps(said).encode()).decode()
    return found


def odd_log_entry(**changes: Any) -> dict[str, Any]:
    """Change a log entry so that a parser meets what it does not expect."""
    found = copy.deepcopy(attested.real(GITHUB))
    found["verification_material"]["transparency_entries"][0] |= changes
    return found


UNVERIFIED = {
    "a log entry without a promise": lambda: odd_log_entry(inclusionPromise=None),
    "a log entry of an unknown version": lambda: odd_log_entry(kindVersion={"kind": "dsse", "version": "x"}),
    "a signature with a bit flipped": lambda: broken("envelope", "signature"),
    "a certificate with a bit flipped": lambda: broken("verification_material", "certificate"),
    "a log entry of another attestation": another_log_entry,
    "another statement than was signed": another_statement,
    "no certificate at all": lambda: attestation(attested.statement_of(attested.real(GITHUB))),
}


@pytest.mark.parametrize("case", sorted(UNVERIFIED))
def test_what_does_not_verify_is_refused(trust: None, case: str):
    with pytest.raises(AttestationError, match="Attestation 1 is not signed by who may attest pypi_attestations-0"):
        verified([UNVERIFIED[case]()], GITHUB, f"* {attested.ATTESTERS[GITHUB]}")


@pytest.mark.parametrize(
    "who",
    [
        "github trailofbits/pypi-attestations other.yml",
        "github trailofbits/another release.yml",
        "gitlab trailofbits/pypi-attestations release.yml",
        "google somebody@example.com",
    ],
)
def test_a_good_signature_of_somebody_else_is_refused(trust: None, who: str):
    with pytest.raises(AttestationError, match=who):
        verified([attested.real(GITHUB)], GITHUB, f"pypi-attestations {who}")


def test_a_good_signature_does_not_help_where_nobody_may_attest_the_project(trust: None):
    with pytest.raises(AttestationError, match="Nobody may attest files of pypi-attestations here"):
        verified([attested.real(GITHUB)], GITHUB, f"another {attested.ATTESTERS[GITHUB]}")


def test_a_good_signature_of_other_bytes_is_refused(trust: None):
    with pytest.raises(AttestationError, match="has another sha256"):
        verified([attested.real(GITHUB)], GITHUB, f"* {attested.ATTESTERS[GITHUB]}", sha256="0" * 64)


def test_a_good_signature_of_another_name_is_refused(trust: None):
    sent = attested.real(GITHUB)
    with pytest.raises(AttestationError, match="speaks of another file"):
        verified([sent], "pypi_attestations-0.0.20.tar.gz", f"* {attested.ATTESTERS[GITHUB]}")

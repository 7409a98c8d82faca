"""The form of an upload: every client's, and everything that a body may hold instead."""

from __future__ import annotations

import hashlib
import io
import os
import random
import tempfile
import time
import zipfile
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.sansio.multipart import MultipartDecoder

from mypi import forms
from mypi.forms import Form, FormError, Limits, TooLarge, absent, parse
from mypi.forms.decoding import Decoder
from tests import wire
from tests.tally import Tally

BOUNDARY = "frontier"
MULTIPART = f"multipart/form-data; boundary={BOUNDARY}"
LIMITS = Limits()
TORTURE = bool(os.environ.get("MYPI_TORTURE"))

# name -> (:action, name, version)
EXPECTED = (
    {
        "du27docs": ("doc_upload", "demo_pkg", None),
        "du311docs": ("doc_upload", "demo_pkg", None),
        "du27reg": ("submit", "demo_pkg", "1.0"),
        "du311reg": ("submit", "demo_pkg", "1.0"),
        "flit": ("file_upload", "demo_flit", "1.0"),
        "poetry": ("file_upload", "demo-poetry", "1.0"),
        "twine3": ("file_upload", "demo-old", "1.0"),
        "twine61": ("file_upload", "demo-old", "1.0"),
    }
    | dict.fromkeys(
        ("du27", "du27egg", "du311", "du311loc", "du36", "gpg27", "gpg311"), ("file_upload", "demo_pkg", "1.0")
    )
    | dict.fromkeys(("hatch", "pdm", "pdmgpg", "twgpg", "twine7", "uv"), ("file_upload", "Demo.Pkg", "1.2.0"))
)


class Spools:
    """Hand out spools and remember them."""

    def __init__(self) -> None:
        self.given: list[io.BytesIO] = []

    def __call__(self) -> io.BytesIO:
        self.given.append(io.BytesIO())
        return self.given[-1]

    @property
    def all_closed(self) -> bool:
        return all(spool.closed for spool in self.given)


class Drip:
    """A stream that gives at most `most` bytes at once and can fail."""

    def __init__(self, body: bytes, most: int, error: Exception | None = None) -> None:
        self.source, self.most, self.error = io.BytesIO(body), most, error

    def read(self, size: int) -> bytes:
        data = self.source.read(min(size, self.most))
        if not data and self.error is not None:
            raise self.error
        return data


class Repeating:
    """An endless or long stream that is never in memory as a whole; counts what was taken."""

    def __init__(self, before: bytes, block: bytes, times: int, after: bytes = b"") -> None:
        self.pieces = iter([before, *([block] * times), after])
        self.taken = 0
        self.buffer = b""

    def read(self, size: int) -> bytes:
        while len(self.buffer) < size:
            piece = next(self.pieces, None)
            if piece is None:
                break
            self.buffer += piece
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        self.taken += len(data)
        return data


def part(name: str, value: bytes, filename: str | None = None, extra: str = "") -> bytes:
    more = "" if filename is None else f'; filename="{filename}"'
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n{extra}\r\n'
    return head.encode() + value + b"\r\n"


def end() -> bytes:
    return f"--{BOUNDARY}--\r\n".encode()


def read(body: bytes, *, spools: Spools | None = None, limits: Limits = LIMITS, kind: str = MULTIPART) -> Form:
    return parse(
        io.BytesIO(body),
        content_type=kind,
        content_length=len(body),
        open_spool=spools or Spools(),
        limits=limits,
    )


def refused(body: bytes, *, limits: Limits = LIMITS, kind: str = MULTIPART) -> FormError:
    """Read a form that must be refused, and check that nothing stays open."""
    spools = Spools()
    with pytest.raises(FormError) as caught:
        read(body, spools=spools, limits=limits, kind=kind)
    assert spools.all_closed
    assert str(caught.value).isascii()
    assert "\n" not in str(caught.value)
    return caught.value


# Every client


@pytest.mark.parametrize("name", wire.names())
def test_B1_21_every_captured_body_is_read(name: str) -> None:
    capture = wire.load(name)

    with parse(
        io.BytesIO(capture.body),
        content_type=capture.headers["content-type"],
        content_length=int(capture.headers["content-length"]),
    ) as form:
        action, project, version = EXPECTED[name.rpartition("-")[0]]
        assert (form.one(":action"), form.one("name"), form.one("version")) == (action, project, version)
        assert form.one("protocol_version", "1") == "1"
        assert bool(form.files) is (action != "submit")
        for sent in form.files.values():
            data = sent.spool.read()
            assert len(data) == sent.size
            assert sent.digests["sha256"] == hashlib.sha256(data).hexdigest()
            assert sent.digests["md5"] == form.one("md5_digest", sent.digests["md5"])
            assert sent.digests["sha256"] == form.one("sha256_digest", sent.digests["sha256"])
            blake2 = form.one("blake2_256_digest")
            assert blake2 in {None, sent.digests["blake2b-256"], sent.digests["blake2b-512"]}
        if action == "doc_upload":
            assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
        if action == "file_upload":
            assert {"md5_digest", "sha256_digest"} & form.fields.keys()


def test_there_are_as_many_captures_as_were_taken() -> None:
    assert len(wire.names()) == 29


def test_B1_6_digest_of_newer_distutils_is_recognised() -> None:
    capture = wire.load("du311-6")

    with parse(
        io.BytesIO(capture.body), content_type=capture.headers["content-type"], content_length=len(capture.body)
    ) as form:
        assert form.one("blake2_256_digest") == form.files["content"].digests["blake2b-512"]
        assert form.files["content"].content_type is None


def test_B1_3_python_27_misspells_the_protocol_version() -> None:
    capture = wire.load("du27-2")

    assert b"protcol_version" in capture.body
    with parse(io.BytesIO(capture.body), content_type=capture.headers["content-type"], content_length=None) as form:
        assert form.fields["protocol_version"] == ("1",)


@pytest.mark.parametrize("name", ["gpg27-9", "gpg311-10", "twgpg-13", "pdmgpg-11"])
def test_B2_signature_is_text_however_it_was_sent(name: str) -> None:
    capture = wire.load(name)

    with parse(io.BytesIO(capture.body), content_type=capture.headers["content-type"], content_length=None) as form:
        signature = form.all("gpg_signature")[-1]
        assert signature.startswith("-----BEGIN PGP SIGNATURE-----")
        assert set(form.files) == {"content"}


# Values


def test_B1_10_fields_keep_order_and_repetition() -> None:
    form = read(part("classifiers", b"b") + part("name", b"x") + part("classifiers", b"a") + end())

    assert form.fields == {"classifiers": ("b", "a"), "name": ("x",)}
    assert list(form.fields) == ["classifiers", "name"]
    assert form.all("classifiers") == ("b", "a")
    assert form.all("nothing") == ()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("provides_extras", "provides_extra"),
        ("import_names", "import_name"),
        ("import_namespaces", "import_namespace"),
        ("license_files", "license_file"),
    ],
)
def test_B1_10_spellings_of_clients_are_one_field(sent: str, kept: str) -> None:
    form = read(part(sent, b"a") + part(kept, b"b") + end())

    assert form.all(kept) == ("a", "b")


@pytest.mark.parametrize("value", ["UNKNOWN", "None", "", "  "])
def test_B1_8_C1_words_for_nothing_are_absent(value: str) -> None:
    form = read(part("license", value.encode()) + end())

    assert absent(value)
    assert form.one("license") is None
    assert form.one("license", "MIT") == "MIT"
    assert form.all("license") == ()
    assert form.fields["license"] == (value,)


def test_B1_10_unknown_fields_are_harmless_and_may_repeat() -> None:
    form = read(part("future", b"1") + part("future", b"2") + end())

    assert form.all("future") == ("1", "2")
    with pytest.raises(FormError, match="future: Was sent more than once"):
        form.one("future")


def test_B1_8_C1_nul_is_escaped() -> None:
    assert read(part("summary", b"a\0b") + end()).one("summary") == "a\\x00b"


@pytest.mark.parametrize(("sent", "text"), [("Jürgen".encode(), "Jürgen"), ("Jürgen".encode("latin-1"), "Jürgen")])
def test_text_is_utf8_or_else_latin1(sent: bytes, text: str) -> None:
    assert read(part("author", sent) + end()).one("author") == text


def test_file_is_hashed_spooled_and_rewound() -> None:
    spools = Spools()
    data = os.urandom(700_000)

    form = read(part("content", data, "../x", "Content-Type: application/gzip\r\n") + end(), spools=spools)

    sent = form.files["content"]
    assert (sent.filename, sent.content_type, sent.size) == ("../x", "application/gzip", len(data))
    assert sent.spool.read() == data
    assert sent.digests == {
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
        "blake2b-256": hashlib.blake2b(data, digest_size=32).hexdigest(),
        "blake2b-512": hashlib.blake2b(data).hexdigest(),
    }
    form.close()
    form.close()
    assert spools.all_closed


def test_B2_attestations_come_as_text_or_as_file() -> None:
    assert read(part("attestations", b"[1]") + end()).one("attestations") == "[1]"
    assert read(part("attestations", b"[1]", "a.json") + end()).one("attestations") == "[1]"


def test_default_spool_is_a_temporary_file() -> None:
    body = part("content", b"x", "x") + end()

    with parse(io.BytesIO(body), content_type=MULTIPART, content_length=len(body)) as form:
        assert form.files["content"].spool.read() == b"x"


@pytest.mark.parametrize("line", [b"\r\n", b"\n"])
@settings(max_examples=60, deadline=None)
@given(
    content=st.lists(st.sampled_from([b"\r", b"\n", b"--", b"x", b"\n--frontie", b"--frontierX"])).map(b"".join),
    step=st.integers(1, 40),
)
def test_content_survives_any_cut(line: bytes, content: bytes, step: int) -> None:
    body = part("content", b"@", "x").replace(b"\r\n", line).replace(b"@", content) + end()

    form = parse(Drip(body, step), content_type=MULTIPART, content_length=len(body), open_spool=Spools())

    # Before a lone line feed a carriage return of the content cannot be told from a line end.
    assert form.files["content"].spool.read() == (content.removesuffix(b"\r") if line == b"\n" else content)


# Refusals


@pytest.mark.parametrize("name", [":action", "name", "version", "sha256_digest", "description", "attestations"])
def test_repeated_single_field_is_refused(name: str) -> None:
    error = refused(part(name, b"1") + part(name, b"1") + end())

    assert error.status == 400
    assert str(error) == f"{name}: Was sent more than once; send it once"


def test_repeated_file_is_refused() -> None:
    error = refused(part("content", b"", "a") + part("content", b"", "b") + end())

    assert "content: Was sent more than once" in str(error)


def test_repeated_field_in_two_spellings_is_refused() -> None:
    assert "more than once" in str(refused(part("protcol_version", b"1") + part("protocol_version", b"1") + end()))


def test_B1_8_C1_text_field_as_file_is_refused() -> None:
    assert "name: Should not be a file" in str(refused(part("name", b"x", "name.txt") + end()))


def test_file_as_text_field_is_refused() -> None:
    assert "content: Should be a file" in str(refused(part("content", b"x") + end()))


def test_strange_names_do_not_reach_the_status_line() -> None:
    error = refused(part("na\u2028me\x01" + "x" * 500, b"x", "f") + end())

    assert len(str(error)) < 150


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("", "Content-Type is ''"),
        ("text/plain", "Content-Type is 'text/plain'"),
        ("multipart/form-data", "needs a boundary"),
        ("multipart/form-data; boundary=", "needs a boundary"),
        (f"multipart/form-data; boundary={'x' * 71}", "needs a boundary"),
        ("multipart/form-data; boundary=ü", "needs a boundary"),
        ('multipart/form-data; boundary="a "', "needs a boundary"),
    ],
)
def test_other_kinds_of_body_are_refused(kind: str, says: str) -> None:
    assert says in str(refused(part("name", b"x") + end(), kind=kind))


def test_every_cut_is_refused() -> None:
    body = part("name", b"x") + part("content", b"bytes", "x") + end()

    for length in range(len(body) - 4):
        assert "cut short" in str(refused(body[:length]))


def test_body_shorter_than_announced_is_refused() -> None:
    body = part("name", b"x") + end()

    with pytest.raises(FormError, match=r"5 of \d+ bytes are missing"):
        parse(io.BytesIO(body), content_type=MULTIPART, content_length=len(body) + 5)


def test_nothing_is_read_beyond_the_announced_length() -> None:
    body = part("name", b"x") + end()
    stream = io.BytesIO(body + b"GET / HTTP/1.1")

    parse(stream, content_type=MULTIPART, content_length=len(body))

    assert stream.read() == b"GET / HTTP/1.1"


def test_client_that_goes_away_is_a_form_error() -> None:
    stream = Drip(part("name", b"x"), 10, ConnectionResetError())

    with pytest.raises(FormError, match="cut short after"):
        parse(stream, content_type=MULTIPART, content_length=1000)


def test_full_disk_is_no_fault_of_the_form() -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    spool = Full()
    body = part("content", b"x" * 100, "x") + end()

    with pytest.raises(OSError, match="No space left"):
        parse(io.BytesIO(body), content_type=MULTIPART, content_length=len(body), open_spool=lambda: spool)
    assert spool.closed


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"Content-Type: text/plain", "without a Content-Disposition"),
        (b"Content-Disposition: form-data", "has no name"),
        (b'Content-Disposition: form-data; name="\xff"', "not UTF-8"),
    ],
)
def test_malformed_part_headers_are_refused(head: bytes, says: str) -> None:
    body = f"--{BOUNDARY}\r\n".encode() + head + b"\r\n\r\nx\r\n" + end()

    assert says in str(refused(body))


# Limits


def test_limits_add_up_to_a_body() -> None:
    limits = Limits(file=10, total_text=20, frame=30)

    assert limits.body == 60
    error = refused(b"x" * 61, limits=limits)
    assert (error.status, "too large" in str(error)) == (413, True)


def test_body_without_a_length_is_counted() -> None:
    stream = Repeating(part("content", b"", "x")[:-2], b"x" * 1000, 10_000)

    with pytest.raises(TooLarge):
        parse(stream, content_type=MULTIPART, content_length=None, open_spool=Spools(), limits=Limits(file=1000))


@pytest.mark.parametrize(
    ("body", "limits", "says"),
    [
        (part("content", b"x" * 11, "x"), Limits(file=10), "The file has more than 10 bytes"),
        (part("summary", b"x" * 11), Limits(text=10), "summary: Has more than 10 bytes"),
        (part("description", b"x" * 11), Limits(description=10), "description: Has more than 10 bytes"),
        (part("gpg_signature", b"x" * 11, "x.asc"), Limits(text=10), "gpg_signature: Has more than 10"),
        (part("a", b"x" * 6) + part("b", b"x" * 6), Limits(total_text=10), "more than 10 bytes together"),
        (part("a", b"") * 3, Limits(fields=2), "more than 2 fields"),
        (part("a", b"", extra="X: " + "y" * 9000 + "\r\n"), Limits(), "A part's header has over 8192"),
        (b"x" * 300_000 + part("a", b""), Limits(), "text outside the parts"),
        (part("a", b"") + end() + b"x" * 300_000, Limits(), "text outside the parts"),
        (part("a", b"")[:-20] + b"y" * 300_000, Limits(), "A part's header"),
    ],
)
def test_every_limit_is_kept(body: bytes, limits: Limits, says: str) -> None:
    error = refused(body + end(), limits=limits)

    assert error.status == 413
    assert says in str(error)


def test_long_description_passes() -> None:
    form = read(part("description", b"x" * 1_000_000) + end())

    assert len(form.fields["description"][0]) == 1_000_000


def test_tiny_fields_are_refused_early() -> None:
    stream = Repeating(b"", part("a", b"1"), 200_000)
    start = time.process_time()

    with pytest.raises(TooLarge, match="more than 4096 fields"):
        parse(stream, content_type=MULTIPART, content_length=None)

    assert stream.taken < 1_000_000
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    "before",
    [part("summary", b"")[:-2], b"", f"--{BOUNDARY}\r\nContent-Disposition: ".encode(), end()],
    ids=["text field", "before the first part", "part header", "after the last part"],
)
def test_endless_text_is_refused_without_being_kept(before: bytes) -> None:
    stream = Repeating(before, b"x" * 1024, 100 * 1024)

    with pytest.raises(TooLarge):
        parse(stream, content_type=MULTIPART, content_length=None)

    assert stream.taken < 1_000_000


@pytest.mark.parametrize(
    "block",
    [b"\r\n--frontie", b"\r\n--frontierX", b"\r\n" * 50, b"\r\n--frontier" + b" " * 5000 + b"x", b"\r", b"--frontierX"],
    ids=["prefix", "near", "line ends", "blanks", "returns", "no line end"],
)
def test_hostile_content_takes_linear_time(block: bytes) -> None:
    # A quadratic step would take minutes for this.
    times = 8_000_000 // len(block)
    stream = Repeating(part("content", b"", "x")[:-2], block * 100, times // 100, b"\r\n" + end())
    start = time.process_time()

    with parse(stream, content_type=MULTIPART, content_length=None, open_spool=tempfile.TemporaryFile) as form:
        assert form.files["content"].size >= times // 100 * 100 * len(block)

    assert time.process_time() - start < 10


# Small forms


def test_urlencoded_form_is_read_by_the_same_rules() -> None:
    body = b"name=a+b&summary=J%C3%BCrgen&x=1&x=2&nul=%00&raw=\xe9&empty="

    form = read(body, kind="application/x-www-form-urlencoded")

    assert form.one("name") == "a b"
    assert form.one("summary") == "Jürgen"
    assert form.all("x") == ("1", "2")
    assert form.fields["nul"] == ("\\x00",)
    assert form.fields["raw"] == ("é",)
    assert form.one("empty") is None
    assert form.files == {}


@pytest.mark.parametrize(
    ("body", "limits", "status", "says"),
    [
        (b"name=a&name=b", Limits(), 400, "name: Was sent more than once"),
        (b"content=a", Limits(), 400, "content: Should be a file"),
        (b"a=1&b=2&c=3", Limits(fields=2), 413, "more than 2 fields"),
        (b"a=" + b"x" * 100, Limits(urlencoded=50), 413, "more than 50 bytes"),
        (b"a=" + b"x" * 100, Limits(text=50), 413, "a: Has more than 50 bytes"),
    ],
)
def test_urlencoded_form_has_limits(body: bytes, limits: Limits, status: int, says: str) -> None:
    error = refused(body, limits=limits, kind="application/x-www-form-urlencoded")

    assert error.status == status
    assert says in str(error)


# Anything


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Change a body in a few places: flips, cuts, repeats, swaps with interesting bytes."""
    data = bytearray(body)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at : at + chance.randint(1, 300)]
        elif kind == 2:
            data[at:at] = data[at : at + chance.randint(1, 300)]
        elif kind == 3:
            words = [b"\r\n", b"\n", b"\r", b"--", b'"', b";", b"=", b"\0", b"\xff", b"filename*=utf-16''%ff%", b":"]
            data[at:at] = chance.choice(words) * chance.randint(1, 3)
        else:
            other = chance.randrange(len(data) + 1)
            data[at:at] = data[other : other + 80]
    return bytes(data)


def outcome(body: bytes, kind: str) -> object:
    """Return all that a form has to say, or how it is refused; nothing stays open."""
    spools = Spools()
    try:
        with read(body, spools=spools, kind=kind) as form:
            files = [(name, sent.filename, sent.content_type, sent.spool.read()) for name, sent in form.files.items()]
            return list(form.fields.items()), files
    except FormError as exc:
        assert exc.status in {400, 413}
        return exc.status, str(exc)
    finally:
        assert spools.all_closed


def by_the_decoder(body: bytes, kind: str) -> object:
    """Return the same with nothing taken ahead of the decoder, and werkzeug's own expressions in that."""
    with patch.object(forms, "_plain", lambda body, *_: body), patch.object(forms, "Decoder", MultipartDecoder):
        return outcome(body, kind)


def test_plain_texts_are_taken_ahead_as_the_decoder_takes_them() -> None:
    for name in wire.names():
        capture = wire.load(name)
        kind = capture.headers["content-type"]
        assert outcome(capture.body, kind) == by_the_decoder(capture.body, kind)
    text = b'--frontier\r\nContent-Disposition: form-data; name="name"\r\n\r\n'
    for value in (b"", b"a", b"\r", b"\n", b"\r\n", b"--frontier", b"\n--frontier", b"\r\n--frontiers", b"\r\n\r\n--"):
        for line in (b"", b"\n", b"\r", b"\r\n", b"\r\n\r\n"):
            for rest in (end(), part("version", b"1") + end(), b"--frontier", b"--frontier \r\n", b"--frontier\n"):
                body = text + value + line + rest
                assert outcome(body, MULTIPART) == by_the_decoder(body, MULTIPART)


@settings(max_examples=2000 if TORTURE else 300, deadline=None)
@given(
    data=st.lists(st.sampled_from([b"--a.b", b"--a", b"a.b", b"--", b"\r", b"\n", b"\r\n", b" ", b"\t", b"\f", b"x"])),
    start=st.integers(0, 12),
)
def test_delimiters_are_found_where_werkzeug_finds_them(data: list[bytes], start: int) -> None:
    body, theirs, ours = bytearray(b"".join(data)), MultipartDecoder(b"a.b"), Decoder(b"a.b")
    for their, our in ((theirs.preamble_re, ours.preamble_re), (theirs.boundary_re, ours.boundary_re)):
        want, found = their.search(body, start), our.search(body, start)
        told = [match and (match.start(), match.end(), match.group(1)) for match in (want, found)]
        assert told[0] == told[1]


def test_texts_behind_the_first_strange_part_are_left_to_the_decoder() -> None:
    taken = forms._Reading(LIMITS, Spools())
    strange = part("a b", b"x") + part("version", b"1") + end()
    assert forms._plain(part("name", b"acme") + strange, b"--" + BOUNDARY.encode(), taken) == strange
    assert taken.form().fields == {"name": ("acme",)}


def test_mutated_bodies_give_a_form_or_a_form_error(tally: Tally) -> None:
    captures = [wire.load(name) for name in wire.names()]
    chance = random.Random(20261123)

    for round_ in range(5000 if TORTURE else 500):
        capture = captures[round_ % len(captures)]
        body = mutated(capture.body, chance)
        kind = capture.headers["content-type"]
        if round_ % 10 == 0:
            kind = mutated(kind.encode(), chance).decode("latin-1")
        start = time.process_time()
        told = outcome(body, kind)
        assert time.process_time() - start < 2
        assert told == by_the_decoder(body, kind)
        tally.add("bodies mutated")


@settings(max_examples=2000 if TORTURE else 150, deadline=None)
@given(
    body=st.lists(
        st.sampled_from([
            b"--frontier", b"--", b"\r\n", b"\n", b"\r", b"Content-Disposition: form-data", b"; name=", b'"a"',
            b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n', b"; filename=", b"content",
            b"\0", b"\xff", b"x" * 50, b": ", b" ", b"\t", b"%ff''", b"*0*",
        ])
    ).map(b"".join),
    kind=st.sampled_from([MULTIPART, "application/x-www-form-urlencoded"]),
)  # fmt: skip
def test_any_body_gives_a_form_or_a_form_error(body: bytes, kind: str) -> None:
    assert outcome(body, kind) == by_the_decoder(body, kind)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_content_type_gives_a_form_or_a_form_error(kind: str) -> None:
    for each in (kind, f"multipart/form-data; {kind}", f"multipart/form-data; boundary={kind}"):
        try:
            read(part("name", b"x") + end(), kind=each)
        except FormError as exc:
            assert str(exc).isascii()

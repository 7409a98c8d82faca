"""What the terminal shows of a server's answer."""

from __future__ import annotations

import pytest
from mypi_upload.answers import readable, sentence

PLAIN = "text/plain; charset=UTF-8"
LONG = "The file " + "very " * 100 + "long"


@pytest.mark.parametrize(
    ("reason", "content_type", "body", "shown"),
    [
        ("File already exists", PLAIN, "File already exists\n", "File already exists"),
        ("File already exists", PLAIN, "", "File already exists"),
        ("Bad Request", PLAIN, "The name is bad\n", "Bad Request\nThe name is bad"),
        ("Bad Request", "text/html", "<title>Bad Request</title>", "Bad Request"),
        ("", PLAIN, "The name is bad", "The name is bad"),
        (LONG[:300], PLAIN, f"{LONG}\n", LONG),
        ("?? is no name: caf\xe9", PLAIN, "\u65e5\u672c is no name: caf\xe9\n", "\u65e5\u672c is no name: caf\xe9"),
        ("A and B", PLAIN, "A\nand B\n", "A\nand B"),
        ("Bad Request", PLAIN, "x" * 5000, "Bad Request\n" + "x" * 2000),
    ],
)
def test_the_sentence_is_shown_once_and_as_whole_as_it_came(
    reason: str, content_type: str, body: str, shown: str
) -> None:
    assert sentence(reason, content_type, body) == shown


def test_a_server_cannot_steer_the_terminal() -> None:
    assert readable("a\x1b[2Jb\r\nc\td\x07\u202e") == "a?[2Jb\nc\td??"

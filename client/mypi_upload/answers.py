"""What a server answers, as a person can read it."""

from __future__ import annotations

_LONGEST_BODY = 2000


def sentence(reason: str, content_type: str, body: str) -> str:
    """Return what a server said in words: its reason phrase, and its body where that is text that says more."""
    reason = readable(reason)
    if not content_type.startswith("text/plain"):
        return reason
    body = readable(body).strip()[:_LONGEST_BODY]
    # A reason phrase is one line of Latin-1 and may be cut, so the same sentence is better read in the body.
    line = " ".join(body.split()).encode("iso-8859-1", "replace").decode("iso-8859-1")
    if not body or line.startswith(reason):
        return body or reason
    return f"{reason}\n{body}"


def readable(text: str) -> str:
    """Return a server's text without what could steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text.replace("\r\n", "\n"))

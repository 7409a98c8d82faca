"""Bounded inflate: a compressed stream comes out in small pieces and must end exactly where it should."""

import zlib
from collections.abc import Callable, Iterator

from mypi.archives import ArchiveError

PIECE = 64 * 1024

RAW = -zlib.MAX_WBITS
GZIP = zlib.MAX_WBITS | 16


# More than this is no slip of a tool that wrote over a longer file.
_TRAILER = 64 * 1024


def inflate(read: Callable[[int], bytes], kind: int, what: str, *, trailer: bool = False) -> Iterator[bytes]:
    """Yield what the stream behind `read` holds, in pieces of at most PIECE bytes.

    `read(n)` gives at most n bytes, none at the end of the stream. `kind` is RAW (RFC 1951) or GZIP (RFC 1952, one
    member, whose checksum and length zlib compares). `what` names the stream in errors. Raises ArchiveError if the
    stream is damaged, cut short, or goes on after its end; with `trailer` it may go on with what is no archive.
    """
    engine = zlib.decompressobj(kind)
    packed = b""
    while not engine.eof:
        fresh = packed or read(PIECE)
        try:
            piece = engine.decompress(fresh, PIECE)
        except zlib.error as exc:
            raise ArchiveError(f"{what} is damaged: its compressed data cannot be read ({exc})") from exc
        packed = engine.unconsumed_tail
        if piece:
            yield piece
        elif not fresh:
            # Nothing goes in and nothing comes out: the end of the stream is missing.
            raise ArchiveError(f"{what} is cut short: its compressed data has no end")
    rest = engine.unused_data + read(_TRAILER + 1)
    # Some readers go on with a second gzip member, and pip takes a file with a zip at its end for a zip.
    if rest and (not trailer or len(rest) > _TRAILER or rest.startswith(b"\x1f\x8b") or b"PK" in rest):
        raise ArchiveError(f"{what} has something after the end of its compressed data")

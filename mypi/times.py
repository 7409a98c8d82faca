"""Times as they are written into documents and pages: RFC 3339 in UTC with microseconds (A5.5)."""

from __future__ import annotations

from datetime import datetime, timezone


def timestamp(moment: float | datetime) -> str:
    """Write a time, given in seconds since 1970 or with its zone, in the one form that every client reads.

    >>> timestamp(0)
    '1970-01-01T00:00:00.000000Z'
    """
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, timezone.utc)
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment(text: str) -> datetime:
    """Read a time back; one without a zone gets none. Raises ValueError.

    >>> timestamp(moment("2026-01-31T12:00:00+01:00"))
    '2026-01-31T11:00:00.000000Z'
    """
    # Python 3.10 does not read the Z.
    return datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)


def now() -> str:
    """Write the present time."""
    return timestamp(datetime.now(timezone.utc))

"""What a member of an archive may be called.

The rules keep every member inside the folder that it is unpacked into, on every operating system, and give each place
one member, so that the order of unpacking cannot matter.
"""

import re
from collections.abc import Iterable
from itertools import pairwise

from mypi.archives import ArchiveError, Limits

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DRIVE = re.compile(r"\A[A-Za-z]:")


def check(name: str, limits: Limits) -> None:
    """Refuse a name that is empty, too long, absolute, climbing, or that some system reads in its own way.

    `name` has no slash at its end. Names that are no UTF-8 are given with surrogate escapes.
    """
    if len(name.encode("utf-8", "surrogateescape")) > limits.name:
        raise ArchiveError(f"the name {name[:40]!r}... of a member is longer than {limits.name} bytes")
    if _CONTROL.search(name):
        raise ArchiveError(f"the name {name!r} of a member has a control character in it")
    if "\\" in name:
        raise ArchiveError(f"the name {name!r} of a member has a backslash in it, which is a separator on Windows")
    if name.startswith("/") or _DRIVE.match(name):
        raise ArchiveError(f"the name {name!r} of a member is absolute")
    parts = name.split("/")
    if ".." in parts:
        raise ArchiveError(f"the name {name!r} of a member climbs out of its folder")
    if "" in parts or "." in parts:
        raise ArchiveError(f"the name {name!r} of a member has an empty part or the part '.' in it")


def check_link(name: str, target: str, limits: Limits) -> None:
    """Refuse the symbolic link `name` if following `target` could lead out of the archive's root.

    A target may begin with as many ``..`` as the link lies deep, and may have none further in: ``a/../..`` is inside
    when read as text, yet climbs out if ``a`` is itself a link (CVE-2025-4517). As no member may lie beneath a link
    and every link stays inside, no chain of links leads out.
    """
    parts = target.split("/")
    climbs = 0
    while parts and parts[0] == "..":
        parts = parts[1:]
        climbs += 1
    if climbs > name.count("/"):
        raise ArchiveError(f"the link {name!r} points out of the archive, to {target!r}")
    if parts and parts != ["."]:
        rest = "/".join(part for part in parts if part not in ("", ".")) if target[:1] != "/" else target
        try:
            check(rest, limits)
        except ArchiveError as exc:
            raise ArchiveError(f"the link {name!r} has a target that is not allowed: {exc}") from exc


def check_tree(files: Iterable[str], folders: Iterable[str]) -> None:
    """Refuse two members at one place, and a file where another member needs a folder.

    Names that differ only in case are let through: they are honest where they are made, and PyPI takes them. A link
    counts as a file, so nothing lies beneath it.
    """
    # NUL sorts before all else and is in no name, so what lies beneath a name follows it at once.
    places = [(name.replace("/", "\0"), True) for name in files]
    places += [(name.replace("/", "\0"), False) for name in set(folders)]
    places.sort()
    for (above, is_file), (below, _) in pairwise(places):
        if above == below:
            raise ArchiveError(f"two members are called {_plain(above)!r}")
        if is_file and below.startswith(above + "\0"):
            raise ArchiveError(f"{_plain(above)!r} is a file, but {_plain(below)!r} needs a folder there")


def _plain(place: str) -> str:
    return place.replace("\0", "/")

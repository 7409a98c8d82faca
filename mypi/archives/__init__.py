"""Bounded reading of zip and tar archives that nobody vouches for.

Whatever the bytes, reading takes bounded time and memory and raises nothing but :class:`ArchiveError` (errors of the
file object itself pass through). The readers of the standard library are not used: their leniency is what an attacker
builds on, because another reader, in an installer, is lenient in another way.

This package knows nothing of Python packaging. :mod:`mypi.archives.zips` and :mod:`mypi.archives.tars` hold the two
readers, :mod:`mypi.archives.paths` what a member may be called, :mod:`mypi.archives.streams` the bounded inflate.
"""

from dataclasses import dataclass


class ArchiveError(ValueError):
    """An archive is damaged, or is built so that two readers could see different things in it.

    The message is one sentence that names the member and the fault.
    """


@dataclass(frozen=True)
class Limits:
    """How much an archive may ask of whoever unpacks it.

    An archive is refused as a bomb if it unpacks to more than `unpacked` bytes, or to more than `ratio_floor` bytes
    and also `ratio` times its own size (the rule that PyPI applies to zip files, here for tar as well). `members` lets
    the largest honest archives pass that we know (ansible 2.9 has 22,831); `name` and `header` are in bytes.
    """

    members: int = 50_000
    unpacked: int = 16 * 2**30
    ratio: int = 50
    ratio_floor: int = 64 * 2**20
    name: int = 1_024
    header: int = 2**20

    def check_unpacked(self, unpacked: int, packed: int) -> None:
        """Refuse an archive of `packed` bytes that holds `unpacked` bytes, if that is too much."""
        if unpacked > self.unpacked:
            raise ArchiveError(f"the archive unpacks to more than {self.unpacked} bytes")
        if unpacked > self.ratio_floor and unpacked > self.ratio * packed:
            raise ArchiveError(f"the archive unpacks to more than {self.ratio} times its size, as a bomb does")

"""Sdists: a gzipped tar archive, or a zip, with one top folder that has a PKG-INFO in it."""

from dataclasses import dataclass, field
from typing import BinaryIO

from mypi import metadata
from mypi.archives import ArchiveError, Limits
from mypi.archives.tars import TarArchive
from mypi.archives.zips import ZipArchive
from mypi.artifacts.artifact import Artifact, ArtifactError, Leniency
from mypi.metadata import CoreMetadata, MetadataError
from mypi.names import Filename, settle

_PKG_INFO = "PKG-INFO"


@dataclass
class _Contents:
    """What was seen in an archive: its top folders, its files, and each PKG-INFO right under a top folder."""

    tops: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    found: dict[str, bytes] = field(default_factory=dict)

    def see(self, name: str, *, is_file: bool) -> bool:
        """Note a member; tell whether it is a PKG-INFO to be read."""
        top, slash, rest = name.partition("/")
        # A file beside the top folder is a second top.
        self.tops.add(top if slash or not is_file else name)
        if is_file:
            self.files.add(name)
        return is_file and rest == _PKG_INFO and top not in self.found


def look(file: BinaryIO, filename: Filename, limits: Limits, leniency: Leniency) -> Artifact:
    """Inspect an sdist. Raises ArtifactError, ArchiveError, MetadataError."""
    read = _read_zip if filename.text.endswith(".zip") else _read_tar
    try:
        contents = read(file, limits, lenient=False)
    except ArchiveError as exc:
        if not leniency.allows("framing"):
            raise
        contents = read(file, limits, lenient=True)
        leniency.failed("framing", str(exc))
    if len(contents.tops) != 1:
        some = ", ".join(repr(top) for top in sorted(contents.tops)[:3]) or "none"
        leniency.failed("layout", f"an sdist has one top folder that everything is in, here are: {some}")
    data, core, name = _identity(contents, filename, leniency)
    return Artifact(
        filename=name,
        metadata=data,
        core=core,
        members=frozenset(contents.files),
        licences=f"{min(contents.found or contents.tops or {''})}/",
        relaxed=leniency.used,
    )


def _read_tar(file: BinaryIO, limits: Limits, *, lenient: bool) -> _Contents:
    contents = _Contents()
    archive = TarArchive(file, limits, trailer=lenient)
    for member in archive:
        if not member.name:
            continue
        wanted = contents.see(member.name, is_file=member.kind != "folder")
        # A linked PKG-INFO is not read: what it says would depend on the order of unpacking.
        if wanted and member.kind == "file":
            contents.found[member.name.partition("/")[0]] = archive.read(metadata.LIMIT)
    return contents


def _read_zip(file: BinaryIO, limits: Limits, *, lenient: bool) -> _Contents:
    contents = _Contents()
    archive = ZipArchive(file, limits, descriptors=lenient)
    for folder in archive.folders:
        contents.see(folder, is_file=False)
    for name in archive.members:
        if contents.see(name, is_file=True):
            contents.found[name.partition("/")[0]] = archive.read(name, metadata.LIMIT)
        for _ in archive.chunks(name):
            pass
    return contents


def _identity(contents: _Contents, filename: Filename, leniency: Leniency) -> tuple[bytes, CoreMetadata, Filename]:
    """Give PKG-INFO, what it says, and the reading of the file name that it confirms."""
    try:
        return _confirmed(contents, filename)
    except (ArtifactError, MetadataError) as exc:
        leniency.failed("pkg-info", str(exc))
        data = f"Metadata-Version: 1.0\nName: {filename.project}\nVersion: {filename.version}\n".encode()
        return data, metadata.read(data), filename


def _confirmed(contents: _Contents, filename: Filename) -> tuple[bytes, CoreMetadata, Filename]:
    if not contents.found:
        top = min(contents.tops, default="the top folder")
        raise ArtifactError(f"there is no {top}/{_PKG_INFO}: build the sdist with a current build tool")
    data = contents.found[min(contents.found)]
    core = metadata.read(data)
    settled = settle(filename, core.project, core.version)
    if settled is None:
        raise ArtifactError(
            f"PKG-INFO says that this is {core.name} {core.version_text}, which the file name does not: "
            "do not rename an sdist, build it again"
        )
    return data, core, settled

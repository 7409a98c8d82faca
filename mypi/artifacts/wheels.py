"""Wheels: a zip archive that says in ``.dist-info`` what it is, and in RECORD what it holds."""

from typing import BinaryIO

from mypi import metadata, names
from mypi.archives import ArchiveError, Limits
from mypi.archives.zips import ZipArchive
from mypi.artifacts import record
from mypi.artifacts.artifact import Artifact, ArtifactError, Leniency
from mypi.artifacts.record import EntryPointsError, RecordError, Row
from mypi.metadata import CoreMetadata
from mypi.names import Filename

_SUFFIX = ".dist-info"
_SMALL = 2**20
_RECORD = 32 * 2**20


def look(file: BinaryIO, filename: Filename, limits: Limits, leniency: Leniency) -> Artifact:
    """Inspect a wheel. Raises ArtifactError, ArchiveError, MetadataError."""
    archive = _open(file, limits, leniency)
    folder = _dist_info(archive, filename)
    for name in ("METADATA", "WHEEL"):
        if folder + name not in archive.members:
            raise ArtifactError(f"there is no {folder}{name}: build the wheel again with a current build tool")
    data = archive.read(folder + "METADATA", metadata.LIMIT)
    core = metadata.read(data)
    _check_identity(core, filename)
    if folder + "entry_points.txt" in archive.members:
        try:
            record.check_entry_points(archive.read(folder + "entry_points.txt", _SMALL))
        except EntryPointsError as exc:
            leniency.failed("entry-points", str(exc))
    _check_files(archive, _rows(archive, folder, leniency), leniency)
    return Artifact(
        filename=filename,
        metadata=data,
        core=core,
        members=frozenset(archive.members),
        licences=folder + "licenses/",
        relaxed=leniency.used,
    )


def _open(file: BinaryIO, limits: Limits, leniency: Leniency) -> ZipArchive:
    try:
        return ZipArchive(file, limits)
    except ArchiveError as exc:
        if not leniency.allows("framing"):
            raise
        archive = ZipArchive(file, limits, descriptors=True)
        leniency.failed("framing", str(exc))
        return archive


def _dist_info(archive: ZipArchive, filename: Filename) -> str:
    """Give the one ``.dist-info/``, after comparing its name with the file's."""
    tops = {name.partition("/")[0] for name in archive.members if "/" in name}
    tops |= {name.partition("/")[0] for name in archive.folders}
    # Readers differ in whether they heed case here.
    found = sorted(top for top in tops if top.lower().endswith(_SUFFIX))
    if len(found) != 1 or not found[0].endswith(_SUFFIX):
        raise ArtifactError(
            f"a wheel has one folder whose name ends in {_SUFFIX}, here are: {', '.join(found) or 'none'}"
        )
    name, _, version = found[0].removesuffix(_SUFFIX).rpartition("-")
    try:
        # The version's dashes are escaped as underscores, which PEP 440 reads as the same in most places.
        fits = (names.project(name), names.version(version)) == (filename.project, filename.version)
    except (names.InvalidName, names.InvalidVersion):
        fits = False
    if not fits:
        raise ArtifactError(f"the folder {found[0]!r} does not have the name and version that the file name has")
    return found[0] + "/"


def _check_identity(core: CoreMetadata, filename: Filename) -> None:
    if (core.project, core.version) != (filename.project, filename.version):
        raise ArtifactError(
            f"METADATA says that this is {core.name} {core.version_text}, the file name says "
            f"{filename.project} {filename.version}: do not rename a wheel, build it again"
        )


def _rows(archive: ZipArchive, folder: str, leniency: Leniency) -> dict[str, Row]:
    """Give RECORD's row of each file that has to fit one."""
    if folder + "RECORD" not in archive.members:
        leniency.failed("record", f"there is no {folder}RECORD: build the wheel again")
        return {}
    try:
        rows = record.parse(archive.read(folder + "RECORD", _RECORD))
        return record.compare(rows, archive.members, folder)
    except RecordError as exc:
        leniency.failed("record", str(exc))
        return {}


def _check_files(archive: ZipArchive, rows: dict[str, Row], leniency: Leniency) -> None:
    """Unpack every file once: its checksum must be right, and its digest the one in RECORD."""
    for name, member in archive.members.items():
        row = rows.get(name)
        digest = record.hasher(row)
        for piece in archive.chunks(name):
            digest.update(piece)
        if row:
            try:
                row.check(name, member.size, digest.digest())
            except RecordError as exc:
                leniency.failed("record", str(exc))

"""Core metadata of upstream files: the upstream's own, or what stands in the wheel, of which little has to be read."""

from __future__ import annotations

import hashlib
import io
import logging
import re
import tempfile
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from dataclasses import replace

from ..archives import ArchiveError
from ..model.remote import Cached, RemoteFile, Site
from ..store import NotFound, StoreError
from .client import Answer, Client
from .errors import Away, Busy, Garbage
from .files import Files
from .shelf import Shelf
from .wheels import LARGEST, TAIL, Parts, metadata

log = logging.getLogger(__name__)

ENDING = ".metadata"

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})\Z")
_PIECE = 64 * 1024


class NoRanges(Exception):
    """The upstream sends whole files only."""


class Metadata:
    """Finds, verifies and keeps metadata; one search serves all who wait. Methods may be called from any thread."""

    def __init__(self, client: Client, shelf: Shelf, files: Files, *, patience: float = 10) -> None:
        self._client = client
        self._shelf = shelf
        self._files = files
        self._patience = patience
        self._lock = threading.Lock()
        self._searches: dict[tuple[str, str, str], Future[bytes]] = {}

    def get(self, site: Site, cached: Cached, file: RemoteFile) -> bytes:
        """Return the metadata of a file, exactly as the wheel has it. Raises NotFound for what has none.

        Besides: Away, Garbage, Busy, StoreError.
        """
        if not file.is_wheel:
            raise NotFound(file.filename + ENDING)
        kept = self._kept(cached, file)
        if kept is not None:
            return kept
        key = (site.name, file.filename, file.digest)
        with self._lock:
            running = self._searches.get(key)
            own = running is None
            search = self._searches[key] = running or Future()
        if own:
            self._search(search, key, site, self._shelf.known(cached), file)
        try:
            return search.result(self._patience)
        except Late as exc:
            raise Busy(f"The metadata of {file.filename} is being looked for; try again") from exc

    def _search(
        self, search: Future[bytes], key: tuple[str, str, str], site: Site, cached: Cached, file: RemoteFile
    ) -> None:
        try:
            data = self._kept(cached, file)
            if data is None:
                data = self._found(site, cached, file)
                self._keep(site, cached, file, data)
            search.set_result(data)
        except BaseException as exc:
            search.set_exception(exc)
        finally:
            with self._lock:
                del self._searches[key]

    def _kept(self, cached: Cached, file: RemoteFile) -> bytes | None:
        name = file.filename + ENDING
        known = cached.kept.get(name)
        if known is None or not (known.digest == file.metadata if file.metadata else known.source == file.digest):
            return None
        volume = self._shelf.open(cached, name, known.digest)
        if volume is None:
            return None
        try:
            return b"".join(volume)
        except (StoreError, Garbage) as exc:
            log.warning("%s is looked for anew: %s", name, exc)
            return None
        finally:
            volume.close()

    def _keep(self, site: Site, cached: Cached, file: RemoteFile, data: bytes) -> None:
        digest = hashlib.sha256(data).hexdigest()
        beside = replace(file, filename=file.filename + ENDING, digest=digest, algorithm="sha256")
        self._shelf.keep(site, cached.name, beside, (io.BytesIO(data), len(data)), origin=file.digest)

    def _found(self, site: Site, cached: Cached, file: RemoteFile) -> bytes:
        data = self._upstreams_own(site, file) if file.metadata is not None else None
        if data is None:
            data = self._from_wheel(site, cached, file)
        if file.metadata and hashlib.sha256(data).hexdigest() != file.metadata:
            raise Garbage(f"the metadata of {file.filename} has another sha256 than the page of {site.name} says")
        return data

    def _upstreams_own(self, site: Site, file: RemoteFile) -> bytes | None:
        """Return what the upstream serves beside the file, None if that is nothing."""
        url = file.url + ENDING
        answer, body = self._client.page(site, url, {"Accept-Encoding": "identity"}, LARGEST)
        if answer.status == 200:
            return body
        if 400 <= answer.status < 500:  # some stores of files say 403 of what they have not
            return None
        raise Away(f"{site.name} answers {answer.status} for {file.filename}{ENDING}")

    def _from_wheel(self, site: Site, cached: Cached, file: RemoteFile) -> bytes:
        kept = self._in_store(cached, file)
        if kept is not None:
            return kept
        try:
            try:
                return metadata(self._remote(site, file), file.filename)
            except NoRanges:
                return self._from_whole(site, cached, file)
        except ArchiveError as exc:
            raise Garbage(f"{file.filename} of {site.name} has no metadata that can be read: {exc}") from exc

    def _in_store(self, cached: Cached, file: RemoteFile) -> bytes | None:
        """Return the metadata in a wheel that is kept; None if there is none, or a damaged one."""
        known = self._files.kept(cached, file)
        if known is None:
            return None
        try:
            return metadata(Parts(lambda start, stop: self._shelf.read(known, start, stop), known.size), file.filename)
        except (ArchiveError, StoreError) as exc:
            log.warning("%s, which is kept, cannot be read and is asked for again: %s", file.filename, exc)
            return None

    def _from_whole(self, site: Site, cached: Cached, file: RemoteFile) -> bytes:
        """Read the metadata in the whole of a wheel. What takes longer than clients wait goes on without them."""
        until = time.monotonic() + self._patience
        with tempfile.TemporaryFile() as whole:
            pieces = self._files.open(site, cached, file).pieces
            try:
                for piece in pieces:
                    whole.write(piece)
                    if time.monotonic() > until and self._shelf.takes(file):
                        raise Busy(f"{file.filename} has to come whole for its metadata, and still does; try again")
            finally:
                pieces.close()
            return metadata(whole, file.filename)

    def _remote(self, site: Site, file: RemoteFile) -> Parts:
        """Read the end of a wheel at the upstream, and the rest when it is wanted. Raises NoRanges."""
        until = time.monotonic() + self._patience

        def fetch(start: int, stop: int) -> bytes:
            return self._range(site, file, f"{start}-{stop - 1}", until)[0]

        start = None if file.size is None else max(0, file.size - TAIL)
        asked = f"-{TAIL}" if start is None else f"{start}-"
        tail, size = self._range(site, file, asked, until)
        return Parts(fetch, size, tail)

    def _range(self, site: Site, file: RemoteFile, asked: str, until: float) -> tuple[bytes, int]:
        """Ask for a part of a wheel; return it and the size of the whole. Raises NoRanges, Away, Garbage."""
        headers = {"Accept-Encoding": "identity", "Range": f"bytes={asked}"}
        with self._client.get(site, file.url, headers) as answer:
            if answer.status == 200 or 400 <= answer.status < 500 or answer.status == 501:
                raise NoRanges
            if answer.status != 206:
                raise Away(f"{site.name} answers {answer.status} for a part of {file.filename}")
            first, last, size = _said(answer, file)
            if not _is_asked(asked, first, last, size) or file.size not in (None, size):
                raise Garbage(f"{site.name} sends another part of {file.filename} than it was asked for")
            return _whole(answer, last + 1 - first, until, file), size


def _said(answer: Answer, file: RemoteFile) -> tuple[int, int, int]:
    said = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
    if said is None:
        raise Garbage(f"a part of {file.filename} came without saying which")
    first, last, size = map(int, said.groups())
    return first, last, size


def _is_asked(asked: str, first: int, last: int, size: int) -> bool:
    """Tell whether a part is that of a Range header: ``5-9``, ``5-`` or the last bytes, ``-5``."""
    start, _, end = asked.partition("-")
    wanted = (max(0, size - int(end)) if not start else int(start), int(end) if start and end else size - 1)
    return (first, last) == wanted and first <= last


def _whole(answer: Answer, size: int, until: float, file: RemoteFile) -> bytes:
    data = bytearray()
    while len(data) <= size and (piece := answer.read1(_PIECE)):
        data += piece
        if time.monotonic() > until:
            raise Away(f"the metadata of {file.filename} did not come in time")
    if len(data) != size:
        raise Away(f"a part of {file.filename} has {len(data):,} bytes, not {size:,} as announced")
    return bytes(data)

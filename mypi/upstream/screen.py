"""The policy at work: what of a name is shown now. It remembers verdicts until a file's time comes, and licences."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from cachetools import LRUCache

from .. import metadata
from ..metadata import MetadataError
from ..model import File, Project
from ..model.remote import RemotePage
from ..policies import Policies
from ..repository import Held, Repository
from ..store import NotFound, StoreError, Tag
from . import licences
from .policy import HiddenByPolicy, Item, Policy, Verdict, without

log = logging.getLogger(__name__)

_VERDICTS, _LICENCES = 200_000, 50_000


Fetch = Callable[[], "bytes | None"]
"""Brings the core metadata of a file, None if it has none."""


class Screen:
    """Shows pages as the rules have them. Methods may be called from any thread.

    ``clock`` gives seconds since 1970.
    """

    def __init__(self, rules: Policies, *, clock: Callable[[], float] = time.time) -> None:
        self.policy = Policy(rules)
        self.clock = clock
        self._lock = threading.Lock()
        self._verdicts: LRUCache[object, tuple[Verdict, float]] = LRUCache(
            _VERDICTS, getsizeof=lambda found: min(len(found[0].files) + 1, _VERDICTS)
        )
        self._licences: LRUCache[str, str] = LRUCache(_LICENCES)

    @property
    def rules(self) -> Policies:
        return self.policy.rules

    def check(self, name: str) -> None:
        """Refuse a name that is denied whole. Raises HiddenByPolicy."""
        hidden = self.policy.whole(name)
        if hidden:
            raise HiddenByPolicy(name, hidden)

    def check_file(self, name: str, file: Item, licence: str = "") -> None:
        """Refuse a file that is hidden. Raises HiddenByPolicy."""
        hidden = self.policy.file(name, file, self.clock(), licence)
        if hidden:
            raise HiddenByPolicy(name, hidden)

    def check_release(self, name: str, version: str) -> None:
        """Refuse a version that is hidden whatever its files are. Raises HiddenByPolicy."""
        hidden = self.policy.release(name, version)
        if hidden:
            raise HiddenByPolicy(name, hidden)

    def page(self, page: RemotePage, tag: str, known: Mapping[str, str]) -> tuple[RemotePage, str]:
        """Return what is shown of a page whose tag is given, and what stands for the verdict in its ETag."""
        verdict = self._judge(page, page.files, tag, known)
        return without(page, verdict), verdict.key

    def ours(self, held: Held[Project], fetch: Callable[[Project, File], bytes | None]) -> Held[Project]:
        """Return what is shown of a project of ours, with its tag. ``fetch`` brings a file's metadata.

        Raises HiddenByPolicy if it is denied whole.
        """
        project = held.value
        if not self.rules.ours:
            return held
        self.check(project.name)
        known = self.known((file.sha256, file.version, partial(fetch, project, file)) for file in project.live)
        verdict = self._judge(project, project.live, held.tag, known)
        return Held(without(project, verdict), Tag(f"{held.tag} {verdict.key}")) if verdict.key else held

    def known(self, files: Iterable[tuple[str, str, Fetch]]) -> dict[str, str]:
        """Return the licences of versions, from the digest and version of each file and what brings its metadata.

        It is empty where no licence is denied: nothing is read then.
        """
        found: dict[str, str] = {}
        if not self.rules.licenses_denied:
            return found
        for digest, version, fetch in files:
            licence = self.licence(digest, fetch)
            if licence and licence != found.get(version):
                found[version] = f"({found[version]}) AND ({licence})" if version in found else licence
        return found

    def licence(self, digest: str, fetch: Fetch) -> str:
        """Return the licence of a file, "" if its metadata says none that is known by an SPDX identifier."""
        with self._lock:
            remembered = self._licences.get(digest)
        if remembered is not None:
            return remembered
        data = fetch()
        if data is None:
            return ""
        try:
            licence = licences.said(metadata.read(data))
        except MetadataError as exc:
            log.warning("a licence cannot be known: %s", exc)
            licence = ""
        with self._lock:
            self._licences[digest] = licence
        return licence

    def _judge(self, page: RemotePage | Project, files: Sequence[Item], tag: str, known: Mapping[str, str]) -> Verdict:
        if not self.rules.hides:
            return Verdict()
        key, now = (page.name, tag, tuple(sorted(known.items()))), self.clock()
        with self._lock:
            found = self._verdicts.get(key)
        if found and found[1] <= now and (found[0].until is None or now < found[0].until):
            return found[0]
        verdict = self.policy.judge(page, files, now, known)
        with self._lock:
            self._verdicts[key] = verdict, now
        return verdict


def readable(fetch: Callable[[], bytes]) -> bytes | None:
    """Return bytes from the store, None if they cannot be read: nobody's page fails for want of a licence."""
    try:
        return fetch()
    except (NotFound, StoreError) as exc:
        log.warning("a licence cannot be read: %s", exc)
        return None


def metadata_of(repository: Repository, project: Project, file: File) -> bytes | None:
    """Return the core metadata of a file of ours, None if it has none that can be read."""

    def read() -> bytes:
        with repository.open_metadata(project, file) as reader:
            return reader.read()

    return readable(read) if file.described else None

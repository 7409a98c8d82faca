"""The repository: projects and files of one index over two roles of a store.

Every promise about publishing, removing and sweeping is kept here; above it nobody knows keys or backends, below it
nobody knows projects.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import IO

from ..metadata import CoreMetadata
from ..model import Actor, Event, File, Names, Project, Status
from ..settings import Settings
from ..store import Reader, Store, Truncated
from ..times import timestamp
from . import identity
from .carrying import Progress
from .catalogue import Catalogue
from .contents import key_of
from .documents import Damaged, Held, Moved
from .identity import NoIndex, WrongStore, lies_in
from .members import Members
from .mending import Mender, Repair
from .moving import Move, SameStore, Stores
from .once import Once
from .outside import Outside
from .owning import disown
from .pool import in_threads
from .publishing import Publisher
from .raws import Raws
from .replacing import Outcome
from .sealing import unseal
from .submissions import Refused, Submission, check_digests, claimed
from .sweeping import Sweep, Sweeper
from .verifying import Finding, Verifier

__all__ = [
    "Damaged",
    "Finding",
    "Held",
    "Members",
    "Moved",
    "NoIndex",
    "Outcome",
    "Outside",
    "Progress",
    "Refused",
    "Repair",
    "Repository",
    "SameStore",
    "Submission",
    "Sweep",
    "WrongStore",
    "check_digests",
    "claimed",
    "in_threads",
    "lies_in",
]


class Repository:
    """One index. Methods may be called from any thread.

    ``files`` and ``catalogue`` may be the same store; ``stores`` is both, with the id that they share. ``clock`` gives
    seconds since 1970; only times shown to people and the age of rubbish depend on it.
    """

    def __init__(
        self,
        files: Store,
        catalogue: Store,
        settings: Settings,
        *,
        index: str = "main",
        clock: Callable[[], float] = time.time,
        new: bool = True,
    ) -> None:
        self._files = files
        self._clock = clock
        self._closing = ExitStack()
        self._index = index
        self._id = identity.establish(files, catalogue, new=new)
        self.stores = Stores(files, catalogue, self._id)
        self._confirm = partial(identity.confirm, files, catalogue, self._id)
        self._catalogue = Catalogue(catalogue, index, settings)
        self.outside = Outside(files, catalogue, settings)
        self.members = Members(catalogue, settings, self.event)
        self._once = Once(catalogue)
        self._sweeper = Sweeper(files, self._catalogue)
        self._verifier = Verifier(files, self._catalogue)
        self.mender = Mender(files, self._catalogue, self._verifier, settings, self._confirm)
        self._publisher = Publisher(files, self._catalogue, settings, self.mender)

    @classmethod
    def open(cls, settings: Settings, *, reading: bool = False, new: bool = True) -> Repository:
        """Open the stores that the settings name. Raises StoreError and SettingError with what to do.

        With ``reading`` nothing will be changed, which a store that serves one process allows beside its server.
        Unless ``new`` is false, an empty place becomes an index.
        """
        with ExitStack() as opened:
            files = settings.storage.open(catalogue=settings.catalogue is None, reading=reading)
            opened.callback(files.close)
            catalogue = settings.catalogue.open(reading=reading) if settings.catalogue else files
            if catalogue is not files:
                opened.callback(catalogue.close)
            repository = cls(files, catalogue, settings, new=new)
            opened.pop_all()
        return repository

    def close(self) -> None:
        """Close both stores, once those whom ``before_close`` named have ended their work."""
        with ExitStack() as opened:
            for store in {id(store): store for store in (self._files, self._catalogue.store)}.values():
                opened.callback(store.close)
            opened.push(self._closing.pop_all())

    def before_close(self, end: Callable[[], None]) -> None:
        """Have ``end`` called before the stores are closed."""
        self._closing.callback(end)

    def spool(self) -> IO[bytes]:
        """Return a file for an upload on its way in, on the store's own file system where it has one."""
        return self._files.spool()

    @property
    def spool_folder(self) -> str | None:
        """A folder where the server may keep bodies on their way in; None: any will do."""
        return self._files.spool_folder

    def names(self) -> Held[Names] | None:
        """Return the names of all projects with the tag of their document; None before the first publish."""
        return self._catalogue.names()

    @property
    def catalogue(self) -> Catalogue:
        """The documents, for who reads all of them."""
        return self._catalogue

    def project(self, name: str) -> Held[Project]:
        """Return a project as it is now, by its canonical name, with its document's tag. Raises NotFound."""
        return self._catalogue.get(name)

    def open_file(self, project: Project, file: File, start: int = 0, stop: int | None = None) -> Reader:
        """Open the bytes of a file. Raises Truncated if the store's size is not the published one; NotFound."""
        reader = self._files.open(self._key(project, file), start, stop)
        if reader.size != file.size:
            reader.close()
            raise Truncated(file.filename, f"has {reader.size} bytes instead of {file.size}; run mypi verify")
        return reader

    def link(self, project: Project, file: File) -> str | None:
        """Return a link by which a client may get a file from the store itself, or None. Raises Unavailable."""
        return self._files.url(self._key(project, file), file.filename)

    def open_sidecar(self, project: Project, file: File, ending: str) -> Reader:
        """Open what lies beside a file, by what its name adds; see SIDECARS of the model. Raises NotFound."""
        return self._files.open(self._key(project, file, ending))

    def open_metadata(self, project: Project, file: File) -> Reader:
        """Open the core metadata beside a file. Raises NotFound."""
        return self.open_sidecar(project, file, ".metadata")

    def publish(self, submission: Submission, by: Actor) -> File:
        """Publish a file; see Publisher.publish."""
        return self._publisher.publish(submission, self.event(by), _owner(by), only_own=by.only_own)

    def register(self, core: CoreMetadata, by: Actor) -> Project:
        """Note a release without files; see Publisher.register."""
        return self._publisher.register(core, self.event(by), _owner(by), only_own=by.only_own)

    def take_over(self, name: str, display: str, reason: str, by: Actor) -> Project:
        """Make a name ours before anything is published under it; see Publisher.take_over."""
        return self._publisher.take_over(name, display, reason, self.event(by))

    def before_begin(self, check: Callable[[str, str], None]) -> None:
        """Have ``check`` called before an upload or a registration begins a project, with its canonical and shown name.

        What it raises refuses the upload, of which nothing is stored yet. It is asked last, and not for a project that
        exists.
        """
        self._publisher.check_new = check

    def yank(self, project: str, filenames: Iterable[str], reason: str, by: Actor) -> Project:
        """Mark files as yanked. Raises NotFound, Missing and as Documents.edit does; so do the next four."""
        names, event = tuple(filenames), self.event(by)
        return self._catalogue.edit_known(project, lambda p: p.yank(names, reason, event))

    def unyank(self, project: str, filenames: Iterable[str], by: Actor) -> Project:
        """Take the mark of being yanked away."""
        names, event = tuple(filenames), self.event(by)
        return self._catalogue.edit_known(project, lambda p: p.unyank(names, event))

    def remove(self, project: str, filenames: Iterable[str], by: Actor) -> Project:
        """Withdraw files; they can be restored until a sweep purges them."""
        names, event = tuple(filenames), self.event(by)
        return self._catalogue.edit_known(project, lambda p: p.remove(names, event))

    def restore(self, project: str, filenames: Iterable[str], by: Actor) -> Project:
        """Bring removed files back."""
        names, event = tuple(filenames), self.event(by)
        return self._catalogue.edit_known(project, lambda p: p.restore(names, event))

    def set_status(self, project: str, status: Status, reason: str, by: Actor) -> Project:
        """Set the status marker of a project (PEP 792)."""
        event = self.event(by)
        return self._catalogue.edit_known(project, lambda p: p.set_status(status, reason, event))

    def add_owner(self, project: str, user: str, by: Actor) -> Project:
        """Make a user an owner of a project. Raises NotFound and as Documents.edit does; so does the next."""
        event = self.event(by)
        return self._catalogue.edit_known(project, lambda p: p.add_owner(user, event))

    def remove_owner(self, project: str, user: str, by: Actor) -> Project:
        """Make a user no owner of a project any more."""
        event = self.event(by)
        return self._catalogue.edit_known(project, lambda p: p.remove_owner(user, event))

    def disown(self, user: str, by: Actor) -> tuple[list[str], list[Damaged]]:
        """Make a user an owner of nothing; see ``owning.disown``. Raises as Documents.edit does."""
        return disown(self._catalogue, user, self.event(by))

    def once(self, purpose: str, id: str, until: float) -> bool:
        """Let something happen that may happen once on all nodes; False if it has. ``id`` is part of a key: a digest.

        It is remembered until a time in seconds since 1970, and a day more. Raises Full, Sealed, Unavailable.
        """
        return self._once.take(purpose, id, until)

    def happened(self, purpose: str, id: str) -> bool:
        """Tell whether that has happened. Raises Unavailable."""
        return self._once.happened(purpose, id)

    def sweep(self, by: Actor, *, trash_days: float, grace: float = 86400, dry_run: bool = False) -> Iterator[Sweep]:
        """Sweep every project; yield what was done to each, in no promised order.

        Removals older than ``trash_days`` are purged; rubbish younger than ``grace`` seconds is left alone. Raises
        WrongStore before anything is deleted from a store that is not ours; StoreError ends the sweep.
        """
        self._confirm()
        now = self._clock()
        for name in self._sweeper.places():
            yield self._sweeper.sweep(
                name,
                removed_before=timestamp(max(0, now - trash_days * 86400)),
                older_than=now - grace,
                event=self.event(by),
                dry_run=dry_run,
            )
        if not dry_run:
            self._once.sweep(now)
            self._files.tidy(now - grace)

    def maintain(self, before: float) -> Iterator[tuple[str, int]]:
        """Clear away the rubbish of each store from before a time, in seconds since 1970, history included.

        Yields the role of each and how much there was. Raises WrongStore, StoreError.
        """
        self._confirm()
        yield "mypi.storage", self._files.maintain(before)
        if self._catalogue.store is not self._files:
            yield "mypi.catalogue", self._catalogue.store.maintain(before)

    def verify(self) -> Iterator[Finding]:
        """Read and hash everything again; see Verifier.verify. Raises WrongStore, Unavailable."""
        self._confirm()
        return self._verifier.verify()

    def copy(
        self, target: Repository, *, catch_up: bool = False, jobs: int = 8, progress: Progress | None = None
    ) -> Iterator[Outcome]:
        """Copy everything to another repository, as often as wanted; yield what became of each document.

        With ``catch_up`` every document is sealed before it is copied, so that the index ends here. ``jobs`` projects
        are copied at a time. Raises SameStore; StoreError, after which a further copy goes on from there.
        """
        sealed_at = timestamp(self._clock()) if catch_up else None
        move = Move(self.stores, target.stores, self._index, sealed_at=sealed_at, jobs=jobs, progress=progress)
        return move.run()

    def unseal(self, *, jobs: int = 8) -> int:
        """Take edits again after a copy that was to be the last; return how many documents were sealed."""
        return unseal(Raws(self._catalogue.store, "in this store"), jobs)

    def _key(self, project: Project, file: File, ending: str = "") -> str:
        return key_of(self._index, project.name, file, ending)

    def event(self, by: Actor) -> Event:
        """Return the entry of a history to be, without what was done."""
        return Event(at=timestamp(self._clock()), did="", by=by.user, origin=by.origin, via=by.via)


def _owner(by: Actor) -> str | None:
    return by.user if by.owns else None

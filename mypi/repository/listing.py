"""The document of the names, made again of all that is in the stores: it is derived, and it can be lost."""

from __future__ import annotations

import io
import secrets

from ..model import Names, Project
from ..store import Store, StoreError, Unavailable
from . import keys
from .catalogue import Catalogue
from .reading import Damaged, stamped


class Listing:
    """Lists every project again that has a document, or bytes of which the document may come back."""

    def __init__(self, files: Store, catalogue: Catalogue) -> None:
        self._files = files
        self._catalogue = catalogue

    def restore(self) -> str:
        """List what is not listed; return the key under which bytes that were no such document are kept, or "".

        Raises Full, Sealed, Unavailable.
        """
        names = self._found()
        aside = ""
        try:
            self._catalogue.displays()
        except Damaged:
            aside = self._replace(Names(names))
        for name, display in names.items():
            self._catalogue.announce(name, display)
        return aside

    def _found(self) -> dict[str, str]:
        """Return the names of all projects; of those that cannot be read, or have bytes only, as they are in keys.

        A sweep takes the bytes of what is not listed and has no document, so that nothing may be left out here.
        """
        found: dict[str, str] = {}
        for name, _ in self._catalogue.entries():
            try:
                project = self._catalogue.passing(name)
            except Unavailable:
                raise
            except StoreError:
                found[name] = name
            else:
                found |= {name: project.display} if isinstance(project, Project) else {}
        for entry in self._files.list(keys.files(self._catalogue.index)):
            if place := keys.place(entry.key):
                found.setdefault(place[0], place[0])
        return found

    def _replace(self, names: Names) -> str:
        """Keep what is there aside, and put the names in its place."""
        store, key = self._catalogue.store, keys.index(self._catalogue.index)
        data, tag = store.read(key)
        aside = keys.aside(key)
        store.add(aside, io.BytesIO(data), len(data))
        store.swap(key, stamped(names.revised(secrets.token_hex(8)).dump()), tag)
        return aside

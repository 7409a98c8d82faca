"""A disk that loses power, as a model: what was not synced may vanish, in part and in any combination.

``Recorder`` writes down what a store does to names and when it syncs; ``crashes`` replays each beginning of that
log and yields what a disk might hold afterwards. POSIX promises no more than this: the bytes of a file are safe when
the file was synced, a name when its folder was.
"""

import os
import random
import stat
from contextlib import suppress
from pathlib import Path

TORN = b"<torn>"


class Recorder:
    """Patches ``os`` for one test; ``events`` is the log."""

    def __init__(self, monkeypatch, root):
        self.root = root
        self.top = root.stat().st_ino
        self.events = []
        self.after = {}  # name of a call -> what to do once, right after it has taken effect
        self._held = []
        for name in ("mkdir", "rmdir", "link", "replace", "unlink", "fsync"):
            monkeypatch.setattr(os, name, self._wrapped(name, getattr(os, name)))

    def note(self, *event):
        self.events.append(event)

    def close(self):
        for fd in self._held:
            os.close(fd)

    def _wrapped(self, name, real):
        def call(*args, **kwargs):
            result = real(*args, **kwargs)
            getattr(self, f"_{name}")(*args, **kwargs)
            if name in self.after:
                self.after.pop(name)()
            return result

        return call

    def _mkdir(self, path, *_, dir_fd=None):
        self._entry(path, dir_fd)

    def _link(self, _, path, *, dst_dir_fd=None):
        self._entry(path, dst_dir_fd)

    def _replace(self, _, path, *, dst_dir_fd=None):
        self._entry(path, dst_dir_fd)

    def _unlink(self, path, *, dir_fd=None):
        self._gone(path, dir_fd)

    def _rmdir(self, path, *, dir_fd=None):
        self._gone(path, dir_fd)

    def _fsync(self, fd):
        held = os.fstat(fd)
        if stat.S_ISDIR(held.st_mode):
            self.note("folder synced", held.st_ino)
        else:
            self._held.append(os.dup(fd))
            self.note("file synced", held.st_ino, os.pread(fd, held.st_size, 0))

    def _entry(self, path, dir_fd):
        # Holding every inode open keeps its number from being given to another.
        fd = os.open(path, os.O_RDONLY, dir_fd=dir_fd)
        self._held.append(fd)
        self.note("entry", *self._place(path, dir_fd), os.fstat(fd).st_ino)

    def _gone(self, path, dir_fd):
        self.note("entry", *self._place(path, dir_fd), None)

    def _place(self, path, dir_fd):
        path = Path(path)
        return (path.parent.stat() if dir_fd is None else os.fstat(dir_fd)).st_ino, path.name


def crashes(recorder, seed=1, variants=12):
    """Yield (events so far, {key: bytes}) for each moment and several fates of what was not synced by then."""
    fates = random.Random(seed)
    for end in range(len(recorder.events) + 1):
        past = recorder.events[:end]
        yield past, _survivors(recorder.top, past, lambda: False)
        yield past, _survivors(recorder.top, past, lambda: True)
        for _ in range(variants):
            yield past, _survivors(recorder.top, past, lambda: fates.random() < 0.5)


def _survivors(top, past, survives):
    names, pending, content = {}, {}, {}
    for what, *rest in past:
        if what == "entry":
            pending.setdefault(rest[0], []).append(rest[1:])
        elif what == "folder synced":
            for change in pending.pop(rest[0], ()):
                _apply(names, rest[0], change)
        elif what == "file synced":
            content[rest[0]] = rest[1]
    for folder, changes in pending.items():
        for change in changes:
            if survives():
                _apply(names, folder, change)
    return dict(_files(names, content, top, ""))


def _apply(names, folder, change):
    name, inode = change
    if inode is None:
        names.get(folder, {}).pop(name, None)
    else:
        names.setdefault(folder, {})[name] = inode


def _files(names, content, folder, prefix):
    for name, inode in names.get(folder, {}).items():
        if name.startswith("."):
            continue
        below = dict(_files(names, content, inode, f"{prefix}{name}/"))
        yield from below.items()
        if not below and (inode in content or inode not in names):
            yield prefix + name, content.get(inode, TORN)


def lies(past, survivors):
    """Return the broken promises of one crash: acknowledged writes that are lost, and objects that are torn."""
    tried, promised = {}, {}
    for what, *rest in past:
        if what == "try":
            tried.setdefault(rest[0], []).append(rest[1])
        elif what == "promise":
            promised[rest[0]] = rest[1]
    found = []
    for key, data in survivors.items():
        if key in tried and data not in tried[key]:
            found.append(f"{key} is torn")
    for key, data in promised.items():
        with suppress(ValueError):
            later = tried[key][tried[key].index(data) :]
            if survivors.get(key) not in later:
                found.append(f"{key} lost {data!r}")
    return found

"""READMEs as HTML that is safe to show: rendered apart from the server, within limits, and kept.

As on PyPI, what has no content type is taken for reStructuredText and what has an unknown one for plain text, and what
cannot be rendered is shown as it is. ``mypi.readme.child`` is what runs in the other process.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import threading
from email.message import Message
from pathlib import Path
from weakref import WeakValueDictionary

from cachetools import LRUCache
from markupsafe import Markup, escape

from . import child

log = logging.getLogger(__name__)

LONGEST = 2 * 2**20
"""Characters of a README that is rendered; a longer one is shown as it is."""

SECONDS = 10.0
"""How long a README may be rendered on a busy machine; its process has five seconds of the processor."""

CHILDREN = 2
"""READMEs that are rendered at a time."""

_QUEUE = 5.0  # seconds for which a page waits for its turn
_KEPT = 16 * 2**20

_RENDERERS = {"": "rst", "text/x-rst": "rst", "text/markdown": "markdown"}


class _Turn:
    """Where those wait who want the same README."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class _Failed(Exception):
    """The README was not rendered this time, for a reason that does not lie in it."""


class Renderer:
    """Renders READMEs; keeps ``kept`` bytes of them, the latest used. ``command`` is what the child runs."""

    def __init__(self, *, kept: int = _KEPT, seconds: float = SECONDS, command: tuple[str, ...] | None = None) -> None:
        self._command = command or (_python(), "-I", "-B", "-m", "mypi.readme")
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: LRUCache[str, Markup] = LRUCache(kept, getsizeof=lambda html: len(html) + 500)
        self._turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()
        self._children = threading.BoundedSemaphore(CHILDREN)

    def render(self, text: str, content_type: str | None) -> Markup:
        """Return a README as HTML; see ``mypi.readme.render``."""
        text = text.encode("utf-8", "replace").decode()
        renderer, variant = _chosen(content_type)
        if not renderer or len(text) > LONGEST:
            return plain(text)
        key = hashlib.sha256(f"{renderer} {variant} {text}".encode()).hexdigest()
        with self._lock:
            turn = self._turns.setdefault(key, _Turn())
        with turn.lock:
            with self._lock:
                found = self._kept.get(key)
            if found is None:
                try:
                    found = self._rendered(renderer, variant, text) or plain(text)
                except _Failed as exc:
                    log.warning("A README is shown as plain text: %s", exc)
                    return plain(text)
                with self._lock:
                    if len(found) + 500 <= self._kept.maxsize:
                        self._kept[key] = found
        return found

    def _rendered(self, renderer: str, variant: str, text: str) -> Markup | None:
        """Return the HTML; None for a README that cannot be rendered, or not within the limits. Raises _Failed."""
        if not self._children.acquire(timeout=_QUEUE):
            raise _Failed("too many others were to be rendered; it is tried again when the page is asked for again")
        try:
            asked = json.dumps({"renderer": renderer, "variant": variant, "text": text})
            # The child's limits hold from its first line. It begins with nothing of ours: no environment, no folder.
            done = subprocess.run(  # noqa: S603 - no shell, and no word of the command comes from outside
                self._command,
                input=asked.encode(),
                capture_output=True,
                timeout=self._seconds,
                check=False,
                cwd="/",
                env={"LC_ALL": "C.UTF-8"},
            )
        except subprocess.TimeoutExpired:
            log.warning("A README took longer than %s seconds to render and is shown as plain text", self._seconds)
            return None
        except OSError as exc:
            raise _Failed(f"no process could be started for it: {exc}") from exc
        finally:
            self._children.release()
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
            level = logging.INFO if said == child.ERRORS else logging.WARNING
            log.log(level, "A README is shown as plain text; rendering it ended with %s: %s", done.returncode, said)
            return None
        return Markup(done.stdout.decode("utf-8", "replace"))  # noqa: S704 - the child's last step was to clean it


def plain(text: str) -> Markup:
    """Return a text as it is.

    >>> plain("a < b")
    Markup('<pre class="plain">a &lt; b</pre>')
    """
    return Markup('<pre class="plain">{}</pre>').format(escape(text))


def _chosen(content_type: str | None) -> tuple[str, str]:
    """Return the renderer of a content type, "" for none, and the variant of Markdown.

    >>> _chosen("text/markdown; charset=UTF-8; variant=CommonMark")
    ('markdown', 'CommonMark')
    """
    message = Message()
    message["Content-Type"] = (content_type or "")[:200]
    kind = message.get_content_type() if content_type and content_type.strip() else ""
    variant = message.get_param("variant")
    return _RENDERERS.get(kind, ""), "CommonMark" if variant == "CommonMark" else "GFM"


def _python() -> str:
    """Return the interpreter; a server that embeds Python may call itself by its own name."""
    own = Path(sys.executable or "python")
    return str(own) if own.name.startswith("python") else os.path.join(sys.prefix, "bin", "python3")  # noqa: PTH118


_renderer = Renderer()


def render(text: str, content_type: str | None) -> Markup:
    """Return a README as HTML. Whatever the text, nothing is raised; what cannot be rendered is shown as it is."""
    return _renderer.render(text, content_type)

"""Fits the HTML of a README into a page of ours: its headings below ours, its names apart, nothing from elsewhere."""

from __future__ import annotations

import html
import re
from html.parser import HTMLParser

PREFIX = "user-content-"
"""What every ``id`` of a README begins with, so that none is one of the page's own."""

LEVELS = 2
"""By how much headings go down: a page's own are h1 and h2."""

_LINK = re.compile(r"(?:https?://|mailto:)[^\s]", re.IGNORECASE)
_HEADING = re.compile(r"h([1-6])\Z")
_VOID = frozenset(("br", "hr", "col", "img", "input"))
# Landmarks are the page's; a picture's other sources would be asked of another host.
_OTHER = {"nav": "div", "aside": "div", "section": "div", "acronym": "abbr", "tt": "code", "picture": "span"}
_PYGMENTS = re.compile(r"[a-z][a-z0-9]{0,2}\Z")
_CLASSES = frozenset(
    (
        *("admonition", "admonition-title", "attention", "caution", "danger", "error", "hint", "important", "note"),
        *("tip", "warning", "markdown-alert", "markdown-alert-title", "markdown-alert-note", "markdown-alert-tip"),
        *("markdown-alert-important", "markdown-alert-warning", "markdown-alert-caution", "literal-block", "code"),
        *("align-left", "align-center", "align-right", "contents", "topic-title", "field-list", "footnote", "image"),
    )
)
_ATTRIBUTES: dict[str, set[str]] = {
    "*": {"id", "class"},
    "a": {"href", "title"},
    "abbr": {"title"},
    "ol": {"start"},
    "td": {"align", "colspan", "rowspan"},
    **{tag: {"align"} for tag in ("th", "p", "div", "h3", "h4", "h5", "h6")},
}
_TAGS = frozenset(
    (
        *("a", "abbr", "b", "blockquote", "br", "caption", "cite", "code", "col", "colgroup", "dd", "del", "details"),
        *("div", "dl", "dt", "em", "figcaption", "figure", "h3", "h4", "h5", "h6", "hr", "i", "kbd", "li", "ol"),
        *("p", "pre", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"),
        "var",
    )
)


def fit(rendered: str) -> str:
    """Return the HTML of a README as a page of ours can show it.

    Images become links with their text, for a page asks nothing of another host and tells nobody who reads it; links
    lead to http, https, mailto or within the README. The last step cleans, so that a mistake here is none of safety.
    """
    import nh3

    fitting = _Fitting()
    fitting.feed(rendered)
    fitting.close()
    return nh3.clean(
        "".join(fitting.parts),
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        # What is wider than the page scrolls, and must do so for who has no mouse.
        set_tag_attribute_values={tag: {"tabindex": "0"} for tag in ("pre", "table")},
        link_rel="nofollow noopener noreferrer",
        url_schemes={"http", "https", "mailto"},
    )


class _Fitting(HTMLParser):
    """Writes clean HTML again, with what a page of ours needs otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._links = 0
        self._opened = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "img":
            self._image(given)
        elif tag == "input":
            self._write("\u2611 " if "checked" in given else "\u2610 ")
        elif tag == "a":
            self._links += 1
            self._flush()
            self._opened = f"<a{_written(self._kept('a', given))}>"
        else:
            self._write(f"<{_fitting(tag)}{_written(self._kept(tag, given))}>")

    def handle_endtag(self, tag: str) -> None:
        if tag == "a":
            self._links = max(0, self._links - 1)
            if self._opened:  # a link without a text, which nobody could follow by its name
                self._opened = ""
                return
        if tag not in _VOID:
            self._write(f"</{_fitting(tag)}>")

    def handle_data(self, data: str) -> None:
        self._write(html.escape(data, quote=False))

    def close(self) -> None:
        super().close()
        self._flush()

    def _write(self, text: str) -> None:
        self._flush()
        self.parts.append(text)

    def _flush(self) -> None:
        if self._opened:
            self.parts.append(self._opened)
            self._opened = ""

    def _image(self, given: dict[str, str]) -> None:
        text = html.escape(" ".join(given.get("alt", "").split()) or "image")
        source = given.get("src", "")
        if self._links or not _LINK.match(source):
            self._write(text)
        else:
            self._write(f'<a class="image" href="{html.escape(source)}">{text}</a>')

    def _kept(self, tag: str, given: dict[str, str]) -> dict[str, str]:
        """Return the attributes that stay. The ``lang`` of a listing names no language of people."""
        kept = {name: value for name, value in given.items() if name not in ("id", "class", "href", "lang")}
        if given.get("id"):
            kept["id"] = _named(given["id"])
        classes = [name for name in given.get("class", "").split() if _is_class(tag, name)]
        if classes:
            kept["class"] = " ".join(classes)
        href = given.get("href", "")
        if href.startswith("#"):
            kept["href"] = "#" + _named(href[1:])
        elif _LINK.match(href):
            kept["href"] = href
        return kept


def _fitting(tag: str) -> str:
    heading = _HEADING.match(tag)
    return f"h{min(6, int(heading[1]) + LEVELS)}" if heading else _OTHER.get(tag, tag)


def _named(id: str) -> str:
    return id if id.startswith(PREFIX) else PREFIX + id


def _is_class(tag: str, name: str) -> bool:
    """Tell whether a class is one of a renderer, so that a README cannot dress up as a part of the page."""
    return name in _CLASSES or (tag == "span" and _PYGMENTS.match(name) is not None)


def _written(attributes: dict[str, str]) -> str:
    return "".join(f' {name}="{html.escape(value)}"' for name, value in attributes.items())

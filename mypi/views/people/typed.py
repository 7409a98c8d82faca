"""What somebody typed into a form: read within bounds, given back with a sentence for each field that is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from pyramid.request import Request

from ... import forms
from ...fields import KIB, FormError, TooLarge, repeated

MOST = 64 * KIB
"""The largest form, in bytes; an upload is read by other rules."""

_LIMITS = forms.Limits(file=0, text=MOST, total_text=MOST, urlencoded=MOST, frame=0)


class Typed:
    """The fields of a form; ``errors`` has a sentence for each that is wrong, by its name."""

    def __init__(self, fields: Mapping[str, tuple[str, ...]]) -> None:
        self._fields = fields
        self.errors: dict[str, str] = {}

    def one(self, name: str) -> str:
        """Return what was sent in a field, as it is; "" if nothing was. Raises FormError for several."""
        values = self._fields.get(name, ("",))
        if len(values) > 1:
            raise repeated(name)
        return values[0]

    def line(self, name: str, *, longest: int = 500, required: str = "") -> str:
        """Return a line of text; blanks in a row are one, and none is around it.

        What is too long or cannot be shown is an error of the field; so is nothing, with the sentence ``required``.
        """
        value = " ".join(self.one(name).split())
        if required and not value:
            self.errors[name] = required
        if len(value) > longest:
            self.errors[name] = f"This has {len(value)} characters; at most {longest} are taken."
        elif not value.isprintable():
            self.errors[name] = "This holds characters that cannot be shown; type it anew."
        return value

    def wrong(self, name: str, sentence: str) -> None:
        """Say of a field what is wrong with it."""
        self.errors[name] = sentence

    def all(self, name: str) -> tuple[str, ...]:
        """Return every value of a field that may be chosen several times."""
        return self._fields.get(name, ())


def read(request: Request) -> Typed:
    """Read the form of the request. Raises FormError: too large, or no form."""
    length = request.content_length
    if length is not None and length > MOST:
        raise TooLarge(
            f"The form has {length} bytes, and at most {MOST} are taken; choose whole releases, or fewer files"
        )
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if not length and not kind:
        return Typed({})
    if kind != "application/x-www-form-urlencoded":
        raise FormError("This is no form of these pages; send it as application/x-www-form-urlencoded")
    form = forms.parse(request.body_file_raw, content_type=kind, content_length=length, limits=_LIMITS)
    return Typed(form.fields)

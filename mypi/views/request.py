"""The request as every view gets it, with what it is answered from."""

from __future__ import annotations

import pyramid.request
from pyramid.config import Configurator
from pyramid.decorator import reify

from ..forms import Form
from ..overview import Overview
from ..repository import Repository
from ..upstream import Screen, Upstream
from .people import typed
from .uploads import read_form


class Request(pyramid.request.Request):  # type: ignore[misc] # Pyramid has no types
    """A request of one application.

    What is added by ``add_request_method`` instead makes Pyramid build a class for each request, which costs as much as
    its traversal and its lookup of the view together.
    """

    @property
    def repository(self) -> Repository:
        """Projects and files."""
        found: Repository = self.registry["mypi.repository"]
        return found

    @property
    def screen(self) -> Screen:
        """What the policy hides."""
        found: Screen = self.registry["mypi.screen"]
        return found

    @property
    def upstream(self) -> Upstream | None:
        """The indexes behind ours, None without any."""
        found: Upstream | None = self.registry["mypi.upstream"]
        return found

    @property
    def overview(self) -> Overview:
        """What all projects have to say together."""
        found: Overview = self.registry["mypi.overview"]
        return found

    @reify  # type: ignore[untyped-decorator]
    def form(self) -> Form:
        """The upload form, read once; raises what the view answers with."""
        return read_form(self)

    @reify  # type: ignore[untyped-decorator]
    def typed(self) -> typed.Typed:
        """What was typed into a page's form, read once."""
        return typed.read(self)


def includeme(config: Configurator) -> None:
    config.set_request_factory(Request)

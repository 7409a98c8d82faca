"""The WSGI application: settings, stores, users and views, put together."""

from __future__ import annotations

import logging
import os
from typing import Any

from pyramid.config import Configurator
from pyramid.router import Router

from . import attestations
from .accounts import AccountError, Htpasswd, Source, StoreUsers, Users
from .options import SettingError
from .overview import Overview
from .repository import Repository
from .resources import Root, Traverser
from .rights import EVERYONE, NOBODY
from .security import Policy
from .settings import Settings
from .store import StoreError

log = logging.getLogger(__name__)


def from_ini(ini: dict[str, str]) -> Router:
    """Make the application that the ``[app:main]`` section of an ``.ini`` file describes.

    What is wrong with the settings, the store or the users ends the process with one sentence that says what to do.
    """
    try:
        settings = Settings.load(ini, os.environ)
        return application(settings, Repository.open(settings), ini)
    except (SettingError, StoreError, AccountError) as exc:
        raise SystemExit(f"mypi: {exc}") from exc


def application(settings: Settings, repository: Repository, ini: dict[str, Any] | None = None) -> Router:
    """Make the WSGI application over an open repository. Raises AccountError, SettingError.

    What the server must know of it stands in its registry, see ``mypi.server.options``.
    """
    attestations.prepare(settings.attesters)
    policy = Policy(_users(settings, repository), repository.members, remote_user=settings.remote_user)
    needed = {who for each in ("read", "upload") for who in settings.rights.somewhere(each)}
    if needed - {EVERYONE, NOBODY} and not settings.https_only:
        log.warning("Passwords may come over plain http; behind https set mypi.https_only = true")
    given = {**(ini or {}), "jinja2.trim_blocks": "true", "jinja2.lstrip_blocks": "true"}
    config = Configurator(settings=given, root_factory=Root, security_policy=policy)
    config.registry["mypi.settings"] = settings
    config.registry["mypi.policy"] = policy
    config.registry["mypi.repository"] = repository
    config.registry["mypi.upload_limit"] = settings.upload_limit
    config.registry["mypi.upload_protected"] = EVERYONE not in settings.rights.somewhere("upload")
    config.registry["mypi.upload_paths"] = frozenset({"", "/simple", "/legacy", "/+upload"})
    config.registry["mypi.spool_folder"] = repository.spool_folder
    config.add_request_method(lambda _: repository, "repository", property=True)
    overview = Overview(repository)
    config.add_request_method(lambda _: overview, "overview", property=True)
    config.add_traverser(Traverser)
    config.include("pyramid_jinja2")
    config.include("mypi.views")
    return config.make_wsgi_app()


def _users(settings: Settings, repository: Repository) -> Users:
    """Put the sources of users together; of two that know a name the first decides."""
    accounts = repository.members.get
    sources: list[Source] = [StoreUsers(accounts)]
    if settings.htpasswd:
        sources.append(Htpasswd(settings.htpasswd))
    return Users(sources, accounts)

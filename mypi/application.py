"""The WSGI application: settings, stores, users and views, put together."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING, Any

from pyramid.config import Configurator
from pyramid.router import Router

from . import attestations
from .accounts import AccountError, Htpasswd, Ldap, Source, StoreUsers, Users, advice
from .metrics import Metrics
from .options import SettingError
from .overview import Overview
from .readiness import Readiness
from .repository import Repository
from .resources import Root, Traverser
from .rights import EVERYONE, NOBODY
from .scrub import Scrub
from .security import Identity, Policy
from .settings import Settings
from .store import StoreError
from .upstream import Screen, Upstream

if TYPE_CHECKING:
    from .accounts.oidc.minting import Exchange, Grant

log = logging.getLogger(__name__)


def from_ini(ini: dict[str, str]) -> Router:
    """Make the application that the ``[app:main]`` section of an ``.ini`` file describes.

    What is wrong with the settings, the store or the users ends the process with one sentence that says what to do.
    """
    try:
        settings, metrics = Settings.load(ini, os.environ), Metrics()
        app = application(settings, Repository.open(settings.watched(metrics.around)), ini, metrics)
    except (SettingError, StoreError, AccountError) as exc:
        raise SystemExit(f"mypi: {exc}") from exc
    app.registry["mypi.scrub"].start()
    return app


def application(
    settings: Settings, repository: Repository, ini: dict[str, Any] | None = None, metrics: Metrics | None = None
) -> Router:
    """Make the WSGI application over an open repository. Raises AccountError, SettingError.

    ``metrics`` are those that its stores are counted in, if they are; no two applications share them.
    What the server must know of it stands in its registry, see ``mypi.server.options``.
    """
    attestations.prepare(settings.attesters)
    exchange = _exchange(settings, repository)
    policy = Policy(
        _users(settings, repository),
        repository.members,
        remote_user=settings.remote_user,
        minted=lambda text: _granted(exchange.read(text) if exchange else None),
    )
    for sentence in advice.on(settings.rights, policy.users, repository.members.get, outside=settings.remote_user):
        log.warning("%s", sentence)
    needed = {who for each in ("read", "upload") for who in settings.rights.somewhere(each)}
    if needed - {EVERYONE, NOBODY} and not settings.https_only:
        log.warning("Passwords may come over plain http; behind https set mypi.https_only = true")
    given = {**(ini or {}), "jinja2.trim_blocks": "true", "jinja2.lstrip_blocks": "true"}
    config = Configurator(settings=given, root_factory=Root, security_policy=policy)
    config.registry["mypi.settings"] = settings
    config.registry["mypi.policy"] = policy
    config.registry["mypi.repository"] = repository
    config.registry["mypi.exchange"] = exchange
    config.registry["mypi.upload_limit"] = settings.upload_limit
    config.registry["mypi.upload_protected"] = EVERYONE not in settings.rights.somewhere("upload")
    config.registry["mypi.upload_paths"] = frozenset({"", "/simple", "/legacy", "/+upload"})
    config.registry["mypi.remote_user"] = settings.remote_user
    config.registry["mypi.accel"] = bool(settings.accel)
    config.registry["mypi.spool_folder"] = repository.spool_folder
    config.registry["mypi.screen"] = screen = Screen(settings.policy)
    config.registry["mypi.upstream"] = upstream = Upstream.of(settings, repository, screen)
    config.registry["mypi.overview"] = Overview(repository)
    config.registry["mypi.scrub"] = scrub = Scrub.of(settings, repository)
    _watch(config.registry, metrics or Metrics(), repository, upstream, scrub)
    config.add_traverser(Traverser)
    config.include("pyramid_jinja2")
    config.include("mypi.views")
    return config.make_wsgi_app()


def _watch(registry: Any, metrics: Metrics, repository: Repository, upstream: Upstream | None, scrub: Scrub) -> None:
    """Have the application looked at, and what its parts count shown."""
    readiness = Readiness(repository)
    registry["mypi.metrics"] = metrics
    registry["mypi.refused"] = metrics.turned_away
    registry["mypi.readiness"] = readiness
    registry["mypi.stopping"] = readiness.stop

    def lookups() -> dict[tuple[str, ...], float]:
        caches = {"documents": repository.catalogue.counts(), "pages": registry["mypi.pages"].counts}
        return {(cache, how): count for cache, counts in caches.items() for how, count in counts.items()}

    metrics.counts("mypi_cache_lookups", "Looks into a cache, by what came of them.", ("cache", "outcome"), lookups)
    metrics.gauge(
        "mypi_store_readable", "Whether the stores can be read (1) or not (0).", lambda: readiness.state().reads
    )
    metrics.gauge(
        "mypi_store_writable", "Whether files can be published (1) or not (0).", lambda: readiness.state().writes
    )
    metrics.gauge("mypi_scrub_damaged", "Objects that are not as they should be.", lambda: scrub.state.damaged)
    metrics.gauge(
        "mypi_scrub_reading", "Whether the scrub reads (1) or not (0).", lambda: scrub.state.state == "reading"
    )
    metrics.counts("mypi_scrub_rounds", "Rounds over all files.", (), lambda: {(): scrub.state.rounds})
    if upstream is not None:
        client = upstream.client
        metrics.counts(
            "mypi_upstream_requests", "Requests to other indexes.", ("site", "outcome"), lambda: client.fetches
        )


def _exchange(settings: Settings, repository: Repository) -> Exchange | None:
    """Make what mints tokens for trusted publishers, if there are any; it needs what is installed only for them."""
    if not settings.publishers:
        return None
    from .accounts.oidc.minting import Exchange
    from .accounts.oidc.verifying import Verifier

    verifier = Verifier.over_https(settings.publishers, settings.audience, settings.issuer_ca)
    return Exchange(verifier, settings.publishers, settings.audience, repository)


def _granted(grant: Grant | None) -> Identity | None:
    """Return who publishes by a minted token: no user, who owns nothing, sees nothing and may do nothing else."""
    if grant is None:
        return None
    return Identity(grant.user, frozenset(), grant.via, permissions=("upload",), projects=(), grants=grant.projects)


def _users(settings: Settings, repository: Repository) -> Users:
    """Put the sources of users together; of two that know a name the first decides."""
    accounts = repository.members.get
    sources: list[Source] = [StoreUsers(accounts)]
    if settings.htpasswd:
        sources.append(Htpasswd(settings.htpasswd))
    if settings.ldap:
        sources.append(Ldap(settings.ldap))
    return Users(sources, accounts)

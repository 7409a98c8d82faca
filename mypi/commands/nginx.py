"""``mypi nginx-config``: the configuration of an nginx in front, made from the ``.ini`` file of what stands behind."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyramid.scripts.common import get_config_loader

from ..rights import EVERYONE
from ..server.options import OWN, WAITRESS, Rules, read
from ..settings import Settings
from .configuration import CommandError, ini, settings_in
from .fronting import MARK, Behind, Wishes, text

_LOOPBACK = re.compile(r"(127\.[0-9.]+|\[?::1\]?|localhost|\*)\Z")


def add_to(commands: Any) -> None:
    command = commands.add_parser(
        "nginx-config",
        help="write the configuration of an nginx in front",
        description="Write the configuration of an nginx in front, from the .ini file; on stderr, what that lacks.",
    )
    command.add_argument("--server-name", metavar="NAME", help="the host's name (that of mypi.public_url)")
    command.add_argument("--tls-cert", metavar="FILE", help="its certificate and those above, as PEM")
    command.add_argument("--tls-key", metavar="FILE", help="the key of the certificate")
    command.add_argument(
        "--profile",
        choices=("safe", "fast"),
        default="safe",
        help="fast: nginx keeps pages and files, and asks mypi again in the next second (safe)",
    )
    command.add_argument(
        "--cache-folder", metavar="FOLDER", default="/var/cache/mypi-nginx", help="where it keeps them (%(default)s)"
    )
    command.add_argument("--output", metavar="FILE", help="where to write it, instead of printing it")
    command.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    path = ini(arguments)
    settings = settings_in(path)
    rules, keywords = _server_in(path)
    behind = Behind(path, settings, rules.following(_Application(settings)), keywords)
    wishes = Wishes(
        arguments.server_name,
        arguments.tls_cert,
        arguments.tls_key,
        arguments.profile == "fast",
        arguments.cache_folder,
    )
    _check(behind, wishes)
    written = text(behind, wishes)
    if arguments.output:
        _write(Path(arguments.output), written)
        print(f"{arguments.output} is written. Next: `nginx -t`, and have nginx read it again.")
    else:
        print(written, end="")
    for line in behind.lacking():
        print(f"mypi: {path} must also say, in [server:main]: {line}", file=sys.stderr)
    if settings.storage.local and not settings.accel:
        print("mypi: with mypi.accel = nginx in [app:main] nginx can send the files itself", file=sys.stderr)
    return 0


class _Application:
    """What mypi's own server wants to know of an application here."""

    def __init__(self, settings: Settings) -> None:
        self.registry = {"mypi.upload_limit": settings.upload_limit}


def _server_in(path: str) -> tuple[Rules, dict[str, Any]]:
    """Return what ``[server:main]`` says, as mypi's own server reads it. Raises CommandError, SettingError."""
    found: Mapping[str, str] = get_config_loader(path).get_settings("server:main")
    use = found.get("use", "nothing that it names")
    if use.partition("#")[0] != "egg:mypi":
        raise CommandError(
            f"{path} is served by {use}, of which this command knows nothing; it writes for mypi's own server "
            "([server:main] use = egg:mypi)"
        )
    known = {option.name for option in (*OWN, *WAITRESS)}
    # The section, as it is read here, has the values of [DEFAULT] too.
    return read({name: value for name, value in found.items() if name in known})


def _check(behind: Behind, wishes: Wishes) -> None:
    """Refuse what cannot be right. Raises CommandError."""
    settings, trusted = behind.settings, str(behind.keywords.get("trusted_proxy", "*"))
    if bool(wishes.certificate) != bool(wishes.key):
        raise CommandError("--tls-cert and --tls-key go together; give both, or neither for plain http")
    if not wishes.certificate and (settings.https_only or (settings.public_url or "").startswith("https:")):
        raise CommandError("the .ini file says that mypi is asked by https; give --tls-cert and --tls-key")
    if not _LOOPBACK.match(trusted):
        raise CommandError(f"trusted_proxy = {trusted}: another host; this command writes for an nginx beside mypi")
    if str(behind.keywords.get("trusted_proxy_count", "1")) != "1":
        raise CommandError("trusted_proxy_count says that more proxies stand in a row; this command writes for one")
    if wishes.fast:
        _check_fast(behind)


def _check_fast(behind: Behind) -> None:
    if behind.settings.remote_user or behind.rules.user_header:
        raise CommandError(
            "--profile fast: a proxy says who asks (mypi.remote_user), and nginx would give one person's page to "
            "another; take --profile safe"
        )
    if EVERYONE not in behind.settings.rights.somewhere("read"):
        raise CommandError(
            "--profile fast: mypi.read lets nobody in without a login, and of those who log in nginx keeps nothing; "
            "take --profile safe"
        )


def _write(target: Path, written: str) -> None:
    """Write the file, in the place of one that was written by this command only. Raises CommandError."""
    try:
        if target.exists() and not target.read_text(encoding="utf-8", errors="replace").startswith(MARK):
            raise CommandError(f"{target} was not written by this command; name another file, or remove it")
        target.write_text(written, encoding="utf-8")
    except OSError as exc:
        raise CommandError(f"{target} cannot be written: {exc.strerror}") from exc

"""What is done with each client, what is right, and where a client is known to do otherwise, with the cause."""

from __future__ import annotations

from dataclasses import dataclass

PUBLISHING, ERRORS, INSTALLING = "Publishing", "Errors that teach", "Installing"

CANNOT = "cannot"
"""What is seen of a client that knows no way to do what a scenario asks for: it is not run."""


@dataclass(frozen=True)
class Scenario:
    """Something that is done with every client; `right` is what one wishes to see."""

    part: str
    title: str
    right: str
    sentence: str


@dataclass(frozen=True)
class Deviation:
    """What is seen of some clients instead, and why."""

    scenarios: tuple[str, ...]
    seen: str
    cause: str
    clients: tuple[str, ...]


SHOWN, TOLD = "shown", "told"

REFUSALS = {
    ERRORS: ("wrong password", "expired token", "no right", "token without right", "read-only"),
    INSTALLING: ("install wrong password", "install expired token", "install no right"),
}
"""The refusals of people, by part: what each client says stands in the docs."""

SCENARIOS = {
    "publish": Scenario(
        PUBLISHING,
        "plain",
        "published",
        "a package with letters of many alphabets is published to any form of the address, and comes back as it was.",
    ),
    "twice": Scenario(PUBLISHING, "twice", "accepted", "the same file once more is no mistake."),
    "changed": Scenario(PUBLISHING, "changed", "refused", "other bytes under the same name are refused."),
    "publish login": Scenario(
        PUBLISHING,
        "login",
        "with the password only",
        "an index that only users may read and publish to takes the right password and no other.",
    ),
    "publish local": Scenario(PUBLISHING, "local", "published", "the version ``1.0+build.5`` is published."),
    "publish prefix": Scenario(PUBLISHING, "prefix", "published", "behind nginx, under ``/pypi``."),
    "wrong password": Scenario(ERRORS, "wrong password", SHOWN, "a password that is not the user's."),
    "no right": Scenario(ERRORS, "no right", SHOWN, "a user who may not publish."),
    "expired token": Scenario(ERRORS, "expired token", SHOWN, "a token whose time is over."),
    "token without right": Scenario(ERRORS, "token without right", SHOWN, "a token that may only read."),
    "name clash": Scenario(ERRORS, "name clash", SHOWN, "other bytes under a file name that is taken."),
    "bad metadata": Scenario(ERRORS, "bad metadata", SHOWN, "a classifier that the index does not allow."),
    "wrong digest": Scenario(ERRORS, "wrong digest", SHOWN, "a byte of the file is changed on its way."),
    "too large": Scenario(ERRORS, "too large", SHOWN, "a file above ``mypi.upload_limit``."),
    "read-only": Scenario(ERRORS, "read-only", SHOWN, "``mypi.upload = nobody``."),
    "publish token": Scenario(PUBLISHING, "token", "published", "a token, as the password of ``__token__``."),
    "install": Scenario(INSTALLING, "plain", "installed", "from the bare address of the host."),
    "dependency": Scenario(INSTALLING, "dependency", "2.0", "what the package needs comes from the same index."),
    "install login": Scenario(
        INSTALLING,
        "login",
        "with the password only",
        "an index that only users may read, with the password in the URL.",
    ),
    "install token": Scenario(INSTALLING, "token", "installed", "a token, as the password of ``__token__``."),
    "install wrong password": Scenario(
        INSTALLING, "wrong password", TOLD, "a password that is not the user's: 401, and the client says so."
    ),
    "install expired token": Scenario(
        INSTALLING, "expired token", TOLD, "a token whose time is over: 401, and the client says so."
    ),
    "install no right": Scenario(
        INSTALLING, "no right", "not found", "a user who may not read the project: it is not there, for them."
    ),
    "pinned": Scenario(INSTALLING, "pinned", "1.0", "``acme-lib==1.0``, where there is a 2.0."),
    "preview": Scenario(INSTALLING, "pre-release", "1.0", "1.1rc1 is passed over for 1.0."),
    "yanked": Scenario(INSTALLING, "yanked", "1.0", "1.1 is yanked and passed over."),
    "yanked pin": Scenario(INSTALLING, "yanked, pinned", "1.1", "who pins the yanked 1.1 gets it."),
    "python": Scenario(INSTALLING, "requires-python", "1.0", "2.0 is for another Python and passed over."),
    "local": Scenario(INSTALLING, "local", "1.0+build.5", "``1.0+build.5`` is newer than 1.0, and can be pinned."),
    "name": Scenario(INSTALLING, "name", "1.0", "``Acme_Odd`` is the project ``acme-odd``."),
    "extras": Scenario(INSTALLING, "extras", "2.0", "``acme-extra[more]`` brings what the extra needs."),
    "sdist": Scenario(INSTALLING, "sdist", "built", "an sdist is built and installed."),
    "hashes": Scenario(INSTALLING, "hashes", "the right ones only", "a wrong hash is refused, the right one accepted."),
    "cutoff": Scenario(
        INSTALLING, "cutoff", "1.0", "``--uploaded-prior-to``, ``--exclude-newer``: what came later is passed over."
    ),
    "resume": Scenario(INSTALLING, "resume", "resumed", "a download that is cut goes on where it was (HTTP ranges)."),
    "fresh": Scenario(INSTALLING, "fresh", "1.1", "a release just published is seen, whatever was kept of the pages."),
    "unchanged": Scenario(INSTALLING, "unchanged", "304", "a page that is still the same is not sent again."),
    "other index": Scenario(
        INSTALLING, "alone", "not found", "what this index does not have is looked for nowhere else."
    ),
    "install prefix": Scenario(INSTALLING, "prefix", "installed", "behind nginx, under ``/pypi``."),
}

EASY_INSTALL = ("easy_install-2.7", "easy_install-3.8")
OLD_PIPS = ("pip-9.0.3", "pip-18.1", "pip-19.3.1", "pip-20.3.4", "pip-22.3.1", "pip-23.0.1", "pip-24.3", "pip-25.3")
PROJECTS = ("poetry", "pdm", "pipenv", "hatch", "flit")

_ERRORS = tuple(name for name, scenario in SCENARIOS.items() if scenario.part == ERRORS)

DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        ("changed",),
        "passed over",
        "It asks for the names that are there, and does not send a file whose name is taken, whatever its bytes.",
        ("hatch",),
    ),
    Deviation(
        _ERRORS,
        "shown, in a traceback",
        "Only with -vv does it show what the server said, and then with a traceback.",
        ("pdm",),
    ),
    Deviation(
        ("wrong password", "expired token", "no right", "token without right", "name clash", "too large", "read-only"),
        "shown, in a traceback",
        "It handles status 400 only; for others the sentence is the last line of a traceback.",
        ("flit",),
    ),
    Deviation(
        ("yanked",),
        "1.1",
        "It knows nothing of yanked releases (pip 19.2 is the first that does).",
        ("pip-9.0.3", "pip-18.1", *EASY_INSTALL),
    ),
    Deviation(("preview",), "1.1rc1", "It takes a pre-release without being asked for it.", EASY_INSTALL),
    Deviation(("python",), "2.0", "It does not read Requires-Python.", EASY_INSTALL),
    Deviation(("hashes",), CANNOT, "It takes no hashes from its user.", (*EASY_INSTALL, "hatch", "flit")),
    Deviation(
        ("cutoff",), CANNOT, "It has no such option (pip 26.0 is the first that has).", (*OLD_PIPS, *EASY_INSTALL)
    ),
    Deviation(
        ("cutoff",),
        "all passed over",
        "It takes an age in days, not a moment; at one day all that a test publishes is passed over.",
        ("poetry", "pipenv"),
    ),
    Deviation(
        ("unchanged",),
        "200",
        "It keeps no page, or none that came over plain http, and so does not ask whether it has changed.",
        ("pip-9.0.3", "pip-18.1", "pip-19.3.1", "pip-20.3.4", "pipenv", *EASY_INSTALL),
    ),
    Deviation(
        ("install login",),
        "not if a blank is in the password",
        "It sends the ``%20`` of the URL as it stands; pip 18 does not.",
        ("pip-9.0.3",),
    ),
    Deviation(
        ("install login",),
        "not if a blank is in the password",
        "It sends no password at all if the URL has ``%20`` in it.",
        ("pipenv",),
    ),
    Deviation(
        ("install wrong password", "install expired token"),
        "not found",
        "It says that nothing was found, and keeps the 401 to itself.",
        (*EASY_INSTALL, "pdm", "pipenv"),
    ),
    Deviation(
        ("resume",),
        "failed",
        "It does not try again by itself (pip 25.2 is the first that does); the next run does.",
        (*OLD_PIPS[:-1], "poetry", *EASY_INSTALL),
    ),
    Deviation(("resume",), "begun again", "It downloads the whole file again.", ("uv", "pdm")),
)

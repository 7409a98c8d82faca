"""The matrix of who may do what: every view of the application, everybody who may knock, and whom each rule lets in.

To add a view, add a line to DOORS. It names the view as it is registered (the resource, the view's name, the method and
the permission) and says how to knock: the path, with ``{project}`` where it belongs to one, and for POST the form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pyramid.interfaces import IExceptionResponse
from zope.interface.interfaces import IInterface

from tests.accounts import add_group, add_token, add_users, basic, bearer
from tests.functional.support import BROWSER

INDEX, ACME, OTHER = "index", "acme-lib", "other-lib"
"""The places that have rights: the index itself, and two projects; olga owns the first."""

View = tuple[str, str, str, "str | None"]
"""A registered view: the name of its resource, its own name, its method or "any", and its permission."""


@dataclass(frozen=True)
class Door:
    """A view, and how to knock at it. ``people`` tells a page with a session from a client's API, for POST."""

    context: str
    name: str
    method: str
    permission: str | None
    path: str
    form: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    people: bool = False

    @property
    def view(self) -> View:
        return self.context, self.name, self.method, self.permission

    @property
    def places(self) -> tuple[str, ...]:
        """The places whose rights it asks for."""
        inside = any(word in self.path + "".join(self.form.values()) for word in ("{project}", "{file}"))
        return (ACME, OTHER) if inside else (INDEX,)

    @property
    def http(self) -> str:
        return "GET" if self.method == "any" else self.method

    @property
    def leads_to_login(self) -> bool:
        """Whether who gives no credentials is led to the form, as a browser is."""
        return self.headers.get("Accept") == BROWSER

    @property
    def is_safe(self) -> bool:
        return self.http in ("GET", "HEAD", "OPTIONS")


VERIFY = {":action": "verify", "metadata_version": "2.1", "name": "{project}", "version": "1.0"}
NONSENSE = {":action": "nonsense"}

DOORS: tuple[Door, ...] = (
    Door("Root", "", "GET", "read", "/"),
    Door("Root", "", "GET", None, "/?:action=list_classifiers"),
    Door("Root", "+health", "GET", None, "/+health"),
    Door("Root", "+ready", "GET", None, "/+ready"),
    Door("Root", "+metrics", "GET", "monitor", "/+metrics"),
    Door("Root", "robots.txt", "GET", None, "/robots.txt"),
    Door("Root", "+static", "GET", None, "/+static/mypi.css"),
    Door("Simple", "", "GET", "read", "/simple/"),
    Door("Simple", "", "GET", "read", "/+simple/"),
    Door("Simple", "", "GET", None, "/simple/?:action=list_classifiers"),
    Door("Legacy", "", "GET", None, "/legacy/?:action=list_classifiers"),
    Door("SimpleProject", "", "GET", "read", "/simple/{project}/"),
    Door("SimpleProject", "", "GET", "read", "/legacy/+simple/{project}/"),
    Door("BareProject", "", "GET", "read", "/{project}/"),
    Door("BareProject", "", "GET", "read", "/{project}/", headers={"Accept": BROWSER}),
    Door("ProjectPage", "", "GET", "read", "/project/{project}/"),
    Door("ProjectPage", "", "GET", "read", "/project/{project}/", headers={"Accept": BROWSER}),
    Door("ProjectPage", "+manage", "GET", "manage", "/project/{project}/+manage"),
    Door("ProjectPage", "+manage", "POST", "manage", "/project/{project}/+manage", people=True),
    Door("ReleasePage", "", "GET", "read", "/project/{project}/1.0/"),
    Door("FilePage", "", "GET", "read", "/project/{project}/1.0/{filename}/"),
    Door("Explained", "", "GET", "read", "/+why/{project}"),
    Door("Explained", "", "GET", "read", "/+why/{project}==1.0"),
    *(Door("Root", name, "GET", "read", f"/{name}") for name in ("+search", "+feed", "+log", "+trash")),
    Door("Root", "+upload", "GET", "upload", "/+upload"),
    Door("Root", "+upload", "POST", "upload", "/+upload", people=True),
    Door("Root", "+users", "GET", "manage", "/+users"),
    Door("Root", "+users", "POST", "manage", "/+users", people=True),
    *(Door("Root", name, "GET", None, f"/{name}", people=True) for name in ("+login", "+account")),
    *(Door("Root", name, "POST", None, f"/{name}", people=True) for name in ("+login", "+account")),
    Door("Exchange", "audience", "GET", None, "/_/oidc/audience"),
    Door("Exchange", "mint-token", "any", None, "/_/oidc/mint-token"),
    Door("Exchange", "burn-token", "any", None, "/_/oidc/burn-token"),
    Door("WellKnown", "pytp", "GET", None, "/.well-known/pytp"),
    Door("FileResource", "", "GET", "read", "{file}"),
    Door("FileResource", "", "GET", "read", "{file}.metadata"),
    Door("Provenance", "", "GET", "read", "/integrity/{project}/1.0/{filename}/provenance"),
    Door("JsonDocument", "", "GET", "read", "/pypi/{project}/json"),
    Door("JsonDocument", "", "GET", "read", "/pypi/{project}/1.0/json"),
    Door("LegacyJson", "", "any", "read", "/pypi/"),
    *(Door("Uploads", "", "POST", "upload", path, NONSENSE) for path in ("/", "/simple/", "/legacy/", "/legacy")),
    *(Door("Uploads", "", "POST", "upload", path, VERIFY) for path in ("/", "/simple/", "/legacy/")),
    Door("Root", "+logout", "POST", None, "/+logout", people=True),
)


def registered(app: Any) -> dict[View, str]:
    """Return every view of an application but those of errors, with the function that each calls."""
    found = {}
    for entry in app.registry.introspector.get_category("views"):
        view = entry["introspectable"]
        context = view["context"]
        if view["exception_only"] or _is_error(context):
            continue
        permissions = [each.discriminator for each in entry["related"] if each.category_name == "permissions"]
        methods = view["request_methods"] or "any"
        for method in (methods,) if isinstance(methods, str) else methods:
            key = (context.__name__, view["name"], method, permissions[0] if permissions else None)
            found[key] = getattr(view["callable"], "__qualname__", repr(view["callable"]))
    return found


def _is_error(context: Any) -> bool:
    if IInterface.providedBy(context):
        return bool(context.isOrExtends(IExceptionResponse))
    return issubclass(context, Exception)


@dataclass(frozen=True)
class Guest:
    """Somebody who knocks: the words of the docs, the user's name if they are known, and how they say who they are."""

    title: str
    user: str | None
    how: str
    headers: Callable[[Any], Mapping[str, str]]

    def is_known_at(self, door: Door) -> bool:
        """Tell whether the door takes what they say: pages take a session for a change, clients' APIs anything else."""
        return self.user is not None and (door.is_safe or door.people == (self.how == "session"))


USERS = {"stranger": "sam", "reader": "rita", "uploader": "ulf", "owner": "olga", "administrator": "mona"}
"""Users of the matrix: of no group; of readers; of builders; owner of acme-lib, and of readers; of admins."""


def settle(repository: Any) -> None:
    """Make the users and groups of the matrix."""
    add_users(repository, *USERS.values())
    for group, names in (("readers", ("rita", "olga")), ("builders", ("ulf",)), ("admins", ("mona",))):
        add_group(repository, group, *names)


def _session(index: Any) -> Mapping[str, str]:
    policy = index.app.registry["mypi.policy"]
    return {"Cookie": f"mypi-session={policy.sessions.open('mona', policy.users.stamp('mona'))}"}


def _token(index: Any, *limits: Any) -> Mapping[str, str]:
    return bearer(add_token(index.repository, "mona", *limits))


GUESTS: tuple[Guest, ...] = (
    Guest("anonymous", None, "nothing", lambda index: {}),
    Guest("wrong token", None, "token", lambda index: bearer("mypi-wrong")),
    *(
        Guest(title, name, "password", lambda index, name=name: basic(name))  # type: ignore[misc]
        for title, name in USERS.items()
    ),
    Guest("administrator's token to upload acme-*", "mona", "token", lambda i: _token(i, ["upload"], "acme-*")),
    Guest("administrator's token to read", "mona", "token", lambda i: _token(i, ["read"])),
    Guest("administrator's session", "mona", "session", _session),
)


@dataclass(frozen=True)
class House:
    """A configuration, and what each guest may: for a permission the places, ``""`` for none."""

    title: str
    settings: Mapping[str, str]
    rights: Mapping[str, Mapping[str, str]]
    off: tuple[str, ...] = ()
    """Permissions that nobody has: asking for one is 403 for whoever asks, for credentials would not help."""

    monitors: tuple[str, ...] = ("administrator", "administrator's token to read", "administrator's session")
    """Who sees the numbers of the index: unless a house says otherwise, who manages it, and their token to read."""

    def allows(self, guest: Guest, door: Door, place: str) -> bool:
        """Tell whether somebody is let in, by the table alone."""
        if door.permission is None:
            return True
        title = guest.title if guest.is_known_at(door) else "anonymous"
        if door.permission == "monitor":
            return title in self.monitors
        places = self.rights[title].get(door.permission, "").split()
        # An upload has to pass the door of the index before its form is read.
        return place in places and (door.permission != "upload" or INDEX in places)


ALL = f"{INDEX} {ACME} {OTHER}"
NOT_ACME = f"{INDEX} {OTHER}"
ANYTHING = {"read": ALL, "upload": ALL, "manage": ALL}
READ = {"read": ALL}
PUBLISH = {"read": ALL, "upload": ALL}


def _rights(*each: Mapping[str, str]) -> dict[str, Mapping[str, str]]:
    """Put rights to the guests but one, in their order: who has a wrong token is anonymous."""
    first, *others = each
    return dict(zip((guest.title for guest in GUESTS), (first, first, *others), strict=True))


HOUSES = (
    House(
        "open",
        {"read": "everyone", "upload": "everyone", "manage": "everyone"},
        _rights(*[ANYTHING] * 9),
        monitors=tuple(guest.title for guest in GUESTS),
    ),
    House(
        "team",
        {"read": "everyone", "upload": "users", "manage": "group:admins owners"},
        _rights(
            READ,  # anonymous
            PUBLISH,  # stranger
            PUBLISH,  # reader
            PUBLISH,  # uploader
            {**PUBLISH, "manage": ACME},  # owner
            ANYTHING,  # administrator
            {"read": ALL, "upload": f"{INDEX} {ACME}"},  # the token to upload acme-*
            READ,  # the token to read
            ANYTHING,  # the session
        ),
    ),
    House(
        "closed",
        {
            "read": "group:readers group:builders group:admins",
            "upload": "group:builders group:admins",
            "manage": "group:admins owners",
        },
        _rights(
            {},
            {},
            READ,
            PUBLISH,
            {"read": ALL, "manage": ACME},
            ANYTHING,
            {"upload": f"{INDEX} {ACME}"},
            READ,
            ANYTHING,
        ),
    ),
    House(
        "by project",
        {
            "read": "everyone",
            "read.acme-*": "group:readers group:builders group:admins",
            "upload": "nobody",
            "upload.Acme_*": "group:builders owners",
            "manage": "group:admins",
            "manage.acme-*": "owners",
        },
        _rights(
            {"read": NOT_ACME},
            {"read": NOT_ACME, "upload": INDEX},  # they might own a project that matches: each has the last word
            {"read": ALL, "upload": INDEX},
            {"read": ALL, "upload": f"{INDEX} {ACME}"},
            {"read": ALL, "upload": f"{INDEX} {ACME}", "manage": ACME},
            {"read": ALL, "upload": INDEX, "manage": NOT_ACME},
            {"read": NOT_ACME, "upload": INDEX},
            READ,
            {"read": ALL, "upload": INDEX, "manage": NOT_ACME},
        ),
    ),
    House(
        "frozen",
        {"read": "everyone", "upload": "nobody", "manage": "nobody"},
        _rights(*[READ] * 9),
        off=("upload", "manage", "monitor"),
        monitors=(),
    ),
)


PAGE = """\
.. Written by a test: run MYPI_WRITE=1 pytest tests/functional/test_authorisation.py after tests/functional/doors.py

What each address asks for
--------------------------

.. list-table::
   :header-rows: 1
   :widths: 1 5 2

   * -
     - address
     - right
"""
_WORDS = {INDEX: "the index", ACME: "acme-lib", OTHER: "other-lib"}


def page() -> str:
    """Write the tables of the docs: the right that each address asks for, and what each house lets whom do."""
    lines = [PAGE.rstrip("\n")]
    asked = {(door.http, _address(door)): door.permission for door in DOORS}
    for (method, address), permission in sorted(asked.items(), key=lambda item: (item[0][1], item[0][0])):
        lines += [f"   * - {method}", f"     - ``{address}``", f"     - {permission or 'none'}"]
    lines += ["", "Who may do what", "---------------", ""]
    lines += ["Each table is proved by knocking at every address as everybody. ``olga`` owns acme-lib, and nobody the"]
    lines += ["other project; readers, builders and admins are groups, the owner is one of the readers."]
    for house in HOUSES:
        lines += ["", house.title.capitalize(), "~" * len(house.title), "", ".. code-block:: ini", ""]
        lines += [f"    mypi.{key} = {value}" for key, value in house.settings.items()]
        lines += ["", ".. list-table::", "   :header-rows: 1", "", "   * -", "     - read", "     - upload"]
        lines += ["     - manage"]
        for guest in GUESTS:
            lines.append(f"   * - {guest.title}")
            for permission in ("read", "upload", "manage"):
                lines.append(f"     - {_places(house.rights[guest.title].get(permission, ''), permission)}")
    return "\n".join(lines) + "\n"


def _address(door: Door) -> str:
    return door.path.replace("{file}", "/files/{project}/TOKEN/{filename}").format(project="NAME", filename="FILENAME")


def _places(places: str, permission: str) -> str:
    """Say where somebody has a right; the index alone opens an upload's door and no project's."""
    found = [place for place in (INDEX, ACME, OTHER) if place in places.split()]
    if permission == "upload":
        found = [place for place in found if place != INDEX]
    if found in ([INDEX, ACME, OTHER], [ACME, OTHER]) and (permission != "manage" or INDEX in found):
        return "everything"
    return ", ".join(_WORDS[place] for place in found) or "\u2013"

"""Directories for the tests: a real OpenLDAP server with certificates of an authority of its own, and a double."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import services
from tests.services import Missing, NotReady, Service, free_port

SUFFIX = "dc=example,dc=com"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
ADMIN, READER = f"cn=admin,{SUFFIX}", f"cn=mypi,{SUFFIX}"
PASSWORD = "not-a-secret-of-anybody"

CONFIG = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/pid
argsfile {folder}/args
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {password}
directory {folder}/data
dbnosync
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by dn.exact="{admin}" read by anonymous {anonymous} by * none
"""

BEGINNING = f"""\
dn: {SUFFIX}
objectClass: dcObject
objectClass: organization
o: Example

dn: {PEOPLE}
objectClass: organizationalUnit

dn: {GROUPS}
objectClass: organizationalUnit

dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: {PASSWORD}
"""

needs_library = None if importlib.util.find_spec("ldap") else "python-ldap is not here: pip install -e '.[test,ldap]'"


class Slapd(Service):
    """OpenLDAP's server; ``anonymous`` is what somebody without a name may, auth or read, ``name`` is whom it proves
    to be."""

    def __init__(self, folder: Path, anonymous: str = "auth", name: str = "IP:127.0.0.1") -> None:
        super().__init__(folder)
        self.program = shutil.which("slapd", path="/usr/sbin:/usr/lib/openldap:/usr/libexec")
        if self.program is None or shutil.which("ldapmodify") is None or shutil.which("openssl") is None:
            raise Missing("there is no OpenLDAP server: apt-get install slapd ldap-utils openssl")
        if needs_library:
            raise Missing(needs_library)
        self.port, self.tls_port = free_port(), free_port()
        self.uri, self.tls = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.tls_port}"
        self.ca = folder / "ca.pem"
        certify(folder, name)
        (folder / "data").mkdir(exist_ok=True)
        (folder / "slapd.conf").write_text(
            CONFIG.format(
                folder=folder, suffix=SUFFIX, admin=ADMIN, reader=READER, password=PASSWORD, anonymous=anonymous
            )
        )
        self._filled = False

    def command(self) -> list[str]:
        listen = f"ldap://127.0.0.1:{self.port}/ ldaps://127.0.0.1:{self.tls_port}/"
        return [str(self.program), "-f", str(self.folder / "slapd.conf"), "-h", listen, "-d", "0"]

    def answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            return probe.connect_ex(("127.0.0.1", self.tls_port)) == 0

    def start(self) -> None:
        super().start()
        if not self._filled:
            self.change(BEGINNING, "-a")
            self._filled = True

    def change(self, ldif: str, *options: str) -> None:
        """Apply changes in LDIF; with ``-a`` they are new entries."""
        done = subprocess.run(
            ["ldapmodify", *options, "-x", "-H", f"ldap://127.0.0.1:{self.port}", "-D", ADMIN, "-w", PASSWORD],
            input=ldif,
            capture_output=True,
            text=True,
            check=False,
            timeout=30,
        )
        if done.returncode:
            raise NotReady(f"ldapmodify: {done.stderr}")

    def add_user(self, name: str, password: str) -> None:
        self.change(
            f"dn: uid={name.replace('+', chr(92) + '+')},{PEOPLE}\nobjectClass: inetOrgPerson\nuid: {name}\n"
            f"cn: {name}\nsn: {name}\nuserPassword: {password}\n",
            "-a",
        )

    def set_password(self, name: str, password: str) -> None:
        self.change(f"dn: uid={name},{PEOPLE}\nchangetype: modify\nreplace: userPassword\nuserPassword: {password}\n")

    def remove_user(self, name: str) -> None:
        self.change(f"dn: uid={name},{PEOPLE}\nchangetype: delete\n")

    def add_group(self, name: str, members: Iterable[str]) -> None:
        lines = "".join(f"member: uid={member},{PEOPLE}\n" for member in members)
        self.change(f"dn: cn={name},{GROUPS}\nobjectClass: groupOfNames\ncn: {name}\n{lines}", "-a")


def certify(folder: Path, name: str) -> None:
    """Make an authority, ``ca.pem``, and the certificate of a server that it signs, ``cert.pem`` and ``key.pem``."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    authority = ("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests of mypi")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=slapd")
    for words in (authority, (*signed, "-addext", f"subjectAltName={name}", "-addext", "basicConstraints=CA:FALSE")):
        done = subprocess.run(
            ["openssl", "req", "-x509", *curve, *words], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


class Double:
    """What python-ldap and a directory are to mypi, in memory, for machines that have neither.

    It takes one equality in a filter and no more; the tests that pass here pass on a real server too. ``hold`` lets
    every question wait until it is set.
    """

    uri = "ldap://127.0.0.1:389"

    def __init__(self) -> None:
        self.up = True
        self.hold = threading.Event()
        self.hold.set()
        self.asked = 0
        self.said: dict[str, Exception] = {}
        """What is raised when somebody binds, by their DN."""
        self.entries: dict[str, dict[str, list[bytes]]] = {SUFFIX: {}, PEOPLE: {}, GROUPS: {}}
        self.entries[READER] = {"userPassword": [PASSWORD.encode()]}

    def add_user(self, name: str, password: str) -> None:
        dn = f"uid={name.replace('+', chr(92) + '+')},{PEOPLE}"
        self.entries[dn] = {"uid": [name.encode()], "userPassword": [password.encode()]}

    def set_password(self, name: str, password: str) -> None:
        self.entries[f"uid={name},{PEOPLE}"]["userPassword"] = [password.encode()]

    def remove_user(self, name: str) -> None:
        del self.entries[f"uid={name},{PEOPLE}"]

    def add_group(self, name: str, members: Iterable[str]) -> None:
        held = [f"uid={member},{PEOPLE}".encode() for member in members]
        self.entries[f"cn={name},{GROUPS}"] = {"cn": [name.encode()], "member": held}

    def stop(self) -> None:
        self.up = False

    def start(self) -> None:
        self.up = True

    def modules(self) -> dict[str, types.ModuleType]:
        """Return what takes the place of python-ldap, by the names of its modules."""
        library, dn, filters = (types.ModuleType(name) for name in ("ldap", "ldap.dn", "ldap.filter"))
        library.LDAPError = type("LDAPError", (Exception,), {})
        for name in _ERRORS:
            setattr(library, name, type(name, (library.LDAPError,), {}))
        library.__getattr__ = _constant
        library.initialize = lambda uri: _Connection(self, library)
        dn.escape_dn_chars = lambda text: re.sub(r'([\\,+"<>;=#])', r"\\\1", text)
        filters.escape_filter_chars = lambda text: re.sub(r"[\\*()\0]", lambda found: f"\\{ord(found[0]):02x}", text)
        return {"ldap": library, "ldap.dn": dn, "ldap.filter": filters}


_ERRORS = ("INVALID_CREDENTIALS", "SERVER_DOWN", "CONNECT_ERROR", "TIMEOUT", "BUSY", "UNAVAILABLE", "LOCAL_ERROR")
_ERRORS += ("NO_SUCH_OBJECT", "UNWILLING_TO_PERFORM", "INSUFFICIENT_ACCESS")


def _constant(name: str) -> str:
    """Return the constant of python-ldap that has this name."""
    if not name.isupper() and not re.match(r"(OPT|SCOPE)_|VERSION3", name):
        raise AttributeError(name)
    return name


class _Connection:
    """A connection of python-ldap to the double."""

    def __init__(self, double: Double, library: types.ModuleType) -> None:
        self.double, self.library = double, library
        self.bound = ""

    def set_option(self, option: str, value: object) -> None:
        assert option.startswith("OPT_"), option

    def _reach(self) -> None:
        self.double.asked += 1
        self.double.hold.wait(10)
        if not self.double.up:
            raise self.library.SERVER_DOWN({"desc": "Can't contact LDAP server"})

    def start_tls_s(self) -> None:
        self._reach()

    def unbind_s(self) -> None:
        pass

    def simple_bind_s(self, who: str, password: str) -> None:
        self._reach()
        if who in self.double.said:
            raise self.double.said[who]
        if not password:
            return  # as nobody, and without an error: that is what a directory does
        known = {dn.lower(): held for dn, held in self.double.entries.items()}.get(who.lower(), {})
        if password.encode() not in known.get("userPassword", []):
            raise self.library.INVALID_CREDENTIALS({"desc": "Invalid credentials"})
        self.bound = who

    def search_ext_s(self, base: str, scope: str, matches: str, wanted: list[str]) -> list[Any]:
        self._reach()
        found = {dn: held for dn, held in self.double.entries.items() if _within(dn, base, scope)}
        if self.bound != READER:
            raise self.library.INSUFFICIENT_ACCESS({"desc": "Insufficient access"})
        if not found:
            raise self.library.NO_SUCH_OBJECT({"desc": "No such object"})
        attribute, value = re.fullmatch(r"\((\w+)=(.*)\)", matches).groups()
        assert not re.search(r"[*()]", value), f"{value} is not escaped"
        value = re.sub(r"\\([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), value)
        shown = [
            (dn, {name: held[name] for name in wanted if name in held})
            for dn, held in found.items()
            if value.lower() in [each.decode().lower() for each in held.get(attribute, [])]
        ]
        return [*shown, (None, ["ldap://elsewhere.example.com/"])]


def _within(dn: str, base: str, scope: str) -> bool:
    dn, base = dn.lower(), base.lower()
    return dn == base or (scope == "SCOPE_SUBTREE" and dn.endswith(f",{base}"))


Directory = Slapd | Double


@contextlib.contextmanager
def running(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Directory]:
    """Run a directory of a kind, ``double`` or ``slapd``, in which alice builds; skip the test if it is not here."""
    if kind == "double":
        directory: Directory = Double()
        for name, module in directory.modules().items():
            monkeypatch.setitem(sys.modules, name, module)
        fill(directory)
        yield directory
        return
    with services.running(Slapd, folder) as directory:
        fill(directory)
        yield directory


def fill(directory: Directory) -> None:
    directory.add_user("alice", "wonder-land")
    directory.add_user("bob", "the-builder")
    directory.add_group("build", ["alice"])


def settings(directory: Directory, **others: str) -> dict[str, str]:
    """Return the settings that lead to the directory, after ``mypi.``."""
    found = {
        "uri": directory.uri,
        "starttls": "false",
        "user": f"uid={{user}},{PEOPLE}",
        "bind_dn": READER,
        "bind_password": PASSWORD,
        "group_base": GROUPS,
    }
    return {f"ldap.{name}": value for name, value in (found | others).items() if value}

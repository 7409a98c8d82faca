"""A real OpenLDAP server for the tests, over a folder of its own, with certificates of an authority of its own."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
from collections.abc import Iterable
from pathlib import Path

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
    """OpenLDAP's server; ``anonymous`` is what somebody without a name may: auth, or read."""

    def __init__(self, folder: Path, anonymous: str = "auth") -> None:
        super().__init__(folder)
        self.program = shutil.which("slapd", path="/usr/sbin:/usr/lib/openldap:/usr/libexec")
        if self.program is None or shutil.which("ldapmodify") is None or shutil.which("openssl") is None:
            raise Missing("there is no OpenLDAP server: apt-get install slapd ldap-utils openssl")
        if needs_library:
            raise Missing(needs_library)
        self.port, self.tls_port = free_port(), free_port()
        self.uri, self.tls = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.tls_port}"
        self.ca = folder / "ca.pem"
        certify(folder)
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


def certify(folder: Path, name: str = "IP:127.0.0.1") -> None:
    """Make an authority, ``ca.pem``, and the certificate of a server that it signs, ``cert.pem`` and ``key.pem``."""
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    authority = ("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests of mypi")
    signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=slapd")
    for words in (authority, (*signed, "-addext", f"subjectAltName={name}", "-addext", "basicConstraints=CA:FALSE")):
        done = subprocess.run(
            ["openssl", "req", "-x509", *curve, *words], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

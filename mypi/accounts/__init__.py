"""Who somebody is: sources of users and passwords, tokens, sessions, and the brake on guessing.

``sources`` asks each source in turn: the accounts of the store (``passwords``), a file (``htpasswd``),
a directory (``ldap``).
"""

from .credentials import Credentials
from .errors import AccountError
from .htpasswd import Htpasswd, set_password
from .ldap import Ldap
from .passwords import Hasher, check_password, check_user
from .sessions import Sessions
from .sources import Source, StoreUsers, Users
from .throttle import Throttle, Throttled
from .tokens import Fresh, find, fresh
from .vouched import vouched

__all__ = [
    "AccountError",
    "Credentials",
    "Fresh",
    "Hasher",
    "Htpasswd",
    "Ldap",
    "Sessions",
    "Source",
    "StoreUsers",
    "Throttle",
    "Throttled",
    "Users",
    "check_password",
    "check_user",
    "find",
    "fresh",
    "set_password",
    "vouched",
]

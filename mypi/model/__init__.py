"""Projects, files and names as values; every change to them is a pure function.

``mypi.model.project`` holds the project document, ``names`` the one that lists all projects, ``accounts`` the one of
users, groups and tokens.
"""

from .accounts import Accounts, Token, User
from .errors import Closed, Missing, ModelError, Taken, Withdrawn
from .names import Names
from .parts import SIDECARS, STATUSES, Actor, Event, File, Status
from .project import Project

__all__ = [
    "SIDECARS",
    "STATUSES",
    "Accounts",
    "Actor",
    "Closed",
    "Event",
    "File",
    "Missing",
    "ModelError",
    "Names",
    "Project",
    "Status",
    "Taken",
    "Token",
    "User",
    "Withdrawn",
]

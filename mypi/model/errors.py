"""Why a change to a project is refused."""


class ModelError(ValueError):
    """The change cannot be made to this project; nothing was changed."""


class Taken(ModelError):
    """The file name is in use, or was; names are never free again."""


class Closed(ModelError):
    """The project takes no uploads in its present status (A7)."""


class Withdrawn(ModelError):
    """The file was found damaged in the store: it is not on offer until it is put back, and its name stays taken."""


class Missing(ModelError):
    """The project has no such file, release or removal."""

"""What can be wrong with accounts."""


class AccountError(ValueError):
    """A source of users cannot be used, or a name or password cannot be taken; the message says how to mend it."""

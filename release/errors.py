"""What goes wrong with a release."""


class ReleaseError(Exception):
    """A release that cannot be made; the message says why, and what to do."""

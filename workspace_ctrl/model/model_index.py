"""What the controller, which makes the routes of the list of models, and the server of the list have in common."""

from enum import StrEnum
from typing import Final

INDEX_HEADER: Final = "X-Workspace-Ctrl-Index"
"""Request header that each route of the list sets, with a token that stands for its Gateway."""


class IndexState(StrEnum):
    """How it is with the list of models on a Gateway that has models."""

    ATTACHED = "Attached"
    NOT_ALLOWED = "NotAllowedByListeners"
    """A listener with models accepts no routes from the namespace of the list."""
    TAKEN = "PathTaken"
    """Another route takes all requests that nothing more specific matches, so the list would take some from it, or get none."""
    NOT_SUPPORTED = "NotSupported"
    """The GatewayClass routes to InferencePools only."""
    TOO_MANY_HOSTNAMES = "TooManyHostnames"
    """Some of the host names have no list."""
    REJECTED = "ApplyRefused"
    """The API server rejects a route."""

"""What `gateway` is made of: how requests are matched, and which objects of others are used instead of ours."""

from typing import Annotated, Final, Literal

from pydantic import Field

from workspace_ctrl.api.base import ApiModel

NO_TIMEOUT: Final = "none"
"""The route says nothing of a timeout, so that the Gateway's own holds."""
TIMEOUT_PATTERN: Final = r"^(none|([0-9]{1,5}(h|m|s|ms)){1,4})$"
"""A duration of the Gateway API (GEP-2257), or `none`."""
_PATH_PATTERN = r"^/([A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)?$"
_HOSTNAME_PATTERN = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
_NAME_LIMIT = 253
_LABEL_LIMIT = 63
_LARGEST = 2**31 - 1

Hostname = Annotated[str, Field(min_length=1, max_length=_NAME_LIMIT, pattern=_HOSTNAME_PATTERN)]
"""A host name, or a wildcard such as `*.example.com`."""


class Match(ApiModel):
    """Which requests of the Gateway are the model's."""

    path: str | None = Field(
        default=None,
        max_length=1024,
        pattern=_PATH_PATTERN,
        description="Path prefix, without a slash at its end; it is taken off before the model server sees the request. "
        "Default: /<namespace>/<workspace>, which no other Workspace has.",
    )
    header: bool = Field(
        default=False,
        description="Whether requests with the model's name in the header X-Gateway-Model-Name are the model's too, whatever their "
        "path; a body-based router in front of the Gateway sets that header.",
    )
    catch_all: bool = Field(
        default=False,
        description="Whether requests that nobody else claims are the model's: one Workspace on a listener can have them.",
    )


class HTTPRouteReference(ApiModel):
    """A route that somebody else writes."""

    name: str = Field(min_length=1, max_length=_NAME_LIMIT, description="Name of the HTTPRoute, in the Workspace's namespace.")


class PoolReference(ApiModel):
    """A pool that somebody else makes."""

    name: str = Field(min_length=1, max_length=_NAME_LIMIT, description="Name of the InferencePool, in the Workspace's namespace.")


class Pool(ApiModel):
    """The InferencePool behind the route."""

    ref: PoolReference | None = Field(
        default=None,
        description="A pool of somebody else, with its own endpoint picker; then no chart is installed. Never written.",
    )
    failure_mode: Literal["FailOpen", "FailClose"] | None = Field(
        default=None,
        description="What the Gateway does while the endpoint picker does not answer: send requests to any pod (FailOpen), or refuse them "
        "(FailClose). Default: FailOpen.",
    )


class Objective(ApiModel):
    """How important those requests are that name it."""

    name: str = Field(
        min_length=1,
        max_length=_LABEL_LIMIT,
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the objective; requests name it as <workspace>.<name> in the header x-gateway-inference-objective.",
    )
    priority: int = Field(
        ge=-_LARGEST,
        le=_LARGEST,
        description="Where pods are scarce, requests of a higher priority go first; those of a negative one are the first to be refused. "
        "Requests that name no objective have priority 0.",
    )

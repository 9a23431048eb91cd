"""Parts of `gateway`: how requests are matched, and which existing objects are used instead of ours."""

from typing import Annotated, Final, Literal

from pydantic import ConfigDict, Field

from workspace_ctrl.api.api_model import (
    HOSTNAME_PATTERN,
    LABEL_NAME_PATTERN,
    MODEL_NAME_PATTERN,
    PATH_PATTERN,
    PROBE_PATH_PATTERN,
    WORKSPACE_NAME_PATTERN,
    ApiModel,
    rules,
)
from workspace_ctrl.api.traffic.canary_spec import CANARY_RULE, Canary

NO_TIMEOUT: Final = "none"
"""The route gets no timeout, so that the Gateway's default applies."""
"""A duration of the Gateway API (GEP-2257), or `none`."""
_NAME_LIMIT = 253
_LABEL_LIMIT = 63
_LARGEST = 2**31 - 1
DEFAULT_WEIGHT: Final = 100
"""Of a member of a group that sets none."""
LARGEST_WEIGHT: Final = 1_000_000
"""Of a backend of an HTTPRoute."""
FALLBACK_RULE: Final = "gateway.group cannot have a weight with fallback: true; remove one of them"

Hostname = Annotated[str, Field(min_length=1, max_length=_NAME_LIMIT, pattern=HOSTNAME_PATTERN)]
"""A host name, or a wildcard such as `*.example.com`."""


ModelName = Annotated[str, Field(min_length=1, max_length=_NAME_LIMIT, pattern=MODEL_NAME_PATTERN)]
"""A model name, as it can be in a header and among the arguments of a model server."""


class Match(ApiModel):
    """Which requests of the Gateway are routed to the model."""

    path: str | None = Field(
        default=None,
        max_length=1024,
        pattern=PATH_PATTERN,
        description="Path prefix, without a trailing slash; it is removed before the request reaches the model server. "
        "Default: /<namespace>/<workspace>.",
    )
    header: bool = Field(
        default=False,
        description="Whether to match also requests with the model name in the header X-Gateway-Model-Name, on any path; a body-based "
        "router sets that header.",
    )
    catch_all: bool = Field(
        default=False,
        description="Whether to match also all requests that no other route matches; only one Workspace on a listener can do that.",
    )


class Probe(ApiModel):
    """The request by which the controller finds out whether the model is reached."""

    path: str = Field(
        max_length=256,
        pattern=PROBE_PATH_PATTERN,
        description="Path of a GET request, under the base URL, such as /health for a server without /v1/models. It should be one that the "
        "model server itself answers.",
    )
    codes: list[Annotated[int, Field(ge=100, le=599)]] | None = Field(
        default=None,
        min_length=1,
        max_length=16,
        description="HTTP status codes that count as an answer. Default: 200.",
    )


class HTTPRouteReference(ApiModel):
    """A reference to an HTTPRoute that the user manages."""

    name: str = Field(min_length=1, max_length=_NAME_LIMIT, description="Name of the HTTPRoute, in the Workspace's namespace.")


class PoolReference(ApiModel):
    """A reference to an InferencePool that the user manages."""

    name: str = Field(min_length=1, max_length=_NAME_LIMIT, description="Name of the InferencePool, in the Workspace's namespace.")


class Pool(ApiModel):
    """The InferencePool behind the route."""

    ref: PoolReference | None = Field(
        default=None,
        description="An existing InferencePool with its own endpoint picker, to use instead of the chart's; it is never modified.",
    )
    failure_mode: Literal["FailOpen", "FailClose"] | None = Field(
        default=None,
        description="What the Gateway does while the endpoint picker does not answer: send requests to any pod (FailOpen), or reject them "
        "(FailClose). Default: FailOpen; with charts before 1.4, which cannot set it, FailClose. Without effect with `ref`.",
    )


class Group(ApiModel):
    """The endpoint that several Workspaces and InferenceSets of a namespace share."""

    name: str = Field(
        min_length=1,
        max_length=_LABEL_LIMIT,
        pattern=WORKSPACE_NAME_PATTERN,
        description="Name of the group; all members have the same one. Requests under /<namespace>/<group> are divided among them. No "
        "Workspace and no InferenceSet of the namespace may have this name.",
    )
    weight: int | None = Field(
        default=None,
        ge=0,
        le=LARGEST_WEIGHT,
        description="Share of the requests, in proportion to the weights of the other members that are ready; 0 for none. Default: 100.",
    )
    fallback: bool = Field(
        default=False,
        description="Whether the model gets requests only while no other member of the group is ready, and then all of them.",
    )
    canary: Canary | None = Field(
        default=None,
        description="The model gets its requests step by step instead, and none any more if too many of them fail. Default: none.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!(has(self.weight) && has(self.fallback) && self.fallback)", FALLBACK_RULE),
            ("!(has(self.canary) && (has(self.weight) || (has(self.fallback) && self.fallback)))", CANARY_RULE),
        )
    )


class Objective(ApiModel):
    """A priority for requests."""

    name: str = Field(
        min_length=1,
        max_length=_LABEL_LIMIT,
        pattern=LABEL_NAME_PATTERN,
        description="Name of the objective; requests select it as <workspace>.<name> with the header x-gateway-inference-objective.",
    )
    priority: int = Field(
        ge=-_LARGEST,
        le=_LARGEST,
        description="Under load, requests with a higher priority are served first, and those with a negative one are rejected first. "
        "Requests without an objective have priority 0.",
    )

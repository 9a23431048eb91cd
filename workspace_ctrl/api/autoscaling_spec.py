"""`spec.autoscaling` of an InferenceSet: by which load its copies are scaled, and within which bounds."""

from collections.abc import Iterator
from typing import Final, Literal

from pydantic import ConfigDict, Field

from workspace_ctrl.api.api_model import DURATION_PATTERN, ApiModel, rules
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.traffic.durations import LONGEST_DURATION, milliseconds_of, seconds_of

MOST_REPLICAS: Final = 1000
"""Largest number of copies; each has objects of its own if its model needs several nodes."""
_WHOLE: Final = 100
_BOUNDS: Final = "spec.autoscaling has a minReplicas above its maxReplicas; lower minReplicas, or raise maxReplicas"
_IDLE: Final = "spec.autoscaling has an idleAfter of less than a second, with which each request would start a copy; set 1s or more"
_HELD: Final = (
    "spec.autoscaling has a requestsHeldFor that is not from 1s to 24h; set a little more than a start of the model takes"
)
_SECOND: Final = 1000
_DAY: Final = 86_400 * _SECOND
"""In milliseconds, as `_SECOND`."""
_PERCENTAGE: Final = "spec.autoscaling.target has a value above 100, which is a percentage of the KV cache; set 1 to 100"


class ScalingTarget(ApiModel):
    """The load that each copy is to have."""

    metric: Literal["queueSize", "runningRequests", "kvCacheUtilization"] = Field(
        default="queueSize",
        description="What is measured: requests that wait, in the endpoint picker or in the model server; requests that are answered; "
        "or the used part of the KV cache, in percent.",
    )
    value: int = Field(
        default=5,
        ge=1,
        le=1_000_000,
        description="The target: of waiting or running requests for each copy, of the KV cache on average.",
    )

    model_config = ConfigDict(json_schema_extra=rules(("self.metric != 'kvCacheUtilization' || self.value <= 100", _PERCENTAGE)))


class Autoscaling(ApiModel):
    """How KEDA scales the copies by load."""

    min_replicas: int = Field(
        default=1,
        ge=0,
        le=MOST_REPLICAS,
        description="Fewest copies. With 0, the last one ends when no request has come for idleAfter, and the next request starts one.",
    )
    max_replicas: int = Field(ge=1, le=MOST_REPLICAS, description="Most copies.")
    target: ScalingTarget = Field(default_factory=ScalingTarget, description="The load that each copy is to have.")
    idle_after: str = Field(
        default="10m",
        max_length=LONGEST_DURATION,
        pattern=DURATION_PATTERN,
        description="Time without requests, of at least 1s, after which the last copy ends, if minReplicas is 0.",
    )
    requests_held_for: str = Field(
        default="15m",
        max_length=LONGEST_DURATION,
        pattern=DURATION_PATTERN,
        description="Longest time, up to 24h, that the endpoint picker holds a request while no copy is ready, if minReplicas is 0; longer "
        "than the start of the model.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("self.minReplicas <= self.maxReplicas", _BOUNDS),
            ("duration(self.idleAfter) >= duration('1s')", _IDLE),
            ("duration(self.requestsHeldFor) >= duration('1s') && duration(self.requestsHeldFor) <= duration('24h')", _HELD),
        )
    )

    @property
    def idle_seconds(self) -> int:
        """The time of `idleAfter`."""
        return seconds_of(self.idle_after)

    @property
    def held_seconds(self) -> int:
        """The time of `requestsHeldFor`."""
        return seconds_of(self.requests_held_for)


def check_autoscaling(autoscaling: Autoscaling, path: str) -> None:
    """Check the rules between the fields of the `autoscaling` at `path`.

    Raises:
        SpecError: two of them contradict each other.
    """
    if autoscaling.min_replicas > autoscaling.max_replicas:
        raise SpecError(path, *_parts(_BOUNDS))
    if milliseconds_of(autoscaling.idle_after) < _SECOND:
        raise SpecError(path, *_parts(_IDLE))
    if not _SECOND <= milliseconds_of(autoscaling.requests_held_for) <= _DAY:
        raise SpecError(path, *_parts(_HELD))
    if autoscaling.target.metric == "kvCacheUtilization" and autoscaling.target.value > _WHOLE:
        raise SpecError(f"{path}.target", *_parts(_PERCENTAGE))


def _parts(rule: str) -> tuple[str, str]:
    """Return problem and remedy of a rule of the CRD, whose message begins with the field."""
    problem, _, remedy = rule.partition(" ")[2].partition("; ")
    return problem, remedy


def only_at_zero(autoscaling: Autoscaling) -> Iterator[str]:
    """Yield a message for each time that only counts without copies; the API server writes the default, so that one is not a wish."""
    for name in ("idle_after", "requests_held_for"):
        field = Autoscaling.model_fields[name]
        if getattr(autoscaling, name) != field.default:
            yield f"spec.autoscaling.{field.alias} has no effect unless minReplicas is 0"

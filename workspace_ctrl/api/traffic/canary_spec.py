"""`gateway.group.canary`: how a new version gets its requests step by step, and what ends that."""

from typing import Annotated, Final

from pydantic import ConfigDict, Field

from workspace_ctrl.api.api_model import DURATION_PATTERN, PERCENTAGE_PATTERN, ApiModel, rules
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.traffic.durations import LONGEST_DURATION, milliseconds_of, seconds_of

CANARY_RULE: Final = "gateway.group.canary decides the share of the requests itself; remove weight and fallback"
_STEPS_RULE: Final = "gateway.group.canary.steps must rise; set percentages such as [10, 25, 50, 100]"
_INTERVAL_RULE: Final = "gateway.group.canary.interval must be from 5s to 24h; set one such as 5m"
_SHORTEST, _LONGEST = 5, 24 * 3600
"""Of an interval, in seconds: figures are read a few times in each, at most once a second."""
_MOST_STEPS: Final = 20
_WHOLE: Final = 100
DEFAULT_STEPS: Final = (10, 25, 50, 100)


class Canary(ApiModel):
    """The steps by which a new version gets the requests of its group."""

    steps: list[Annotated[int, Field(ge=1, le=_WHOLE)]] = Field(
        default=[*DEFAULT_STEPS],
        min_length=1,
        max_length=_MOST_STEPS,
        json_schema_extra={"x-kubernetes-list-type": "set"},
        description="Percentages of the group's requests, rising. After the last step the model gets all requests.",
    )
    interval: str = Field(
        default="5m",
        max_length=LONGEST_DURATION,
        pattern=DURATION_PATTERN,
        description="How long each step lasts at least, from 5s to 24h; longer while there are too few requests to judge it.",
    )
    max_error_rate: str = Field(
        default="1%",
        max_length=8,
        pattern=PERCENTAGE_PATTERN,
        description="Largest part of the requests that may fail (HTTP status 5xx of the model server). With a larger one the model gets no "
        "requests any more until it is changed.",
    )
    max_latency_ratio: float | None = Field(
        default=None,
        ge=1,
        le=_WHOLE,
        description="How many times as long as those of the other members its answers may take, on average. Default: not compared.",
    )

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("self.steps.isSorted()", _STEPS_RULE),
            (
                f"duration(self.interval) >= duration('{_SHORTEST}s') && duration(self.interval) <= duration('{_LONGEST}s')",
                _INTERVAL_RULE,
            ),
        )
    )

    @property
    def interval_seconds(self) -> int:
        """The time of `interval`."""
        return seconds_of(self.interval)

    @property
    def error_rate(self) -> float:
        """The part of `maxErrorRate`, from 0 to 1."""
        return float(self.max_error_rate.removesuffix("%")) / _WHOLE


def check_canary(canary: Canary) -> None:
    """Check the rules between the values of a canary.

    Raises:
        SpecError: its steps do not rise, or its interval is too short or too long.
    """
    if canary.steps != sorted(set(canary.steps)):
        raise rule_error(_STEPS_RULE)
    if not _SHORTEST * 1000 <= milliseconds_of(canary.interval) <= _LONGEST * 1000:
        raise rule_error(_INTERVAL_RULE)


def rule_error(rule: str) -> SpecError:
    """Return the error for a rule of the CRD, whose message has the field, the problem and a way out."""
    field, _, text = rule.partition(" ")
    problem, _, remedy = text.partition("; ")
    return SpecError(field, problem, remedy)

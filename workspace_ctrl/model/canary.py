"""A canary: what is counted of its requests, and how far it is."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from workspace_ctrl.api.conditions import CANARY_BEGUN, CANARY_NOT_READY

_CERTAINTY: Final = 1.96
"""Standard deviations: a rate counts as certain if chance exceeds it in 1 of 40 cases."""
_MOST: Final = 1 << 53
"""Number from which more of them make no bound narrower that a float can tell."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Requests to model servers; of no kind there are more than of all."""

    requests: int = 0
    errors: int = 0
    """Answered with a status of 5xx."""
    rejected: int = 0
    """Answered with a status of 4xx, mostly because of the request itself."""
    answers: int = 0
    """Those whose duration is in `seconds`."""
    seconds: float = 0.0

    def __add__(self, other: "Figures") -> "Figures":
        """Return the figures of both."""
        return Figures(
            self.requests + other.requests,
            self.errors + other.errors,
            self.rejected + other.rejected,
            self.answers + other.answers,
            self.seconds + other.seconds,
        )

    @property
    def error_rate(self) -> float:
        """Failed requests, as a part of all."""
        return self.errors / self.requests if self.requests else 0.0

    @property
    def latency(self) -> float:
        """Mean duration of an answer in seconds."""
        return self.seconds / self.answers if self.answers else 0.0

    @property
    def certain_error_rate(self) -> float:
        """The error rate that is exceeded beyond chance."""
        return _certain(self.errors, self.requests)[0]

    @property
    def rejection_rates(self) -> tuple[float, float]:
        """The least and the greatest part of rejected requests that chance explains."""
        return _certain(self.rejected, self.requests)


def _certain(count: int, total: int) -> tuple[float, float]:
    """Return the bounds of Wilson's interval for a rate; with numbers that are no part and whole, those of the nearest ones that are."""
    if total <= 0:
        return 0.0, 1.0
    rate, square = min(max(count, 0), total) / total, _CERTAINTY**2
    number = float(min(total, _MOST))
    spread = _CERTAINTY * math.sqrt(rate * (1 - rate) / number + square / (4 * number**2))
    middle, scale = rate + square / (2 * number), 1 + square / number
    return max((middle - spread) / scale, 0.0), min((middle + spread) / scale, 1.0)


@dataclass(frozen=True, slots=True)
class CountingServer:
    """A pod whose requests are counted."""

    uid: str
    name: str
    address: str
    """Its IP address; empty while it is not ready, when it is not read."""
    port: int
    restarts: int = 0
    """Of its containers."""


@dataclass(frozen=True, slots=True)
class CanaryTarget:
    """What is to be counted for a canary now."""

    step: str
    """Identifies what is tried, and the step; with another one, counting begins anew."""
    period: float
    """Seconds between two readings."""
    is_routed: bool
    """Whether the canary is ready and has its share of the requests, so that the time of the step passes."""
    canary: tuple[CountingServer, ...]
    others: tuple[CountingServer, ...]
    """Those of the other members that get requests."""


@dataclass(frozen=True, slots=True)
class CanaryCount:
    """What was counted in a step, in this process."""

    step: str
    seconds: float = 0.0
    """How long the canary had its share of the requests without a break; begins anew when the process restarts."""
    canary: Figures | None = None
    """None while nothing was read."""
    others: Figures | None = None
    unknown: str = ""
    """Why the figures of the canary cannot be read; empty if they can."""
    unknown_others: str = ""
    crashed: str = ""
    """Which pod of the canary has restarted in this step, after it was ready; empty if none has."""


class CanaryPhase(StrEnum):
    """Where a canary is."""

    PROGRESSING = "Progressing"
    PROMOTED = "Promoted"
    STOPPED = "Stopped"


@dataclass(frozen=True, slots=True)
class CanaryPlan:
    """The steps that are wanted, and what ends them."""

    revision: str
    """Identifies what is tried, and in which steps."""
    steps: tuple[int, ...]
    """Percentages of the requests, rising."""
    interval: float
    """Seconds of a step."""
    max_error_rate: float = 0.01
    max_latency_ratio: float = math.inf


@dataclass(frozen=True, slots=True)
class CanaryState:
    """How far a canary is; a part of the status."""

    revision: str
    phase: CanaryPhase = CanaryPhase.PROGRESSING
    step: int = 0
    """From 0."""
    reason: str = CANARY_BEGUN
    message: str = ""
    """The figures of the step that has ended last."""
    promotion: int = 0
    """Number of its promotion among those of the group, from 1; of several canaries the one that was promoted last gets the requests."""

    def percent(self, plan: CanaryPlan) -> int:
        """Return the share of the requests that the canary should have."""
        if self.phase is CanaryPhase.STOPPED:
            return 0
        return 100 if self.phase is CanaryPhase.PROMOTED else plan.steps[min(self.step, len(plan.steps) - 1)]

    @property
    def is_waiting(self) -> bool:
        """Whether it gets no requests until its own pass has found all its pods in order."""
        return self.phase is CanaryPhase.PROGRESSING and self.reason == CANARY_NOT_READY

    @property
    def step_id(self) -> str:
        """Identifies what is counted for it."""
        return f"{self.revision}/{self.step}"


@dataclass(frozen=True, slots=True)
class CanaryDecision:
    """What is decided for a canary."""

    plan: CanaryPlan
    state: CanaryState
    remark: str = ""
    """Why the step cannot be judged now; empty if it can."""
    name: str = ""
    """Of the canary."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Members of its group that get requests with this decision → their weights; empty while that is not known."""

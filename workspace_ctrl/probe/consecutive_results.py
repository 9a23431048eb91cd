"""How many equal probe results change the verdict, and when the next probe is due.

A single request is no proof: a proxy gets its configuration a moment after the statuses report it, and any request may fail once. So a
new result counts only after several probes in a row had it. Probes follow quickly until then, and at the regular interval afterwards.
"""

from dataclasses import dataclass
from typing import Final

from workspace_ctrl.model.probe_results import ProbeOutcome, ProbeResult
from workspace_ctrl.probe.timeouts import ANSWER_SECONDS

TOLD_SECONDS: Final = 2.0
"""A fault that only requests show is reported within the probe interval plus this."""
_WRITE_SECONDS: Final = 0.5
"""Time from the deciding probe to the status write."""
_NEEDED: Final = {ProbeOutcome.ANSWERED: 2, ProbeOutcome.FAILED: 2, ProbeOutcome.NOT_POSSIBLE: 3}
"""Number of equal results in a row that are needed. NotPossible needs more, because a starting proxy looks like an unreachable network."""
_SOON: Final = {ProbeOutcome.ANSWERED: 0.1, ProbeOutcome.FAILED: 1.0, ProbeOutcome.NOT_POSSIBLE: 1.0}
"""Seconds from the start of one probe to the next while results differ; a probe that took longer than that is repeated at once."""
_FIRST_RETRY: Final = 2.0
"""Seconds until the next probe after a confirmed failure; doubled each time. No `Backoff`, which counts attempts and needs their times:
here the results themselves are counted, and the limit depends on how many Workspaces are probed."""
_LAST_RETRY: Final = 4.0
"""Upper limit of that delay while few Workspaces are probed, so that a recovered Gateway is noticed soon."""
_PER_SECOND: Final = 20
"""Limit for all Workspaces together; twice that if few namespaces have most of them, so that the other namespaces need not wait."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Shortest intervals between two probes of one Workspace, in seconds; all Workspaces share the limit per second."""

    rest: float
    """Between two probes while they succeed."""
    retry: float
    """Between two probes while they fail."""


def pace(interval: float, followed: int, in_namespace: int, namespaces: int) -> Pace:
    """Return the pace for a Workspace, so that a fault is reported within `interval` plus `TOLD_SECONDS`.

    Of `followed` Workspaces, `in_namespace` are in its namespace, which is one of `namespaces`. Either all Workspaces have equal shares of
    the limit, or all namespaces have, whichever is faster: many Workspaces in one namespace do not slow down the probes of another.
    A failure is confirmed by two requests that may both time out, so the pause is shorter than the interval by their excess time.
    """
    share = min(followed, in_namespace * namespaces) / _PER_SECOND
    rest = max(interval - (2 * ANSWER_SECONDS + _WRITE_SECONDS - TOLD_SECONDS), interval / 2)
    return Pace(rest=max(rest, share), retry=max(min(_LAST_RETRY, interval), share))


@dataclass(frozen=True, slots=True)
class Threshold:
    """The confirmed result, and newer results that have not been confirmed yet."""

    believed: ProbeResult | None = None
    last: ProbeResult | None = None
    agreeing: int = 0
    """Number of newest probes in a row with the same outcome."""

    @property
    def is_in_doubt(self) -> bool:
        """Whether the newest probe got no answer, or a slow one: the server hangs or is overloaded."""
        last = self.last
        return last is not None and (last.is_slow or (last.outcome is ProbeOutcome.FAILED and last.code is None))

    def after(self, result: ProbeResult) -> "Threshold":
        """Return the state after one more probe; the first message of an outcome is kept, so that the status does not change again."""
        again = self.last is not None and self.last.outcome is result.outcome
        agreeing = self.agreeing + 1 if again else 1
        believed = self.believed
        if agreeing >= _NEEDED[result.outcome] and not (believed is not None and result.agrees_with(believed)):
            believed = result
        return Threshold(believed, result, agreeing)

    def delay(self, shared: Pace, took: float = 0.0) -> float:
        """Return the seconds until the next probe, after one that took `took` seconds."""
        if self.last is None:
            return 0.0
        if self.believed is None or self.believed.outcome is not self.last.outcome:
            return max(0.0, _SOON[self.last.outcome] - took)
        if self.last.outcome is ProbeOutcome.FAILED:
            return min(_FIRST_RETRY * 2.0 ** min(self.agreeing - _NEEDED[ProbeOutcome.FAILED], 20), shared.retry)
        return shared.rest

"""When probes are believed, and when the next one is due.

One request says little: a proxy gets its configuration a moment after the statuses say so, and a single request may fail. So a change is
believed when probes in a row agree on it, and asked for at once until they do; after that, now and then.
"""

from dataclasses import dataclass
from typing import Final

from workspace_ctrl.records.probes import ProbeOutcome, ProbeResult

ANSWER_SECONDS: Final = 2.0
"""How long an answer that needs no computing may take; the bound of what is told of a model that hangs is made of two of these."""
TOLD_SECONDS: Final = 2.0
"""A fault that only requests show is told within the interval and this."""
_WRITE_SECONDS: Final = 0.5
"""From the failure that is believed to the status."""
_NEEDED: Final = {ProbeOutcome.ANSWERED: 2, ProbeOutcome.FAILED: 2, ProbeOutcome.NOT_POSSIBLE: 3}
"""Probes in a row that must agree; a proxy that is just starting is as little reachable as one in another network."""
_SOON: Final = {ProbeOutcome.ANSWERED: 0.1, ProbeOutcome.FAILED: 1.0, ProbeOutcome.NOT_POSSIBLE: 1.0}
"""Seconds from the beginning of a probe to the next one while they do not agree: one that had no answer for longer is repeated at once."""
_FIRST_RETRY: Final = 2.0
"""Seconds until the next probe after a failure that is believed; doubled each time."""
_LAST_RETRY: Final = 4.0
"""Seconds that this becomes at most while few are followed: a Gateway that answers again is soon noticed."""
_PER_SECOND: Final = 20
"""Probes of all Workspaces together."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a Workspace is asked for, at most, where all share what a second has for them; in seconds."""

    rest: float
    """Between two probes while all is well."""
    retry: float
    """Between two probes while they fail."""


def pace(interval: float, followed: int) -> Pace:
    """Return the pace of each of so many Workspaces, so that a fault is told within `interval` seconds and `TOLD_SECONDS`.

    Two requests that get no answer come before it is, so the rest is shorter than the interval by what they take beyond that.
    """
    share = followed / _PER_SECOND
    rest = max(interval - (2 * ANSWER_SECONDS + _WRITE_SECONDS - TOLD_SECONDS), interval / 2)
    return Pace(rest=max(rest, share), retry=max(min(_LAST_RETRY, interval), share))


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is believed, and what newer probes say."""

    believed: ProbeResult | None = None
    last: ProbeResult | None = None
    agreeing: int = 0
    """How many of the newest probes had the outcome of the last one."""

    @property
    def is_in_doubt(self) -> bool:
        """Whether the newest probe had no answer: who was asked hangs, or has much to do."""
        return self.last is not None and self.last.outcome is ProbeOutcome.FAILED and self.last.code is None

    def after(self, result: ProbeResult) -> "Agreement":
        """Return what is believed after one more probe; the first words of an outcome are kept, so that it is told once."""
        again = self.last is not None and self.last.outcome is result.outcome
        agreeing = self.agreeing + 1 if again else 1
        believed = self.believed
        if agreeing >= _NEEDED[result.outcome] and not (believed is not None and result.agrees_with(believed)):
            believed = result
        return Agreement(believed, result, agreeing)

    def delay(self, shared: Pace, took: float = 0.0) -> float:
        """Return the seconds until the next probe, after one that took `took` seconds."""
        if self.last is None:
            return 0.0
        if self.believed is None or self.believed.outcome is not self.last.outcome:
            return max(0.0, _SOON[self.last.outcome] - took)
        if self.last.outcome is ProbeOutcome.FAILED:
            return min(_FIRST_RETRY * 2.0 ** min(self.agreeing - _NEEDED[ProbeOutcome.FAILED], 20), shared.retry)
        return shared.rest

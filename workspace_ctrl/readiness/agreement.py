"""When probes are believed, and when the next one is due.

One request says little: a proxy gets its configuration a moment after the statuses say so, and a single request may fail. So a change is
believed when probes in a row agree on it, and asked for at once until they do; after that, now and then.
"""

from dataclasses import dataclass
from typing import Final

from workspace_ctrl.records.probes import ProbeOutcome, ProbeResult

_NEEDED: Final = {ProbeOutcome.ANSWERED: 2, ProbeOutcome.FAILED: 2, ProbeOutcome.NOT_POSSIBLE: 3}
"""Probes in a row that must agree; a proxy that is just starting is as little reachable as one in another network."""
_SOON: Final = {ProbeOutcome.ANSWERED: 0.1, ProbeOutcome.FAILED: 1.0, ProbeOutcome.NOT_POSSIBLE: 1.0}
"""Seconds until the next probe while they do not agree yet."""
_FIRST_RETRY: Final = 2.0
"""Seconds until the next probe after a failure that is believed; doubled each time."""
_PER_SECOND: Final = 20
"""Probes of all Workspaces together while all is well."""


def shared_interval(interval: float, followed: int) -> float:
    """Return the rest between two probes of a Workspace where so many are followed: `interval` seconds, or more with thousands."""
    return max(interval, followed / _PER_SECOND)


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is believed, and what newer probes say."""

    believed: ProbeResult | None = None
    last: ProbeResult | None = None
    agreeing: int = 0
    """How many of the newest probes had the outcome of the last one."""

    def after(self, result: ProbeResult) -> "Agreement":
        """Return what is believed after one more probe; the first words of an outcome are kept, so that it is told once."""
        again = self.last is not None and self.last.outcome is result.outcome
        agreeing = self.agreeing + 1 if again else 1
        believed = self.believed
        if agreeing >= _NEEDED[result.outcome] and not (believed is not None and result.agrees_with(believed)):
            believed = result
        return Agreement(believed, result, agreeing)

    def delay(self, interval: float) -> float:
        """Return the seconds until the next probe; `interval` is the rest between two while all is well."""
        if self.last is None:
            return 0.0
        if self.believed is None or self.believed.outcome is not self.last.outcome:
            return _SOON[self.last.outcome]
        if self.last.outcome is ProbeOutcome.FAILED:
            return min(_FIRST_RETRY * 2.0 ** min(self.agreeing - _NEEDED[ProbeOutcome.FAILED], 20), interval)
        return interval

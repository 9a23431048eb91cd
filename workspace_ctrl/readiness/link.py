"""A link of the chain from a Workspace to an answered request."""

from dataclasses import dataclass, replace

from workspace_ctrl.api.conditions import Condition, Status
from workspace_ctrl.records.decisions import LinkName, Problem
from workspace_ctrl.records.meta import ObjectRef


@dataclass(frozen=True, slots=True)
class Link:
    """Whether one link holds: True, False (broken), or Unknown (still being made)."""

    name: LinkName
    status: Status
    reason: str
    message: str
    terminal: bool = False
    """Broken in a way that waiting does not mend."""

    @property
    def holds(self) -> bool:
        """Whether the link is made."""
        return self.status is Status.TRUE

    @classmethod
    def true(cls, name: LinkName, reason: str, message: str) -> "Link":
        """Return a link that holds."""
        return cls(name, Status.TRUE, reason, message)

    @classmethod
    def waiting(cls, name: LinkName, reason: str, message: str) -> "Link":
        """Return a link that is still being made."""
        return cls(name, Status.UNKNOWN, reason, message)

    @classmethod
    def broken(cls, name: LinkName, reason: str, message: str) -> "Link":
        """Return a link that does not hold."""
        return cls(name, Status.FALSE, reason, message)

    @classmethod
    def of_problem(cls, problem: Problem) -> "Link":
        """Return the link that planning could not make."""
        return cls(problem.link, Status.FALSE, problem.reason, problem.message, problem.terminal)

    @classmethod
    def of_condition(cls, name: LinkName, ref: ObjectRef, condition: Condition | None, default: str) -> "Link":
        """Return a link that does not hold (yet), in the words of the object's own condition.

        The condition's status decides between broken and being made; one that says True speaks of something older. `default` is the reason
        where the object gives none.
        """
        if condition is None or condition.status != Status.FALSE:
            words = condition.message if condition is not None and condition.status == Status.UNKNOWN else "not finished yet"
            return cls.waiting(name, default, f"{ref}: {words}")
        return cls.broken(name, condition.reason or default, f"{ref}: {condition.message}")

    def ended(self) -> "Link":
        """Return the link, marked as one that waiting does not mend."""
        return replace(self, terminal=True)

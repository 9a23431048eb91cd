"""A link: one requirement of the chain from a Workspace to an answered request."""

from dataclasses import dataclass, replace

from workspace_ctrl.api.conditions import Condition, Status
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.records.meta import ObjectRef


@dataclass(frozen=True, slots=True)
class Link:
    """The state of one link: True (holds), False (broken), or Unknown (in progress)."""

    name: LinkName
    status: Status
    reason: str
    message: str
    terminal: bool = False
    """Whether it stays broken until a user changes something."""

    @property
    def holds(self) -> bool:
        """Whether the link is True."""
        return self.status is Status.TRUE

    @classmethod
    def true(cls, name: LinkName, reason: str, message: str) -> "Link":
        """Return a link that holds."""
        return cls(name, Status.TRUE, reason, message)

    @classmethod
    def waiting(cls, name: LinkName, reason: str, message: str) -> "Link":
        """Return a link that is in progress."""
        return cls(name, Status.UNKNOWN, reason, message)

    @classmethod
    def broken(cls, name: LinkName, reason: str, message: str) -> "Link":
        """Return a link that is broken."""
        return cls(name, Status.FALSE, reason, message)

    @classmethod
    def of_problem(cls, problem: Problem) -> "Link":
        """Return the link of a problem that planning found: broken, or in progress."""
        status = Status.UNKNOWN if problem.in_progress else Status.FALSE
        return cls(problem.link, status, problem.reason, problem.message, problem.terminal)

    @classmethod
    def of_condition(cls, name: LinkName, ref: ObjectRef, condition: Condition | None, default: str) -> "Link":
        """Return a link that does not hold, with the message of the object's own condition.

        A condition that is False makes the link broken, any other one in progress (one that is True here is for an older generation).
        `default` is the reason if the condition has none.
        """
        if condition is None or condition.status != Status.FALSE:
            words = condition.message if condition is not None and condition.status == Status.UNKNOWN else "not ready yet"
            return cls.waiting(name, default, f"{ref}: {words}")
        return cls.broken(name, condition.reason or default, f"{ref}: {condition.message}")

    def ended(self) -> "Link":
        """Return the link, marked as terminal."""
        return replace(self, terminal=True)

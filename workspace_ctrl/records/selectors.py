"""Label selectors of objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.records.meta import Json


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression of a selector."""

    key: str
    operator: str
    """In, NotIn, Exists or DoesNotExist."""
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` match; an unknown operator never matches."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case "DoesNotExist":
                return self.key not in labels
        return False

    def __str__(self) -> str:
        """Return the expression in the syntax of kubectl."""
        match self.operator:
            case "In" if len(self.values) == 1:
                return f"{self.key}={self.values[0]}"
            case "In" | "NotIn":
                return f"{self.key} {self.operator.lower()} ({','.join(self.values)})"
            case "DoesNotExist":
                return f"!{self.key}"
        return self.key


@dataclass(frozen=True, slots=True)
class Selector:
    """A label selector; without requirements, it matches everything."""

    requirements: tuple[Requirement, ...] = ()

    def selects(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` match."""
        return all(requirement.holds(labels) for requirement in self.requirements)

    def __str__(self) -> str:
        """Return the selector in the syntax of kubectl."""
        return ",".join(map(str, self.requirements))


EVERYTHING: Final = Selector()


def parse_selector(raw: Json) -> Selector:
    """Return the selector in `raw`, a LabelSelector."""
    labels = raw.get("matchLabels") or {}
    expressions = raw.get("matchExpressions") or ()
    return Selector(
        (
            *(Requirement(key, "In", (value,)) for key, value in labels.items()),
            *(
                Requirement(entry.get("key") or "", entry.get("operator") or "", tuple(entry.get("values") or ()))
                for entry in expressions
            ),
        )
    )

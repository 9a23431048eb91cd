"""Results of checking a chart with Helm."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChartId:
    """A chart, how it is fetched, and its values layout."""

    url: str
    version: str
    digest: str = ""
    """`sha256:...` if it is pinned; the version is then not resolved."""
    layout: str = ""
    """Name of the chart whose values layout applies, if not its own."""
    insecure: bool = False
    """Whether it is fetched over plain HTTP."""

    def __str__(self) -> str:
        """Return the chart's name and version, for messages."""
        return f"{self.url.rpartition('/')[2]} {self.version}"


@dataclass(frozen=True, slots=True)
class ChartFinding:
    """The result of a chart check."""

    reason: str = ""
    """Reason of the condition; empty if the chart matches its layout."""
    message: str = ""
    terminal: bool = False
    """Whether it needs a change by a user."""

    @property
    def holds(self) -> bool:
        """Whether the chart can be used."""
        return not self.reason

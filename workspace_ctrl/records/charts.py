"""What looking at a chart with Helm has found."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChartId:
    """A chart as it is fetched, and whose values it is said to take."""

    url: str
    version: str
    digest: str = ""
    """`sha256:...` where it is pinned; then the version is not asked for."""
    layout: str = ""
    """Name of the chart whose values it takes, where that is not its own."""
    insecure: bool = False
    """Fetched over plain HTTP."""

    def __str__(self) -> str:
        """Return the chart's name and version, for people."""
        return f"{self.url.rpartition('/')[2]} {self.version}"


@dataclass(frozen=True, slots=True)
class ChartFinding:
    """Whether a chart can be used."""

    reason: str = ""
    """Of the condition; empty where the chart is as its layout says."""
    message: str = ""
    terminal: bool = False
    """Whether only a person can help."""

    @property
    def holds(self) -> bool:
        """Whether it can."""
        return not self.reason

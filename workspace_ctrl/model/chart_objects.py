"""The observed objects of the chart that installs pool and endpoint picker, and of the charts before it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from workspace_ctrl.records.chart_inventory import ChartObjectId, chart_object_id, kind_of, unpack
from workspace_ctrl.records.flux import HelmRelease, OCIRepository, installed_release
from workspace_ctrl.records.gateways import InferencePool
from workspace_ctrl.records.workloads import Workload


@dataclass(frozen=True, slots=True)
class FormerCharts:
    """Objects of the Workspace's former charts; they exist beside those of its current chart, with other names."""

    sources: tuple[OCIRepository, ...] = ()
    releases: tuple[HelmRelease, ...] = ()
    pools: tuple[InferencePool, ...] = ()

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.sources or self.releases or self.pools)


NO_FORMER_CHARTS: Final = FormerCharts()


@dataclass(frozen=True, slots=True)
class ChartObjects:
    """What Flux has installed for a Workspace, and from what; None for an object that does not exist."""

    source: OCIRepository | None = None
    release: HelmRelease | None = None
    former: FormerCharts = NO_FORMER_CHARTS
    endpoint_picker: Workload | None = None
    pool: InferencePool | None = None
    parts: Mapping[ChartObjectId, int] = field(default_factory=dict)
    """The objects of the chart, with checksums of their content."""
    watched_kinds: frozenset[str] = field(default_factory=frozenset)
    """The kinds of the chart's objects that are watched."""
    pruned: bool = False
    """Whether the deletion of objects that Flux left behind was done, or is impossible."""
    has_drifted: bool = False
    """Whether another manager than Flux has changed one of them."""

    @property
    def is_installed(self) -> bool:
        """Whether the chart of the source is installed with the newest values."""
        return installed_release(self.source, self.release) is not None

    def has_picker_of(self, pool: InferencePool) -> bool:
        """Whether the Service that `pool` names as its endpoint picker is among the objects that exist."""
        return bool(pool.picker_service) and chart_object_id("Service", pool.picker_service) in self.parts

    def missing(self) -> tuple[str, ...]:
        """Return the kinds of the chart's objects that are in the release's inventory but do not exist."""
        inventory = unpack(self.release.inventory) if self.release is not None else ()
        gone = {kind_of(part) for part in inventory if part not in self.parts}
        return tuple(sorted(gone & self.watched_kinds))

    def remaining(self) -> tuple[str, ...]:
        """Return the kinds of the chart's objects that exist although the release is gone."""
        if self.release is not None or self.former.releases or self.pruned:
            return ()
        return tuple(sorted({kind_of(part) for part in self.parts}))

"""What runs beside the passes, and brings a Workspace back when it has found out something: probes, chart checks, look-ups of models."""

from collections.abc import Callable
from dataclasses import dataclass

from workspace_ctrl.controller.take_snapshot import Background
from workspace_ctrl.helm.chart_verifier import ChartVerifier, NoChartVerifier
from workspace_ctrl.hub.hub_client import HubClient
from workspace_ctrl.hub.hub_models import HubModels, NoHubModels
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.store import Key
from workspace_ctrl.load.keda_heartbeat import KedaHeartbeat
from workspace_ctrl.load.load_reader import LoadReader
from workspace_ctrl.load.request_counter import RequestCounter
from workspace_ctrl.probe.prober import NoProber, Prober, make_prober
from workspace_ctrl.settings.process import Settings


@dataclass(frozen=True, slots=True)
class BackgroundTasks:
    """The tasks of a process; each that is disabled is a null object."""

    prober: Prober | NoProber
    charts: ChartVerifier | NoChartVerifier
    hub: HubModels | NoHubModels
    counter: RequestCounter
    loads: LoadReader | None = None
    """None if KEDA reads no loads from this process."""
    heartbeat: KedaHeartbeat | None = None
    """None unless KEDA reads loads from a Prometheus."""

    def results(self, key: Key) -> Background:
        """Return what the tasks have found out for the Workspace `key`."""
        return Background(
            self.prober.result(key),
            self.prober.is_enabled,
            self.charts.verdicts,
            self.hub.answers,
            canary_count=self.counter.result(key),
            unread_for=self._unread_for,
        )

    @property
    def _unread_for(self) -> Callable[[str, str], float] | None:
        if self.loads is not None:
            return self.loads.unread_for
        return self.heartbeat.silent_for if self.heartbeat is not None else None

    async def close(self) -> None:
        """Stop them all."""
        for task in (self.prober, self.charts, self.hub, self.counter):
            await task.close()
        if self.heartbeat is not None:
            await self.heartbeat.close()


def make_background_tasks(
    client: Client, settings: Settings, changed: Callable[[Key], None], loads: LoadReader | None = None
) -> BackgroundTasks:
    """Return the tasks of a process; `changed` is called with each Workspace for which there is something new.

    `loads` is where KEDA reads the loads of models.
    """
    hub, scaling = settings.hub, settings.plan.autoscaling
    is_source = settings.load_port > 0 and not scaling.prometheus
    return BackgroundTasks(
        make_prober(client, settings, changed),
        ChartVerifier(settings.helm, changed) if settings.helm else NoChartVerifier(),
        HubModels(HubClient(hub, client.server), changed) if hub.url else NoHubModels(),
        RequestCounter(changed),
        loads if is_source else None,
        KedaHeartbeat(client) if scaling.enabled and scaling.prometheus else None,
    )

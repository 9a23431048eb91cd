"""The body-based router of a Gateway, shared by all its Workspaces.

Once the chart attaches the router to the Gateway, every request passes through it, and all requests fail while it does not run. So it is
first installed without the attachment, and attached when it runs; no request is lost during the installation. No Workspace owns it: it
exists as long as any Workspace is routed by the header that it sets, and is removed with the last of them.
"""

import copy
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from workspace_ctrl.api.labels import BODY_ROUTER_LABEL, FIELD_MANAGER, MANAGED_BY_LABEL
from workspace_ctrl.api.names import body_router_name
from workspace_ctrl.catalog.charts import UnknownChartError, leaves, put, value_at
from workspace_ctrl.catalog.gateway_classes import NO_PROVIDER
from workspace_ctrl.model.body_router import BodyRouter
from workspace_ctrl.model.plan_decisions import LinkName
from workspace_ctrl.planning.chart.flux_objects import RELEASE_API, SOURCE_API, release_spec, source_spec
from workspace_ctrl.planning.drift import is_ours
from workspace_ctrl.planning.manifests import Manifest, applied_hash, stamped
from workspace_ctrl.planning.plan_settings import BodyRoutingSettings, ChartSource
from workspace_ctrl.planning.steps import Apply, Delete, Resume, Step
from workspace_ctrl.records.meta import Meta, ObjectRef

_CHART = "body-based-routing"
_VERSION = re.compile(r"v?1\.5\.\d+")
_CONTAINER = "bbr"
_PORT = 9004
"""The chart's defaults."""
_INTERVAL = "1m"
"""How often Flux corrects drift. Short, because the Gateway answers nothing without the router; cheap, because there are few of them."""


@dataclass(frozen=True, slots=True)
class RouterPlan:
    """The next steps for the router of one Gateway."""

    steps: tuple[Step, ...] = ()
    connected: bool = False
    """Whether the values attach the router to the Gateway, so that all requests go through it."""


def check_chart(chart: ChartSource) -> None:
    """Check that the values and the effects of a chart are known.

    Raises:
        UnknownChartError: they are not; older versions attach the router to every proxy of the namespace instead of one Gateway.
    """
    if chart.chart != _CHART or not _VERSION.fullmatch(chart.version):
        raise UnknownChartError(f"chart {chart.chart} {chart.version} is not supported; use {_CHART} v1.5.0")


def plan_router(gateway: ObjectRef, provider: str, there: BodyRouter, settings: BodyRoutingSettings) -> RouterPlan:
    """Return the next steps for the router of `gateway`; `provider` is the chart's value for the Gateway's implementation."""
    source, steps = router_source(gateway, settings), tuple[Step, ...]()
    if there.source is None or not _is_as(source, there.source.meta):
        steps = tuple(_apply(source, there.source.meta if there.source is not None else None, LinkName.SOURCE))
    apart, connected = (router_release(gateway, name, settings) for name in (NO_PROVIDER, provider))
    live = there.release.meta if there.release is not None else None
    is_connected = live is not None and live.applied_hash == applied_hash(connected)
    if steps or there.source is None or not there.source.is_current:
        return RouterPlan(steps, is_connected)  # new values must never be applied to an old chart
    wanted = connected if is_connected or there.runs else apart
    return RouterPlan(tuple(_apply(wanted, live, LinkName.RELEASE)), is_connected)


def removal_steps(there: BodyRouter) -> tuple[Step, ...]:
    """Return the next steps of removing a router: the release, which Flux uninstalls, then its source."""
    if there.release is not None:
        meta = there.release.meta
        resume = (Resume(meta.ref),) if there.release.suspended else ()
        return () if meta.deleting else (*resume, Delete(meta.ref, meta.uid))
    meta = there.source.meta if there.source is not None else Meta(ObjectRef("", "", ""), deleting=True)
    return () if meta.deleting else (Delete(meta.ref, meta.uid),)


def router_source(gateway: ObjectRef, settings: BodyRoutingSettings) -> Manifest:
    """Return the OCIRepository of the router of `gateway`."""
    return _manifest(SOURCE_API, "OCIRepository", gateway, source_spec(settings.chart))


def router_release(gateway: ObjectRef, provider: str, settings: BodyRoutingSettings) -> Manifest:
    """Return the HelmRelease of the router of `gateway`; `provider` is the chart's value for the Gateway's implementation."""
    name = body_router_name(gateway.name)
    values: dict[str, Any] = copy.deepcopy(dict(settings.values))
    ours = {"bbr": {"name": name}, "provider": {"name": provider}, "inferenceGateway": {"name": gateway.name}}
    for path, value in leaves(ours):
        put(values, path, value)
    spec = release_spec(name, name, {BODY_ROUTER_LABEL: name}, values, account=settings.service_account)
    spec |= {"interval": _INTERVAL, "postRenderers": [_with_readiness(name, value_at(values, ("bbr", "port")) or _PORT)]}
    return _manifest(RELEASE_API, "HelmRelease", gateway, spec)


def _with_readiness(name: str, port: int) -> dict[str, Any]:
    """Return the patch that adds a readiness probe: without one, the router's pods are ready some seconds before they listen."""
    probe = {"tcpSocket": {"port": port}, "periodSeconds": 2}
    pod = {"spec": {"containers": [{"name": _CONTAINER, "readinessProbe": probe}]}}
    patch = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {"template": pod}}
    return {"kustomize": {"patches": [{"target": {"kind": "Deployment", "name": name}, "patch": json.dumps(patch)}]}}


def _manifest(api_version: str, kind: str, gateway: ObjectRef, spec: dict[str, Any]) -> Manifest:
    name = body_router_name(gateway.name)
    labels = {MANAGED_BY_LABEL: FIELD_MANAGER, BODY_ROUTER_LABEL: name}
    metadata = {"name": name, "namespace": gateway.namespace, "labels": labels}
    return stamped({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})


def _apply(manifest: Manifest, live: Meta | None, link: LinkName) -> Iterator[Step]:
    """Yield the step that applies `manifest`; nothing if the object is up to date or is being deleted."""
    if live is None:
        yield Apply(manifest, link, force=False)
    elif not live.deleting and not _is_as(manifest, live):
        yield Apply(manifest, link, force=True, repairs=live.applied_hash == applied_hash(manifest))


def _is_as(manifest: Manifest, live: Meta) -> bool:
    return live.applied_hash == applied_hash(manifest) and is_ours(manifest, live.owned)

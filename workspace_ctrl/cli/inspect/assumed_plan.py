"""The plan for a Workspace without a controller: with settings and answers of the API server that are assumed. Pure.

The settings of the installation are not known here. What matters of them shows in the objects: the chart in the OCIRepository, the Gateway
in the status, whether gateways are wanted at all in what exists, and companion mode in where the status is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.api.labels import FINALIZER, STATUS_ANNOTATION
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.model.api_query_results import ConfigContent, DryRun, QueryResults, ScaleSelector
from workspace_ctrl.model.plan_decisions import Decisions
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import ChartSource, GatewayChoice, Mode, PlanSettings
from workspace_ctrl.planning.steps import DryRunWorkload, Query, ReadConfig, ReadScale
from workspace_ctrl.records.workspaces import WorkspaceRecord

_ROUNDS: Final = 3
"""Queries of planning: the content of a ConfigMap or a scale, then the dry-run, then none."""


def assumed_settings(item: Json, sources: Sequence[Json]) -> PlanSettings:
    """Return the settings of the installation, as far as they show in the Workspace `item` and its OCIRepositories, `sources`."""
    status = parse_status(item.get("status"))
    gateway = status.gateway
    key = next(iter(gateway.gateways), "") if gateway is not None else ""
    namespace, _, name = key.partition("/")
    version = gateway.chart.version if gateway is not None and gateway.chart is not None else None
    return PlanSettings(
        gateway_extension=_wants_gateway(item, sources),
        gateway=GatewayChoice(namespace, name) if name else None,
        gateway_namespaces=("*",) if not name else (),
        shared_paths=("/",),
        charts=(_chart(sources, version),),
        mode=Mode.COMPANION if is_of_kaito(item) else Mode.MANAGED,
    )


def is_of_kaito(item: Json) -> bool:
    """Whether a Workspace or InferenceSet is KAITO's: a controller in companion mode has written its status into an annotation."""
    return STATUS_ANNOTATION in (item["metadata"].get("annotations") or {})


def _wants_gateway(item: Json, sources: Sequence[Json]) -> bool:
    """Whether the feature gate is on: it is, unless a controller has written a status without a Gateway."""
    conditions = parse_status(item.get("status")).conditions
    is_told = find(conditions, ConditionType.READY) is not None
    has_gateway = find(conditions, ConditionType.GATEWAY_READY) is not None or FINALIZER in (
        item["metadata"].get("finalizers") or ()
    )
    return has_gateway or bool(sources) or not is_told


def _chart(sources: Sequence[Json], version: str | None) -> ChartSource:
    """Return the chart that Flux fetches; the default one where there is none."""
    default = ChartSource()
    spec = sources[0].get("spec") if sources else None
    if not isinstance(spec, Mapping) or not isinstance(spec.get("url"), str):
        return default
    tag = (spec.get("ref") or {}).get("tag")
    return replace(default, url=spec["url"], version=str(tag or version or default.version), insecure=bool(spec.get("insecure")))


def assumed_plan(workspace: WorkspaceRecord, snapshot: Snapshot, settings: PlanSettings) -> tuple[Snapshot, Decisions]:
    """Return the decisions of planning, and the snapshot with what it asks answered as if nothing were wrong: the status knows better."""
    outcome = plan(workspace, snapshot, settings)
    for _ in range(_ROUNDS):
        if not outcome.queries:
            break
        for query in outcome.queries:
            snapshot = replace(snapshot, query_results=_answered(snapshot.query_results, query))
        outcome = plan(workspace, snapshot, settings)
    return snapshot, outcome.decisions


def _answered(known: QueryResults, query: Query) -> QueryResults:
    match query:
        case DryRunWorkload(manifest):
            return replace(known, dry_run=DryRun(applied_hash(manifest), kind=manifest["kind"]))
        case ReadConfig(ref, version):
            return replace(known, config=ConfigContent(ref.name, version, ""))
        case ReadScale(_, uid):
            return replace(known, scale=ScaleSelector(uid))

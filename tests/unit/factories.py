"""Records with defaults, so that a test shows only what matters to it."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from workspace_ctrl.api.conditions import Condition
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.api.names import Names, names
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.model.plan_decisions import Decisions, Parent, Problem
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.chart.flux_objects import oci_repository
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.readiness.chain import evaluate, with_requests
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.readiness.status import status as status_of
from workspace_ctrl.records.chart_inventory import chart_object_id
from workspace_ctrl.records.flux import HelmRelease, OCIRepository
from workspace_ctrl.records.gateways import Gateway, GatewayClass, HTTPRoute, InferencePool, ParentStatus
from workspace_ctrl.records.listeners import Listener, ParentReference, RoutesFrom
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.workloads import Service, Workload
from workspace_ctrl.records.workspaces import WorkspaceRecord, parse_workspace_record

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NAMESPACE = "default"
NAME = "workspace-phi-4-mini"
UID = "uid-of-workspace"
ISTIO = "istio.io/gateway-controller"
SETTINGS = PlanSettings(gateway_extension=True)
DIGEST = "sha256:aaaa"


def quickstart(**changes: Any) -> dict[str, Any]:
    """The quickstart Workspace as JSON; `changes` replace top-level fields, None removes one."""
    raw: dict[str, Any] = {
        "apiVersion": "kaito.sh/v1beta1",
        "kind": "Workspace",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "uid": UID, "generation": 1},
        "resource": {
            "count": 1,
            "instanceType": "Standard_NC24ads_A100_v4",
            "labelSelector": {"matchLabels": {"apps": "phi-4-mini"}},
        },
        "inference": {"preset": {"name": "phi-4-mini-instruct"}},
    }
    raw.update(changes)
    return {key: value for key, value in raw.items() if value is not None}


def workspace(
    raw: Mapping[str, Any] | None = None, *, finalizer: bool = True, deleting: bool = False, **changes: Any
) -> WorkspaceRecord:
    """The record of a Workspace."""
    document = json.loads(json.dumps(raw or quickstart(**changes)))
    if finalizer:
        document["metadata"]["finalizers"] = ["workspace-ctrl/gateway"]
    if deleting:
        document["metadata"]["deletionTimestamp"] = "2026-11-21T11:00:00Z"
    return parse_workspace_record(document, "Workspace")


def derived() -> Names:
    """The names of the quickstart's objects."""
    return names(NAME)


def meta(kind: str, name: str = NAME, *, namespace: str = NAMESPACE, owner: str = UID, hash_: str = "", **fields: Any) -> Meta:
    """Metadata of an object that the quickstart controls."""
    return Meta(
        ref=ObjectRef(kind, namespace, name),
        uid=f"uid-of-{kind}",
        generation=fields.pop("generation", 1),
        controller_uid=owner,
        workspace=NAME,
        applied_hash=hash_,
        **fields,
    )


def condition(
    type_: str, status: str = "True", reason: str = "Because", message: str = "so it is", generation: int | None = 1
) -> Condition:
    """One condition."""
    return Condition(type_, status, reason, message, generation)


def deployment(
    *, ready: int = 1, replicas: int = 1, generation: int = 1, observed: int = 1, name: str = NAME, **fields: Any
) -> Workload:
    """A Deployment."""
    return Workload(
        meta=meta("Deployment", name, generation=generation, hash_=fields.pop("hash_", ""), owner=fields.pop("owner", UID)),
        observed_generation=observed,
        replicas=replicas,
        updated_replicas=fields.pop("updated", ready),
        ready_replicas=ready,
        **fields,
    )


def service(hash_: str = "") -> Service:
    """The Service."""
    return Service(meta=meta("Service", hash_=hash_))


def pod(
    *, ready: bool = True, node: str = "node-1", name: str = "pod-1", labels: Mapping[str, str] | None = None, **fields: Any
) -> Pod:
    """A model-server pod."""
    return Pod(meta=meta("Pod", name), labels=labels or {POD_LABEL: NAME}, node=node, ready=ready, **fields)


def source(*, generation: int = 1, observed: int = 1, digest: str = DIGEST, hash_: str = "", **fields: Any) -> OCIRepository:
    """An OCIRepository that has fetched its chart."""
    return OCIRepository(
        meta=meta("OCIRepository", derived().source, generation=generation, hash_=hash_),
        conditions=fields.pop("conditions", (condition("Ready", reason="Succeeded", generation=observed),)),
        observed_generation=observed,
        revision=f"v1.5.0@{digest}" if digest else "",
        **fields,
    )


def fetched_source() -> OCIRepository:
    """An OCIRepository that has fetched what the quickstart asks for now."""
    return source(hash_=applied_hash(oci_repository(workspace().meta, derived(), SETTINGS.chart)))


def release(*, generation: int = 1, observed: int = 1, digest: str = DIGEST, hash_: str = "", **fields: Any) -> HelmRelease:
    """A HelmRelease that has installed its chart."""
    return HelmRelease(
        meta=meta("HelmRelease", derived().source, generation=generation, hash_=hash_),
        conditions=fields.pop("conditions", (condition("Ready", reason="InstallSucceeded", generation=observed),)),
        observed_generation=observed,
        last_attempted_generation=fields.pop("attempted", observed),
        last_attempted_digest=digest,
        deployed=fields.pop("deployed", True),
        chart_name="inferencepool",
        chart_version="1.5.0",
        **fields,
    )


def applied_fields(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The entry in managedFields after the controller has applied a manifest."""
    return {"manager": "workspace-ctrl", "operation": "Apply", "fieldsV1": _fields(manifest)}


def _fields(value: object) -> dict[str, Any]:
    return {f"f:{name}": _fields(child) for name, child in value.items()} if isinstance(value, Mapping) else {}


def gateway(name: str = "inference-gateway", *, namespace: str = NAMESPACE, **fields: Any) -> Gateway:
    """A programmed Gateway of class istio."""
    return Gateway(
        meta=meta("Gateway", name, namespace=namespace, owner=""),
        conditions=fields.pop("conditions", (condition("Programmed"),)),
        class_name=fields.pop("class_name", "istio"),
        listeners=fields.pop("listeners", (Listener("http", "HTTP", 80, routes_from=RoutesFrom.ALL),)),
        addresses=fields.pop("addresses", ("gateway.example",)),
        **fields,
    )


def gateway_class(name: str = "istio", controller: str = ISTIO) -> GatewayClass:
    """A GatewayClass."""
    return GatewayClass(meta=meta("GatewayClass", name, namespace="", owner=""), controller=controller)


def parent(**fields: Any) -> Parent:
    """The Gateway that was chosen."""
    chosen = fields.pop("gateway", gateway())
    section = fields.pop("section", "")
    listeners = tuple(entry for entry in chosen.listeners if entry.speaks_http and section in {"", entry.name})
    given = {"controller": ISTIO, "class_title": "Istio", "listeners": listeners, **fields}
    return Parent(gateway=chosen, section=section, **given)


def parent_status(*conditions: Condition, controller: str = ISTIO, name: str = "inference-gateway", **about: Any) -> ParentStatus:
    """What a gateway controller says of an attachment; `about` are the listener's name and port in the parentRef."""
    return ParentStatus(
        parent=ParentReference(ObjectRef("Gateway", NAMESPACE, name), **about),
        controller=controller,
        conditions=conditions or (condition("Accepted"), condition("ResolvedRefs")),
    )


def route(*parents: ParentStatus, generation: int = 1, hash_: str = "") -> HTTPRoute:
    """An HTTPRoute that the gateway controller has accepted."""
    return HTTPRoute(meta=meta("HTTPRoute", generation=generation, hash_=hash_), parents=parents or (parent_status(),))


def pool(*parents: ParentStatus, generation: int = 1, selector: Mapping[str, str] | None = None) -> InferencePool:
    """An InferencePool that the gateway controller has accepted."""
    return InferencePool(
        meta=meta("InferencePool", derived().release, generation=generation, owner=""),
        parents=parents or (parent_status(),),
        selector=selector or {POD_LABEL: NAME},
    )


PICKER_SERVICE = {chart_object_id("Service", derived().endpoint_picker): 1}
"""The Service of the endpoint picker, among the objects of the chart."""
PICKER_NOT_FOUND = condition("ResolvedRefs", "False", "InvalidExtensionRef")


def missed_pool(*parents: ParentStatus, generation: int = 1) -> InferencePool:
    """An InferencePool whose gateway controller has not found the endpoint picker's Service."""
    said = parents or (parent_status(condition("Accepted"), PICKER_NOT_FOUND),)
    return replace(pool(*said, generation=generation), picker_service=derived().endpoint_picker)


def picker(**fields: Any) -> Workload:
    """The endpoint picker's Deployment."""
    return deployment(name=derived().endpoint_picker, **fields)


def decisions(*problems: Problem, **fields: Any) -> Decisions:
    """Decisions for an accepted workload behind the Gateway."""
    return Decisions(
        **{
            "gateway_wanted": True,
            "names": derived(),
            "workload_kind": "Deployment",
            "parents": (parent(),),
            "path": f"/{NAMESPACE}/{NAME}",
            "model_names": ("phi-4-mini-instruct",),
            "node_count": 1,
            "sizing": "1 x Standard_NC24ads_A100_v4",
            **fields,
        },
        problems=problems,
    )


def chain(snapshot: Snapshot, decided: Decisions) -> tuple[Link, ...]:
    """All links of the chain."""
    return with_requests(evaluate(snapshot, decided), snapshot, decided).links


def status(record: WorkspaceRecord, snapshot: Snapshot, decided: Decisions, now: datetime) -> WorkspaceStatus:
    """The status after one evaluation of the chain."""
    return status_of(record, snapshot, decided, evaluate(snapshot, decided), now)

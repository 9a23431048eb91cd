"""What the benchmark creates: many Workspaces, the same objects without a controller, and Workspaces that cannot be ready."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from e2e import workspaces
from workspace_ctrl.api.names import names
from workspace_ctrl.kube.store import Key
from workspace_ctrl.planning.plan_settings import ChartSource, PlanSettings
from workspace_ctrl.planning.preview import preview

Manifest = dict[str, Any]

GATEWAY_NAMESPACE = "bench-gateway"
GATEWAY = "inference-gateway"
MOST_NAMESPACES = 10
QUOTA_NAMESPACE = "broken-quota"
BROKEN_NAMESPACES = ("broken-unschedulable", QUOTA_NAMESPACE, "broken-release")


@dataclass(frozen=True, slots=True)
class Fleet:
    """Workspaces of the quickstart's shape, spread over namespaces that begin with the same word."""

    prefix: str
    count: int

    @property
    def namespaces(self) -> list[str]:
        """The namespaces."""
        return [f"{self.prefix}-{number}" for number in range(min(self.count, MOST_NAMESPACES))]

    @property
    def keys(self) -> list[Key]:
        """The Workspaces' keys."""
        spaces = self.namespaces
        return [(spaces[number % len(spaces)], f"phi-{number:05}") for number in range(self.count)]

    def workspaces(self) -> list[Manifest]:
        """Return the Workspaces."""
        return [workspace(key) for key in self.keys]

    def objects(self, chart: ChartSource) -> list[Manifest]:
        """Return what the Workspaces would become, without their owners, in the order of creation."""
        settings = PlanSettings(gateway_extension=True, charts=(chart,))
        return [_disowned(manifest) for raw in self.workspaces() for manifest in preview(raw, (), settings).manifests]


def workspace(key: Key, **fields: Any) -> Manifest:
    """Return a Workspace behind the benchmark's Gateway; `fields` as for `workspaces.workspace`."""
    namespace, name = key
    manifest = workspaces.workspace(name, gateway=workspaces.behind(GATEWAY, GATEWAY_NAMESPACE), **fields)
    manifest["metadata"]["namespace"] = namespace
    return manifest


def namespace(name: str) -> Manifest:
    """Return a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def chart_of(url: str) -> ChartSource:
    """Return the chart of the cluster's own registry, which speaks plain HTTP on loopback."""
    return ChartSource(url=url, insecure=url.startswith("oci://127.0.0.1:"))


def broken_surroundings() -> list[Manifest]:
    """Return the namespaces of the broken Workspaces, with a quota that admits no Deployment in one of them."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "none", "namespace": QUOTA_NAMESPACE},
        "spec": {"hard": {"count/deployments.apps": "0"}},
    }
    return [*map(namespace, BROKEN_NAMESPACES), quota]


def broken(count: int) -> Iterator[tuple[Manifest, Manifest | None]]:
    """Yield Workspaces that never become ready, each with the object that has to be there before it, if any.

    In turn: no node has the labels; a quota refuses the workload; a Service that is not Helm's has the endpoint picker's name, so that
    Flux fails to install, again and again.
    """
    for number in range(count):
        space = BROKEN_NAMESPACES[number % len(BROKEN_NAMESPACES)]
        key = (space, f"broken-{number:03}")
        if space == "broken-unschedulable":
            selector = {"labelSelector": {"matchLabels": {"apps": "nowhere"}}, "instanceType": "Standard_NC24ads_A100_v4"}
            yield workspace(key, resource=selector), None
        elif space == QUOTA_NAMESPACE:
            yield workspace(key), None
        else:
            yield workspace(key), _foreign_service(key)


def _foreign_service(key: Key) -> Manifest:
    metadata = {"namespace": key[0], "name": names(key[1]).endpoint_picker}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}]}}


def _disowned(manifest: Mapping[str, Any]) -> Manifest:
    metadata = {field: value for field, value in manifest["metadata"].items() if field != "ownerReferences"}
    return {**manifest, "metadata": metadata}


def is_true(item: Mapping[str, Any], type_: str) -> bool:
    """Whether a condition of an object is True for its newest generation."""
    conditions = item.get("status", {}).get("conditions") or ()
    generation = item["metadata"].get("generation", 0)
    return any(
        entry["type"] == type_ and entry["status"] == "True" and entry.get("observedGeneration", 0) >= generation
        for entry in conditions
    )

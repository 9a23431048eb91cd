"""`python -m tests.compatibility.record`: runs the version before on a plane, and writes down all that it has stored there.

The objects are those of its own examples and of every form of gateway. What differs each time, such as uids, is replaced.
"""

import json
import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from e2e import earlier, workspaces
from e2e.cluster import Cluster, Form, down, up
from e2e.cluster.addons import ALL
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until

RECORDED = Path(__file__).with_name(f"{earlier.VERSION}.json")
NAMESPACE = "recorded"
KINDS = (
    "workspaces,deployments,statefulsets,services,configmaps,persistentvolumeclaims,ocirepositories,helmreleases,httproutes,"
    "inferencepools,inferenceobjectives,leases,events,pods"
)
_EXAMPLES = ("adapters", "any-model", "configuration", "multi-node", "own-nodes", "own-pods", "pod-template", "weights-volume")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def documents(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the examples of a version, each Workspace under the name of its example, and Workspaces with every form of gateway."""
    for example in _EXAMPLES:
        for path in sorted((folder / "examples" / example).glob("*.yaml")):
            for document in yaml.safe_load_all(path.read_text()):
                if document and document["kind"] != "Namespace":
                    document["metadata"].pop("namespace", None)
                    yield document
    behind = workspaces.behind("inference-gateway", NAMESPACE)
    forms: dict[str, dict[str, Any]] = {
        "plain": {},
        "header": {"match": {"header": True}},
        "path": {"match": {"path": f"/{NAMESPACE}/elsewhere"}, "hostnames": ["models.example.com"]},
        "picker": {"endpointPicker": {"replicas": 2, "resources": {"requests": {"cpu": "1"}}}},
        "chart": {"chart": {"version": "v1.4.0"}, "pool": {"failureMode": "FailClose"}},
        "objectives": {"objectives": [{"name": "urgent", "priority": 10}, {"name": "batch", "priority": -10}]},
    }
    for name, fields in forms.items():
        yield workspaces.workspace(f"form-{name}", gateway={**behind, **fields})
    yield workspaces.workspace("form-off", gateway={"enabled": False})
    yield workspaces.workspace("form-alpha", apiVersion="kaito.sh/v1alpha1", gateway=behind)


def record(cluster: Cluster) -> list[dict[str, Any]]:
    """Return all objects that the version before has made of its examples."""
    folder = earlier.earlier()
    crd = (folder / "charts/workspace-ctrl/files/kaito.sh_workspaces.yaml").read_text()
    cluster.kubectl("apply", "--server-side", "-f", "-", input=crd)
    workspaces.wait_served(cluster, "workspaces.kaito.sh")
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "-n", NAMESPACE, KUBECTL_TIMEOUT)
    workspaces.apply(cluster, NAMESPACE, *workspaces.played_gateway())
    lease = ("--leader-elect", "--leader-election-namespace", NAMESPACE)
    with ControllerProcess(cluster, *lease, source=folder):
        for document in documents(folder):
            workspaces.apply(cluster, NAMESPACE, document)
        names = [item["metadata"]["name"] for item in workspaces.items(cluster, NAMESPACE, "workspaces")]
        until(lambda: all(_has_verdict(item) for item in workspaces.items(cluster, NAMESPACE, "workspaces")), "all statuses")
        workspaces.wait_ready(cluster, NAMESPACE, "form-plain", "Ready")
        found = [item for item in workspaces.items(cluster, NAMESPACE, KINDS) if _is_kept(item)]
    print(f"{len(names)} Workspaces, {len(found)} objects")
    return found


def _is_kept(item: dict[str, Any]) -> bool:
    """Whether to record an object: of Events, pods and what charts make, those of one Workspace say all."""
    if item["kind"] in {"Event", "Pod"} or "helm.toolkit.fluxcd.io/name" in item["metadata"].get("labels", {}):
        return item["metadata"]["name"].startswith("form-plain") or item["kind"] in {"InferencePool", "InferenceObjective"}
    return True


def _has_verdict(item: dict[str, Any]) -> bool:
    """Whether its status says something final about its model server."""
    conditions = item.get("status", {}).get("conditions", ())
    return any(entry["type"] == "Ready" and entry["observedGeneration"] == item["metadata"]["generation"] for entry in conditions)


def steady(text: str) -> str:
    """Return JSON without what differs each time, or on each machine."""
    text = re.sub(r"127\.0\.0\.1:\d{5}", "127.0.0.1:5000", text.replace(f'"{socket.gethostname()}_', '"replica_'))
    uids = {uid: f"00000000-0000-4000-8000-{number:012}" for number, uid in enumerate(dict.fromkeys(_UID.findall(text)))}
    return _UID.sub(lambda found: uids[found[0]], _TIME.sub("2026-11-21T12:00:00Z", text))


def main() -> None:
    """Record, and write the file."""
    name = f"record-{os.getpid()}"
    try:
        found = record(up(name, Form.PLANE, (ALL,)))
    finally:
        down(name)
    RECORDED.write_text(steady(json.dumps(found, indent=1, sort_keys=True)) + "\n")


if __name__ == "__main__":
    main()

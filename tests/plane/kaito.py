"""A stand-in for an installed KAITO: its CRD, its model servers, and a controller that replaces statuses by what it has read before."""

import copy
import json
from http import HTTPStatus
from typing import Any

import yaml

from e2e import workspaces
from e2e.bench.client import BareClient
from e2e.bench.errors import BenchmarkError
from e2e.cluster import Cluster
from workspace_ctrl.api.crd import crd
from workspace_ctrl.cache.watches import WORKSPACE
from workspace_ctrl.kube.store import Key

_ANYTHING = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_CONDITION = {
    "type": "object",
    "required": ["lastTransitionTime", "message", "reason", "status", "type"],
    "properties": {
        "lastTransitionTime": {"type": "string", "format": "date-time"},
        "message": {"type": "string", "maxLength": 32768},
        "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
        "reason": {"type": "string", "minLength": 1, "maxLength": 1024, "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"},
        "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
        "type": {"type": "string", "maxLength": 316},
    },
}
_STATUS = {
    "type": "object",
    "properties": {
        "conditions": {"type": "array", "items": _CONDITION},  # atomic, as the default of a CRD
        "state": {"type": "string"},
        "targetNodeCount": {"type": "integer", "format": "int32"},
        "workerNodes": {"type": "array", "items": {"type": "string"}},
    },
}
_ATTEMPTS = 20
TIME = "2026-11-27T12:00:00Z"
INDEX = "apps.kubernetes.io/pod-index"
LABEL = "kaito.sh/workspace"


def kaito_crd() -> dict[str, Any]:
    """Return the CRD of Workspaces as KAITO has it: without `gateway`, and with an atomic list of conditions."""
    fields = dict.fromkeys(("resource", "inference", "tuning"), _ANYTHING)
    schema = {"type": "object", "properties": {"metadata": {"type": "object"}, **fields, "status": _STATUS}}
    version = {"served": True, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}
    names = {"kind": "Workspace", "listKind": "WorkspaceList", "plural": "workspaces", "singular": "workspace"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "workspaces.kaito.sh"},
        "spec": {
            "group": "kaito.sh",
            "scope": "Namespaced",
            "names": names,
            "versions": [{"name": "v1beta1", "storage": True, **version}, {"name": "v1alpha1", "storage": False, **version}],
        },
    }


def install_kaitos(cluster: Cluster) -> None:
    """Replace the CRD of Workspaces by KAITO's."""
    _replace(cluster, kaito_crd())


def install_ours(cluster: Cluster) -> None:
    """Replace it by ours."""
    _replace(cluster, crd())


def _replace(cluster: Cluster, document: dict[str, Any]) -> None:
    cluster.kubectl("replace", "-f", "-", input=yaml.safe_dump(document))
    workspaces.wait_established(cluster, "workspaces.kaito.sh")


def stateful_set(workspace: dict[str, Any]) -> dict[str, Any]:
    """Return the StatefulSet that KAITO 0.8 and later make for a Workspace."""
    name, labels = workspace["metadata"]["name"], {LABEL: workspace["metadata"]["name"]}
    owner = {"apiVersion": "kaito.sh/v1beta1", "kind": "Workspace", "name": name, "uid": workspace["metadata"]["uid"]}
    pod = {"containers": [{"name": name, "image": "example/kaito-base:1", "ports": [{"containerPort": 5000}]}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}]},
        "spec": {
            "replicas": 1,
            "serviceName": f"{name}-headless",
            "podManagementPolicy": "Parallel",
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


class StaleController:
    """Replaces statuses as KAITO's controller does when its cache is behind: by one that it has read before, with its own news in it."""

    def __init__(self, client: BareClient) -> None:
        self._client = client
        self._copies: dict[Key, list[dict[str, Any]]] = {}
        self.written: dict[Key, str] = {}
        """What it has said last, by Workspace."""
        self.writes = 0

    async def read(self, key: Key) -> None:
        """Keep a copy of the status as it is now."""
        live = await self._client.get(WORKSPACE, key)
        self._copies.setdefault(key, []).append(live.get("status") or {})

    async def rewrite(self, key: Key, copy_number: int = 0) -> None:
        """Replace the status by an earlier copy, with a new message of its own; tried again on the newest version as client-go does."""
        self.writes += 1
        said = f"reconciled {self.writes} times"
        status = copy.deepcopy(self._copies[key][copy_number % len(self._copies[key])])
        theirs = [entry for entry in status.get("conditions", []) if entry["type"] != "ResourceReady"]
        own = {"type": "ResourceReady", "status": "True", "reason": "Reconciled", "message": said, "lastTransitionTime": TIME}
        status |= {"conditions": [own, *theirs], "state": "Ready"}
        for _ in range(_ATTEMPTS):
            if await self._put(key, status):
                self.written[key] = said
                return
        raise AssertionError(f"{key} changes all the time")

    async def _put(self, key: Key, status: dict[str, Any]) -> bool:
        live = await self._client.get(WORKSPACE, key)
        body = json.dumps({**live, "status": status}).encode()
        try:
            await self._client.send("PUT", WORKSPACE.path(*key, "status"), body, "application/json")
        except BenchmarkError as error:
            if f": {HTTPStatus.CONFLICT.value} " not in str(error):
                raise
            return False
        return True

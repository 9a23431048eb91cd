"""A stand-in for an installed KAITO: its CRD, its model servers, and a controller that replaces statuses by what it has read before."""

import copy
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import yaml

from e2e import workspaces
from e2e.bench.client import BareClient
from e2e.bench.errors import BenchmarkError
from e2e.cluster import Cluster
from workspace_ctrl.api.crd import KINDS, crd
from workspace_ctrl.api.labels import KIND, SET_KIND, SET_LABEL
from workspace_ctrl.kube.resources import ApiResource

Named = tuple[ApiResource, str, str]
"""Resource, namespace and name of a Workspace or InferenceSet."""

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


def kaito_crd(kind: str = KIND, versions: Sequence[str] = ("v1beta1", "v1alpha1")) -> dict[str, Any]:
    """Return the CRD of Workspaces or InferenceSets as KAITO has it: without `gateway`, and with an atomic list of conditions.

    The first of the `versions` is the stored one. Up to 0.10, InferenceSets have v1alpha1 alone.
    """
    fields = dict.fromkeys(("spec",) if kind == SET_KIND else ("resource", "inference", "tuning"), _ANYTHING)
    schema = {"type": "object", "properties": {"metadata": {"type": "object"}, **fields, "status": _STATUS}}
    version = {"served": True, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}}
    plural = f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.kaito.sh"},
        "spec": {
            "group": "kaito.sh",
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()},
            "versions": [{"name": name, "storage": name == versions[0], **version} for name in versions],
        },
    }


def install_kaitos(cluster: Cluster) -> None:
    """Replace the CRDs by KAITO's."""
    _replace(cluster, *(kaito_crd(kind) for kind in KINDS))


def serve_sets(cluster: Cluster, *versions: str) -> None:
    """Change the CRD of InferenceSets, as an upgrade of KAITO does; the first of the `versions` is the stored one from then on."""
    _replace(cluster, kaito_crd(SET_KIND, versions))


def install_ours(cluster: Cluster) -> None:
    """Replace them by ours."""
    _replace(cluster, *(crd(kind) for kind in KINDS))


def _replace(cluster: Cluster, *documents: dict[str, Any]) -> None:
    cluster.kubectl("replace", "-f", "-", input=yaml.safe_dump_all(documents))
    for document in documents:
        workspaces.wait_served(cluster, document["metadata"]["name"])


def copy_of(inference_set: dict[str, Any]) -> dict[str, Any]:
    """Return the Workspace that KAITO makes for a copy of an InferenceSet."""
    metadata, template = inference_set["metadata"], inference_set["spec"]["template"]
    owner = {"apiVersion": inference_set["apiVersion"], "kind": SET_KIND, "name": metadata["name"], "uid": metadata["uid"]}
    document = workspaces.workspace(f"{metadata['name']}-x2x4x", inference=template["inference"])
    owners = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    document["metadata"] |= {"labels": {SET_LABEL: metadata["name"]}, "ownerReferences": owners}
    return document


def stateful_set(workspace: dict[str, Any]) -> dict[str, Any]:
    """Return the StatefulSet that KAITO 0.8 and later make for a Workspace."""
    name = workspace["metadata"]["name"]
    labels = {LABEL: name, **{key: value for key, value in workspace["metadata"].get("labels", {}).items() if key == SET_LABEL}}
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
        self._copies: dict[Named, list[dict[str, Any]]] = {}
        self.written: dict[Named, str] = {}
        """What it has said last, by object."""
        self.writes = 0

    async def read(self, named: Named) -> None:
        """Keep a copy of the status as it is now."""
        live = await self._client.get(named[0], named[1:])
        self._copies.setdefault(named, []).append(live.get("status") or {})

    async def rewrite(self, named: Named, copy_number: int = 0) -> None:
        """Replace the status by an earlier copy, with a new message of its own; tried again on the newest version as client-go does."""
        self.writes += 1
        said = f"reconciled {self.writes} times"
        status = copy.deepcopy(self._copies[named][copy_number % len(self._copies[named])])
        theirs = [entry for entry in status.get("conditions", []) if entry["type"] != "ResourceReady"]
        own = {"type": "ResourceReady", "status": "True", "reason": "Reconciled", "message": said, "lastTransitionTime": TIME}
        status |= {"conditions": [own, *theirs], "state": "Ready"}
        for _ in range(_ATTEMPTS):
            if await self._put(named, status):
                self.written[named] = said
                return
        raise AssertionError(f"{named} changes all the time")

    async def _put(self, named: Named, status: dict[str, Any]) -> bool:
        live = await self._client.get(named[0], named[1:])
        body = json.dumps({**live, "status": status}).encode()
        try:
            await self._client.send("PUT", named[0].path(*named[1:], "status"), body, "application/json")
        except BenchmarkError as error:
            if f": {HTTPStatus.CONFLICT.value} " not in str(error):
                raise
            return False
        return True

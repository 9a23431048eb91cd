"""The workload of a user's own pod template: a Deployment."""

import json
from collections.abc import Mapping
from typing import Any

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import Copies
from workspace_ctrl.api.labels import INFERENCE_PORT, POD_LABEL
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.api.workspace import Resource
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.preset.preset_pods import set_labels
from workspace_ctrl.planning.preset.preset_workload import replicas_of, rollout
from workspace_ctrl.planning.workload.expected_port import port_notes
from workspace_ctrl.planning.workload.node_affinity import TOLERATIONS, node_affinity
from workspace_ctrl.records.meta import Meta, list_of, mapping_of
from workspace_ctrl.records.workloads import is_port, serving_port

_PATH = "inference.template"
_LONGEST_VALUE = 64
"""Value of a user in a message, in characters."""
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_MOST_COPIED = 128 * 1024
"""Longest node requirements of `resource` when copied into all terms, in characters; Kubernetes stores 1.5 MB at most."""


def template_port(template: Mapping[str, Any]) -> tuple[int, str, tuple[str, ...]]:
    """Return the port of a pod template, what was assumed because it has none, and further notes.

    Raises:
        SpecError: a container port is no port number.
    """
    _check_ports(template)
    found, assumed = serving_port(template), ""
    if found.number is None:
        assumed = (
            f"{_PATH} has no container port, so the model server is expected on port {INFERENCE_PORT}; "
            f"set {_PATH}.spec.containers[].ports[].containerPort to the port on which it listens"
        )
    return found.number or INFERENCE_PORT, assumed, tuple(port_notes(found, _PATH, "name the right one http"))


def _check_ports(template: Mapping[str, Any]) -> None:
    """Check the container ports, as the API server's message is long and does not name the field.

    Raises:
        SpecError: one is no port number.
    """
    pod = mapping_of(template.get("spec"))
    for kind in ("initContainers", "containers"):
        for index, container in enumerate(list_of(pod.get(kind))):
            for place, port in enumerate(list_of(mapping_of(container).get("ports"))):
                number = mapping_of(port).get("containerPort")
                if number is not None and not is_port(number):
                    field = f"{_PATH}.spec.{kind}[{index}].ports[{place}].containerPort"
                    raise SpecError(
                        field, f"is {excerpt(repr(number), _LONGEST_VALUE)}", "use a number from 1 to 65535, without quotes"
                    )


def template_workload(
    owner: Meta,
    names: Names,
    resource: Resource,
    template: Mapping[str, Any],
    copies: Copies | None = None,
    *,
    scaled_by_others: bool,
) -> Manifest:
    """Return the Deployment of the template's pods; `copies` is how an InferenceSet copies it, None for a Workspace.

    The template is kept, with our label, and with the node affinity and tolerations of `resource` added to its own.

    Raises:
        SpecError: the template is invalid at the top; the API server's dry-run reports all other errors.
    """
    metadata = _mapping(template.get("metadata"), f"{_PATH}.metadata")
    own = {POD_LABEL: names.workspace, **set_labels(names, copies)}
    labels = {**_mapping(metadata.get("labels"), f"{_PATH}.metadata.labels"), **own}
    spec = _mapping(template.get("spec"), f"{_PATH}.spec")
    containers = spec.get("containers")
    if not isinstance(containers, list) or not all(isinstance(container, Mapping) for container in containers) or not containers:
        raise SpecError(f"{_PATH}.spec.containers", "needs at least one container")
    body: dict[str, Any] = {
        "spec": {
            **replicas_of(copies),
            "selector": {"matchLabels": {POD_LABEL: names.workspace}},
            "strategy": rollout(copies),
            "template": {"metadata": {**metadata, "labels": labels}, "spec": _placed(spec, resource)},
        }
    }
    if copies is None and resource.count > 1 and not scaled_by_others:
        body["spec"]["replicas"] = resource.count
    return owned("apps/v1", "Deployment", names.workload, owner, body)


def _placed(spec: Mapping[str, Any], resource: Resource) -> dict[str, Any]:
    path = f"{_PATH}.spec"
    tolerations = spec.get("tolerations") or []
    if not isinstance(tolerations, list):
        raise SpecError(f"{path}.tolerations", "must be a list")
    affinity = _mapping(spec.get("affinity"), f"{path}.affinity")
    theirs = _mapping(affinity.get("nodeAffinity"), f"{path}.affinity.nodeAffinity")
    # Variables for each Service of the namespace, such as VLLM_PORT for a Service called vllm, are read as settings by model servers.
    links = spec.get("enableServiceLinks")
    placed: dict[str, Any] = {
        "enableServiceLinks": False if links is None else links,
        "affinity": {**affinity, "nodeAffinity": _both(theirs, node_affinity(resource))},
        "tolerations": [*tolerations, *(entry for entry in TOLERATIONS if entry not in tolerations)],
    }
    # So that the end of the log of a failed container is in its status, unless it writes a termination message.
    for name in ("initContainers", "containers"):
        if isinstance(spec.get(name), list):
            placed[name] = [
                {"terminationMessagePolicy": "FallbackToLogsOnError", **entry} if isinstance(entry, Mapping) else entry
                for entry in spec[name]
            ]
    return {**spec, **placed}


def _both(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """Return the affinity that requires both; all expressions of a term must match, and one of several terms."""
    merged = {**theirs, **{key: value for key, value in ours.items() if key == _PREFERRED}}
    if _PREFERRED in ours and isinstance(theirs.get(_PREFERRED), list):
        merged[_PREFERRED] = [*theirs[_PREFERRED], *ours[_PREFERRED]]
    if _REQUIRED in ours:
        [our_term] = ours[_REQUIRED]["nodeSelectorTerms"]
        path = f"{_PATH}.spec.affinity.nodeAffinity.{_REQUIRED}"
        terms = _mapping(theirs.get(_REQUIRED), path).get("nodeSelectorTerms") or [{}]
        if not isinstance(terms, list):
            raise SpecError(f"{path}.nodeSelectorTerms", "must be a list")
        if (len(terms) - 1) * len(json.dumps(our_term)) > _MOST_COPIED:
            problem = f"has {len(terms)} terms; with the requirements of resource in each, they exceed {_MOST_COPIED // 1024} KiB"
            raise SpecError(f"{path}.nodeSelectorTerms", problem, "use fewer terms, or move the labels of resource into them")
        merged[_REQUIRED] = {"nodeSelectorTerms": [_both_terms(_mapping(term, path), our_term, path) for term in terms]}
    return merged


def _both_terms(theirs: Mapping[str, Any], ours: Mapping[str, Any], path: str) -> dict[str, Any]:
    expressions = theirs.get("matchExpressions") or []
    if not isinstance(expressions, list):
        raise SpecError(f"{path}.nodeSelectorTerms", "has matchExpressions that are not a list")
    return {**theirs, "matchExpressions": [*expressions, *ours["matchExpressions"]]}


def _mapping(value: object, path: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise SpecError(path, "must be an object")
    return value

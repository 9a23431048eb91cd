"""Common parts of all manifests: metadata, ownership, and the hash of the fields that we define."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

import orjson

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import FIELD_MANAGER, GROUP_LABEL, HASH_ANNOTATION, MANAGED_BY_LABEL, OWNER_LABEL
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.objectives import OBJECTIVE, objective_kind

Manifest = dict[str, Any]

_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


def owned(
    api_version: str, kind: str, name: str, owner: Meta, body: Mapping[str, Any], *, annotations: Mapping[str, str] | None = None
) -> Manifest:
    """Return an object in the namespace of its owner and controlled by it, with the hash of the fields that we define."""
    manifest: Manifest = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": owner.ref.namespace,
            "labels": {MANAGED_BY_LABEL: FIELD_MANAGER, OWNER_LABEL: owner.ref.name},
            "ownerReferences": [
                {
                    "apiVersion": owner.api_version,
                    "kind": owner.ref.kind,
                    "name": owner.ref.name,
                    "uid": owner.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        **body,
    }
    if annotations:
        manifest["metadata"]["annotations"] = dict(annotations)
    return stamped(manifest)


def stamped(manifest: Manifest) -> Manifest:
    """Return `manifest` with the hash of its fields as an annotation.

    Raises:
        SpecError: a value cannot be sent. The fields of Workspaces are checked earlier; this covers everything else in manifests.
    """
    _check(manifest)
    metadata = manifest["metadata"]
    stamp = {HASH_ANNOTATION: manifest_hash(manifest), **metadata.get("annotations", {})}
    return {**manifest, "metadata": {**metadata, "annotations": stamp}}


def _check(manifest: Manifest) -> None:
    try:
        orjson.dumps(manifest)
    except orjson.JSONEncodeError as error:
        raise SpecError("", f"needs a {manifest['kind']} that cannot be sent to the API server: {error}") from None


def manifest_hash(manifest: Mapping[str, Any]) -> str:
    """Return a hash of the manifest that does not depend on the order of its keys."""
    # The leading letter is needed because YAML parses some hexadecimal strings, such as 1e5, as numbers.
    canonical = _CANONICAL.encode(manifest)
    return "h" + hashlib.sha256(canonical.encode()).hexdigest()[:15]


def applied_hash(manifest: Manifest) -> str:
    """Return the hash that `stamped` has added to the manifest."""
    value: str = manifest["metadata"]["annotations"][HASH_ANNOTATION]
    return value


def hash_with_replicas(manifest: Manifest, replicas: int) -> str:
    """Return the hash that `stamped` would add to the manifest if only its replicas were others."""
    metadata = manifest["metadata"]
    annotations = {key: value for key, value in metadata["annotations"].items() if key != HASH_ANNOTATION}
    unstamped = {key: value for key, value in metadata.items() if key != "annotations"} | (
        {"annotations": annotations} if annotations else {}
    )
    return manifest_hash({**manifest, "metadata": unstamped, "spec": {**manifest["spec"], "replicas": replicas}})


def group_of(manifest: Mapping[str, Any]) -> str:
    """Return the name of the group whose route an object is, given as manifest or as JSON; empty for all others."""
    name: str = (manifest["metadata"].get("labels") or {}).get(GROUP_LABEL, "")
    return name


def ref_of(manifest: Manifest) -> ObjectRef:
    """Return which object the manifest describes."""
    metadata = manifest["metadata"]
    return ObjectRef(kind_of(manifest), metadata.get("namespace", ""), metadata["name"])


def kind_of(manifest: Mapping[str, Any]) -> str:
    """Return the kind of an object as references name it, which differs from its `kind` where two API groups have that."""
    kind: str = manifest["kind"]
    return objective_kind(manifest["apiVersion"].partition("/")[0]) if kind == OBJECTIVE else kind

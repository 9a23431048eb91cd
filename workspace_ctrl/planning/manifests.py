"""What all manifests share: metadata, ownership, and the hash of what we decide."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import orjson

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import API_VERSION, FIELD_MANAGER, HASH_ANNOTATION, KIND, MANAGED_BY_LABEL, OWNER_LABEL
from workspace_ctrl.records.meta import Meta, ObjectRef

Manifest = dict[str, Any]


def owned(
    api_version: str, kind: str, name: str, owner: Meta, body: Mapping[str, Any], *, annotations: Mapping[str, str] | None = None
) -> Manifest:
    """Return an object in the owner's namespace that the owner controls, with the hash of all that we decide in it."""
    manifest: Manifest = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": owner.ref.namespace,
            "labels": {MANAGED_BY_LABEL: FIELD_MANAGER, OWNER_LABEL: owner.ref.name},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
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
    """Return `manifest` with the hash of all that we decide in it, among its annotations.

    Raises:
        SpecError: something in it cannot be sent. A Workspace's fields are looked at before; this is for what else goes into manifests.
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
    # A letter in front, because YAML takes some hexadecimal numbers, such as 1e5, for numbers.
    canonical = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
    return "h" + hashlib.sha256(canonical.encode()).hexdigest()[:15]


def applied_hash(manifest: Manifest) -> str:
    """Return the hash that `stamped` put into the manifest."""
    value: str = manifest["metadata"]["annotations"][HASH_ANNOTATION]
    return value


def ref_of(manifest: Manifest) -> ObjectRef:
    """Return which object the manifest describes."""
    metadata = manifest["metadata"]
    return ObjectRef(manifest["kind"], metadata.get("namespace", ""), metadata["name"])

"""Whether Flux is done with an object, as its status tells it: the conditions alone do not, as Flux writes them before the rest."""

import json
from datetime import UTC, datetime
from typing import Any

from e2e import workspaces
from e2e.cluster import Cluster
from e2e.waiting import until

REQUESTED = "reconcile.fluxcd.io/requestedAt"
_TAKEN_FOR_FLUX_SECONDS = 2.0
"""An edit so soon after Flux's own writes is taken for one of them (docs/concepts/readiness.md)."""
_SPARE_SECONDS = 8.0
"""Times in objects are whole seconds, and the controller, by whose clock the edit must be later, may learn of a write seconds later."""


def is_done(document: dict[str, Any]) -> bool:
    """Return whether a HelmRelease or OCIRepository has no spec, request or retry that Flux still works on."""
    metadata, status = document["metadata"], document.get("status", {})
    requested = metadata.get("annotations", {}).get(REQUESTED)
    is_busy = any((entry["type"], entry["status"]) == ("Reconciling", "True") for entry in status.get("conditions", ()))
    is_handled = requested is None or requested == status.get("lastHandledReconcileAt")
    return status.get("observedGeneration") == metadata["generation"] and is_handled and not is_busy


def wait_done(cluster: Cluster, namespace: str, kind: str, name: str) -> None:
    """Wait until Flux is done with an object."""
    until(lambda: is_done(workspaces.get(cluster, namespace, kind, name)), f"Flux to be done with {kind} {name}")


def wait_edits_count(cluster: Cluster, namespace: str, release: str) -> None:
    """Wait until an edit of an object of a release's chart can be nothing but an edit: Flux is done, and was so some seconds ago."""

    def is_long_done() -> bool:
        shown = cluster.kubectl("get", "helmrelease", release, "-n", namespace, "-o", "json", "--show-managed-fields")
        found = json.loads(shown)
        written = max(datetime.fromisoformat(entry["time"]) for entry in found["metadata"]["managedFields"])
        age = (datetime.now(UTC) - written).total_seconds()
        return is_done(found) and age >= _TAKEN_FOR_FLUX_SECONDS + _SPARE_SECONDS

    until(is_long_done, f"Flux to be done with HelmRelease {release} for some seconds")

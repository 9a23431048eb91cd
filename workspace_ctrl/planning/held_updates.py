"""Changes of pods that come from another version of this controller alone: they wait until the user wants them.

A new version may make other pods of the same spec: with a newer default image, say. To replace them takes a model away for as long as its
weights are loaded, so an upgrade of the controller does not do that by itself. The status of a Workspace has the version that its pods were
made by, and a hash of all that its user and the installation say about pods. If another version finds the same hash, what it would change
waits, and a warning says what that is. A change of the spec, or an annotation, ends the waiting. Copies of an InferenceSet do not wait:
they are replaced one by one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import Any, Final

from workspace_ctrl.api.labels import (
    BYPASS_ANNOTATION,
    GATEWAY_ANNOTATION,
    KIND,
    LOCAL_WEIGHTS_ANNOTATION,
    PERFORMANCE_ANNOTATION,
    RUNTIME_ANNOTATION,
    UPDATE_ALWAYS,
    UPDATE_ANNOTATION,
)
from workspace_ctrl.api.status import PodsStatus
from workspace_ctrl.catalog.gateway_classes import chart_provider
from workspace_ctrl.catalog.versions import pod_changes
from workspace_ctrl.planning.manifests import manifest_hash
from workspace_ctrl.planning.plan_settings import ChartSource, PlanSettings, UpdatePolicy
from workspace_ctrl.records.meta import ObjectRef, mapping_of
from workspace_ctrl.records.workloads import WorkloadKind
from workspace_ctrl.records.workspaces import WorkspaceRecord

SOURCE, RELEASE = "OCIRepository", "HelmRelease"
HELD_KINDS: Final = frozenset({*WorkloadKind, SOURCE, RELEASE})
"""Kinds of objects whose changes replace pods."""
_ANNOTATIONS: Final = (
    BYPASS_ANNOTATION,
    GATEWAY_ANNOTATION,
    LOCAL_WEIGHTS_ANNOTATION,
    PERFORMANCE_ANNOTATION,
    RUNTIME_ANNOTATION,
)
_FIELDS: Final = ("resource", "inference")
_GATEWAY_FIELDS: Final = ("pool", "endpointPicker", "chart", "serviceAccountName", "timeout", "aliases")
"""Fields about pods. Weights in a group, say, are none: a canary must be shifted without replacing it."""
_SETTINGS: Final = (
    "picker",
    "model_server_image",
    "local_weights",
    "model_server_resources",
    "model_server_priority_class",
    "model_server_env",
    "model_server_ca_bundle",
    "flux_service_account",
    "request_timeout",
)
_ALLOWED: Final = frozenset({"allowed_digests", "allowed_values", "allow_values_from"})
"""Settings that say what Workspaces may choose; to allow more changes no pod."""


def update_policy(settings: PlanSettings, version: str) -> UpdatePolicy:
    """Return the policy of an installation with these settings, whose controller has that version."""
    chosen = _chosen(settings)
    return UpdatePolicy(version, manifest_hash({name: chosen[name] for name in _SETTINGS if name in chosen}))


def _chosen(value: Any) -> Any:  # noqa: ANN401 - settings of any type
    """Return `value` as JSON; of settings, only those that are not the defaults, as a new version may have others."""
    if is_dataclass(value) and not isinstance(value, type):
        given = ((entry, getattr(value, entry.name)) for entry in fields(value) if entry.name not in _ALLOWED)
        found = {entry.name: (item, _chosen(item)) for entry, item in given if item != _default(entry)}
        return {name: chosen for name, (item, chosen) in found.items() if chosen or not is_dataclass(item)}
    if isinstance(value, Mapping):
        return {str(key): _chosen(item) for key, item in value.items()}
    return [_chosen(item) for item in value] if isinstance(value, list | tuple) else value


def _default(entry: Field[Any]) -> object:
    return entry.default_factory() if entry.default_factory is not MISSING else entry.default


@dataclass(frozen=True, slots=True)
class Hold:
    """Whether changes of the pods of a Workspace wait."""

    pods: PodsStatus | None = None
    """What this version makes pods from; None if no changes wait anywhere."""
    before: PodsStatus | None = None
    """What they were made from."""
    is_held: bool = False

    def made_from(self, *, is_over: bool) -> PodsStatus | None:
        """Return what the status says of the pods after this pass; `is_over` if nothing waits, although all objects are known."""
        if self.pods is None or not self.is_held or is_over:
            return self.pods
        version = self.before.version if self.before is not None else None
        return PodsStatus(version, self.pods.inputs, self.pods.provider)

    def note(self, owner: ObjectRef, waiting: Iterable[ObjectRef]) -> str:
        """Return what the user should know about the objects that are `waiting`."""
        version = (self.pods.version if self.pods is not None else None) or ""
        earlier = self.before.version if self.before is not None else None
        refs = tuple(waiting)
        annotate = f"kubectl annotate workspace {owner.name} -n {owner.namespace} {UPDATE_ANNOTATION}={version} --overwrite"
        return (
            f"pods as {earlier or 'a version before 0.2.0'} of workspace-ctrl made them are kept. {version} changes "
            f"{' and '.join(map(str, refs))}: {_changes(earlier, version, refs)}. That waits for the next change of the spec that "
            f"concerns pods; to have it now: {annotate}"
        )


def hold_of(workspace: WorkspaceRecord, config: str | None, controllers: Iterable[str], settings: PlanSettings) -> Hold:
    """Return whether changes wait; `config` is the content of its ConfigMap, `controllers` those of its Gateways."""
    policy, before = settings.updates, workspace.status.pods
    if policy is None or settings.is_companion or workspace.meta.ref.kind != KIND:
        return Hold()
    names, known = tuple(controllers), before.provider if before is not None else None
    provider = chart_provider(map(settings.profile_of, names)) if names else known
    pods = PodsStatus(policy.version, manifest_hash(_inputs(workspace, config, policy, settings.charts)), provider)
    if workspace.annotations.get(UPDATE_ANNOTATION) in {UPDATE_ALWAYS, policy.version}:
        is_held = False
    elif before is None:  # by a version that did not note it; what it has observed, it has applied
        is_held = workspace.status.observed_generation == workspace.meta.generation
    else:
        is_held = before.version != policy.version and before.inputs == pods.inputs and known in {None, provider}
    return Hold(pods, before, is_held)


def _inputs(workspace: WorkspaceRecord, config: str | None, policy: UpdatePolicy, charts: Sequence[ChartSource]) -> dict[str, Any]:
    spec = workspace.fields()
    gateway = mapping_of(spec.get("gateway"))
    name = mapping_of(gateway.get("chart")).get("name")
    return {
        "spec": {name: spec[name] for name in _FIELDS if name in spec},
        "gateway": {name: gateway[name] for name in _GATEWAY_FIELDS if name in gateway},
        "chart": _chosen(next((chart for chart in charts if chart.name == name), charts[0])),
        "annotations": {name: workspace.annotations[name] for name in _ANNOTATIONS if name in workspace.annotations},
        "config": config,
        "settings": policy.chosen,
    }


def _changes(earlier: str | None, version: str, refs: Iterable[ObjectRef]) -> str:
    """Return what the versions after `earlier` up to `version` have changed in pods of these objects."""
    kinds = {ref.kind for ref in refs}
    rows = [row for row in pod_changes() if _parts(earlier or "") < _parts(row.version) <= _parts(version)]
    of_servers = [row.model_server for row in rows] if kinds & set(WorkloadKind) else []
    of_pickers = [row.endpoint_picker for row in rows] if kinds & {SOURCE, RELEASE} else []
    return "; ".join(filter(None, (*of_servers, *of_pickers))) or "see its changelog"


def _parts(version: str) -> tuple[int, ...]:
    """Return all numbers of a version: a patch may change pods, too."""
    return tuple(map(int, re.findall("[0-9]+", version)))

"""Fields and annotations of a Workspace that have the effect of rights which their author may not have.

The chart's admission policy (charts/workspace-ctrl/templates/admissionpolicy.yaml) asks the API server whether the author has these rights.
Where no such policy is installed, they are not checked; then Workspaces that set one of these fields are rejected, unless the settings
allow them. Both have the same rules: tests/plane/test_author_rights.py compares them.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.gateway_spec import Match
from workspace_ctrl.api.inference_spec import Inference
from workspace_ctrl.api.labels import ADOPT_ANNOTATION, LOAD_BALANCER_ANNOTATION
from workspace_ctrl.api.workspace import GatewaySpec, Workspace
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.records.workspaces import WorkspaceRecord

_REMEDY: Final = (
    "remove it, or install the admission policy of the chart; the controller's setting restrictedFields allows it for everyone"
)


def check_restricted_fields(workspace: WorkspaceRecord, spec: Workspace, settings: PlanSettings) -> None:
    """Check that `workspace` sets no restricted field, where the settings do not allow them.

    Raises:
        SpecError: it does.
    """
    if settings.restricted_fields:
        return
    # In companion mode the model server is KAITO's to allow.
    spec = spec.model_copy(update={"inference": None}) if settings.is_companion else spec
    path, right = next(restricted_fields(workspace, spec), ("", ""))
    if path:
        raise SpecError(path, f"requires the right to {right}, which is not checked in this installation", _REMEDY)


def restricted_fields(workspace: WorkspaceRecord, spec: Workspace) -> Iterator[tuple[str, str]]:
    """Yield each restricted field that a Workspace sets, and the right that its author needs."""
    if spec.inference is not None:
        yield from _of_inference(spec.inference)
    if spec.gateway is not None:
        yield from _of_gateway(spec.gateway, workspace.meta.ref.namespace)
    yield from _of_annotations(workspace.annotations)


def _of_inference(inference: Inference) -> Iterator[tuple[str, str]]:
    if inference.template is not None:
        yield "inference.template", "create pods"
    if inference.weights_volume is not None and inference.weights_volume.claim_name is not None:
        yield "inference.weightsVolume.claimName", "create pods"
    for index, adapter in enumerate(inference.adapters or ()):
        for name, volume in (("volumeSource", adapter.source.volume_source), ("volume", adapter.source.volume)):
            if volume is not None:
                yield f"inference.adapters[{index}].source.{name}", "create pods"
    if inference.workload_ref is not None:
        yield "inference.workloadRef", "create services"


def _of_gateway(gateway: GatewaySpec, namespace: str) -> Iterator[tuple[str, str]]:
    if gateway.match is not None:
        yield from _of_match(gateway.match, namespace)
    if gateway.hostnames:
        yield "gateway.hostnames", "create httproutes"
    if gateway.pool_ref:
        yield "gateway.pool.ref", "create httproutes"
    if gateway.group is not None:
        yield "gateway.group", "create httproutes"
    if gateway.http_route_ref is not None:
        yield "gateway.httpRouteRef", "get the HTTPRoute"
    if gateway.service_account_name is not None:
        yield "gateway.serviceAccountName", "impersonate the ServiceAccount"
    for index, source in enumerate((gateway.endpoint_picker.values_from if gateway.endpoint_picker is not None else None) or ()):
        yield f"gateway.endpointPicker.valuesFrom[{index}]", f"get {source.kind.lower()}s"


def _of_match(match: Match, namespace: str) -> Iterator[tuple[str, str]]:
    # Paths below /<namespace>/ are the namespace's own.
    if match.path is not None and not match.path.startswith(f"/{namespace}/"):
        yield "gateway.match.path", "create httproutes"
    if match.header:
        yield "gateway.match.header", "create httproutes"
    if match.catch_all:
        yield "gateway.match.catchAll", "create httproutes"


def _of_annotations(annotations: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    if LOAD_BALANCER_ANNOTATION in annotations:
        yield f"annotation {LOAD_BALANCER_ANNOTATION}", "create services"
    if ADOPT_ANNOTATION in annotations:
        yield f"annotation {ADOPT_ANNOTATION}", "update the adopted objects"

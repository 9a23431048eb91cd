"""The names of all objects: deterministic, and within the limits of all consumers.

Limits: Service and label value 63 characters; Helm release 53; the `inferencepool` chart keeps 40 characters of the release name
for its `-epp` objects (docs/concepts/names.md).
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.api_model import WORKSPACE_NAME_PATTERN

WORKSPACE_NAME_RULE: Final = (
    "must be a DNS label of at most 63 characters that begins with a letter; use a name such as workspace-phi-4-mini"
)

_HELM_RELEASE_LIMIT = 53
_CHART_KEEPS = 40
_PICKER_SUFFIX = "-epp"
_HEADLESS_SUFFIX = "-headless"
_BODY_ROUTER_SUFFIX = "-body-router"
_DNS_LABEL_LIMIT = 63
_HASH_LENGTH = 8

DEFAULT_CHART: Final = "inferencepool"
"""Default name of the chart that installs pool and endpoint picker."""
STATEFUL_SET_NAME_LIMIT: Final = 52
"""Its pods have the label controller-revision-hash: the name, a dash and ten characters, at most 63 in total."""
CLAIM_SUFFIX: Final = "-weights"


@dataclass(frozen=True, slots=True)
class Names:
    """The names of all objects of one Workspace."""

    workspace: str
    workload: str
    service: str
    headless_service: str
    """Service that gives the pods of a StatefulSet their DNS names."""
    weights_claim: str
    """PersistentVolumeClaim for the weights of a Deployment."""
    source: str
    """OCIRepository and HelmRelease have the same name."""
    release: str
    """Helm's release name, which is also the InferencePool's name."""
    endpoint_picker: str
    """Deployment and Service of the endpoint picker, as the chart names them."""
    route: str


def is_valid(workspace: str) -> bool:
    """Whether valid names can be derived for all objects of a Workspace of this name."""
    return re.fullmatch(WORKSPACE_NAME_PATTERN, workspace) is not None


def names(workspace: str, chart: str = DEFAULT_CHART, *, release: str = "") -> Names:
    """Return the names of all objects of the Workspace `workspace`, whose pool is created by the chart named `chart`.

    If a `release` exists already, its name takes precedence over the name derived from the chart.
    """
    release = release or release_name(workspace, chart)
    return Names(
        workspace=workspace,
        workload=workspace,
        service=workspace,
        headless_service=headless_service_name(workspace),
        weights_claim=workspace + CLAIM_SUFFIX,
        source=release,
        release=release,
        endpoint_picker=endpoint_picker_name(release),
        route=workspace,
    )


def release_name(workspace: str, chart: str = DEFAULT_CHART) -> str:
    """Return the Helm release's name, which OCIRepository, HelmRelease and InferencePool share.

    `<workspace>-<chart>`, so that the releases of two charts can exist side by side during a migration. The name is kept in full up to 53
    characters (Helm's limit) with `inferencepool`, because KAITO's users rely on it and no two of these names share their first 40
    characters; and up to 40 characters with other charts. Longer names are cut to 40 with a hash at the end.
    """
    plain = f"{workspace}-{re.sub('[^a-z0-9]+', '-', chart)}".rstrip("-")
    is_default = chart == DEFAULT_CHART
    if len(plain) <= (_HELM_RELEASE_LIMIT if is_default else _CHART_KEEPS):
        return plain
    digest = hashlib.sha256((workspace if is_default else plain).encode()).hexdigest()[:_HASH_LENGTH]
    return f"{workspace[: _CHART_KEEPS - _HASH_LENGTH - 1].rstrip('-')}-{digest}"


def headless_service_name(workspace: str) -> str:
    """Return the name of the headless Service: `<workspace>-headless` (as in KAITO), with a hash if that is too long."""
    plain = workspace + _HEADLESS_SUFFIX
    if len(plain) <= _DNS_LABEL_LIMIT:
        return plain
    digest = hashlib.sha256(workspace.encode()).hexdigest()[:_HASH_LENGTH]
    kept = _DNS_LABEL_LIMIT - len(_HEADLESS_SUFFIX) - _HASH_LENGTH - 1
    return f"{workspace[:kept].rstrip('-')}-{digest}{_HEADLESS_SUFFIX}"


def endpoint_picker_name(release: str) -> str:
    """Return the name that the `inferencepool` chart gives the endpoint picker of `release` (chart 1.0-1.5: first 40 characters)."""
    return release[:_CHART_KEEPS] + _PICKER_SUFFIX


def body_router_name(gateway: str) -> str:
    """Return the name of all objects of the body-based router of the Gateway `gateway`: `<gateway>-body-router`.

    It is also the name of a Helm release and a Service. A Gateway's name may be invalid for these: longer, with dots, or with a leading
    digit. It is then shortened and normalised, with a hash.
    """
    plain = gateway + _BODY_ROUTER_SUFFIX
    if len(plain) <= _HELM_RELEASE_LIMIT and is_valid(plain):
        return plain
    digest = hashlib.sha256(gateway.encode()).hexdigest()[:_HASH_LENGTH]
    kept = f"gateway-{gateway.replace('.', '-')}"[: _HELM_RELEASE_LIMIT - len(_BODY_ROUTER_SUFFIX) - _HASH_LENGTH - 1]
    return f"{kept.rstrip('-')}-{digest}{_BODY_ROUTER_SUFFIX}"


def objective_name(workspace: str, objective: str) -> str:
    """Return the name of an InferenceObjective: `<workspace>.<objective>`.

    An endpoint picker identifies objectives by name only, and several Workspaces in a namespace may have one called interactive. Neither
    part can contain a dot, so the names are unique.
    """
    return f"{workspace}.{objective}"

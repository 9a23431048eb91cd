"""Objects that a GatewayClass needs in addition to the pool.

kthena-router finds the pods of a pool only if a ModelServer selects them, too; its own tests hide this, because they create one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from workspace_ctrl.api.names import Names
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.plan_builder import PlanBuilder
from workspace_ctrl.records.gateways import KthenaModelServer
from workspace_ctrl.records.meta import Meta

_API_VERSION = "networking.serving.volcano.sh/v1alpha1"


@dataclass(frozen=True, slots=True)
class WantedCompanion:
    """The object that the GatewayClass needs."""

    kind: str
    names: Names
    selector: Mapping[str, str]
    """Labels of the pods that serve requests."""
    port: int
    """The port at which they do."""


def plan_companion(draft: PlanBuilder, wanted: WantedCompanion | None, live: KthenaModelServer | None, problem: str) -> None:
    """Plan the companion; `live` is deleted if none is `wanted`. `problem` is why its kind cannot be watched; empty if it can."""
    if wanted is None:
        draft.delete([live.meta] if live is not None else [])
        return
    if problem:
        text = f"{problem}; install the CRDs of kthena, because its router needs a {wanted.kind} to find the pods"
        draft.report(Problem(LinkName.POOL, "CRDsNotAvailable", text))
        return
    make = partial(model_server_companion, draft.owner, wanted)
    draft.apply(draft.manifest("companion", make, tuple(wanted.selector.items())), LinkName.POOL)


def model_server_companion(owner: Meta, wanted: WantedCompanion) -> Manifest:
    """Return the ModelServer for the pods of `wanted`."""
    spec = {
        "inferenceEngine": "vLLM",
        "workloadSelector": {"matchLabels": dict(wanted.selector)},
        "workloadPort": {"port": wanted.port, "protocol": "http"},
    }
    return owned(_API_VERSION, "ModelServer", wanted.names.workspace, owner, {"spec": spec})

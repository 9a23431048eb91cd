"""The objects of a model server: those on which it depends, as observed, and those of which it consists, as wanted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from workspace_ctrl.model.api_query_results import ConfigContent, ScaleSelector
from workspace_ctrl.model.hub_answers import HubAnswer
from workspace_ctrl.planning.manifests import Manifest, ref_of
from workspace_ctrl.planning.steps import LookUpModel
from workspace_ctrl.planning.workload.argument_names import ArgumentNames
from workspace_ctrl.planning.workload.node_affinity import required_labels
from workspace_ctrl.records.core_v1 import ConfigMap, Node
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import ReferencedWorkload, Workload, WorkloadKind


@dataclass(frozen=True, slots=True)
class ServerRecords:
    """The observed objects on which the model server depends; None for an object that does not exist."""

    workloads: tuple[Workload, ...] = ()
    """Deployment and StatefulSet of the Workspace's name."""
    nodes: tuple[Node, ...] = ()
    config_map: ConfigMap | None = None
    """The ConfigMap that `inference.config` names."""
    config: ConfigContent | None = None
    """Its content, as the API server has answered."""
    hub_answer: HubAnswer | None = None
    """What the model hub has answered about the model."""
    reference: ReferencedWorkload | None = None
    """The object that `inference.workloadRef` names."""
    reference_problem: str = ""
    """Why its kind cannot be watched; empty if it can."""
    scale: ScaleSelector | None = None
    """The pod selector of its scale subresource, as the API server has answered."""
    single_pods: bool = False
    """Whether some of the Workspace's pods have no index, as those of a Deployment."""


@dataclass(frozen=True, slots=True)
class ModelServer:
    """The objects of the model server, and the values that the gateway side needs."""

    port: int
    """Container port."""
    workload: Manifest | None = None
    """Manifest of the workload, if we manage it; of several, that of the first copy."""
    copies: tuple[Manifest, ...] = ()
    """Manifests of the workloads of the further copies of an InferenceSet whose model needs several nodes."""
    others: tuple[Manifest, ...] = ()
    """Services and PersistentVolumeClaims of the workload."""
    reference: ObjectRef | None = None
    """The referenced workload, if we do not manage it."""
    kind: str = ""
    """Kind of the reference."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Labels of the pods of a reference; for our own workload, they follow from the kind that the API server accepts."""
    model_names: tuple[str, ...] = ()
    """All names of the model, as the controller starts it; empty if others decide that."""
    arguments: ArgumentNames = field(default_factory=ArgumentNames)
    """Names in the arguments of a user's pod template."""
    node_count: int = 0
    replicas: int | None = None
    """Number of copies of an InferenceSet, within its limit of nodes; None for a Workspace."""
    sizing: str = ""
    """Explanation of the size, for people."""
    assumed: str = ""
    """Part of it: what was assumed, because it is not known; empty if nothing was."""
    notes: tuple[str, ...] = ()
    """What was assumed or left out, one sentence each, as warnings for the author."""
    of_kaito: bool = False
    """Whether KAITO manages it, so that no object of a model server is ours to delete."""

    look_up: LookUpModel | None = None
    """What keeps the figures of the model up to date until the workload has them."""

    @property
    def node_labels(self) -> str:
        """Labels that nodes need, in kubectl's notation of selectors; empty for any node, and if others decide that."""
        return required_labels(self.workload["spec"]["template"]["spec"]) if self.workload is not None else ""

    @property
    def manifests(self) -> tuple[Manifest, ...]:
        """All manifests, the workloads first."""
        return self.others if self.workload is None else (self.workload, *self.copies, *self.others)

    @property
    def copy_refs(self) -> tuple[ObjectRef, ...]:
        """The workloads of the copies of an InferenceSet; empty for a Workspace."""
        if self.replicas is None or self.workload is None:
            return ()
        return tuple(map(ref_of, (self.workload, *self.copies)))

    def count(self, live: Iterable[Workload], owner: Meta) -> int:
        """Return the number of copies; of a Workspace the replicas of its Deployment in `live`, which anyone may scale."""
        if self.workload is None or self.of_kaito:
            return 0
        if self.replicas is not None:
            return self.replicas
        if self.workload["kind"] != WorkloadKind.DEPLOYMENT:
            return 1
        ref, planned = ref_of(self.workload), int(self.workload["spec"].get("replicas", 1))
        return next((each.replicas for each in live if each.ref == ref and each.meta.is_controlled_by(owner.uid)), planned)

    @property
    def has_network_policy(self) -> bool:
        """Whether its pods get a NetworkPolicy."""
        return any(manifest["kind"] == "NetworkPolicy" for manifest in self.others)

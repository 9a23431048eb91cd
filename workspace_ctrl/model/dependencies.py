"""The external objects on which the plan for a Workspace depends."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from workspace_ctrl.api.inference_spec import WorkloadRef
from workspace_ctrl.api.labels import LLM_D_GROUP, OBJECTIVES_GROUP


@dataclass(frozen=True, slots=True)
class AddedDependencies:
    """The dependencies that follow from a plan, and not from the spec alone; all are kept until there is another plan."""

    companion: str = ""
    """Name of the ModelServer that a GatewayClass needs, or needed."""
    network_policy: str = ""
    """Name of the NetworkPolicy of a model on several nodes, or of one that was."""
    budgets: bool = False
    """Whether the PodDisruptionBudgets of the namespace may select its pods, because there are several copies, or were."""
    scaled_object: str = ""
    """Name of the ScaledObject of an InferenceSet that is scaled by load, or was."""
    objectives: bool = False
    """Whether the Workspace has InferenceObjectives, or had."""
    objectives_of_llm_d: bool = False
    """Whether they may be those of llm-d."""
    sibling_pools: tuple[str, ...] = ()
    """Names of the InferencePools that a rule of the referenced route has beside the Workspace's own, whether they exist or not."""


@dataclass(frozen=True, slots=True)
class Dependencies(AddedDependencies):
    """External objects on which the plan depends; a change of them enqueues the Workspace."""

    config: str = ""
    """Name of a ConfigMap in the Workspace's namespace."""
    hub_model: str = ""
    """Hugging Face id of a model that is not in the catalog and has no size."""
    nodes: bool = False
    """Whether node labels may change the plan."""
    reference: WorkloadRef | None = None
    """The object that `inference.workloadRef` names."""
    pods: Mapping[str, str] = field(default_factory=dict)
    """Labels of pods without our own labels."""
    route: str = ""
    """Name of the HTTPRoute that `gateway.httpRouteRef` names."""
    pool: str = ""
    """Name of the InferencePool that `gateway.pool.ref` names."""
    chart: str = ""
    """Name of the chart of the pool, which determines the names of its objects; empty if there is none."""
    namespace: bool = False
    """Whether the labels or the deletion of the Workspace's namespace may change the plan."""

    def keeping(self, earlier: "Dependencies") -> "Dependencies":
        """Return these with the dependencies that planning had added to `earlier` ones, until it determines them again."""
        pods = self.pods or (earlier.pods if self.reference is not None and self.reference == earlier.reference else {})
        added = {entry.name: getattr(earlier, entry.name) for entry in fields(AddedDependencies)}
        kept = replace(self, pods=pods, **added)
        return self if kept == self else kept

    @property
    def objective_groups(self) -> tuple[str, ...]:
        """The API groups of the InferenceObjectives."""
        groups = (OBJECTIVES_GROUP, LLM_D_GROUP) if self.objectives_of_llm_d else (OBJECTIVES_GROUP,)
        return groups if self.objectives else ()

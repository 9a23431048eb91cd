"""The steps to the model server's objects: the workload, once the API server accepts it, its Services, claims and disruption budget."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from math import floor
from typing import Final

from workspace_ctrl.api.inference_set import Copies
from workspace_ctrl.api.labels import SET_KIND
from workspace_ctrl.model.api_query_results import DryRun
from workspace_ctrl.model.plan_decisions import EvictionLimit, LinkName, Problem
from workspace_ctrl.planning.adoption import is_adopted
from workspace_ctrl.planning.manifests import Manifest, applied_hash, hash_with_replicas, ref_of
from workspace_ctrl.planning.plan_builder import PlanBuilder
from workspace_ctrl.planning.plan_settings import BudgetSettings
from workspace_ctrl.planning.steps import DryRunWorkload, Scale
from workspace_ctrl.planning.workload.disruption_budget import budgets_of_users, disruption_budget
from workspace_ctrl.planning.workload.model_server import ModelServer
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.pods import Pod
from workspace_ctrl.records.scaling import DisruptionBudget
from workspace_ctrl.records.workloads import Workload, WorkloadKind
from workspace_ctrl.records.workspaces import WorkspaceRecord

_EXPOSED: Final = (
    "the pods of a model on several nodes execute what they receive on the ports between them; "
    "grant list, watch, create, patch and delete on networkpolicies of networking.k8s.io"
)


_NO_BUDGETS: Final = (
    "grant list, watch, create, patch and delete on poddisruptionbudgets of policy, "
    "or set modelServer.disruptionBudget.enabled to false"
)


def dry_run(draft: PlanBuilder, manifest: Manifest, live: Workload | None, tried: DryRun | None) -> DryRunWorkload | None:
    """Return the dry-run of the workload, where the API server has not answered one for it; `tried` is its newest answer.

    A `live` workload with our hash was accepted before, so a restart needs no dry-run; one that stays as it is needs none, either.
    """
    workspace = draft.workspace
    if _live_kind(draft, manifest, live):
        return None
    adopting = is_adopted(workspace.annotations, manifest["kind"])
    is_outdated = tried is not None and tried.foreign and tried.adopting != adopting
    if tried is not None and tried.manifest_hash == applied_hash(manifest) and not is_outdated:
        return None
    return DryRunWorkload(manifest, force=live is not None and live.meta.is_controlled_by(workspace.meta.uid))


def accepted_kind(draft: PlanBuilder, server: ModelServer, live: Workload | None, tried: DryRun | None) -> str:
    """Return the kind that the API server accepted for the workload; empty where it rejected it, which is a problem of the plan."""
    manifest = server.workload
    if manifest is None:
        return server.kind
    live_kind = _live_kind(draft, manifest, live)
    if live_kind or tried is None:
        return live_kind
    if tried.refusal:
        problem = ("NotOwned", tried.refusal) if tried.foreign else ("DryRunFailed", f"{ref_of(manifest)}: {tried.refusal}")
        draft.report(Problem(LinkName.WORKLOAD, *problem))
        return ""
    return tried.kind


def plan_workload(
    draft: PlanBuilder, server: ModelServer, there: Iterable[Meta], no_policies: str, kept: frozenset[ObjectRef] = frozenset()
) -> bool:
    """Plan the objects of the model server; those of `there` that an earlier spec wanted are deleted, those of `kept` stay as they are.

    Return whether they are planned: pods that would need a NetworkPolicy are not created without it. `no_policies` is why NetworkPolicies
    cannot be watched; empty if they can.
    """
    if server.has_network_policy and no_policies:
        draft.report(Problem(LinkName.WORKLOAD, "NetworkPolicyNotPermitted", f"{no_policies}; {_EXPOSED}"))
        return False
    for manifest in server.manifests:
        if ref_of(manifest) not in kept:
            draft.apply(manifest, LinkName.WORKLOAD)
    wanted = {ref_of(manifest) for manifest in server.manifests}
    draft.delete(meta for meta in there if meta.ref not in wanted)
    return True


@dataclass(frozen=True, slots=True)
class ObservedBudgets:
    """The PodDisruptionBudgets of a namespace, and the pods of the model server, as observed."""

    budgets: tuple[DisruptionBudget, ...]
    pods: tuple[Pod, ...]
    unwatched: str = ""
    """Why budgets cannot be watched; empty if they can."""


def plan_budget(
    draft: PlanBuilder, server: ModelServer, copies: int, settings: BudgetSettings, there: ObservedBudgets
) -> EvictionLimit | None:
    """Plan the PodDisruptionBudget of the model server with so many `copies`; one that is not wanted any more is deleted."""
    metas = [budget.meta for budget in there.budgets]
    if not settings.enabled or copies <= 1:
        draft.delete(metas)
        return None
    make = partial(disruption_budget, draft.owner, server, copies, settings.max_unavailable)
    manifest = draft.manifest("disruption budget", make, (copies, settings.max_unavailable))
    users = tuple(budgets_of_users(there.budgets, there.pods, draft.workspace, server))
    if there.unwatched:
        draft.report(Problem(LinkName.DISRUPTION_BUDGET, "BudgetsNotPermitted", f"{there.unwatched}; {_NO_BUDGETS}"))
    elif users:
        draft.delete(metas)
    else:
        draft.apply(manifest, LinkName.DISRUPTION_BUDGET)
    return EvictionLimit(ref_of(manifest), settings.max_unavailable, users)


@dataclass(frozen=True, slots=True)
class ExistingCopy:
    """The workload of a copy of an InferenceSet, or the Deployment of all."""

    ref: ObjectRef
    is_ready: bool
    is_outdated: bool
    """Whether a change of the template replaces its pods; other replicas are no such change."""


def existing_copies(server: ModelServer, live: Iterable[Workload], owner: str) -> tuple[ExistingCopy, ...]:
    """Return the copies among the existing workloads `live` that the InferenceSet with the uid `owner` controls; none of a Workspace."""
    wanted = {ref_of(manifest): manifest for manifest in server.manifests} if server.copy_refs else {}
    found = (each for each in live if each.ref in wanted and each.meta.is_controlled_by(owner))
    return tuple(ExistingCopy(each.ref, each.is_ready, not _has_same_pods(wanted[each.ref], each)) for each in found)


def _has_same_pods(manifest: Manifest, live: Workload) -> bool:
    is_same = live.meta.applied_hash == applied_hash(manifest)
    return is_same or live.meta.applied_hash == hash_with_replicas(manifest, live.replicas)


def has_wanted_pods(draft: PlanBuilder, server: ModelServer, live: Iterable[Workload]) -> bool:
    """Whether the workloads of the model server are as the spec wants them, and their controllers have seen that.

    Workloads that do not exist yet have no other pods, and pods of an older version of this controller that stay are wanted.
    """
    there = {each.ref: each for each in live}
    wanted = ((manifest, there[ref_of(manifest)]) for manifest in server.manifests if ref_of(manifest) in there)
    return all(
        each.is_current and (_has_same_pods(manifest, each) or draft.keeps(manifest, each.meta)) for manifest, each in wanted
    )


def waiting_copies(existing: Iterable[ExistingCopy], copies: Copies | None, count: int) -> frozenset[ObjectRef]:
    """Return the copies of a model on several nodes, of `count`, whose change waits, because too many others are not ready.

    Copies that are not ready are changed at once, as that takes nothing away.
    """
    if copies is None or count <= 1:
        return frozenset()
    ready = [copy for copy in existing if copy.is_ready]
    changed = sorted((copy.ref for copy in ready if copy.is_outdated), key=_number)
    room = _most_unavailable(copies, count) - (count - len(ready))
    return frozenset(changed[max(room, 0) :])


def _most_unavailable(copies: Copies, count: int) -> int:
    """Return the number of copies that may be unavailable at a time, at least one."""
    given = copies.max_unavailable
    return max(floor(count * int(given.rstrip("%")) / 100), 1) if isinstance(given, str) else given


def _number(ref: ObjectRef) -> int:
    return int(ref.name.rpartition("-")[2])


def chosen_replicas(workspace: WorkspaceRecord, manifest: Manifest | None, live: Workload | None) -> Iterator[Scale]:
    """Yield the step that restores the replicas of a deleted Deployment, which a user or an autoscaler had set, from the status."""
    earlier = workspace.status.workload
    if manifest is None or live is not None or manifest["kind"] != WorkloadKind.DEPLOYMENT or earlier is None:
        return
    if workspace.meta.ref.kind == SET_KIND:  # its own replicas are those of the Deployment
        return
    # The status may be that of a workload that was referenced.
    is_same = (earlier.kind, earlier.name) == (WorkloadKind.DEPLOYMENT, manifest["metadata"]["name"])
    if is_same and earlier.replicas not in {None, manifest["spec"].get("replicas", 1)}:
        yield Scale(ref_of(manifest), earlier.replicas or 0)


def _live_kind(draft: PlanBuilder, manifest: Manifest, live: Workload | None) -> str:
    """Return the kind of the workload where it exists as we want it, or stays as it is; empty where it does not."""
    if live is None or not live.meta.is_controlled_by(draft.owner.uid):
        return ""
    return live.ref.kind if live.meta.applied_hash == applied_hash(manifest) or draft.keeps(manifest, live.meta) else ""

"""A plan in the making: its steps and problems, collected in the order of the chain."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from workspace_ctrl.api.status import PodsStatus
from workspace_ctrl.model.api_query_results import ConfigContent
from workspace_ctrl.model.plan_decisions import Decisions, LinkName, Parent, Problem
from workspace_ctrl.planning.adoption import adopt_command, is_adopted, is_restored, restored_offer
from workspace_ctrl.planning.held_updates import HELD_KINDS, RELEASE, Hold, hold_of
from workspace_ctrl.planning.manifests import Manifest, applied_hash, ref_of
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.steps import Apply, Delete, Step
from workspace_ctrl.planning.workload.planned_server import PlannedServer
from workspace_ctrl.records.managed_fields import Fields
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workspaces import WorkspaceRecord


@dataclass(frozen=True, slots=True)
class PlanBuilder:
    """The steps and problems of one plan, and the observed state of the objects that it may apply."""

    workspace: WorkspaceRecord
    planned: PlannedServer
    """It caches manifests from pass to pass."""
    live: Mapping[ObjectRef, Meta]
    """The Workspace's objects that exist."""
    accepted_drift: Mapping[ObjectRef, Fields]
    """The fields that we own in objects with accepted drift."""
    hold: Hold = field(default_factory=Hold)
    """Whether changes of pods wait."""
    steps: list[Step] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    planned_kinds: set[str] = field(default_factory=set)
    waiting: list[ObjectRef] = field(default_factory=list)
    """Objects whose change waits, as it comes from another version of the controller alone."""

    @property
    def owner(self) -> Meta:
        """The metadata of the Workspace, which owns the objects."""
        return self.workspace.meta

    def ref(self, kind: str, name: str) -> ObjectRef | None:
        """Return the object of that name in the Workspace's namespace; None if `name` is empty."""
        return ObjectRef(kind, self.owner.ref.namespace, name) if name else None

    def manifest(self, name: Hashable, make: Callable[[], Manifest], variant: Hashable = None) -> Manifest:
        """Return the manifest that `make` returns, cached by `name`, one of the Workspace's objects.

        `variant` holds all that the manifest depends on besides the spec; None if it depends on nothing else.
        """
        return self.planned.manifest(name, variant, make)

    def report(self, *problems: Problem | None) -> None:
        """Add those of `problems` that are not None."""
        self.problems.extend(problem for problem in problems if problem is not None)

    def apply(self, manifest: Manifest, link: LinkName) -> bool:
        """Add the step that applies `manifest`, or the problem that prevents it.

        Return whether the object exists and matches `manifest`.
        """
        ref = ref_of(manifest)
        meta = self.live.get(ref)
        self.planned_kinds.add(ref.kind)
        if meta is None or self._adopts(meta):
            step = Apply(manifest, link, force=False)
        elif (problem := self._obstacle(link, meta)) is not None:
            self.report(problem)
            return False
        elif meta.deleting:
            return False
        elif self.keeps(manifest, meta):
            self.waiting.append(ref)
            return True
        elif meta.applied_hash != applied_hash(manifest):
            step = Apply(manifest, link, force=True)
        elif not self.planned.is_ours(manifest, meta) and self.accepted_drift.get(ref) != meta.owned:
            step = Apply(manifest, link, force=True, repairs=True)
        else:
            return True
        self.steps.append(step)
        return False

    def keeps(self, manifest: Manifest, meta: Meta | None) -> bool:
        """Whether the object of `meta` stays as an older version of the controller has made it."""
        if meta is None or not self.hold.is_held or manifest["kind"] not in HELD_KINDS:
            return False
        is_own = meta.is_controlled_by(self.owner.uid) and meta.is_usable
        return is_own and meta.applied_hash not in {"", applied_hash(manifest)}

    def decided(self, decisions: Decisions, *, gateway_wanted: bool) -> Decisions:
        """Return `decisions` with the problems of the plan, and with what waits."""
        is_whole = not self.problems and (not gateway_wanted or decisions.named_pool is not None or RELEASE in self.planned_kinds)
        pods = self.hold.made_from(is_over=is_whole and not self.waiting)
        notes = (*decisions.notes, self.hold.note(self.owner.ref, self.waiting)) if self.waiting else decisions.notes
        return replace(decisions, problems=tuple(self.problems), pods=pods, waiting=tuple(self.waiting), notes=notes)

    def delete(self, metas: Iterable[Meta]) -> None:
        """Delete those of the objects that the Workspace owns."""
        self.steps.extend(
            Delete(meta.ref, meta.uid) for meta in metas if meta.is_controlled_by(self.owner.uid) and not meta.deleting
        )

    def _adopts(self, meta: Meta) -> bool:
        """Whether an existing object that no controller owns is adopted, because the user wants it."""
        is_free = not meta.controller_uid and not _is_of_group(meta)
        return is_free and is_adopted(self.workspace.annotations, meta.ref.kind)

    def _obstacle(self, link: LinkName, meta: Meta) -> Problem | None:
        """Return why an existing object cannot be applied."""
        if _is_of_group(meta):
            text = f"{meta.ref} is the route of group {meta.ref.name}; rename the Workspace, or the group in gateway.group of its members"
            return Problem(link, "NotOwned", text)
        if is_restored(meta, self.owner):
            return Problem(link, "NotOwned", restored_offer(self.owner.ref, meta.ref))
        if not meta.is_controlled_by(self.owner.uid):
            text = f"{meta.ref} already exists and is not owned by this Workspace; delete it, or rename the Workspace"
            if not meta.controller_uid:
                text = f"{text}, or adopt it: {adopt_command(self.owner.ref, meta.ref.kind)}"
            return Problem(link, "NotOwned", text)
        if meta.unreadable:
            text = f"{meta.ref} cannot be read: {meta.unreadable}; delete it, and it is created again"
            return Problem(link, "ObjectUnreadable", text)
        return None


def hold_behind(
    workspace: WorkspaceRecord, config: ConfigContent | None, parents: Iterable[Parent], settings: PlanSettings
) -> Hold:
    """Return whether changes of pods wait; `config` is that of the ConfigMap, and `parents` are the Gateways."""
    return hold_of(workspace, config.text if config is not None else None, (each.controller for each in parents), settings)


def pods_without_plan(workspace: WorkspaceRecord, settings: PlanSettings) -> PodsStatus | None:
    """Return what the status says of the pods while nothing can be planned; None if that stays as it is.

    If an older version has not observed the spec, its changes must not wait once they can be planned.
    """
    status = workspace.status
    is_new = status.pods is None and status.observed_generation not in {None, workspace.meta.generation}
    return PodsStatus(inputs="unknown") if is_new and settings.updates is not None else None


def _is_of_group(meta: Meta) -> bool:
    """Whether an object is the route of a group: among the HTTPRoutes with our label, only those have no owner's name in it."""
    return meta.ref.kind == "HTTPRoute" and not meta.workspace and not meta.controller_uid

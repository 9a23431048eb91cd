"""The steps that a plan is made of."""

from dataclasses import dataclass

from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.records.decisions import Decisions, LinkName
from workspace_ctrl.records.meta import ObjectRef


@dataclass(frozen=True, slots=True)
class TryWorkload:
    """Dry-run the workload on the API server; the plan goes on with the answer."""

    manifest: Manifest
    force: bool
    """As for `Apply`."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply a manifest."""

    manifest: Manifest
    link: LinkName
    """The link that is broken when the API server refuses."""
    force: bool
    """Whether fields that others changed are taken back. Never on an object that was not seen to be ours: a foreign one of the same
    name then answers with a conflict instead of being overwritten."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete an object of ours."""

    ref: ObjectRef
    uid: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Resume a suspended HelmRelease before it is deleted: Flux leaves the objects of a suspended one behind."""

    ref: ObjectRef


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Put our finalizer on the Workspace, or take it off."""

    present: bool


Step = TryWorkload | Apply | Delete | Resume | SetFinalizer


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in order, and what was decided."""

    decisions: Decisions
    steps: tuple[Step, ...] = ()

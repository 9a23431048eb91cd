"""The verdict on a Workspace or InferenceSet before it is stored: rejections, with the messages of the later conditions, and warnings.

`workspace-ctrl plan` and the admission webhook share this verdict. Neither sees the whole cluster, so the state of the cluster is never a
reason for a rejection.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from workspace_ctrl.api.crd import SERVED_VERSIONS
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import in_set_words
from workspace_ctrl.api.labels import GATEWAY_ANNOTATION, SET_KIND
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.workspace import Workspace
from workspace_ctrl.catalog.instance_types import INSTANCE_TYPE_FIELD
from workspace_ctrl.model.dependencies import Dependencies
from workspace_ctrl.model.hub_answers import HubAnswer
from workspace_ctrl.model.plan_decisions import Decisions, LinkName, Problem
from workspace_ctrl.planning.admission.fields_without_effect import unknown_fields
from workspace_ctrl.planning.adoption import is_adopted, offer, refusal
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preset.vllm_config import CONFIG_KEY
from workspace_ctrl.planning.preview import ALONE, Neighbours, Preview, foresee
from workspace_ctrl.planning.preview_cluster import check_metadata, kind_of_owner, workspace_record
from workspace_ctrl.planning.resolved_workspace import resolve
from workspace_ctrl.records.meta import ObjectRef, mapping_of
from workspace_ctrl.records.workspaces import SPEC_FIELDS, WorkspaceRecord, is_kept, spec_fields

_NOT_IN_FILES: Final = "without a cluster, it has to be in the input files"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the cluster besides the Workspace."""

    objects: Sequence[Mapping[str, Any]] = ()
    """ConfigMaps, nodes and workloads, as JSON."""
    is_all: bool = False
    """Whether there are no other ConfigMaps and workloads than those in `objects`."""
    missing: frozenset[ObjectRef] = frozenset()
    """Objects that do not exist."""
    models: Mapping[str, HubAnswer] = field(default_factory=dict)
    """Answers of the model hub by model; others count as not asked yet."""
    taken: Sequence[Mapping[str, Any]] = ()
    """Existing objects, at least their metadata, with names of objects that would be created for the Workspace."""
    neighbours: Neighbours = ALONE
    """What is known of other Workspaces with routes."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a Workspace is accepted, as messages for its author."""

    refusals: tuple[str, ...] = ()
    """Why it is rejected; empty if it is accepted."""
    warnings: tuple[str, ...] = ()
    preview: Preview | None = None
    """The objects that would be created; None if it is rejected, or if an object that it needs does not exist yet."""


def judge(raw: Mapping[str, Any], known: Known, settings: PlanSettings) -> Verdict:
    """Return the verdict on the Workspace or InferenceSet `raw`, any JSON object; raises no error."""
    found = _judge(raw, known, settings)
    return _in_set_words(found) if raw.get("kind") == SET_KIND else found


def _judge(raw: Mapping[str, Any], known: Known, settings: PlanSettings) -> Verdict:
    try:
        check_metadata(raw, SERVED_VERSIONS)
        _check_level(raw)
        workspace = workspace_record(raw)
    except SpecError as error:
        return Verdict((str(error),))
    resolved = resolve(workspace, settings)
    objects = (*known.objects, *_assumed(workspace, resolved.dependencies, known))
    answer = known.models.get(resolved.dependencies.hub_model)
    found = foresee(
        workspace,
        objects,
        settings,
        reference_problem=_NOT_IN_FILES if known.is_all else "",
        hub_answer=answer,
        neighbours=known.neighbours,
    )
    problems = found.decisions.problems
    refusals = tuple(problem.message for problem in problems if _is_refused(problem, resolved.spec, resolved.dependencies, known))
    doubts = [problem.message for problem in problems if problem.message not in refusals and _is_known(problem, known)]
    warnings = (*doubts, *_warnings(workspace, raw, found.decisions, known, settings))
    is_shown = not refusals and found.decisions.problem(LinkName.SPEC, LinkName.WORKLOAD) is None
    return Verdict(refusals, tuple(dict.fromkeys(map(printable, warnings))), found if is_shown else None)


def judge_change(raw: Mapping[str, Any], before: Mapping[str, Any], known: Known, settings: PlanSettings) -> Verdict:
    """Return the verdict on an update of a Workspace from `before` to `raw`.

    An update that does not change the spec is accepted, whatever the spec is: labels, finalizers and status of an invalid Workspace can be
    edited. A problem that existed before does not prevent other changes; it is a warning.
    """
    if _is_same(asked(raw), asked(before)):
        return Verdict()
    verdict = judge(raw, known, settings)
    if not verdict.refusals:
        return verdict
    old = set(judge(before, known, settings).refusals)
    kept = tuple(text for text in verdict.refusals if text in old)
    return Verdict(tuple(text for text in verdict.refusals if text not in old), (*kept, *verdict.warnings))


def _check_level(raw: Mapping[str, Any]) -> None:
    """Reject a Workspace whose fields are under `spec`, where those of most other kinds are, and an InferenceSet whose fields are not.

    Raises:
        SpecError: they are.
    """
    inner = raw.get("spec")
    if raw.get("kind") == SET_KIND:
        if inner is None:
            problem = "unlike in Workspaces, resource and inference are in spec.template"
            raise SpecError("spec", "is required", f"{problem}, and labelSelector and gateway in spec")
        return
    if isinstance(inner, Mapping) and not any(name in raw for name in SPEC_FIELDS):
        fields = [name for name in SPEC_FIELDS if name in inner]
        named = f"{', '.join(fields) or 'its fields'} {'is' if len(fields) == 1 else 'are'}"
        raise SpecError("", "there is no spec here", f"move its fields up: {named} at the top level of a Workspace")


def asked(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a Workspace on which a verdict depends: its spec, and its annotations and labels for this controller."""
    fields = {name: raw[name] for name in spec_fields(kind_of_owner(raw)) if name in raw}
    metadata = {
        name: {key: value for key, value in _texts(raw, name).items() if is_kept(key)} for name in ("annotations", "labels")
    }
    return fields | metadata


def needed(workspace: WorkspaceRecord, dependencies: Dependencies) -> Iterator[ObjectRef]:
    """Yield the external objects without which the pods of `workspace` cannot be created or found."""
    namespace, reference = workspace.meta.ref.namespace, dependencies.reference
    if dependencies.config:
        yield ObjectRef("ConfigMap", namespace, dependencies.config)
    if reference is not None:
        yield ObjectRef(str(reference.kind), namespace, str(reference.name))


def _is_refused(problem: Problem, spec: Workspace | None, dependencies: Dependencies, known: Known) -> bool:
    """Whether a problem is that of the spec, in any cluster."""
    if not problem.terminal or problem.by_settings:
        return False
    return not (problem.field == INSTANCE_TYPE_FIELD and spec is not None and _may_fit(dependencies, known))


def _is_known(problem: Problem, known: Known) -> bool:
    """Whether a problem is one in the cluster, too: a group usually has further members there."""
    return problem.link is not LinkName.GROUP or known.is_all


def _may_fit(dependencies: Dependencies, known: Known) -> bool:
    """Whether unknown nodes or an unknown ConfigMap could make a model fit that otherwise does not."""
    return dependencies.nodes or (bool(dependencies.config) and not known.is_all)


def _warnings(
    workspace: WorkspaceRecord, raw: Mapping[str, Any], decisions: Decisions, known: Known, settings: PlanSettings
) -> Iterator[str]:
    annotations = _texts(raw, "annotations")
    if not settings.is_companion:  # beside KAITO, fields and workloads are its own
        if not workspace.meta.unreadable:
            yield from unknown_fields(raw)
        if GATEWAY_ANNOTATION in annotations and raw.get("gateway") is not None:
            yield f"annotation {GATEWAY_ANNOTATION} has no effect beside the field gateway; remove one of them"
        yield from _taken(workspace, annotations, known)
    yield from decisions.notes


def _in_set_words(verdict: Verdict) -> Verdict:
    """Return a verdict on an InferenceSet with messages that name its fields."""
    preview = verdict.preview
    if preview is not None:
        decisions = preview.decisions
        problems = tuple(replace(problem, message=in_set_words(problem.message)) for problem in decisions.problems)
        planned = replace(preview.planned, decisions=replace(decisions, problems=problems))
        preview = replace(preview, planned=planned, assumptions=tuple(map(in_set_words, preview.assumptions)))
    return Verdict(tuple(map(in_set_words, verdict.refusals)), tuple(map(in_set_words, verdict.warnings)), preview)


def _taken(workspace: WorkspaceRecord, annotations: Mapping[str, str], known: Known) -> Iterator[str]:
    """Yield the messages of existing objects with names that the Workspace uses."""
    owner = workspace.meta
    for live in known.taken:
        ref = ObjectRef(str(live["kind"]), owner.ref.namespace, str(live["metadata"]["name"]))
        text = refusal(live, owner, ref)
        if text or not is_adopted(annotations, ref.kind):
            yield text or offer(live, owner, ref)


def _assumed(workspace: WorkspaceRecord, dependencies: Dependencies, known: Known) -> Iterator[Mapping[str, Any]]:
    """Yield placeholders for the needed objects of which nothing is known."""
    pods = {
        "spec": {"containers": [{"name": "any", "ports": [{"containerPort": 80}], "readinessProbe": {"httpGet": {"port": 80}}}]}
    }
    body = {"selector": {"matchLabels": {"any": "any"}}, "template": pods}
    for ref in () if known.is_all else needed(workspace, dependencies):
        if ref not in known.missing:
            content = {"data": {CONFIG_KEY: ""}} if ref.kind == "ConfigMap" else {"spec": body}
            yield {"kind": ref.kind, "metadata": {"namespace": ref.namespace, "name": ref.name}, **content}


def _texts(raw: Mapping[str, Any], name: str) -> Mapping[str, str]:
    given = mapping_of(mapping_of(raw.get("metadata")).get(name))
    return {str(key): str(value) for key, value in given.items()}


def _is_same(one: object, other: object) -> bool:
    """Whether two JSON values are equal; does not recurse, so it is safe for values of any depth."""
    pairs = [(one, other)]
    while pairs:
        left, right = pairs.pop()
        if isinstance(left, dict) and isinstance(right, dict):
            if left.keys() != right.keys():
                return False
            pairs += [(value, right[key]) for key, value in left.items()]
        elif isinstance(left, list) and isinstance(right, list):
            if len(left) != len(right):
                return False
            pairs += zip(left, right, strict=True)
        elif left != right:
            return False
    return True

"""Whether a Workspace is taken, before it is stored: what planning would refuse is refused with the sentence of the later condition.

What is only doubtful, or without effect, is a warning. `workspace-ctrl plan` and the admission webhook both say what stands here. Neither
sees the whole cluster: what only the cluster can tell is never a reason to refuse.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.bounds import SPEC_FIELDS, excess
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import KIND
from workspace_ctrl.api.names import is_valid
from workspace_ctrl.api.workspace import Workspace, parse_workspace
from workspace_ctrl.catalog.instance_types import DEFAULT_INSTANCE_TYPE
from workspace_ctrl.planning.adoption import is_adopted, offer, refusal
from workspace_ctrl.planning.engine_config import CONFIG_KEY
from workspace_ctrl.planning.hardware import reads_nodes
from workspace_ctrl.planning.model_server import interests
from workspace_ctrl.planning.no_effect import (
    PREFIXES,
    annotations_without_effect,
    fields_without_effect,
    unknown_annotations,
    unknown_fields,
)
from workspace_ctrl.planning.preview import Preview, foresee
from workspace_ctrl.planning.settings import PlanSettings
from workspace_ctrl.records.decisions import Decisions, LinkName, Problem
from workspace_ctrl.records.meta import Meta, ObjectRef

_SIZED_BY: Final = "resource.instanceType "
"""Begins each refusal of a model's size."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the cluster beside the Workspace."""

    objects: Sequence[Mapping[str, Any]] = ()
    """ConfigMaps, nodes and workloads, as JSON."""
    is_all: bool = False
    """Whether ConfigMaps and workloads that are not among `objects` do not exist."""
    missing: frozenset[ObjectRef] = frozenset()
    """Objects that do not exist."""
    taken: Sequence[Mapping[str, Any]] = ()
    """Objects, at least their metadata, that have names which the Workspace gives to its own."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a Workspace is taken, in sentences for its author."""

    refusals: tuple[str, ...] = ()
    """Why it is refused; empty where it is not."""
    warnings: tuple[str, ...] = ()
    preview: Preview | None = None
    """What it would become; None where it is refused, or something that it needs does not exist yet."""


def judge(raw: Mapping[str, Any], known: Known, settings: PlanSettings) -> Verdict:
    """Return the verdict on the Workspace `raw`, as JSON; raises nothing, whatever that is."""
    too_much = excess(raw)
    if too_much:
        return Verdict((too_much,))
    try:
        found = foresee(raw, (*known.objects, *_assumed(raw, known)), settings)
    except SpecError as error:
        return Verdict((str(error),))
    spec, problems = _spec(raw), found.decisions.problems
    refusals = tuple(problem.message for problem in problems if _is_refused(problem, spec, known))
    doubts = [problem.message for problem in problems if problem.message not in refusals]
    warnings = (*doubts, *_warnings(raw, spec, found.decisions, known, settings))
    is_shown = not refusals and found.decisions.problem(LinkName.SPEC, LinkName.WORKLOAD) is None
    return Verdict(refusals, tuple(dict.fromkeys(warnings)), found if is_shown else None)


def judge_change(raw: Mapping[str, Any], before: Mapping[str, Any], known: Known, settings: PlanSettings) -> Verdict:
    """Return the verdict on a change of a Workspace from `before` to `raw`.

    A change that leaves what is asked for as it was passes, whatever that is: labels, finalizers and status of an invalid Workspace can
    be edited. What was wrong before does not stand in the way of changing something else; it is a warning.
    """
    if _is_same(asked(raw), asked(before)):
        return Verdict()
    verdict = judge(raw, known, settings)
    if not verdict.refusals:
        return verdict
    old = set(judge(before, known, settings).refusals)
    kept = tuple(text for text in verdict.refusals if text in old)
    return Verdict(tuple(text for text in verdict.refusals if text not in old), (*kept, *verdict.warnings))


def asked(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a Workspace on which a verdict depends: its fields, and its annotations for this controller."""
    fields = {name: raw[name] for name in SPEC_FIELDS if name in raw}
    return fields | {"annotations": {key: value for key, value in _annotations(raw).items() if key.startswith(PREFIXES)}}


def _is_refused(problem: Problem, spec: Workspace | None, known: Known) -> bool:
    """Whether a problem is the spec's own, whatever the cluster has."""
    if not problem.terminal:
        return False
    if problem.reason == "ChartVersionUnknown":
        return spec is not None and spec.gateway is not None and spec.gateway.chart is not None  # else it is the installation's
    return not (problem.message.startswith(_SIZED_BY) and spec is not None and _may_fit(spec, known))


def _may_fit(spec: Workspace, known: Known) -> bool:
    """Whether what is not known here, nodes or a ConfigMap, could make a model fit that otherwise does not."""
    by_nodes = spec.resource is not None and reads_nodes(spec.resource)
    return by_nodes or (bool(interests(spec).config) and not known.is_all)


def _warnings(
    raw: Mapping[str, Any], spec: Workspace | None, decisions: Decisions, known: Known, settings: PlanSettings
) -> Iterator[str]:
    annotations = _annotations(raw)
    yield from unknown_fields(raw)
    yield from unknown_annotations(annotations)
    yield from _taken(raw, annotations, known)
    if spec is None or spec.inference is None:
        return
    yield from annotations_without_effect(annotations, spec.inference)
    yield from fields_without_effect(spec, spec.inference, gateway_extension=settings.gateway_extension)
    yield from _sizing(spec, decisions)


def _sizing(spec: Workspace, decisions: Decisions) -> Iterator[str]:
    """Yield what the size of a preset assumes."""
    if spec.inference is None or spec.inference.preset is None or spec.resource is None or not decisions.sizing:
        return
    if spec.resource.instance_type is None and DEFAULT_INSTANCE_TYPE in decisions.sizing:
        yield f"sized for {DEFAULT_INSTANCE_TYPE}, unless labels of matching nodes tell other GPUs; set resource.instanceType"
    count = spec.resource.count
    if "count" in spec.resource.model_fields_set and count not in {1, decisions.node_count}:
        yield f"resource.count: {count} has no effect; the model is sized for {decisions.node_count}"


def _taken(raw: Mapping[str, Any], annotations: Mapping[str, str], known: Known) -> Iterator[str]:
    """Yield what is said of objects that others have made under the Workspace's names."""
    owner = Meta(_ref(raw))
    for live in known.taken:
        ref = ObjectRef(str(live["kind"]), owner.ref.namespace, str(live["metadata"]["name"]))
        text = refusal(live, owner, ref)
        if text or not is_adopted(annotations, ref.kind):
            yield text or offer(live, owner, ref)


def needed(raw: Mapping[str, Any]) -> Iterator[ObjectRef]:
    """Yield the objects of others that the Workspace names, without which its pods cannot be made or found."""
    spec = _spec(raw)
    if spec is None:
        return
    wanted, namespace = interests(spec), _ref(raw).namespace
    if wanted.config:
        yield ObjectRef("ConfigMap", namespace, wanted.config)
    if wanted.reference is not None:
        yield ObjectRef(str(wanted.reference.kind), namespace, str(wanted.reference.name))


def _assumed(raw: Mapping[str, Any], known: Known) -> Iterator[Mapping[str, Any]]:
    """Yield stand-ins for the objects that the Workspace names and of which nothing is known."""
    pods = {"spec": {"containers": [{"name": "any", "ports": [{"containerPort": 80}]}]}}
    body = {"selector": {"matchLabels": {"any": "any"}}, "template": pods}
    for ref in () if known.is_all else needed(raw):
        if ref not in known.missing:
            content = {"data": {CONFIG_KEY: ""}} if ref.kind == "ConfigMap" else {"spec": body}
            yield {"kind": ref.kind, "metadata": {"namespace": ref.namespace, "name": ref.name}, **content}


def _spec(raw: Mapping[str, Any]) -> Workspace | None:
    """Return the Workspace in `raw`; None where planning says what is wrong."""
    name = _ref(raw).name
    try:
        return parse_workspace(name, {field: raw[field] for field in SPEC_FIELDS if field in raw}) if is_valid(name) else None
    except SpecError:
        return None


def _ref(raw: Mapping[str, Any]) -> ObjectRef:
    metadata = _mapping(raw.get("metadata"))
    return ObjectRef(KIND, str(metadata.get("namespace") or "default"), str(metadata.get("name") or ""))


def _annotations(raw: Mapping[str, Any]) -> Mapping[str, str]:
    given = _mapping(_mapping(raw.get("metadata")).get("annotations"))
    return {str(key): str(value) for key, value in given.items()}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_same(one: object, other: object) -> bool:
    """Whether two JSON values are equal; needs no stack, however deep they are."""
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

"""Existing objects with the name of one of ours that we did not create: rejected with a way out, adopted only on the user's request.

Adoption means that the object gets the content that the Workspace defines, and is deleted with the Workspace. Server-side apply alone is
not enough: fields of the former manager, such as a second container, would stay. So the former manager's fields are first transferred
to us in `metadata.managedFields`; the apply that follows removes those that the Workspace does not define.

The chart's policy for the controller allows that only for objects that someone who may change them has labelled with the Workspace's name.

The restore of a backup brings back objects of ours without their owner, whose uid is another one then. They are adopted on request, too,
and not by their marks: whoever may write such an object can set these, and they do not say that the author of the Workspace may change it.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.api.labels import ADOPT_ANNOTATION, FIELD_MANAGER, GROUP, HASH_ANNOTATION, OWNER_LABEL
from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.records.meta import Json, Meta, ObjectRef, parse_meta

_ALL: Final = "true"
_KINDS: Final = re.compile(r"[A-Za-z. ,-]{0,1024}")
"""A list of kinds. The admission policy of the chart, which asks for the rights of the author, accepts exactly these texts and reads them
in the same way: with others, the two languages could differ in what is white space, or a lower-case letter."""
_SPEC: Final = "f:spec"
_NOT_TAKEN: Final = frozenset({"f:suspend"})
"""Fields of the spec that stay with their manager: a pause that a user has set must stay."""
_CLUSTER: Final = frozenset({"kube-controller-manager", "helm-controller", "source-controller"})
"""Field managers that write to every object of their kinds, whoever owns it."""


def is_adopted(annotations: Mapping[str, str], kind: str) -> bool:
    """Whether the Workspace's annotations allow the adoption of an object of `kind`."""
    words = adopted(annotations.get(ADOPT_ANNOTATION, ""))
    return _ALL in words or kind.lower() in words


def adopted(annotation: str) -> frozenset[str]:
    """Return the kinds in lower case that the annotation's value names, or `true` for all; none if it is no list of kinds."""
    if not _KINDS.fullmatch(annotation):
        return frozenset()
    return frozenset(word.strip(" ").lower() for word in annotation.split(","))


def adopt_command(workspace: ObjectRef, kind: str) -> str:
    """Return the command with which the author of the Workspace or InferenceSet `workspace` allows the adoption of an object of `kind`."""
    return f"kubectl annotate {workspace.kind.lower()} {workspace.name} -n {workspace.namespace} {ADOPT_ANNOTATION}={kind}"


def is_restored(meta: Meta, owner: Meta) -> bool:
    """Whether an object without an owner has the marks of one that we made for `owner`, as after the restore of a backup.

    Our field manager is not asked for: most tools write what they restore as a field manager of their own. Anyone who may write the
    object can set these marks, so they choose words only.
    """
    return not meta.controller_uid and meta.workspace == owner.ref.name and bool(meta.applied_hash)


def restored_offer(owner: ObjectRef, ref: ObjectRef) -> str:
    """Return a message that an object looks like a restored one of `owner`, and how all of them become its own again."""
    return (
        f"{ref} has the marks of an object that was made for this {owner.kind}, but no owner, as after the restore of a backup; to go on "
        f"with it and with all others of this {owner.kind}: {adopt_command(owner, _ALL)} --overwrite"
    )


def is_own(live: Json, owner: Meta) -> bool:
    """Whether we created an object for the Workspace `owner`."""
    controller = _controller(live) or {}
    return controller.get("uid") == owner.uid and HASH_ANNOTATION in (live["metadata"].get("annotations") or {})


def is_shared(live: Json) -> bool:
    """Whether other managers own the same fields of an object's spec as we do, which means that it existed before we applied it.

    Fields that others have added to an object of ours do not count.
    """
    ours = next((entry for entry in _entries(live) if _is_ours(entry)), {})
    spec = (ours.get("fieldsV1") or {}).get(_SPEC) or {}
    return any(_overlap(spec, (entry.get("fieldsV1") or {}).get(_SPEC) or {}) for entry in _entries(live) if _others_spec(entry))


def refusal(live: Json, owner: Meta, ref: ObjectRef) -> str:
    """Return why an object cannot be adopted, with the way out; empty if no other controller owns it.

    In that case the Workspace's annotation decides.
    """
    controller = _controller(live)
    if controller is None or controller.get("uid") == owner.uid:
        return ""
    other = f"{controller.get('kind')} {controller.get('name')}"
    if _is_earlier(controller, owner.ref):
        return f"{ref} is owned by an earlier {other}, so Kubernetes deletes it; then it is created again"
    return f"{ref} is owned by {other}, which would revert changes; delete that owner, or rename the Workspace"


def offer(live: Json, owner: Meta, ref: ObjectRef) -> str:
    """Return a message that an object could be adopted, and how."""
    annotate = adopt_command(owner.ref, ref.kind)
    if _controller(live) is not None:
        return f"{ref} was created for this Workspace by another controller, such as KAITO; stop that controller, then adopt it: {annotate}"
    if is_restored(parse_meta(live, ref.kind), owner):
        return restored_offer(owner.ref, ref)
    label = f"kubectl label {ref.kind.lower()} {ref.name} -n {ref.namespace} {OWNER_LABEL}={owner.ref.name}"
    return (
        f"{ref} already exists and was not created for this Workspace; delete it, rename the Workspace, or adopt it, so that it is "
        f"changed now and later deleted with the Workspace: {label} && {annotate}"
    )


def handed_over(live: Json) -> Manifest:
    """Return the patch that makes us manager of all fields in an object's spec; the API server rejects it if the object has changed."""
    metadata = live["metadata"]
    ours: dict[str, Any] = {}
    rest = []
    for entry in _entries(live):
        fields = dict(entry.get("fieldsV1") or {})
        if _is_ours(entry):
            _merge(ours, fields)
            continue
        if _others_spec(entry):
            taken = fields.pop(_SPEC)
            kept = {name: inside for name, inside in taken.items() if name in _NOT_TAKEN}
            _merge(ours, {_SPEC: {name: inside for name, inside in taken.items() if name not in _NOT_TAKEN}})
            fields |= {_SPEC: kept} if kept else {}
        if fields:
            rest.append({**entry, "fieldsV1": fields})
    entry = {
        "manager": FIELD_MANAGER,
        "operation": "Apply",
        "apiVersion": live["apiVersion"],
        "fieldsType": "FieldsV1",
        "fieldsV1": ours,
    }
    about = {"uid": metadata["uid"], "resourceVersion": metadata["resourceVersion"], "managedFields": [entry, *rest]}
    return {"metadata": about}


def _entries(live: Json) -> list[Json]:
    return list(live["metadata"].get("managedFields") or ())


def _is_ours(entry: Json) -> bool:
    return entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply" and not entry.get("subresource")


def _others_spec(entry: Json) -> bool:
    """Whether an entry of `managedFields` belongs to another manager of fields in the spec."""
    is_other = entry.get("manager") not in _CLUSTER and not _is_ours(entry) and not entry.get("subresource")
    return is_other and bool(set((entry.get("fieldsV1") or {}).get(_SPEC) or ()) - _NOT_TAKEN)


def _controller(live: Json) -> Json | None:
    return next((owner for owner in live["metadata"].get("ownerReferences") or () if owner.get("controller")), None)


def _is_earlier(controller: Json, owner: ObjectRef) -> bool:
    """Whether the controller of an object had the name of `owner`, and so is gone: a name is that of one object at a time."""
    group = str(controller.get("apiVersion", "")).partition("/")[0]
    return (group, controller.get("kind"), controller.get("name")) == (GROUP, owner.kind, owner.name)


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two trees of fields have a leaf in common."""
    common = (one.keys() & other.keys()) - {"."}
    return any(not one[name] or not other[name] or _overlap(one[name], other[name]) for name in common)


def _merge(into: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for name, inside in fields.items():
        _merge(into.setdefault(name, {}), inside)

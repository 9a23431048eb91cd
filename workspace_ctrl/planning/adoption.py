"""Objects that carry the name of one of ours but were not made by us: refused with a way out, taken over only when the user says so.

Taking over means that the object becomes what the Workspace decides, and goes with the Workspace. Server-side apply alone would not do:
what its former owner wrote, such as a second container, would stay. So the former owner's fields are first made ours in
`metadata.managedFields`; the apply that follows removes those that the Workspace does not have.
"""

from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.api.labels import ADOPT_ANNOTATION, FIELD_MANAGER, HASH_ANNOTATION
from workspace_ctrl.planning.manifests import Manifest
from workspace_ctrl.records.meta import Json, Meta, ObjectRef

_ALL: Final = "true"
_LONGEST_ANNOTATION: Final = 1024
"""In characters: all kinds together are far fewer, and it is read for each object."""
_SPEC: Final = "f:spec"
_NOT_TAKEN: Final = frozenset({"f:suspend"})
"""Fields of the spec that stay with whoever set them: a user's pause is not ours to end."""
_CLUSTER: Final = frozenset({"kube-controller-manager", "helm-controller", "source-controller"})
"""Managers that work on every object of their kinds, whoever owns it."""


def is_adopted(annotations: Mapping[str, str], kind: str) -> bool:
    """Whether the Workspace's annotations let us take over an object of `kind`."""
    words = {word.strip().lower() for word in annotations.get(ADOPT_ANNOTATION, "")[:_LONGEST_ANNOTATION].split(",")}
    return _ALL in words or kind.lower() in words


def is_own(live: Json, owner: Meta) -> bool:
    """Whether an object was made by us for the Workspace `owner`."""
    controller = _controller(live) or {}
    return controller.get("uid") == owner.uid and HASH_ANNOTATION in (live["metadata"].get("annotations") or {})


def is_shared(live: Json) -> bool:
    """Whether others have decided the same fields of an object's spec as we have: it was there before we applied it.

    What they have added beside ours, to an object of ours, does not count.
    """
    ours = next((entry for entry in _entries(live) if _is_ours(entry)), {})
    spec = (ours.get("fieldsV1") or {}).get(_SPEC) or {}
    return any(_overlap(spec, (entry.get("fieldsV1") or {}).get(_SPEC) or {}) for entry in _entries(live) if _others_spec(entry))


def refusal(live: Json, owner: Meta, ref: ObjectRef) -> str:
    """Return why an object is not touched, with what the owner of the Workspace can do; empty where nobody stands against taking it over.

    That is up to the Workspace's annotation then.
    """
    controller = _controller(live)
    if controller is None or controller.get("uid") == owner.uid:
        return ""
    other = f"{controller.get('kind')} {controller.get('name')}"
    return f"{ref} belongs to {other}, which would undo what we write; delete that, or give the Workspace another name"


def offer(live: Json, owner: Meta, ref: ObjectRef) -> str:
    """Return that an object could be taken over, and how."""
    annotate = f"kubectl annotate workspace {owner.ref.name} -n {owner.ref.namespace} {ADOPT_ANNOTATION}={ref.kind}"
    if _controller(live) is not None:
        return (
            f"{ref} was made for this Workspace by another controller, such as KAITO; stop that one, then hand it over: {annotate}"
        )
    return (
        f"{ref} is there, and was not made for this Workspace; delete it, give the Workspace another name, or hand it over, to be "
        f"changed and at the end deleted with the Workspace: {annotate}"
    )


def handed_over(live: Json) -> Manifest:
    """Return the patch by which all fields in the spec of an object become ours; it is refused where the object has changed since."""
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
    """Whether an entry of `managedFields` is of somebody else who decides about the spec."""
    is_other = entry.get("manager") not in _CLUSTER and not _is_ours(entry) and not entry.get("subresource")
    return is_other and bool(set((entry.get("fieldsV1") or {}).get(_SPEC) or ()) - _NOT_TAKEN)


def _controller(live: Json) -> Json | None:
    return next((owner for owner in live["metadata"].get("ownerReferences") or () if owner.get("controller")), None)


def _overlap(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two trees of fields have a leaf in common."""
    common = (one.keys() & other.keys()) - {"."}
    return any(not one[name] or not other[name] or _overlap(one[name], other[name]) for name in common)


def _merge(into: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for name, inside in fields.items():
        _merge(into.setdefault(name, {}), inside)

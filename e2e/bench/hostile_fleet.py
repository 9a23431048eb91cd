"""Objects with which a tenant could stop, slow down or exhaust the shared controller; pure.

They are text, because ordinary clients could not write them. What the API server corrects (halves of surrogate pairs, duplicate keys) or
rejects (NaN, numbers beyond a double) is left out, and so are owners that do not exist: the garbage collector deletes their dependents.
"""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from e2e import workspaces
from workspace_ctrl.api.labels import (
    CANARY_ANNOTATION,
    FIELD_MANAGER,
    GROUP,
    HASH_ANNOTATION,
    OWNER_LABEL,
    PLURAL,
    POD_LABEL,
    STORAGE_VERSION,
)

NAMESPACE: Final = "hostile"
APPLY: Final = "application/apply-patch+yaml"
JSON: Final = "application/json"
_HOLE: Final = '"HOLE"'
_TEMPLATE: Final = {"spec": {"containers": [{"name": "server", "image": "example/server:1"}]}}
_WORKSPACES_BESIDE_AN_OBJECT: Final = 4


@dataclass(frozen=True, slots=True)
class Request:
    """A write that is sent as it stands."""

    method: str
    path: str
    body: bytes
    content_type: str = JSON
    parameters: Mapping[str, str] | None = None


def nested(levels: int, begin: str = '{"a":', end: str = "}") -> str:
    """Return a value below `levels` levels, as JSON; no parser of this process has to read it."""
    return begin * levels + "1" + end * levels


def template(value: str) -> Callable[[str], str]:
    """Return a maker of Workspaces whose pod template is `value`, as JSON."""
    return lambda name: _text(workspaces.workspace(name, inference={"template": "HOLE"}, gateway={"enabled": False}), value)


def metadata(value: Callable[[], Mapping[str, Any]]) -> Callable[[str], str]:
    """Return a maker of Workspaces that are sound but for their metadata."""

    def make(name: str) -> str:
        document = workspaces.workspace(name, inference={"template": _TEMPLATE}, gateway={"enabled": False})
        return json.dumps({**document, "metadata": {**document["metadata"], **value()}})

    return make


def _text(document: Mapping[str, Any], value: str) -> str:
    return json.dumps(document).replace(_HOLE, value)


def _arguments(bytes_: int) -> Callable[[str], str]:
    """Return a maker of Workspaces that are right, and about as large as they may be of what hardly packs."""

    def make(name: str) -> str:
        words = random.Random(name).randbytes(bytes_ // 2).hex()  # noqa: S311 - the same in each run
        container = {"name": "server", "image": "example/server:1", "args": [words]}
        return template(json.dumps({"spec": {"containers": [container]}}))(name)

    return make


def _variables(count: int) -> Callable[[str], str]:
    def make(name: str) -> str:
        container = {"name": "server", "image": "example/server:1"}
        variables = [{"name": f"V{number}", "value": f"{name}-{number}"} for number in range(count)]
        return template(json.dumps({"spec": {"containers": [{**container, "env": variables}]}}))(name)

    return make


def _labels() -> Mapping[str, Any]:
    return {"labels": {f"{number:060}": f"{number:063}" for number in range(9_000)}}


def _managers() -> Mapping[str, Any]:
    entry = {"operation": "Apply", "apiVersion": f"{GROUP}/{STORAGE_VERSION}", "fieldsType": "FieldsV1"}
    fields: dict[str, Any] = {"f:inference": {}, "f:resource": {}}
    return {"managedFields": [{"manager": f"m{number}", **entry, "fieldsV1": fields} for number in range(6_000)]}


KINDS: Final[Mapping[str, Callable[[str], str]]] = {
    "deep-70": template(nested(70)),
    "deep-900": template(nested(900)),
    "deep-5000": template(nested(5_000)),
    "deep-lists": template(f'{{"a":{nested(9_000, "[", "]")}}}'),
    "deep-affinity": template(f'{{"spec":{{"containers":[],"affinity":{nested(2_000)}}}}}'),
    "key": template(json.dumps({"x" * 600_000: 1})),
    "numbers": template(json.dumps({"a": [1] * 200_000})),
    "objects": template(json.dumps({"a": [{}] * 100_000})),
    "signs": template(json.dumps({"a": "\x1b[31m\u202e" * 60_000})),
    "one-text": template(json.dumps({"a": "x" * 1_400_000})),
    "right-one-value": _arguments(250_000),
    "right-variables": _variables(1_600),
    "too-many-variables": _variables(4_500),
    "labels": metadata(_labels),
    "annotation": metadata(lambda: {"annotations": {CANARY_ANNOTATION: "x" * 250_000}}),
    "managers": metadata(_managers),
}
"""Name → maker of Workspaces of that name as JSON."""
_READY: Final = frozenset({"right-one-value", "right-variables", "labels", "annotation", "managers"})
"""Those of which nothing need be said but how their pods are."""


def names(count: int) -> list[str]:
    """Return the names of `count` hostile Workspaces; those of one kind come one after the other kinds."""
    kinds = list(KINDS)
    return [f"{kinds[number % len(kinds)]}-{number:03}" for number in range(count)]


def is_wrong(name: str) -> bool:
    """Whether the Workspace of that name must be told that its spec is wrong."""
    return name.rpartition("-")[0] not in _READY


def requests(count: int) -> Iterator[Request]:
    """Yield the writes that make `count` hostile Workspaces, and after each few of them one of each kind of hostile object."""
    path = f"/apis/{GROUP}/{STORAGE_VERSION}/namespaces/{NAMESPACE}/{PLURAL}"
    for number, name in enumerate(names(count)):
        yield Request("POST", path, KINDS[name.rpartition("-")[0]](name).encode())
        if number % _WORKSPACES_BESIDE_AN_OBJECT == 0:
            yield from _objects(name)


def _objects(name: str) -> Iterator[Request]:
    """Yield objects with our labels and in our name, as large as the API server stores them."""
    ours = {"name": name, "labels": {OWNER_LABEL: name}, "annotations": {HASH_ANNOTATION: "h"}}
    digits = random.Random(name)  # noqa: S311 - the same in each run
    data = {f"{digits.getrandbits(40):x}": "" for _ in range(25_000)}
    for kind, labels in (("configmaps", {}), ("services", {OWNER_LABEL: name})):
        about = {**ours, "labels": labels}
        content = {"data": data} if kind == "configmaps" else {"spec": {"ports": _ports(2_000)}}
        yield _applied(f"/api/v1/namespaces/{NAMESPACE}/{kind}/{name}", {"apiVersion": "v1", "metadata": about, **content}, kind)
    labels = {f"{digits.getrandbits(200):x}": f"{digits.getrandbits(200):x}" for _ in range(9_000)}
    pod = {"metadata": {"name": name, "labels": labels | {POD_LABEL: name}}, "spec": _TEMPLATE["spec"]}
    yield _created(f"/api/v1/namespaces/{NAMESPACE}/pods", {"apiVersion": "v1", "kind": "Pod", **pod})
    signs = {"name": "SIGNS", "value": "<" * 1_300_000}  # six bytes each in JSON
    deployment = {
        "replicas": 0,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i", "env": [signs]}]}},
    }
    about = {"name": f"{name}-signs", "labels": {OWNER_LABEL: name}}
    document = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": about, "spec": deployment}
    yield _created(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments", document)


def _ports(count: int) -> list[dict[str, Any]]:
    return [{"name": f"p{number}", "port": 1 + number} for number in range(count)]


def _created(path: str, document: Mapping[str, Any]) -> Request:
    return Request("POST", path, json.dumps(document).encode())


def _applied(path: str, document: Mapping[str, Any], plural: str) -> Request:
    kind = {"configmaps": "ConfigMap", "services": "Service"}[plural]
    parameters = {"fieldManager": FIELD_MANAGER, "force": "true"}
    return Request("PATCH", path, json.dumps({"kind": kind, **document}).encode(), APPLY, parameters)

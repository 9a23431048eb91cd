"""Workspaces and routes of the list as the API server has them, and an index that knows them."""

from tests.unit.factories import gateway, meta
from workspace_ctrl.model.model_index import INDEX_HEADER
from workspace_ctrl.model.route_claims import RoutePlace
from workspace_ctrl.model_index.index_routes import parse_index_route
from workspace_ctrl.model_index.listed_models import parse_listed_model
from workspace_ctrl.model_index.model_index import ModelIndex
from workspace_ctrl.planning.gateway.model_index import IndexInputs, index_key, plan_index
from workspace_ctrl.planning.plan_settings import ModelIndexSettings
from workspace_ctrl.records.listeners import Listener, RoutesFrom

OWNER = meta("Service", "ctrl-models", namespace="system", owner="")
CREATED = "2026-11-28T06:00:00Z"
SHARED, PRIVATE = "gateways/shared", "team-b/private"
ADDRESS = "shared.example"


def settings(namespaces="all"):
    return ModelIndexSettings(enabled=True, namespaces=namespaces, service_namespace="system", service="ctrl-models")


def workspace(
    name,
    *models,
    namespace="team-a",
    gateways=(SHARED,),
    urls=None,
    ready="True",
    reason="GatewayReady",
    routed="True",
    kind="Workspace",
    group=None,
    adapters=(),
    **metadata,
):
    """A Workspace or InferenceSet with a status."""
    conditions = [{"type": "GatewayReady", "status": ready, "reason": reason}, {"type": "RouteReady", "status": routed}]
    links = [f"http://{ADDRESS}/{namespace}/{name}"] if urls is None else urls
    about = {"gateways": list(gateways), "urls": list(links), "modelNames": list(models or (name,))}
    inference = {"adapters": [{"source": {"name": adapter}} for adapter in adapters]}
    return {
        "kind": kind,
        "metadata": {"name": name, "namespace": namespace, "uid": name, "creationTimestamp": CREATED} | metadata,
        "status": {"conditions": conditions, "gateway": about | ({"group": group} if group else {})},
    } | ({"spec": {"template": {"inference": inference}}} if kind == "InferenceSet" else {"inference": inference})


def models(*documents):
    return [parse_listed_model(document, document["kind"]) for document in documents]


def routes(*hostnames, key=SHARED, addresses=(ADDRESS,)):
    """The routes that the controller makes for a Gateway."""
    namespace, _, name = key.partition("/")
    listener = Listener("http", "HTTP", 80, routes_from=RoutesFrom.ALL)
    there = gateway(name, namespace=namespace, listeners=(listener,), addresses=addresses)
    found = plan_index(
        settings(),
        OWNER,
        {RoutePlace(key, "http", hostname) for hostname in hostnames or ("",)},
        (),
        IndexInputs({key: there}, {}, {}),
    )
    return [parse_index_route(route, "HTTPRoute") for route in found.routes]


def known_index(*documents, namespaces="all", made=()):
    """An index that knows these Workspaces, and the routes `made`, or those of the shared Gateway."""
    index = ModelIndex(None, settings(namespaces))
    for number, model in enumerate(models(*documents)):
        ref = model.meta.ref
        index._models[ref.kind == "InferenceSet"].put((ref.namespace, ref.name), model, number + 1)
    for number, route in enumerate(made or routes()):
        index._routes.put((route.meta.ref.namespace, route.meta.ref.name), route, number + 1)
    return index


def from_gateway(key=SHARED, host=ADDRESS):
    """The headers with which a Gateway sends a request on."""
    return {INDEX_HEADER: index_key(OWNER.uid, key), "Host": host}

"""Passes over Workspaces of one namespace whose model servers are there, and the HTTPRoutes that come of them."""

import copy
from collections import Counter
from itertools import count

from tests.unit.controller.test_reconciler import KEY, ApiServer, GroupPasses, Passes
from tests.unit.factories import ISTIO, NAMESPACE, quickstart
from workspace_ctrl.model.route_claims import MODEL_HEADER
from workspace_ctrl.records.gateways import parse_http_route

CHAT = f"/{NAMESPACE}/chat"
_CREATED = "2026-11-21T12:00:00Z"
"""Of routes: after all Workspaces."""


def raw_workspace(name, *, group="chat", path=None, created="", match=None, **gateway):
    """A Workspace; `group` is empty for none."""
    fields = dict(gateway)
    if group:
        fields["group"] = {"name": group}
    if path or match:
        fields["match"] = {**(match or {}), **({"path": path} if path else {})}
    raw = quickstart(gateway=fields)
    raw["metadata"] |= {"name": name, "uid": f"uid-of-{name}", "creationTimestamp": created or "2026-11-21T11:00:00Z"}
    return raw


class RouteServer(ApiServer):
    """Keeps HTTPRoutes, whose status only `accept` changes."""

    def __init__(self):
        super().__init__()
        self.routes, self.log, self.cache = {}, [], None
        self.workspaces, self._numbers = {}, count()

    async def apply(self, resource, manifest, *, dry_run=False, subresource="", **options):
        name = manifest["metadata"]["name"]
        if resource.kind == "Workspace":
            self.workspace = self.workspaces[name]
            answer = await super().apply(resource, manifest, dry_run=dry_run, subresource=subresource, **options)
            return {**answer, "metadata": {**answer["metadata"], **self.workspace["metadata"]}}
        answer = await super().apply(resource, manifest, dry_run=dry_run, subresource=subresource, **options)
        if resource.kind != "HTTPRoute":
            return answer
        before = self.routes.get(name, {"metadata": {"uid": f"route-{next(self._numbers)}", "generation": 0}})
        about = {
            "uid": before["metadata"]["uid"],
            "generation": before["metadata"]["generation"] + 1,
            "creationTimestamp": _CREATED,
        }
        self.routes[name] = {**answer, "metadata": {**answer["metadata"], **about}, "status": before.get("status", {})}
        self.log.append(("apply", name))
        return copy.deepcopy(self.routes[name])

    async def delete(self, resource, namespace, name, _uid):
        self.log.append(("delete", name))
        if resource.kind == "HTTPRoute":
            self.routes.pop(name, None)
            self.cache.http_routes.drop((namespace, name))


class Namespace(Passes):
    """Workspaces that are ready, with one Gateway of Istio."""

    def __init__(self, monkeypatch, before=None, *, is_shard=False):
        """Make it, or a new process for the objects that there were `before`; `is_shard` is whether there are others for more objects."""
        server = before.server if before is not None else RouteServer()
        super().__init__(monkeypatch, server=server)
        server.cache = self.cache
        self.reconciler._claims._is_shard = is_shard
        self.cache.workspaces.remove(KEY, 2)
        self.give(*server.workspaces.values())
        for name in server.routes:
            self._store(name)

    def give(self, *workspaces):
        """Have Workspaces with these specs, which are ready."""
        for raw in workspaces:
            name = raw["metadata"]["name"]
            self.server.workspaces[name] = raw
            super().give(raw)
            if self.cache.pods.get((NAMESPACE, name)) is None:
                self.serve(name)

    def remove(self, name):
        """Delete a Workspace, whose route is collected later."""
        del self.server.workspaces[name]
        self.cache.workspaces.remove((NAMESPACE, name), next(self.server.versions))

    serve = GroupPasses.serve

    async def passes(self, *names):
        """Make a pass over each of these Workspaces."""
        for name in names:
            self.costs = Counter()
            await self.reconciler.reconcile((NAMESPACE, name))

    def accept(self, name, *gateways):
        """Have Istio accept a route as it is, if it exists, for all its Gateways, or for those of these names."""
        if name not in self.server.routes:
            return
        route = self.server.routes[name]
        conditions = [
            {"type": type_, "status": "True", "reason": type_, "observedGeneration": route["metadata"]["generation"]}
            for type_ in ("Accepted", "ResolvedRefs")
        ]
        parents = [parent for parent in route["spec"]["parentRefs"] if not gateways or parent["name"] in gateways]
        route["status"] = {
            "parents": [{"parentRef": parent, "controllerName": ISTIO, "conditions": conditions} for parent in parents]
        }
        self._store(name)

    def _store(self, name):
        record = parse_http_route(self.server.routes[name], "HTTPRoute")
        self.cache.http_routes.put((NAMESPACE, name), record, next(self.server.versions))

    @property
    def deleted(self):
        """Names of the routes that were deleted."""
        return [name for verb, name in self.server.log if verb == "delete"]

    def paths(self):
        """The paths without a header that each route matches."""
        return {
            name: sorted({match["path"]["value"] for match in _matches(route) if not match.get("headers")})
            for name, route in self.server.routes.items()
        }

    def names(self):
        """The model names in the header that each route matches."""
        return {
            name: {
                header["value"]
                for match in _matches(route)
                for header in match.get("headers", ())
                if header["name"] == MODEL_HEADER
            }
            for name, route in self.server.routes.items()
        }

    def conditions(self, name):
        """The conditions in the newest status of a Workspace."""
        return [write for write in self.written if write.workspace.meta.ref.name == name][-1].status.conditions

    def reasons(self, name):
        """The reasons of these conditions."""
        return {entry.reason for entry in self.conditions(name)}


def accepted(namespace, path, names):
    """Whether one of the routes `names` with that path was accepted since it was created, so that requests under it are answered."""
    routes = namespace.server.routes
    return any(path in paths and routes[name].get("status") for name, paths in namespace.paths().items() if name in names)


def member_names(namespace, group):
    """The Workspaces that are in a group."""
    return {record.meta.ref.name for record in namespace.cache.members_of((NAMESPACE, group))}


def _matches(route):
    return [match for rule in route["spec"]["rules"] for match in rule["matches"]]

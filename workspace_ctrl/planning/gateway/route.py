"""The HTTPRoute: which requests of the Gateways are routed to the Workspace's InferencePool.

Path matches work with every GatewayClass and need nothing else. Header matches need a body-based router that sets the header, and the
catch-all match is for Gateways that serve one model. Matches that an older Workspace already has are left out and reported.
"""

import copy
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workspace_ctrl.api.gateway_spec import NO_TIMEOUT, Match
from workspace_ctrl.api.labels import STATUS_REQUEST_ANNOTATION
from workspace_ctrl.api.names import Names
from workspace_ctrl.api.traffic.durations import seconds_of
from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.model.plan_decisions import LinkName, Parent, Problem
from workspace_ctrl.model.route_claims import (
    BASE_MODEL_HEADER,
    MODEL_HEADER,
    RouteClaim,
    is_under,
    prefix_of,
)
from workspace_ctrl.planning.manifests import Manifest, owned
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.records.meta import Meta, ObjectRef

_MOST_MATCHES_OF_RULE = 64
_MOST_MATCHES = 128
"""Limit of all rules together (Gateway API 1.5, validation of HTTPRoute); the limit of 16 rules is never reached."""
_MOST_CLAIMS = 10_000
"""Per Workspace: listeners times host names times paths and model names."""
_REST = 3
"""Matches for the path, the catch-all, and an announced pool."""
_ANNOUNCING = "X-Workspace-Ctrl-Announced-Pool"
"""A header that no request has."""
_MOST_SHOWN = 5
"""Conflicts in one message."""
_ROOT = "/"


@dataclass(frozen=True, slots=True)
class Routing:
    """Which requests are routed to which pool."""

    pool: str
    path: str = ""
    """Path prefix; empty for none."""
    headers: tuple[str, ...] = ()
    """As `<name>=<value>`; each is a match of its own."""
    catch_all: bool = False
    hostnames: tuple[str, ...] = ()
    timeout: str = ""
    """Empty for the Gateway's default."""
    announced: str = ""
    """Pool that the Gateways shall prepare for, although no request is routed to it yet; empty for none."""

    @property
    def leads_anywhere(self) -> bool:
        """Whether any match is left."""
        return bool(self.path or self.headers or self.catch_all)

    def claims(self, parents: Sequence[Parent]) -> frozenset[RouteClaim]:
        """Return the matches as claims on the listeners of `parents`; empty if there are too many."""
        if not self.is_claimable(parents):
            return frozenset()
        kinds = [(path, "") for path in self._paths()] + [(_ROOT, header) for header in self.headers]
        return frozenset(
            RouteClaim(parent.gateway.key, listener.name, hostname, *kind)
            for parent in parents
            for listener in parent.listeners
            for hostname in listener.common_hostnames(self.hostnames) or ("",)
            for kind in kinds
        )

    def is_claimable(self, parents: Sequence[Parent]) -> bool:
        """Whether the number of claims is within the limit for comparison with other Workspaces."""
        places = sum(len(parent.listeners) for parent in parents)
        return places * max(len(self.hostnames), 1) * (len(self._paths()) + len(self.headers)) <= _MOST_CLAIMS

    def without(self, taken: Mapping[RouteClaim, str]) -> "Routing":
        """Return the routing without the matches in `taken`."""
        paths = {claim.path for claim in taken if not claim.header}
        headers = {claim.header for claim in taken}
        return replace(
            self,
            path="" if self.path in paths else self.path,
            headers=tuple(header for header in self.headers if header not in headers),
            catch_all=self.catch_all and _ROOT not in paths,
        )

    def held(self, seconds: int) -> "Routing":
        """Return the routing with as much more time for an answer, as the endpoint picker may hold a request before."""
        limit = seconds_of(self.timeout) if self.timeout else 0
        return replace(self, timeout=_duration(seconds + limit)) if seconds and limit else self

    def accepted_by(self, parents: Sequence[Parent]) -> "Routing":
        """Return the routing without a timeout if the class of one of `parents` rejects routes with one."""
        return self if all(parent.takes_timeouts for parent in parents) else replace(self, timeout="")

    def rules(self) -> Iterator[dict[str, Any]]:
        """Yield the rules of the route."""
        if self.path:
            yield self._rule([by_path(self.path)]) | (_REWRITE if self.path != _ROOT else {})
        matches = [by_path(_ROOT) | {"headers": [exact_header(header)]} for header in self.headers]
        for start in range(0, len(matches), _MOST_MATCHES_OF_RULE):
            yield self._rule(matches[start : start + _MOST_MATCHES_OF_RULE])
        if self.catch_all and self.path != _ROOT:
            yield self._rule([by_path(_ROOT)])
        if self.announced:
            yield {"matches": [by_path(_ROOT) | {"headers": [exact_header(f"{_ANNOUNCING}={self.announced}")]}]} | _to(
                self.announced
            )

    def _paths(self) -> list[str]:
        paths = [self.path] if self.path else []
        return [*paths, _ROOT] if self.catch_all and self.path != _ROOT else paths

    def _rule(self, matches: list[dict[str, Any]]) -> dict[str, Any]:
        timeouts = {"timeouts": {"request": self.timeout}} if self.timeout else {}
        return {"matches": matches} | _to(self.pool) | timeouts


_REWRITE = {"filters": [{"type": "URLRewrite", "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}}]}


def path_of(namespace: str, workspace: str) -> str:
    """Return the default path prefix of a Workspace: unique in the cluster, so that Workspaces never conflict."""
    return f"/{namespace}/{workspace}"


def routing(workspace: ObjectRef, spec: GatewaySpec | None, pool: str, models: Sequence[str], settings: PlanSettings) -> Routing:
    """Return the routing of `spec`; `models` are the names to match by header, that of the base model first."""
    match = spec.match if spec is not None and spec.match is not None else Match()
    timeout = spec.timeout if spec is not None and spec.timeout is not None else settings.request_timeout
    return Routing(
        pool=pool,
        path=match.path or path_of(workspace.namespace, workspace.name),
        headers=_headers(models) if match.header else (),
        catch_all=match.catch_all,
        hostnames=tuple(dict.fromkeys(spec.hostnames or ())) if spec is not None else (),
        timeout="" if timeout == NO_TIMEOUT else timeout,
    )


def path_problem(workspace: ObjectRef, asked: Routing, parents: Sequence[Parent], settings: PlanSettings) -> Problem | None:
    """Return that the requested path belongs to another namespace, as all paths on a shared Gateway do by their first segment; or None."""
    allowed = (prefix_of(workspace.namespace), *settings.shared_paths)
    if asked.path in {"", _ROOT} or any(is_under(asked.path, prefix) for prefix in allowed):
        return None
    shared = next((parent.gateway.ref for parent in parents if parent.gateway.ref.namespace != workspace.namespace), None)
    if shared is None:
        return None
    text = (
        f"gateway.match.path {asked.path} is not under {allowed[0]}, the prefix of the Workspace's namespace on {shared}; "
        "use a path under it; administrators can allow others by sharedPaths in the settings"
    )
    return Problem(LinkName.ROUTE, "PathNotAllowed", text, terminal=True, field="gateway.match.path")


def header_problem(spec: GatewaySpec | None, reported: Sequence[str]) -> Problem | None:
    """Return that no header can be matched, because the spec names no model; `reported` are the names that the model server reports."""
    if spec is None or spec.match is None or not spec.match.header:
        return None
    reports = f"; the model server reports {reported[0]}" if reported else ""
    text = f"gateway.match.header needs the name of the model in the spec; set gateway.modelName{reports}"
    return Problem(LinkName.ROUTE, "ModelNameNotSpecified", text)


def routing_problems(
    asked: Routing,
    models: Sequence[str],
    taken: Mapping[RouteClaim, str],
    parents: Sequence[Parent],
    *,
    aliases: Collection[str] = (),
    is_preset: bool = False,
) -> Iterator[Problem]:
    """Yield the problems of requested matches: used by an older Workspace, too many for a route, or not supported by the GatewayClass.

    `aliases` are those of the `models` that are in gateway.aliases, and a model that `is_preset` cannot have another gateway.modelName.
    """
    if taken:
        remedy = "set gateway.match.header to false" if is_preset else "change gateway.modelName"
        remedies = dict.fromkeys(aliases, "remove it from gateway.aliases")
        found = [
            _conflict(claim, asked, taken[claim], remedies.get(claim.header.partition("=")[2], remedy)) for claim in sorted(taken)
        ]
        yield _conflicts(found)
    if not asked.is_claimable(parents):
        text = f"more than {_MOST_CLAIMS:,} combinations of listeners, host names and model names"
        yield Problem(LinkName.ROUTE, "TooManyMatches", f"{text}; set sectionName in gateway.parentRefs, or use fewer hostnames")
    deaf = next((parent for parent in parents if not parent.takes_headers), None)
    if asked.headers and deaf is not None:
        text = f"{deaf.class_title} ({deaf.gateway.ref}) does not support header matches; set gateway.match.header to false"
        yield Problem(LinkName.ROUTE, "HeaderMatchNotSupported", text)
    fitting = len(_headers(models))
    if asked.headers and fitting <= len(models):
        text = (
            f"an HTTPRoute can match {fitting} model names, but this model has {len(models)}; the others are not routed by header"
        )
        yield Problem(LinkName.ROUTE, "TooManyModelNames", text)


def timeout_notes(asked: Routing, parents: Sequence[Parent], named_pool: ObjectRef | None) -> Iterator[str]:
    """Yield where the timeout has no effect because the class of a Gateway rejects routes with one.

    The chart makes the policy that has it instead, but not for `named_pool`, the pool of the user, and not for other classes.
    """
    rejecting = next((parent for parent in parents if not parent.takes_timeouts), None)
    if rejecting is None or not asked.timeout:
        return
    left_out = (
        f"timeout {asked.timeout} is left out of the route, because {rejecting.class_title} ({rejecting.gateway.ref}) rejects it"
    )
    others = ", ".join(str(parent.gateway.ref) for parent in parents if parent.takes_timeouts)
    if others:
        yield f"{left_out}; the default of {others} applies there; attach the Workspace to Gateways of one class"
    if named_pool is not None:
        yield f"{left_out}; set timeoutSec in a {rejecting.timeout_policy} for {named_pool}"


def http_route(owner: Meta, names: Names, parents: Sequence[Parent], wanted: Routing, request: str = "") -> Manifest:
    """Return the HTTPRoute that attaches the pool to `parents`; `request` asks their controllers for a new status of the pool, if given."""
    rules = list(wanted.accepted_by(parents).rules())
    spec: dict[str, Any] = {"parentRefs": [parent_reference(parent) for parent in parents], "rules": rules}
    if wanted.hostnames:
        spec["hostnames"] = list(wanted.hostnames)
    asking = {STATUS_REQUEST_ANNOTATION: request} if request else None
    return owned("gateway.networking.k8s.io/v1", "HTTPRoute", names.route, owner, {"spec": spec}, annotations=asking)


def parent_reference(parent: Parent) -> dict[str, Any]:
    """Return the entry of a route's parentRefs."""
    ref = parent.gateway.ref
    reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": ref.namespace, "name": ref.name}
    return reference | ({"sectionName": parent.section} if parent.section else {})


def _duration(seconds: int) -> str:
    """Return a duration of the Gateway API, whose numbers have at most five digits."""
    hours, rest = divmod(seconds, 3600)
    parts = ((hours, "h"), (rest // 60, "m"), (rest % 60, "s"))
    return "".join(f"{number}{unit}" for number, unit in parts if number)


def _headers(models: Sequence[str]) -> tuple[str, ...]:
    """Return the header matches for these model names, as many as a route can hold."""
    base = [f"{BASE_MODEL_HEADER}={name}" for name in models[:1]]
    own = [f"{MODEL_HEADER}={name}" for name in dict.fromkeys(models)]
    return tuple((own[: _MOST_MATCHES - _REST - len(base)]) + base)


def _to(pool: str) -> dict[str, Any]:
    return {"backendRefs": [{"group": "inference.networking.k8s.io", "kind": "InferencePool", "name": pool}]}


def to_root() -> dict[str, Any]:
    """Return the part of a rule that removes the matched path prefix."""
    return copy.deepcopy(_REWRITE)


def by_path(prefix: str) -> dict[str, Any]:
    """Return the match of a path prefix."""
    return {"path": {"type": "PathPrefix", "value": prefix}}


def exact_header(header: str) -> dict[str, str]:
    """Return the match of a header, given as `<name>=<value>`."""
    name, _, value = header.partition("=")
    return {"type": "Exact", "name": name, "value": value}


def _conflicts(found: Sequence[Problem]) -> Problem:
    """Return all conflicts as one problem, with the reason of the first one."""
    shown = [problem.message for problem in found[:_MOST_SHOWN]]
    more = [f"and {len(found) - _MOST_SHOWN} more"] if len(found) > _MOST_SHOWN else []
    return replace(found[0], message="; ".join((*shown, *more)))


def _conflict(claim: RouteClaim, asked: Routing, holder: str, remedy: str) -> Problem:
    """Return that `holder` has the requests of a claim; `remedy` is what to do about a model name."""
    why = "keeps them" if holder.startswith("group ") else "is older, or of the same second and first by name"
    older = f"are already routed to {holder}, which {why}"
    for_host = f" for {claim.hostname}" if claim.hostname else ""
    if claim.header:
        name, _, value = claim.header.partition("=")
        text = f"requests{for_host} with {name}: {value} on {claim.place} {older}; {remedy}, or use another listener"
        return Problem(LinkName.ROUTE, "ModelNameConflict", text)
    if claim.path == _ROOT and asked.path != _ROOT:
        text = f"unmatched requests{for_host} on {claim.place} {older}; set gateway.match.catchAll to false"
        return Problem(LinkName.ROUTE, "CatchAllConflict", text)
    text = f"requests{for_host} under {claim.path} on {claim.place} {older}; change gateway.match.path"
    return Problem(LinkName.ROUTE, "PathConflict", text)

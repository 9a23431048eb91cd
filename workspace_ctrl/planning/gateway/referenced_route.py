"""Checks of the HTTPRoute in gateway.httpRouteRef: does it route to the pool? It is only read, never written."""

from collections.abc import Sequence

from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.model.route_claims import MODEL_HEADER
from workspace_ctrl.records.gateways import HTTPRoute, RouteMatch
from workspace_ctrl.records.meta import ObjectRef


def check_route(route: HTTPRoute | None, ref: ObjectRef, pool: str, models: Sequence[str]) -> Problem | None:
    """Return why requests for one of `models` do not reach InferencePool `pool` through `route`; None if they do.

    `models` is empty if the model's names are not known.
    """
    if route is None:
        return _problem("HTTPRouteNotFound", f"{ref} (gateway.httpRouteRef) not found; it is used as soon as it exists")
    matches = _leading_to(route, pool)
    if not matches:
        leads = ", ".join(sorted({name for rule in route.rules for name in rule.pools})) or "none"
        backend = f"{{group: inference.networking.k8s.io, kind: InferencePool, name: {pool}}}"
        return _problem(
            "RefsInvalid",
            f"{route.ref} does not route to {pool} (its InferencePools: {leads}); add to a rule: backendRefs: [{backend}]",
        )
    asked = [_model_of(match) for match in matches]
    if models and not any(name in {"", *models} for name in asked):
        text = f"{route.ref} routes only requests for {', '.join(sorted(set(asked)))} to {pool}, but the model name is {models[0]}"
        return _problem("RefsInvalid", f"{text}; change the value of its header match {MODEL_HEADER}")
    return None


def _leading_to(route: HTTPRoute, pool: str) -> list[RouteMatch]:
    return [match for rule in route.rules if pool in rule.pools for match in rule.matches]


def _model_of(match: RouteMatch) -> str:
    """Return the model name that a match requires; empty if it requires none."""
    prefix = f"{MODEL_HEADER}=".lower()
    return next((header[len(prefix) :] for header in match.headers if header.lower().startswith(prefix)), "")


def _problem(reason: str, message: str) -> Problem:
    return Problem(LinkName.ROUTE, reason, message)

"""A route that somebody else writes: does it lead to the pool? It is read, never written."""

from collections.abc import Sequence

from workspace_ctrl.records.claims import MODEL_HEADER
from workspace_ctrl.records.decisions import LinkName, Problem
from workspace_ctrl.records.gateways import HTTPRoute, RouteMatch
from workspace_ctrl.records.meta import ObjectRef


def check_route(route: HTTPRoute | None, ref: ObjectRef, pool: str, models: Sequence[str]) -> Problem | None:
    """Return why requests for one of `models` do not reach InferencePool `pool` by `route`; None where they do.

    `models` is empty where the model's names are not known.
    """
    if route is None:
        return _problem(
            "HTTPRouteNotFound", f"{ref}, which gateway.httpRouteRef names, is not there; create it, and it is picked up"
        )
    matches = _leading_to(route, pool)
    if not matches:
        leads = ", ".join(sorted({name for rule in route.rules for name in rule.pools})) or "none"
        backend = f"{{group: inference.networking.k8s.io, kind: InferencePool, name: {pool}}}"
        return _problem(
            "RefsInvalid", f"{route.ref} does not lead to {pool} (InferencePools: {leads}); add to a rule: backendRefs: [{backend}]"
        )
    asked = [_model_of(match) for match in matches]
    if models and not any(name in {"", *models} for name in asked):
        text = f"{route.ref} leads only requests for {', '.join(sorted(set(asked)))} to {pool}, and the model is called {models[0]}"
        return _problem("RefsInvalid", f"{text}; change the value of its header {MODEL_HEADER}")
    return None


def path_by(route: HTTPRoute, pool: str) -> str:
    """Return the path prefix by which `route` leads to `pool` without a header; empty where it has none, or only `/`."""
    paths = [match.path for match in _leading_to(route, pool) if not match.headers]
    return next((path.rstrip("/") for path in paths if path), "")


def _leading_to(route: HTTPRoute, pool: str) -> list[RouteMatch]:
    return [match for rule in route.rules if pool in rule.pools for match in rule.matches]


def _model_of(match: RouteMatch) -> str:
    """Return the model name that a match asks for; empty where it asks for none."""
    prefix = f"{MODEL_HEADER}=".lower()
    return next((header[len(prefix) :] for header in match.headers if header.lower().startswith(prefix)), "")


def _problem(reason: str, message: str) -> Problem:
    return Problem(LinkName.ROUTE, reason, message)

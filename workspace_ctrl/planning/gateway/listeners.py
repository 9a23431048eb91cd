"""Which listeners of a Gateway accept the route of a Workspace, evaluated from the Gateway's spec.

The Gateway's controller reports whether a listener accepts a route, but not which change would make it accept. The messages here name that
change. The Gateway itself is never written, because another owner manages it.
"""

from collections.abc import Iterable, Sequence

from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.records.core_v1 import Namespace
from workspace_ctrl.records.gateways import Gateway
from workspace_ctrl.records.listeners import Listener, ParentReference, RoutesFrom

_NAME_LABEL = "kubernetes.io/metadata.name"
"""Kubernetes sets it on every namespace."""


def find_listeners(
    gateway: Gateway, wanted: ParentReference, namespace: str, hostnames: Sequence[str], live: Namespace | None
) -> tuple[Listener, ...] | Problem:
    """Return the listeners of `gateway` that accept a route of `namespace` for `hostnames`, or the problem if none does.

    `wanted` may name a listener, or a port. `live` is the namespace, or None if its labels are not known; listeners that select namespaces
    by label are then included.
    """
    named = [entry for entry in gateway.listeners if wanted.selects(entry)]
    if not named:
        return _problem("ListenerNotFound", _no_listener(gateway, wanted))
    speaking = [entry for entry in named if entry.speaks_http and entry.takes_http_routes]
    if not speaking:
        listed = ", ".join(f"{entry.name} ({entry.protocol})" for entry in named)
        return _problem(
            "NoHTTPListener", f"no listener of {gateway.ref} supports HTTPRoute: {listed}; add an HTTP or HTTPS listener"
        )
    labels = live.labels if live is not None else None
    own = gateway.ref.namespace
    admitting = [entry for entry in speaking if entry.admits_namespace(namespace, labels, own=own) is not False]
    if not admitting:
        words = " ".join(_refusal(gateway, entry, namespace) for entry in speaking)
        return _problem("NotAllowedByListeners", words)
    fitting = tuple(entry for entry in admitting if entry.admits_hostnames(hostnames))
    if not fitting:
        listed = _join(entry.hostname for entry in admitting)
        text = f"listeners of {gateway.ref} accept host names {listed}, not {_join(hostnames)}; change gateway.hostnames"
        return _problem("NoMatchingListenerHostname", text)
    return fitting


def _no_listener(gateway: Gateway, wanted: ParentReference) -> str:
    port = f"port {wanted.port}" if wanted.port else ""
    asked = " with ".join(filter(None, (f"listener {wanted.section}".rstrip(), port)))
    known = (f"{entry.name} (port {entry.port})" if wanted.port else entry.name for entry in gateway.listeners)
    return f"{gateway.ref} has no {asked}; its listeners: {', '.join(known) or 'none'}"


def _refusal(gateway: Gateway, listener: Listener, namespace: str) -> str:
    place = f"listener {listener.name} of {gateway.ref}"
    named = _named(listener, gateway.ref.namespace)
    if named is None:
        return f"{place} accepts routes from namespaces that match {listener.selector}; change the labels of namespace {namespace}"
    whose = f"from namespace{'s' if len(set(named)) > 1 else ''} {_join(named)} only" if named else "from no namespace"
    return f"{place} accepts routes {whose}; to allow {namespace}, set in that listener: {_admitting((*named, namespace))}"


def _named(listener: Listener, own: str) -> tuple[str, ...] | None:
    """Return the namespaces whose routes the listener accepts; None if it selects them by labels."""
    if listener.routes_from is not RoutesFrom.SELECTOR:
        return (own,) if listener.routes_from is RoutesFrom.SAME else ()
    first, *others = listener.selector.requirements
    return first.values if (first.key, first.operator, others) == (_NAME_LABEL, "In", []) else None


def _admitting(namespaces: Sequence[str]) -> str:
    """Return the YAML line that allows these namespaces and no others."""
    expression = f"{{key: {_NAME_LABEL}, operator: In, values: [{', '.join(namespaces)}]}}"
    return f"allowedRoutes: {{namespaces: {{from: Selector, selector: {{matchExpressions: [{expression}]}}}}}}"


def _join(words: Iterable[str]) -> str:
    return ", ".join(sorted(set(words)))


def _problem(reason: str, message: str) -> Problem:
    return Problem(LinkName.ROUTE, reason, message)

"""Which Gateways a Workspace is attached to.

The Workspace's own choice, else the installation's, else the labelled Gateway, else the only one. Anything else is a problem, not a guess.

Otherwise, whoever may create Gateways could set, or prevent, the default of all Workspaces. So the last two look only at the
Workspace's own namespace and at those that the installation lists, and a Workspace that is attached to one of those Gateways stays there.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from workspace_ctrl.api.workspace import GatewaySpec
from workspace_ctrl.catalog.gateway_classes import NO_PROVIDER, GatewayClassProfile
from workspace_ctrl.model.plan_decisions import LinkName, Parent, Problem
from workspace_ctrl.planning.gateway.listeners import find_listeners
from workspace_ctrl.planning.plan_settings import ALL_NAMESPACES, GatewayChoice, PlanSettings
from workspace_ctrl.records.core_v1 import Namespace
from workspace_ctrl.records.gateways import Gateway, GatewayClass, HTTPRoute
from workspace_ctrl.records.listeners import ParentReference

_REMEDY = "set gateway.parentRefs, or label one Gateway with kaito.sh/inference-gateway=true"
_UNTESTED = (
    "has not been tested with workspace-ctrl; standard behaviour is assumed; if it is a known implementation under a name of its own, "
    "administrators set gatewayClasses in the settings"
)
_TIMEOUTS_REJECTED = "rejects routes with timeouts; the timeoutSec of a {policy} limits answers instead"
_ELSEWHERE = "administrators add namespaces of other Gateways to gatewayNamespaces in the settings"


@dataclass(frozen=True, slots=True)
class Cluster:
    """What the choice of a Workspace's Gateways depends on."""

    gateways: tuple[Gateway, ...] = ()
    classes: tuple[GatewayClass, ...] = ()
    namespace: Namespace | None = None
    """The Workspace's namespace; None if namespaces cannot be watched."""
    missing_kinds: frozenset[str] = field(default_factory=frozenset)
    """Kinds that the API server does not serve, because their CRD is missing."""
    route: HTTPRoute | None = None
    """The Workspace's own route, as far as it exists: it shows which Gateway was chosen before."""

    def controller_of(self, gateway: Gateway) -> str | None:
        """Return the controllerName of a Gateway's class, or None if the class does not exist."""
        return next((entry.controller for entry in self.classes if entry.meta.ref.name == gateway.class_name), None)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The Gateways of a Workspace, and the problems of those that cannot be used."""

    parents: tuple[Parent, ...] = ()
    problems: tuple[Problem, ...] = ()


def choose_parents(namespace: str, spec: GatewaySpec | None, settings: PlanSettings, cluster: Cluster) -> Chosen:
    """Return the Gateways for a Workspace in `namespace`; one that cannot be used does not affect the others."""
    default = settings.gateway
    if "Gateway" in cluster.missing_kinds or "HTTPRoute" in cluster.missing_kinds:
        text = "Gateway and HTTPRoute are not served by the cluster; install the Gateway API CRDs"
        return Chosen(problems=(_problem("CRDsNotAvailable", text),))
    choices = named_gateways(namespace, spec) or ((default,) if default is not None else ())
    hostnames = tuple(spec.hostnames or ()) if spec is not None else ()
    if choices:
        return _attach(namespace, choices, hostnames, cluster, settings)
    candidates = _candidates(namespace, settings, cluster.gateways)
    found = _discover(candidates, namespace)
    if not isinstance(found, Problem):
        return _attach(namespace, (_choice(found),), hostnames, cluster, settings)
    kept = _attached_before(cluster.route, candidates)
    if kept is None:
        return Chosen(problems=(found,))
    chosen = _attach(namespace, (_choice(kept),), hostnames, cluster, settings)
    return _with_note(chosen, f"{kept.ref} is kept, because the Workspace is attached to it, but {found.message}")


def parents_of(route: HTTPRoute, settings: PlanSettings, cluster: Cluster) -> Chosen:
    """Return the Gateways in the parentRefs of a referenced route; parents of other kinds, such as ListenerSets, are not supported."""
    named = [entry for entry in route.attached_to if entry.ref.kind == "Gateway"]
    others = ", ".join(str(entry.ref) for entry in route.attached_to if entry not in named)
    if not named:
        return Chosen(problems=(_problem("NoGateway", _no_gateway(route, others)),))
    choices = [GatewayChoice(entry.ref.namespace, entry.ref.name, entry.section, port=entry.port) for entry in named]
    chosen = _attach(route.ref.namespace, choices, route.hostnames, cluster, settings)
    return _with_note(chosen, f"{others} in the parentRefs of {route.ref} is not checked, only Gateways are") if others else chosen


def _no_gateway(route: HTTPRoute, others: str) -> str:
    if not others:
        return f"{route.ref} has no Gateway in its parentRefs; add one"
    text = f"{route.ref} has only {others} in its parentRefs, and only Gateways are supported there"
    return f"{text}; add the Gateway, with the name of one of its own listeners as sectionName"


def named_gateways(namespace: str, spec: GatewaySpec | None) -> tuple[GatewayChoice, ...]:
    """Return the Gateways that a Workspace in `namespace` names, each once."""
    refs = (spec.parent_refs or ()) if spec is not None else ()
    choices = (GatewayChoice(entry.namespace or namespace, entry.name, entry.section_name or "") for entry in refs)
    return tuple(dict.fromkeys(choices))


def _attach(
    namespace: str, choices: Sequence[GatewayChoice], hostnames: Sequence[str], cluster: Cluster, settings: PlanSettings
) -> Chosen:
    results = [_parent(namespace, choice, hostnames, cluster, settings) for choice in choices]
    return Chosen(
        tuple(result for result in results if isinstance(result, Parent)),
        tuple(result for result in results if isinstance(result, Problem)),
    )


def _with_note(chosen: Chosen, note: str) -> Chosen:
    return replace(chosen, parents=tuple(replace(parent, note=_join(parent.note, note)) for parent in chosen.parents))


def _class_problem(gateway: Gateway, cluster: Cluster) -> Problem:
    if "GatewayClass" in cluster.missing_kinds:
        text = f"cannot list or watch GatewayClasses for {gateway.ref}; grant get, list and watch on gatewayclasses"
        return _problem("GatewayClassNotReadable", text)
    return _problem(
        "GatewayClassNotFound",
        f"GatewayClass {gateway.class_name} of {gateway.ref} not found; create it, or change gatewayClassName",
    )


def _parent(
    namespace: str, choice: GatewayChoice, hostnames: Sequence[str], cluster: Cluster, settings: PlanSettings
) -> Parent | Problem:
    gateway = _find(choice, cluster.gateways)
    if isinstance(gateway, Problem):
        return gateway
    controller = cluster.controller_of(gateway)
    if controller is None:
        return _class_problem(gateway, cluster)
    profile = settings.profile_of(controller)
    wanted = ParentReference(gateway.ref, choice.section, choice.port)
    listeners = find_listeners(gateway, wanted, namespace, hostnames, cluster.namespace)
    return Parent(
        gateway=gateway,
        section=choice.section,
        port=choice.port,
        controller=controller,
        class_title=profile.title,
        writes_status=profile.writes_status,
        takes_headers=profile.takes_headers,
        takes_timeouts=profile.takes_timeouts,
        timeout_policy=profile.timeout_policy,
        note=_note(profile, controller),
        divides=profile.divides,
        lists_models=profile.lists_models,
        service=(f"{profile.service}.{gateway.ref.namespace}.svc", profile.service_port) if profile.service else None,
        pool_remedy=profile.pool_remedy,
        lost_status_remedy=profile.lost_status_remedy,
        companion=profile.companion,
        access_policies=profile.access_policies,
        rate_policies=profile.rate_policies,
        body_router_remedy=profile.body_router_remedy if profile.chart_provider == NO_PROVIDER else "",
        listener_problem=listeners if isinstance(listeners, Problem) else None,
        listeners=() if isinstance(listeners, Problem) else listeners,
    )


def _note(profile: GatewayClassProfile, controller: str) -> str:
    if not profile.is_known:
        return f"{controller} {_UNTESTED}"
    return _join(
        f"{controller} is taken for {profile.title}" if controller != profile.controller else "",
        f"{profile.title} ignores {', '.join(profile.ignores)}" if profile.ignores else "",
        "" if profile.takes_timeouts else f"{profile.title} {_TIMEOUTS_REJECTED.format(policy=profile.timeout_policy)}",
    )


def _find(choice: GatewayChoice, gateways: Sequence[Gateway]) -> Gateway | Problem:
    for gateway in gateways:
        if (gateway.ref.namespace, gateway.ref.name) == (choice.namespace, choice.name):
            return gateway
    near = [gateway for gateway in gateways if gateway.ref.namespace == choice.namespace]
    listing = f"available: {_keys(near)}" if near else "that namespace has no Gateway; create it"
    return _problem("NoGateway", f"Gateway {choice.namespace}/{choice.name} not found; {listing}")


def _candidates(namespace: str, settings: PlanSettings, gateways: Sequence[Gateway]) -> list[Gateway]:
    """Return the Gateways that may be the default of Workspaces in `namespace`."""
    listed = {namespace, *settings.gateway_namespaces}
    return [gateway for gateway in gateways if gateway.ref.namespace in listed or ALL_NAMESPACES in listed]


def _attached_before(route: HTTPRoute | None, candidates: Sequence[Gateway]) -> Gateway | None:
    """Return the first of `candidates` to which the Workspace's route is attached, or None."""
    attached = {entry.ref for entry in route.attached_to} if route is not None and not route.meta.deleting else set()
    return next((gateway for gateway in candidates if gateway.ref in attached), None)


def _choice(gateway: Gateway) -> GatewayChoice:
    return GatewayChoice(gateway.ref.namespace, gateway.ref.name)


def _join(*notes: str) -> str:
    return "; ".join(filter(None, notes))


def _discover(gateways: Sequence[Gateway], namespace: str) -> Gateway | Problem:
    labelled = [gateway for gateway in gateways if gateway.preferred]
    candidates = labelled or list(gateways)
    if len(candidates) == 1:
        return candidates[0]
    if not candidates:
        text = (
            f"no Gateway found in namespace {namespace}; create one, and it is used as soon as it exists, or set gateway.parentRefs"
        )
        return _problem("NoGateway", f"{text}; {_ELSEWHERE}")
    label = " labelled for inference" if labelled else ""
    return _problem("AmbiguousGateway", f"found {len(candidates)} Gateways{label} ({_keys(candidates)}); {_REMEDY}")


def _keys(gateways: Sequence[Gateway]) -> str:
    return ", ".join(sorted(gateway.key for gateway in gateways))


def _problem(reason: str, message: str) -> Problem:
    return Problem(LinkName.GATEWAY, reason, message)

"""The checks of `workspace-ctrl doctor`: from what a cluster has to findings with a way out. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from itertools import pairwise
from typing import Any, Final

from workspace_ctrl.api.crd import SERVED_VERSIONS, crd
from workspace_ctrl.catalog.gateway_classes import GatewayClassProfile, find_profile, gateway_classes
from workspace_ctrl.catalog.gpus import PRODUCT_LABEL
from workspace_ctrl.catalog.versions import numbers, part_versions
from workspace_ctrl.cli.inspect.cluster_facts import ClusterFacts
from workspace_ctrl.cli.inspect.installed_parts import (
    GATEWAYS,
    HELM_RELEASES,
    OCI_REPOSITORIES,
    POOLS,
    WORKSPACES,
    is_running,
    variables_of,
    version_of,
)
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.planning.plan_settings import Mode
from workspace_ctrl.settings.settings_without_effect import document_without_effect

_GATE: Final = "gatewayAPIInferenceExtension"
_ISTIO: Final = "istio"
"""Name of its profile."""
_UNKNOWN_CLASS: Final = "check that it supports InferencePools; if it is a known one under a name of its own, set gatewayClasses"
_ISTIO_NAME: Final = "PILOT_GATEWAY_API_CONTROLLER_NAME"
_ISTIO_SWITCH: Final = "ENABLE_GATEWAY_API_INFERENCE_EXTENSION"
_FLUX: Final = ("source-controller", "helm-controller")
_DRAIN_OPTION: Final = "--drain-time-s"
_LONGEST_ANSWER_SECONDS: Final = 300
"""The default timeout of our routes."""
_OWNING_GATEWAY: Final = ("gateway.envoyproxy.io/owning-gateway-namespace", "gateway.envoyproxy.io/owning-gateway-name")
_SKEW_SECONDS: Final = 30.0
_NAMED: Final = 3
_CRDS: Final = {
    WORKSPACES: ("Workspace", "workspace-ctrl crd | kubectl apply --server-side -f -", ("v1beta1",)),
    GATEWAYS: ("Gateway API", "https://gateway-api.sigs.k8s.io/guides/getting-started", ("v1",)),
    POOLS: ("Gateway API Inference Extension", "https://gateway-api-inference-extension.sigs.k8s.io/guides", ("v1",)),
    OCI_REPOSITORIES: ("Flux's OCIRepository", "https://fluxcd.io/flux/installation, or flux2.enabled=true in the values", ("v1",)),
    HELM_RELEASES: ("Flux's HelmRelease", "https://fluxcd.io/flux/installation, or flux2.enabled=true in the values", ("v2",)),
}
_OF_KAITO: Final = {WORKSPACES: ("Workspace", "KAITO, which owns it in companion mode", ("v1beta1",))}
_GATEWAY_FIELD: Final = "gateway"


class Level(Enum):
    """How a check ended."""

    OK = "✔"
    WARNING = "!"
    """Works, or may work, but somebody should look."""
    FAILURE = "✘"
    """Workspaces cannot be served."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    subject: str
    level: Level
    words: str
    way_out: str = ""


def findings(facts: ClusterFacts, now: datetime) -> tuple[Finding, ...]:
    """Return the results of all checks; `now` is this machine's time."""
    checks: tuple[Callable[[ClusterFacts], Iterator[Finding]], ...] = (
        *(_kubernetes, _crds, _controller, _gate, _ignored, _flux, _classes, _switches, _gateways, _drains, _model_index),
        *(_rights, _admission, _registry, _gpus),
    )
    return (*(found for check in checks for found in check(facts)), *_clock(facts, now))


def _ok(subject: str, words: str) -> Finding:
    return Finding(subject, Level.OK, words)


def _failed(subject: str, words: str, way_out: str) -> Finding:
    return Finding(subject, Level.FAILURE, words, way_out)


def _doubt(subject: str, words: str, way_out: str) -> Finding:
    return Finding(subject, Level.WARNING, words, way_out)


def _kubernetes(facts: ClusterFacts) -> Iterator[Finding]:
    server, since = facts.parts.server, part_versions()["Kubernetes"].since
    if (installed := numbers(server)) and installed < numbers(since):
        yield _failed("Kubernetes", f"{server} is too old", f"upgrade it to {since} or later")
    else:
        yield _ok("Kubernetes", server)


def _crds(facts: ClusterFacts) -> Iterator[Finding]:
    if not facts.parts.may_read_crds:
        yield _doubt("CRDs", "you may not read CustomResourceDefinitions", "ask an administrator to run this command")
        return
    is_companion = (facts.settings or {}).get("mode") == Mode.COMPANION
    for name, (title, source, versions) in (_CRDS | (_OF_KAITO if is_companion else {})).items():
        found = facts.parts.crds[name]
        served = [entry["name"] for entry in (found or {}).get("spec", {}).get("versions", ()) if entry.get("served")]
        missing = [version for version in versions if version not in served]
        if found is None:
            yield _failed("CRDs", f"{title} is not installed ({name})", f"install it: {source}")
        elif missing:
            yield _failed("CRDs", f"{name} serves {', '.join(served)}, not {', '.join(missing)}", f"upgrade it: {source}")
        elif name == WORKSPACES and not is_companion and not _is_our_schema(found):
            yield _of_others(name, found, source)
        else:
            version = facts.parts.crd_version(name)
            yield _ok("CRDs", f"{title}{f' {version}' if version else ''}")


def _of_others(name: str, found: Json, source: str) -> Finding:
    if any(_GATEWAY_FIELD not in (fields or {}) for fields in _fields(found).values()):
        words = f"{name} has no field {_GATEWAY_FIELD}, so it is KAITO's"
        return _doubt("CRDs", words, f"beside KAITO, set mode=companion; instead of KAITO, replace it: {source}")
    return _doubt("CRDs", f"{name} is that of another version of workspace-ctrl", f"if it is older, upgrade it: {source}")


def _is_our_schema(found: Json) -> bool:
    """Whether the fields of the installed CRD are those of this program."""
    return _fields(found) == _fields(crd())


def _fields(definition: Json) -> Mapping[str, Any]:
    versions = {entry["name"]: entry for entry in definition["spec"]["versions"]}
    return {
        name: versions[name]["schema"]["openAPIV3Schema"].get("properties") if name in versions else None
        for name in SERVED_VERSIONS
    }


def _controller(facts: ClusterFacts) -> Iterator[Finding]:
    controllers = facts.parts.controllers
    if controllers is None:
        yield _doubt("controller", "you may not list Deployments of all namespaces", "ask an administrator to run this command")
    elif not controllers:
        yield _failed(
            "controller", "no Deployment of workspace-ctrl found", "install the chart, or run it yourself: workspace-ctrl run"
        )
    for deployment in controllers or ():
        metadata = deployment["metadata"]
        title = f"{metadata['namespace']}/{metadata['name']} {version_of(deployment)}"
        if is_running(deployment):
            yield _ok("controller", title)
        else:
            see = f"kubectl describe pods -n {metadata['namespace']} -l app.kubernetes.io/name=workspace-ctrl"
            yield _failed("controller", f"{title} has no ready replica", see)


def _gate(facts: ClusterFacts) -> Iterator[Finding]:
    if facts.settings is None:
        if facts.parts.controllers:
            yield _doubt("feature gate", "the controller's settings cannot be read", f"check featureGates.{_GATE} in its values")
        return
    gates = facts.settings.get("featureGates")
    if isinstance(gates, Mapping) and gates.get(_GATE) is True:
        yield _ok("feature gate", f"{_GATE} is on")
    else:
        set_it = f"helm upgrade ... --set featureGates.{_GATE}=true"
        yield _failed("feature gate", f"{_GATE} is off: only model servers are created, and there is no GatewayReady", set_it)


def _ignored(facts: ClusterFacts) -> Iterator[Finding]:
    for text in document_without_effect(facts.settings or {}):
        yield _doubt("settings", text, "remove it, or set what it needs (docs/settings.md)")


def _flux(facts: ClusterFacts) -> Iterator[Finding]:
    if facts.parts.flux is None:
        return
    for name in _FLUX:
        found = [each for each in facts.parts.flux if (each["metadata"].get("labels") or {}).get("app") == name]
        running = [each for each in found if is_running(each)]
        if not found:
            yield _doubt("Flux", f"no Deployment of {name} found", "install Flux: https://fluxcd.io/flux/installation")
        elif not running:
            see = f"kubectl describe pods -n {found[0]['metadata']['namespace']} -l app={name}"
            yield _failed("Flux", f"{name} has no ready replica", see)
        elif (installed := numbers(version_of(running[0]))) and installed < numbers(part_versions()[name].since):
            yield _failed("Flux", f"{name} {version_of(running[0])} is too old", "upgrade to Flux 2.7 or later")
        else:
            yield _ok("Flux", f"{name} {version_of(running[0])}")


def _classes(facts: ClusterFacts) -> Iterator[Finding]:
    if "GatewayClass" in facts.unreadable:
        yield _doubt("gateway classes", "you may not list GatewayClasses", "ask an administrator to run this command")
        return
    if not facts.classes:
        yield _failed("gateway classes", "there is none", "install a gateway that supports InferencePools, such as Istio")
        return
    found = _profiles(facts, facts.classes)
    known = [profile for profile in found.values() if profile.is_known]
    if known:
        yield _ok("gateway classes", ", ".join(sorted({profile.title for profile in known})))
    else:
        yield _doubt("gateway classes", f"{', '.join(sorted(found))}: none has been tested", _UNKNOWN_CLASS)


def _profiles(facts: ClusterFacts, classes: Sequence[Json]) -> Mapping[str, GatewayClassProfile]:
    """Return the profiles of GatewayClasses by controllerName, as the controller's settings assign them."""
    setting = (facts.settings or {}).get("gatewayClasses")
    given = setting if isinstance(setting, Mapping) else {}
    assigned = {name: profile for name, profile in given.items() if profile in gateway_classes()}
    names = [str((each.get("spec") or {}).get("controllerName") or "") for each in classes]
    return {name: find_profile(name, assigned) for name in names}


def _switches(facts: ClusterFacts) -> Iterator[Finding]:
    """Yield for each known class in use whether it handles InferencePools, where that shows."""
    heard = {str(entry.get("controllerName")) for pool in facts.pools for entry in (pool.get("status") or {}).get("parents") or ()}
    known = {name: profile for name, profile in _profiles(facts, facts.classes).items() if profile.is_known}
    for controller, profile in known.items():
        istiods = _istiods(facts.istiods, controller, profile) if profile.name == _ISTIO else ()
        if istiods:
            yield from _istio(istiods, profile)
        elif controller in heard:
            yield _ok("InferencePools", f"{profile.title} handles them")
        elif facts.pools and profile.writes_status and _has_gateway(facts, controller):
            yield _doubt("InferencePools", f"{profile.title} has reported nothing for any of them", profile.pool_remedy)


def _istiods(istiods: Sequence[Json], controller: str, profile: GatewayClassProfile) -> Sequence[Json]:
    """Return the Deployments of those that handle the Gateways of `controller`."""
    return [each for each in istiods if variables_of(each).get(_ISTIO_NAME, profile.controller) == controller]


def _istio(istiods: Sequence[Json], profile: GatewayClassProfile) -> Iterator[Finding]:
    for deployment in istiods:
        is_on = variables_of(deployment).get(_ISTIO_SWITCH, "").lower() == "true"
        where = f"{deployment['metadata']['namespace']}/{deployment['metadata']['name']}"
        if is_on:
            yield _ok("InferencePools", f"Istio handles them ({_ISTIO_SWITCH} of {where})")
        else:
            yield _failed(
                "InferencePools", f"Istio does not handle them: {_ISTIO_SWITCH} of {where} is not true", profile.pool_remedy
            )


def _has_gateway(facts: ClusterFacts, controller: str) -> bool:
    names = {each["metadata"]["name"] for each in facts.classes if (each.get("spec") or {}).get("controllerName") == controller}
    return any((each.get("spec") or {}).get("gatewayClassName") in names for each in facts.gateways)


def _gateways(facts: ClusterFacts) -> Iterator[Finding]:
    if "Gateway" in facts.unreadable:
        yield _doubt("Gateways", "you may not list Gateways of all namespaces", "ask an administrator to run this command")
        return
    if not facts.gateways:
        yield _failed("Gateways", "there is none", "create one, such as that in examples/quickstart")
    for each in facts.gateways:
        name, namespace = each["metadata"]["name"], each["metadata"]["namespace"]
        programmed = _condition(each, "Programmed")
        classes = [entry for entry in facts.classes if entry["metadata"]["name"] == each["spec"].get("gatewayClassName")]
        is_silent = any(not profile.writes_status for profile in _profiles(facts, classes).values())
        if programmed.get("status") == "True" or is_silent:
            yield _ok("Gateways", f"{namespace}/{name}")
        else:
            words = f"{programmed.get('reason', 'no status')}: {programmed.get('message', 'its controller has reported nothing')}"
            see = f"kubectl describe gateway {name} -n {namespace}"
            yield _failed("Gateways", f"{namespace}/{name} is not programmed: {words}", see)


def _drains(facts: ClusterFacts) -> Iterator[Finding]:
    """Yield the Gateways whose proxy ends streams early: Envoy AI Gateway makes it drain all connections when a route changes."""
    for each in facts.envoy_proxies:
        containers = ((each["spec"].get("template") or {}).get("spec") or {}).get("containers") or ()
        seconds = next((found for container in containers for found in _drain_seconds(container.get("args") or ())), None)
        if seconds is None or seconds >= _LONGEST_ANSWER_SECONDS or not facts.pools:
            continue
        labels = each["metadata"].get("labels") or {}
        gateway = "/".join(filter(None, (labels.get(name) for name in _OWNING_GATEWAY))) or each["metadata"]["name"]
        words = f"{gateway}: an answer that streams for longer than {seconds} s ends early when any route there changes"
        yield _doubt(
            "Gateways", words, "set spec.shutdown.drainTimeout of its EnvoyProxy to that of the longest answer, such as 600s"
        )


def _drain_seconds(arguments: Sequence[Any]) -> Iterator[int]:
    for option, value in pairwise(arguments):
        if option == _DRAIN_OPTION and str(value).isdecimal():
            yield int(value)


def _model_index(facts: ClusterFacts) -> Iterator[Finding]:
    setting = (facts.settings or {}).get("modelIndex")
    if not isinstance(setting, Mapping) or setting.get("enabled") is not True or "HTTPRoute" in facts.unreadable:
        return
    subject = "list of models"
    if not facts.index_routes:
        see = "it is attached where models are; if there are any, the controller's log says what is in its way"
        yield _doubt(subject, "no Gateway has it yet", see)
    for route in facts.index_routes:
        name, namespace = route["metadata"]["name"], route["metadata"]["namespace"]
        parent: Json = (route["spec"].get("parentRefs") or ({},))[0]
        gateway = f"{parent.get('namespace', namespace)}/{parent.get('name', '')}"
        refused = next(_refusals(route), None)
        if refused is None:
            yield _ok(subject, f"attached to Gateway {gateway}")
        else:
            words = f"Gateway {gateway} does not accept it: {refused.get('reason', '')}: {refused.get('message', '')}"
            yield _doubt(subject, words, f"kubectl describe httproute {name} -n {namespace}")


def _refusals(route: Json) -> Iterator[Mapping[str, Any]]:
    """Yield the conditions by which a Gateway's controller says that a route does not work there."""
    for parent in (route.get("status") or {}).get("parents") or ():
        yield from (entry for entry in parent.get("conditions") or () if entry.get("status") == "False")


def _condition(item: Json, type_: str) -> Mapping[str, Any]:
    conditions = (item.get("status") or {}).get("conditions") or ()
    return next((entry for entry in conditions if entry.get("type") == type_), {})


def _rights(facts: ClusterFacts) -> Iterator[Finding]:
    if facts.denied:
        missing = ", ".join(facts.denied)
        yield _doubt(
            "your rights", f"in namespace {facts.namespace} you may not {missing}", "ask an administrator for a Role with them"
        )
    else:
        yield _ok("your rights", f"in namespace {facts.namespace} you may use all commands")


def _admission(facts: ClusterFacts) -> Iterator[Finding]:
    if facts.tried.problem:
        yield _failed("admission", f"a Workspace in {facts.namespace} is rejected: {facts.tried.problem}", "see the message")
    else:
        yield _ok("admission", f"a Workspace in {facts.namespace} is accepted (dry-run)")
    if "ValidatingWebhookConfiguration" in facts.unreadable:
        return
    for each in facts.webhooks:
        name = each["metadata"]["name"]
        if all((hook.get("clientConfig") or {}).get("caBundle") for hook in each.get("webhooks") or ()):
            yield _ok("admission", f"webhook {name}")
        else:
            way_out = "check that cert-manager has injected its CA; until then Workspaces are accepted unchecked"
            yield _doubt("admission", f"webhook {name} has no caBundle", way_out)


def _registry(facts: ClusterFacts) -> Iterator[Finding]:
    failed = [each for each in facts.sources if _condition(each, "Ready").get("status") == "False"]
    for each in failed[:_NAMED]:
        ready = _condition(each, "Ready")
        title = f"{each['metadata']['namespace']}/{each['metadata']['name']}"
        way_out = f"workspace-ctrl explain {ready.get('reason') or 'OCIArtifactPullFailed'}"
        yield _failed("registry", f"OCIRepository {title}: {ready.get('message', '')}", way_out)
    if len(failed) > _NAMED:
        yield _failed("registry", f"{len(failed) - _NAMED} more OCIRepositories are not ready", "kubectl get ocirepositories -A")
    if facts.sources and not failed:
        yield _ok("registry", f"Flux has fetched all {len(facts.sources)} OCIRepositories")


def _gpus(facts: ClusterFacts) -> Iterator[Finding]:
    if "Node" in facts.unreadable:
        yield _doubt("GPUs", "you may not list nodes", "ask an administrator to run this command")
        return
    with_gpus = [each for each in facts.nodes if _gpu_count(each)]
    unlabelled = [
        str(each["metadata"]["name"]) for each in with_gpus if PRODUCT_LABEL not in (each["metadata"].get("labels") or {})
    ]
    if not with_gpus:
        way_out = "presets need GPUs; with autoscaled nodes set resource.instanceType; own pods on CPUs need none"
        yield _doubt("GPUs", "no node has any now", way_out)
    elif unlabelled:
        names = ", ".join(unlabelled[:_NAMED]) + (", ..." if len(unlabelled) > _NAMED else "")
        yield _doubt(
            "GPUs", f"{names}: no label {PRODUCT_LABEL}", "install NVIDIA's GPU feature discovery, or set resource.instanceType"
        )
    else:
        yield _ok("GPUs", f"{len(with_gpus)} nodes with labels")


def _gpu_count(node: Json) -> int:
    allocatable = (node.get("status") or {}).get("allocatable") or {}
    return sum(int(value) for key, value in allocatable.items() if key.startswith("nvidia.com/") and str(value).isdecimal())


def _clock(facts: ClusterFacts, now: datetime) -> Iterator[Finding]:
    if not facts.tried.created:
        return
    skew = (now - datetime.fromisoformat(facts.tried.created)).total_seconds()
    if abs(skew) > _SKEW_SECONDS:
        way = "ahead of" if skew > 0 else "behind"
        yield _doubt(
            "clock", f"this machine is {abs(skew):.0f} s {way} the API server", "synchronize the clocks; ages are wrong until then"
        )
    else:
        yield _ok("clock", "this machine and the API server agree")

"""The last link: a request through the Gateway is answered; and the targets of such requests."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice
from typing import Final

from workspace_ctrl.api.conditions import ConditionType, find
from workspace_ctrl.api.status import WorkspaceStatus
from workspace_ctrl.model.plan_decisions import Decisions, LinkName, Parent
from workspace_ctrl.model.probe_results import CHAT_COMPLETIONS, HEALTH, MODELS, ProbeOutcome, ProbeResult, ProbeTarget
from workspace_ctrl.readiness.chain_link import Link
from workspace_ctrl.records.gateways import GatewayService
from workspace_ctrl.records.listeners import SCHEMES

PROBE_FAILED: Final = "ProbeFailed"
ACCESS_RESTRICTED: Final = "AccessRestricted"
RATE_LIMITED: Final = "RateLimited"
RESTRICTED: Final = frozenset({ACCESS_RESTRICTED, RATE_LIMITED})
"""Reasons of a request that was rejected because of the client: whether the model would have answered another one is not known."""
_UNAUTHORIZED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_WITHOUT_CERTIFICATE: Final = frozenset({None, HTTPStatus.BAD_REQUEST})
"""Status codes of a listener that requires a client certificate; most of them reject the connection, without any."""
MOST_TARGETS: Final = 64
"""Listeners that are probed for one Workspace."""
_ANY_NAME = "probe"
"""Replaces the asterisk of a wildcard host name."""


@dataclass(frozen=True, slots=True)
class ModelAddress:
    """How a request names a model on its Gateways."""

    hostnames: tuple[str, ...] = ()
    path: str = ""
    model: str = ""
    """The model name to send; empty if there is none."""
    by_header: bool = False
    """Whether requests are matched by the header with the model name."""
    completion: str = ""
    """Path of the API if the list of models is not reached; empty if it is."""
    get: str = ""
    """Path of the GET request that the Workspace sets for probes; empty for the default."""
    codes: tuple[int, ...] = ()
    """Status codes of that request that count as an answer."""
    is_own_path: bool = False
    """Whether the path is below that of the Workspace's namespace."""
    any_server: bool = False
    """Whether the model server may be one without a list of models."""

    @classmethod
    def of(cls, decisions: Decisions, namespace: str = "") -> "ModelAddress":
        """Return the address that planning has decided on for a Workspace of `namespace`; empty if that is not known."""
        return cls(
            hostnames=decisions.hostnames,
            path=decisions.path,
            model=next(iter(decisions.model_names), ""),
            by_header=decisions.by_header,
            completion="" if MODELS in decisions.api else next(iter(decisions.api), ""),
            get=decisions.probe_path,
            codes=decisions.probe_codes,
            is_own_path=bool(namespace) and f"{decisions.path}/".startswith(f"/{namespace}/"),
            any_server=decisions.any_server,
        )


def probe_link(result: ProbeResult | None, parents: Sequence[Parent], model_names: Sequence[str]) -> Link:
    """Return whether a request through each Gateway was answered, if such requests are possible."""
    if result is None:
        return Link.waiting(LinkName.PROBE, "ProbePending", "sending a request through the Gateway")
    if result.outcome is ProbeOutcome.FAILED:
        return Link.broken(LinkName.PROBE, PROBE_FAILED, result.message)
    if result.outcome is ProbeOutcome.NOT_POSSIBLE:
        silent = next((parent for parent in parents if not parent.writes_status), None)
        if silent is not None:
            text = f"{silent.class_title} writes no status, and the controller could not send a request: {result.message}"
            return Link.waiting(LinkName.PROBE, "NotVerified", text)
        return _restricted(result, parents) or Link.true(LinkName.PROBE, "NotProbed", f"not probed: {result.message}")
    wanted = model_names[:1]
    if result.models and wanted and wanted[0] not in result.models:
        text = f"model server does not serve {wanted[0]}, but {', '.join(result.models[:10])}; change gateway.modelName"
        return Link.broken(LinkName.PROBE, "ModelNameUnknown", text)
    return Link.true(LinkName.PROBE, "ProbeAnswered", result.message)


def _restricted(result: ProbeResult, parents: Sequence[Parent]) -> Link | None:
    """Return that the request was rejected because of the client, which says nothing about the model; None if it was not.

    The policies of a Gateway that do so belong to others, and are never changed. A model server can do so as well: whether it is vLLM with
    `--api-key` does not show in its answer, and whether such a policy exists is not known either.
    """
    if result.lacks_certificate:
        return Link.true(LinkName.PROBE, ACCESS_RESTRICTED, f"not probed: {result.message}")
    if result.code is None:
        return None
    if result.code == HTTPStatus.TOO_MANY_REQUESTS:
        kinds = _kinds(parent.rate_policies for parent in parents)
        text = f"not probed: a rate limit of the Gateway{kinds} or of the endpoint picker rejects requests; raise it"
        return Link.true(LinkName.PROBE, RATE_LIMITED, f"{text}, or make probes rarer (probe.interval): {result.message}")
    who, way = f"a policy of the Gateway{_kinds(parent.access_policies for parent in parents)}", f"let GET {MODELS} pass"
    if result.code in _UNAUTHORIZED:
        who = f"{who}, or the model server (vLLM: --api-key),"
        way = f"{way}, or set gateway.probe.path to {HEALTH}, which vLLM answers without a key"
    text = f"not probed: {who} lets only authorized clients pass; give the controller a token (--probe-secret), or {way}"
    return Link.true(LinkName.PROBE, ACCESS_RESTRICTED, f"{text}: {result.message}")


def _kinds(policies: Iterable[str]) -> str:
    """Return the kinds of policies that may be the cause, in parentheses; empty if they are not known."""
    known = " or ".join(dict.fromkeys(filter(None, policies)))
    return f" ({known})" if known else ""


def earlier_probe(status: WorkspaceStatus) -> ProbeResult | None:
    """Return what was known of requests through the Gateway when GatewayReady of `status` was written, as far as that rests on them."""
    ready = find(status.conditions, ConditionType.GATEWAY_READY)
    told = status.gateway.last_probe if status.gateway is not None else None
    if ready is not None and ready.is_true and told is None:  # by a process without probes
        return ProbeResult(ProbeOutcome.NOT_POSSIBLE, message="no request was tried yet")
    if ready is None or told is None or told.outcome not in set(ProbeOutcome):
        return None
    if not ready.is_true and ready.reason != PROBE_FAILED:
        return None
    lacks_certificate = ready.reason == ACCESS_RESTRICTED and told.code in _WITHOUT_CERTIFICATE
    return ProbeResult(
        ProbeOutcome(told.outcome), told.url or "", told.code, told.message or "", lacks_certificate=lacks_certificate
    )


def probe_targets(parents: Sequence[Parent], services: Sequence[GatewayService], address: ModelAddress) -> tuple[ProbeTarget, ...]:
    """Return the probe targets: each listener that accepts the route, the first `MOST_TARGETS` of them."""
    found = (target for parent in parents for target in _targets(parent, services, address))
    return tuple(islice(found, MOST_TARGETS))


def _targets(parent: Parent, services: Sequence[GatewayService], address: ModelAddress) -> Iterator[ProbeTarget]:
    gateway = parent.gateway
    serving = [service for service in services if service.serves(gateway.ref)]
    for listener in parent.listeners:
        inside = (service.cluster_ip for service in serving if service.cluster_ip and listener.port in service.ports)
        addresses, port = tuple(dict.fromkeys((*inside, *gateway.addresses))), listener.port
        if not addresses and parent.service is not None:
            addresses, port = (parent.service[0],), parent.service[1]
        hostnames = listener.common_hostnames(address.hostnames)
        yield ProbeTarget(
            gateway=gateway.key,
            scheme=SCHEMES[listener.protocol][0],
            addresses=addresses,
            port=port,
            path=address.path,
            hostname=hostnames[0].replace("*", _ANY_NAME) if hostnames else "",
            model=address.model,
            completion=address.completion or ("" if parent.lists_models else CHAT_COMPLETIONS),
            get=address.get,
            codes=address.codes,
            is_own_path=address.is_own_path,
            any_server=address.any_server,
            try_body=address.by_header,
        )

"""The links at the gateway: whose words count, and of which generation."""

from dataclasses import replace

import pytest

from tests.unit.factories import (
    NAME,
    NAMESPACE,
    PICKER_NOT_FOUND,
    condition,
    deployment,
    derived,
    gateway,
    missed_pool,
    parent,
    parent_status,
    picker,
    pod,
    pool,
    release,
    route,
    source,
)
from workspace_ctrl.api.conditions import Status
from workspace_ctrl.model.snapshot import SiblingPool
from workspace_ctrl.readiness.chart import Installation
from workspace_ctrl.readiness.endpoint_picker import endpoint_picker_link
from workspace_ctrl.readiness.gateway import ObservedPool, endpoints_link, gateway_link, pool_link, route_link
from workspace_ctrl.records.gateways import GatewayProxy
from workspace_ctrl.records.listeners import Listener
from workspace_ctrl.records.meta import ObjectRef

TRUE, FALSE, UNKNOWN = Status.TRUE, Status.FALSE, Status.UNKNOWN
INSTALLED = Installation(source(), release())
PICKER, POOL = f"Deployment {derived().endpoint_picker}", f"InferencePool {derived().release}"


@pytest.mark.parametrize(
    ("conditions", "status", "reason"),
    [
        pytest.param((condition("Programmed"),), TRUE, "GatewayProgrammed", id="programmed"),
        pytest.param((condition("Programmed", generation=0),), UNKNOWN, "GatewayNotProgrammed", id="of an older spec"),
        pytest.param((condition("Programmed", "False", "AddressNotUsable"),), FALSE, "AddressNotUsable", id="not programmed"),
        pytest.param((), UNKNOWN, "GatewayNotProgrammed", id="nobody looked"),
    ],
)
def test_gateway_link(conditions, status, reason):
    link = gateway_link((parent(gateway=gateway(conditions=conditions)),), (), None)
    assert (link.status, link.reason) == (status, reason)


ONE_EXPIRED = condition("ResolvedRefs", "False", "PartiallyInvalidCertificateRef", message="old-cert is expired")


def test_what_is_invalid_of_a_listener_that_serves_is_said_beside_the_route():
    listeners = (Listener("https", "HTTPS", 443, conditions=(ONE_EXPIRED, condition("Programmed"))),)
    link = route_link(route(), (parent(gateway=gateway(listeners=listeners)),))
    words = "listener https of Gateway default/inference-gateway: PartiallyInvalidCertificateRef: old-cert is expired"
    assert (link.status, words in link.message) == (TRUE, True)


@pytest.mark.parametrize(
    ("conditions", "status", "reason"),
    [
        pytest.param((condition("ResolvedRefs"), condition("Programmed")), TRUE, "GatewayProgrammed", id="serves"),
        pytest.param((), TRUE, "GatewayProgrammed", id="nothing is said of it"),
        pytest.param(
            (condition("Programmed", "False", "Invalid"), condition("ResolvedRefs", "False", "InvalidCertificateRef")),
            FALSE,
            "InvalidCertificateRef",
            id="its certificate is gone",
        ),
        pytest.param(
            (condition("Programmed", "False", "Invalid", generation=0),), TRUE, "GatewayProgrammed", id="of an older spec"
        ),
        pytest.param((ONE_EXPIRED, condition("Programmed")), TRUE, "GatewayProgrammed", id="serves another certificate"),
        pytest.param(
            (condition("ResolvedRefs", "False", "InvalidRouteKinds"), condition("Programmed")),
            TRUE,
            "GatewayProgrammed",
            id="serves other kinds of routes",
        ),
        pytest.param((ONE_EXPIRED,), FALSE, "PartiallyInvalidCertificateRef", id="is not said to serve another certificate"),
        pytest.param(
            (ONE_EXPIRED, condition("Programmed", generation=0)),
            FALSE,
            "PartiallyInvalidCertificateRef",
            id="was said to, for an older spec",
        ),
        pytest.param(
            (ONE_EXPIRED, condition("Programmed"), condition("Accepted", "False", "PortUnavailable")),
            FALSE,
            "PortUnavailable",
            id="serves another certificate, but is not accepted",
        ),
        pytest.param(
            (condition("ResolvedRefs", "False", "InvalidCertificateRef"), condition("Programmed")),
            FALSE,
            "InvalidCertificateRef",
            id="said to serve without a certificate",
        ),
    ],
)
def test_a_listener_that_does_not_serve_breaks_the_link_of_those_it_takes(conditions, status, reason):
    listeners = (Listener("http", "HTTP", 80), Listener("https", "HTTPS", 443, conditions=conditions))
    chosen = gateway(listeners=listeners)
    link = gateway_link((parent(gateway=chosen, section="https"),), (), None)
    assert (link.status, link.reason) == (status, reason)
    other = gateway_link((parent(gateway=chosen, section="http"),), (), None)
    assert other.status is TRUE


@pytest.mark.parametrize(
    ("proxies", "status"),
    [
        pytest.param((), TRUE, id="none of its own: nothing to look at"),
        pytest.param((GatewayProxy(deployment(), "inference-gateway"),), TRUE, id="runs"),
        pytest.param((GatewayProxy(deployment(ready=0), "inference-gateway"),), FALSE, id="does not run, though programmed"),
        pytest.param((GatewayProxy(deployment(ready=0), "another"),), TRUE, id="another Gateway's"),
    ],
)
def test_a_gateway_whose_proxy_does_not_run_is_broken(proxies, status):
    assert gateway_link((parent(),), proxies, None).status is status


@pytest.mark.parametrize(
    ("record", "installed", "status", "reason"),
    [
        pytest.param(picker(), True, TRUE, "EndpointPickerRunning", id="running"),
        pytest.param(picker(ready=1, replicas=2, updated=2), True, TRUE, "EndpointPickerRunning", id="one of two leads"),
        pytest.param(picker(ready=1, replicas=2, updated=1), True, UNKNOWN, "EndpointPickerStarting", id="one of two is older"),
        pytest.param(picker(ready=0), True, UNKNOWN, "EndpointPickerStarting", id="starting, or crashing"),
        pytest.param(picker(ready=0, replicas=0), True, FALSE, "EndpointPickerScaledToZero", id="scaled to zero"),
        pytest.param(picker(generation=2), True, UNKNOWN, "EndpointPickerStarting", id="ready, but for an older spec"),
        pytest.param(
            picker(ready=0, conditions=(condition("Progressing", "False", "ProgressDeadlineExceeded"),)),
            True,
            FALSE,
            "ProgressDeadlineExceeded",
            id="given up",
        ),
        pytest.param(
            picker(ready=0, conditions=(condition("ReplicaFailure", "True", "FailedCreate"),)),
            True,
            FALSE,
            "FailedCreate",
            id="quota",
        ),
        pytest.param(None, False, UNKNOWN, "EndpointPickerNotFound", id="not installed yet"),
        pytest.param(None, True, FALSE, "EndpointPickerNotFound", id="deleted after the installation"),
    ],
)
def test_endpoint_picker_link(record, installed, status, reason):
    link = endpoint_picker_link(record, (), INSTALLED if installed else Installation(), (), PICKER)
    assert (link.status, link.reason) == (status, reason)


ATTACHMENTS = [
    pytest.param((parent_status(),), 1, TRUE, "{}Accepted", id="accepted"),
    pytest.param((parent_status(),), 2, UNKNOWN, "WaitingForGateway", id="accepted, but an older spec"),
    pytest.param((parent_status(name="another"),), 1, UNKNOWN, "WaitingForGateway", id="left over from another Gateway"),
    pytest.param((parent_status(controller="foreign/x"),), 1, UNKNOWN, "WaitingForGateway", id="another controller's words"),
    pytest.param((parent_status(condition("ResolvedRefs")),), 1, UNKNOWN, "WaitingForGateway", id="half of the words"),
    pytest.param(
        (
            parent_status(
                condition("Accepted", "False", "NotAllowedByListeners"),
            ),
        ),
        1,
        FALSE,
        "{}NotAccepted",
        id="refused",
    ),
    pytest.param(
        (parent_status(condition("Accepted"), condition("ResolvedRefs", "False", "BackendNotFound")),),
        1,
        FALSE,
        "{}RefsUnresolved",
        id="unresolved",
    ),
]


@pytest.mark.parametrize(("parents", "generation", "status", "reason"), ATTACHMENTS)
def test_route_link(parents, generation, status, reason):
    link = route_link(route(*parents, generation=generation), (parent(),))
    assert (link.status, link.reason) == (status, reason.format("HTTPRoute"))


@pytest.mark.parametrize(("parents", "generation", "status", "reason"), ATTACHMENTS)
def test_pool_link(parents, generation, status, reason):
    link = pool_link(ObservedPool(pool(*parents, generation=generation)), (parent(),), None, Installation(), POOL)
    assert (link.status, link.reason) == (status, reason.format("InferencePool"))


@pytest.mark.parametrize(
    ("conditions", "status", "reason"),
    [
        pytest.param([condition("Accepted")], TRUE, "InferencePoolAccepted", id="nothing is said of references"),
        pytest.param([condition("Programmed")], UNKNOWN, "WaitingForGateway", id="nothing is said at all"),
        pytest.param([condition("Accepted", generation=0)], UNKNOWN, "WaitingForGateway", id="said of an older one"),
        pytest.param(
            [condition("Accepted"), condition("ResolvedRefs", "False", "InvalidExtensionRef")],
            FALSE,
            "InferencePoolRefsUnresolved",
            id="something is said of references",
        ),
        pytest.param(
            [condition("Accepted", "False", "EndpointPickerRefMissing")], FALSE, "InferencePoolNotAccepted", id="one is needed"
        ),
    ],
)
def test_a_pool_without_an_endpoint_picker_has_no_references_to_resolve(conditions, status, reason):
    """From 1.6 of the inference extension on, a Gateway may balance such a pool by itself."""
    bare = replace(pool(parent_status(*conditions)), has_picker=False)
    link = pool_link(ObservedPool(bare), (parent(),), None, Installation(), POOL)
    assert (link.status, link.reason) == (status, reason)
    assert ("; set spec.endpointPickerRef" in link.message) == (reason == "InferencePoolNotAccepted")


LOOK_AGAIN = (
    f"kubectl annotate inferencepool {derived().release} -n {NAMESPACE} --overwrite workspace-ctrl/pool-status-requested=$(date"
)


def test_a_service_that_the_gateway_s_controller_has_not_found_and_that_exists_is_no_missing_one():
    missed = missed_pool()
    gone, there = (pool_link(ObservedPool(missed, has_picker=has), (parent(),), None, INSTALLED, POOL) for has in (False, True))
    assert (gone.status, gone.reason) == (FALSE, "InferencePoolRefsUnresolved")
    assert (there.status, there.reason) == (FALSE, "InferencePoolStatusOutdated")
    assert f"but Service {NAMESPACE}/{derived().endpoint_picker} exists, and" in there.message
    assert LOOK_AGAIN in gone.message
    assert LOOK_AGAIN in there.message


@pytest.mark.parametrize(
    ("status", "generation", "reason"),
    [
        pytest.param(parent_status(), 1, "InferencePoolAccepted", id="found"),
        pytest.param(
            parent_status(condition("Accepted"), PICKER_NOT_FOUND, controller="foreign/x"),
            1,
            "WaitingForGateway",
            id="another controller's",
        ),
        pytest.param(parent_status(condition("Accepted"), PICKER_NOT_FOUND), 2, "WaitingForGateway", id="of an older pool"),
        pytest.param(
            parent_status(condition("Accepted", "False", "Refused"), PICKER_NOT_FOUND),
            1,
            "InferencePoolNotAccepted",
            id="rejected as well",
        ),
        pytest.param(
            parent_status(condition("Accepted"), condition("ResolvedRefs", "False", "Other")),
            1,
            "InferencePoolRefsUnresolved",
            id="not for the Service",
        ),
    ],
)
def test_a_status_that_does_not_speak_of_a_missing_service_now_is_as_it_says(status, generation, reason):
    there = ObservedPool(missed_pool(status, generation=generation), has_picker=True)
    link = pool_link(there, (parent(),), None, INSTALLED, POOL)
    assert (link.reason, "annotate" in link.message) == (reason, False)


def test_an_endpoint_picker_that_is_no_service_is_not_said_to_exist():
    unknown = pool(parent_status(condition("Accepted"), PICKER_NOT_FOUND))
    link = pool_link(ObservedPool(unknown, has_picker=True), (parent(),), None, INSTALLED, POOL)
    assert (link.reason, "annotate" in link.message) == ("InferencePoolRefsUnresolved", False)


def test_a_pool_that_was_deleted_after_the_installation_is_broken():
    assert pool_link(ObservedPool(None), (parent(),), None, Installation(), POOL).status is UNKNOWN
    assert pool_link(ObservedPool(None), (parent(),), None, INSTALLED, POOL).status is FALSE


@pytest.mark.parametrize(
    ("pods", "status"),
    [
        pytest.param((pod(),), TRUE, id="one ready"),
        pytest.param((pod(ready=False), pod(name="b")), TRUE, id="one of two"),
        pytest.param((pod(ready=False),), FALSE, id="none ready"),
        pytest.param((), FALSE, id="none there"),
        pytest.param((pod(labels={"kaito.sh/workspace": "another"}),), FALSE, id="ready, but not in the pool"),
    ],
)
def test_endpoints_link(pods, status):
    assert endpoints_link(pool(), pods).status is status


def test_a_label_that_somebody_has_added_to_the_selector_is_named_with_the_way_out():
    edited = pool(selector={"kaito.sh/workspace": NAME, "team": "a"})
    link = endpoints_link(edited, (pod(), pod(name="b")))
    assert (link.status, link.reason, link.terminal) == (FALSE, "SelectorMatchesNoPod", True)
    assert "requires team=a, which no pod has" in link.message
    assert link.message.endswith("""--type=merge -p '{"spec":{"selector":{"matchLabels":{"team":null}}}}'""")


def test_a_label_that_a_pod_has_is_not_named():
    edited = pool(selector={"kaito.sh/workspace": NAME, "team": "a", "tier": "x"})
    pods = (pod(labels={"kaito.sh/workspace": NAME, "tier": "x"}), pod(name="b"))
    assert "requires team=a, which no pod has" in endpoints_link(edited, pods).message


def test_another_pool_of_the_same_rule_without_pods_is_named():
    empty, full = (
        SiblingPool(ObjectRef("InferencePool", "default", name), name, is_empty=name == "new") for name in ("new", "old")
    )
    assert endpoints_link(pool(), (pod(),), (full,)).status is TRUE
    link = endpoints_link(pool(), (pod(),), (full, empty))
    assert (link.status, link.reason) == (FALSE, "NoReadyEndpoints")
    assert link.message.startswith("0 pods of InferencePool default/new are ready")
    assert "default/new" not in endpoints_link(pool(), (), (empty,)).message


def test_a_leader_that_is_not_there_is_no_edited_selector():
    leader = {"kaito.sh/workspace": NAME, "apps.kubernetes.io/pod-index": "0"}
    assert endpoints_link(pool(selector=leader), (pod(),)).reason == "NoReadyEndpoints"


def test_endpoints_go_by_the_selector_that_the_pool_really_has():
    leader = {"kaito.sh/workspace": "w", "apps.kubernetes.io/pod-index": "0"}
    worker = {**leader, "apps.kubernetes.io/pod-index": "1"}
    assert endpoints_link(pool(selector=leader), (pod(labels=worker),)).status is FALSE

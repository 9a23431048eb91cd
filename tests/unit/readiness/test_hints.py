"""What Flux reports may repeat what a user wrote, as long as a condition may be: it is searched in milliseconds."""

import time

import pytest

from workspace_ctrl.readiness.hints import remedy

LONGEST = 32_768


@pytest.mark.parametrize("kind", ["OCIRepository", "HelmRelease"])
@pytest.mark.parametrize(
    "words",
    ["chart ", "system:serviceaccount:", "no matches for kind ", ":1->", "admission webhook ", "ValidatingAdmissionPolicy "],
)
def test_words_that_come_again_and_again_take_no_longer_than_others(kind, words):
    message = (words * LONGEST)[:LONGEST]

    def took():
        began = time.thread_time()
        remedy(kind, "Failed", message)
        return time.thread_time() - began

    assert any(took() < 0.05 for _ in range(5))


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ("chart 'inferencepool' version '1' not found", "Flux fetches the chart again"),
        (
            f'ClusterRole "{"n" * 63}-{"w" * 40}-metrics-reader" in namespace "" exists and cannot be imported into the current release',
            "the release of another Workspace has that name; rename this Workspace, or disable monitoring of endpoint pickers",
        ),
        (
            'HealthCheckPolicy "bbr-healthcheck" in namespace "gateways" exists and cannot be imported into the current release',
            "the body-based routers of two Gateways of GKE cannot be in one namespace; move one Gateway to another namespace",
        ),
        (
            f"system:serviceaccount:{'n' * 63}:{'s' * 253} cannot create resource",
            "restore the ServiceAccount that Flux uses for the installation, with its RBAC rules",
        ),
    ],
)
def test_the_longest_names_are_found(message, advice):
    assert remedy("HelmRelease", "Failed", message) == advice


APPLY = "Helm install failed for release a/b with chart inferencepool@1.5.0: server-side apply failed for object a/b /v1, Kind=ConfigMap: "
DEAD = 'Internal error occurred: failed calling webhook "dead.example.com": failed to call webhook: Post "https://a.b:443/?timeout=10s": '
REPAIR = "an admission webhook of the cluster does not answer; repair its server, or delete its configuration"
REFUSED = (
    "admission control of the cluster refuses an object of the chart; correct the values in gateway.endpointPicker, or get an exception "
    "for it"
)


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        (f"{DEAD}dial tcp 10.96.7.7:443: connect: connection refused", REPAIR),
        (f"{DEAD}tls: failed to verify certificate: x509: certificate signed by unknown authority", REPAIR),
        ('admission webhook "validate.kyverno.svc-fail" denied the request: no', REFUSED),
        ("configmaps \"b\" is forbidden: ValidatingAdmissionPolicy 'no' with binding 'no' denied request: not that", REFUSED),
        ("context deadline exceeded", ""),
        ("Unauthorized", ""),
    ],
)
def test_what_an_api_server_refuses_is_not_taken_for_words_of_a_registry(message, advice):
    assert remedy("HelmRelease", "InstallFailed", APPLY + message) == advice


@pytest.mark.parametrize("message", ["chart 'inferencepool' not found", "exceeded quota", "field not declared in schema"])
def test_what_helm_says_is_no_hint_for_a_source(message):
    assert not remedy("OCIRepository", "Failed", message)

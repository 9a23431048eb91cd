"""What Flux reports may repeat what a user wrote, as long as a condition may be: it is searched in milliseconds."""

import time

import pytest

from workspace_ctrl.readiness.hints import remedy

LONGEST = 32_768


@pytest.mark.parametrize("words", ["chart ", "system:serviceaccount:", "no matches for kind ", ":1->"])
def test_words_that_come_again_and_again_take_no_longer_than_others(words):
    message = (words * LONGEST)[:LONGEST]

    def took():
        began = time.thread_time()
        remedy("Failed", message)
        return time.thread_time() - began

    assert min(took() for _ in range(5)) < 0.05


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
    assert remedy("Failed", message) == advice

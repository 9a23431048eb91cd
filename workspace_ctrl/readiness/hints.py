"""Hints for failures that Flux reports: its messages name the cause, but rarely the way out.

Flux reports most failures of a registry with one reason (`OCIArtifactPullFailed`), so the registry's own message decides.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from workspace_ctrl.catalog.reasons import quoted_reasons

_FLUX: Final = frozenset({"source-controller", "helm-controller"})

_OF_VALUES: Final = "correct the values in gateway.endpointPicker"

_BY_WORDS: Final = {
    kind: tuple((re.compile(pattern, re.IGNORECASE), advice) for pattern, advice in hints)
    for kind, hints in {
        "OCIRepository": (
            (
                r"server gave HTTP response to HTTPS client",
                "the registry serves plain HTTP; start the controller with --chart-insecure, or configure TLS in the registry",
            ),
            (r"x509|certificate", "Flux does not trust the registry's certificate; set its CA in spec.certSecretRef"),
            (
                r"UNAUTHORIZED|\b401\b|DENIED|\b403 Forbidden",
                "the registry denies access to Flux; set credentials: https://fluxcd.io/flux/components/source/ocirepositories/#secret-reference",
            ),
            (
                r"TOOMANYREQUESTS|\b429\b",
                "the registry limits the request rate; mirror the chart, or set credentials with a higher limit",
            ),
            (
                r"MANIFEST_UNKNOWN|NAME_UNKNOWN|manifest unknown|\b404\b|not found in registry",
                "the registry does not have this chart version; push it, or choose another one with --chart-url and --chart-version",
            ),
            (
                r"connection refused|connection reset|no such host|no route to host|unreachable|timeout|deadline exceeded|\bEOF\b",
                "the registry is down or unreachable; check that source-controller can reach it",
            ),
        ),
        "HelmRelease": (
            (
                r"failed calling webhook|failed to call webhook",
                "an admission webhook of the cluster does not answer; repair its server, or delete its configuration",
            ),
            (
                r"admission webhook \S{1,256} denied the request|ValidatingAdmissionPolicy .{1,600} denied request",
                f"admission control of the cluster refuses an object of the chart; {_OF_VALUES}, or get an exception for it",
            ),
            (
                r'"bbr-healthcheck" in namespace .{0,256}cannot be imported',
                "the body-based routers of two Gateways of GKE cannot be in one namespace; move one Gateway to another namespace",
            ),
            (
                r'ClusterRole(Binding)? "\S{1,256}" in namespace "" exists and cannot be imported',
                "the release of another Workspace has that name; rename this Workspace, or disable monitoring of endpoint pickers",
            ),
            (
                r"cannot be imported into the current release",
                "an object of that name exists that Helm does not manage; delete it, or rename the Workspace",
            ),
            (r"exceeded quota", "raise the ResourceQuota of the namespace, or request less"),
            (r"no matches for kind \"?InferencePool", "install the CRDs of the Gateway API Inference Extension"),
            (r"no matches for kind", "install the missing CRD"),
            (
                r"system:serviceaccount:\S{1,320} cannot",
                "restore the ServiceAccount that Flux uses for the installation, with its RBAC rules",
            ),
            (r"\" is invalid: ", f"the API server rejects an object of the chart; {_OF_VALUES}"),
            (
                r"field not declared in schema|unknown field",
                f"the API server does not know a field of an object of the chart; {_OF_VALUES}, or choose another version of the chart",
            ),
            (r"don't meet the specifications of the schema", f"the values do not match the chart's schema; {_OF_VALUES}"),
            (r"chart .{1,200} not found|artifact not found", "Flux fetches the chart again"),
            (
                r"could not load chart|failed to download chart",
                "helm-controller cannot fetch the chart from source-controller; check that source-controller runs and may be reached",
            ),
        ),
    }.items()
}
"""Kind of the object that fails → words of its message and the way out; the first that fits counts. A registry speaks for an OCIRepository
alone: what is refused, unreachable or not trusted is something else in a HelmRelease."""


def remedy(kind: str, reason: str, message: str) -> str:
    """Return a hint for a failure that Flux reports of an object of that kind, found by message, else by reason; empty if there is none."""
    found = next((advice for pattern, advice in _BY_WORDS.get(kind, ()) if pattern.search(message)), "")
    return found or _ways_out().get(reason, "")


@cache
def _ways_out() -> Mapping[str, str]:
    """Return the ways out of Flux's reasons."""
    return {reason.name: reason.way_out for group in quoted_reasons() if group.title in _FLUX for reason in group.reasons}

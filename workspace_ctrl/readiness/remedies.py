"""What to do about what Flux reports: its words name the fault, rarely the way out.

Flux puts most faults of a registry under one reason (`OCIArtifactPullFailed`), so the registry's own words decide.
"""

import re
from typing import Final

_BY_WORDS: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), advice)
    for pattern, advice in (
        (
            r"server gave HTTP response to HTTPS client",
            "the registry speaks plain HTTP; start the controller with --chart-insecure, or give the registry a certificate",
        ),
        (r"x509|certificate", "Flux does not trust the registry's certificate; name its authority in spec.certSecretRef"),
        (
            r"UNAUTHORIZED|\b401\b|DENIED|\b403 Forbidden",
            "the registry refuses Flux; give it credentials, see https://fluxcd.io/flux/components/source/ocirepositories/#secret-reference",
        ),
        (r"TOOMANYREQUESTS|\b429\b", "the registry throttles; mirror the chart, or give Flux an account"),
        (
            r"MANIFEST_UNKNOWN|NAME_UNKNOWN|manifest unknown|\b404\b|not found in registry",
            "the registry does not have this version of the chart; push it, or choose another with --chart-url and --chart-version",
        ),
        (
            r"connection refused|connection reset|no such host|no route to host|unreachable|timeout|deadline exceeded|\bEOF\b",
            "the registry, or the way to it, is down; see whether source-controller reaches it",
        ),
        (
            r"cannot be imported into the current release",
            "delete that object, which somebody else has made, or give the Workspace another name",
        ),
        (r"exceeded quota", "raise the quota of the namespace, or ask for less"),
        (r"no matches for kind \"?InferencePool", "install the CRDs of the Gateway API Inference Extension"),
        (r"no matches for kind", "install the CRD that is missing"),
        (
            r"system:serviceaccount:\S{1,320} cannot",
            "give the ServiceAccount with which Flux installs its rights back, or create it anew",
        ),
        (r"\" is invalid: ", "correct the endpoint picker's values, which the API server refuses"),
        (r"don't meet the specifications of the schema|schema", "correct the values of the chart"),
        (r"chart .{1,200} not found|artifact not found", "Flux fetches the chart anew by itself"),
    )
)

_BY_REASON: Final = {
    "AuthenticationFailed": "see that the Secrets named in its spec are there and valid",
    "URLInvalid": "correct --chart-url: oci://registry/path, without a tag",
    "FeatureGateDisabled": "switch the feature gate of source-controller on, or use a Secret",
    "OCIArtifactLayerOperationFailed": "what is stored there is no Helm chart; correct --chart-url and --chart-version",
    "VerificationError": "the chart's signature is not valid; see who has pushed it",
    "ChartMutateError": "the tag must be the version in Chart.yaml; push the chart under that tag",
    "ValuesError": "see that the objects named in its spec.valuesFrom are there",
    "AccessDenied": "helm-controller forbids references to other namespaces",
    "ArchiveOperationFailed": "see that source-controller's volume has room",
    "DirectoryCreationFailed": "see that source-controller's volume can be written",
}


def remedy(reason: str, message: str) -> str:
    """Return what to do about a failure that Flux reports, by its words, else by its reason; empty where nobody knows."""
    found = next((advice for pattern, advice in _BY_WORDS if pattern.search(message)), "")
    return found or _BY_REASON.get(reason, "")

"""The order of the pages of the site; a test says which page is missing."""

from typing import Final

NAVIGATION: Final[list[object]] = [
    {"workspace-ctrl": "README.md"},
    {
        "Begin": [
            "docs/quickstart.md",
            "docs/prerequisites.md",
            "docs/install.md",
            "docs/compatibility.md",
            "docs/upgrading.md",
            "docs/uninstalling.md",
            "flux/README.md",
        ]
    },
    {
        "Use": [
            "docs/concepts/workloads.md",
            "docs/concepts/inference-sets.md",
            "docs/concepts/sizing.md",
            "docs/concepts/gateways.md",
            "docs/concepts/flux.md",
            "docs/concepts/readiness.md",
            "docs/concepts/adoption.md",
            "docs/concepts/names.md",
        ]
    },
    {
        "Examples": [
            "examples/own-pods/README.md",
            "examples/own-nodes/README.md",
            "examples/any-model/README.md",
            "examples/configuration/README.md",
            "examples/adapters/README.md",
            "examples/weights-volume/README.md",
            "examples/multi-node/README.md",
            "examples/pod-template/README.md",
            "examples/inference-set/README.md",
            "examples/argo-cd/README.md",
        ]
    },
    {
        "Guides": [
            "docs/guides/README.md",
            "docs/guides/from-kaito.md",
            "examples/guides/kaito-quickstart/README.md",
            "examples/guides/kubeairunway/README.md",
            "examples/guides/kkp/README.md",
            "examples/guides/llama-cpp/README.md",
        ]
    },
    {
        "When it does not work": ["docs/symptoms.md", "docs/ui.md", "docs/reference/conditions.md", "docs/cases.md", "docs/faq.md"],
    },
    {
        "Operate": ["docs/operations.md", "docs/backup.md", "docs/metrics.md", "docs/settings.md", "docs/security.md"],
    },
    {
        "Reference": [
            "docs/reference/workspace.md",
            "docs/reference/inferenceset.md",
            "docs/cli.md",
            "charts/workspace-ctrl/README.md",
            "docs/reference/settings.md",
            "docs/reference/dashboard.md",
            "docs/reference/kaito.md",
            "docs/glossary.md",
        ]
    },
    {
        "Quality": [
            "docs/reliability.md",
            "docs/performance.md",
            "docs/faults.md",
            "docs/comparison.md",
        ]
    },
    {
        "Project": [
            "docs/roadmap.md",
            "docs/support.md",
            "SECURITY.md",
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "MAINTAINERS.md",
            "docs/architecture.md",
            "docs/releasing.md",
            "e2e/cluster/README.md",
            {
                "Decisions": [
                    "docs/decisions/README.md",
                    "docs/decisions/0001-informers-beside-kopf.md",
                    "docs/decisions/0002-flux-installs-the-chart.md",
                    "docs/decisions/0003-requests-prove-readiness.md",
                    "docs/decisions/0004-server-side-apply.md",
                    "docs/decisions/0005-dry-run-before-writing.md",
                    "docs/decisions/0006-pipeline-of-values.md",
                    "docs/decisions/0007-state-in-the-api-server.md",
                    "docs/decisions/0008-slim-records.md",
                    "docs/decisions/0009-one-verdict.md",
                    "docs/decisions/0010-cluster-without-docker.md",
                    "docs/decisions/0011-pods-wait.md",
                ]
            },
        ]
    },
]

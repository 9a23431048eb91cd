"""The start of the endpoint picker: its pod must be Ready only when it answers Gateways.

The chart's readiness probe uses another port, which is open at once. The port for Gateways opens when a key of 4096 bits has been
generated, which takes part of a second, and many seconds on a busy node; until then requests fail. The charts have no value for that, so
Flux adds a startup probe to the rendered chart.
"""

import json
from typing import Any, Final

from workspace_ctrl.api.names import Names
from workspace_ctrl.catalog.charts import ChartLayout
from workspace_ctrl.planning.chart_values import PICKER_PORT

_PROBE: Final = {"tcpSocket": {"port": PICKER_PORT}, "periodSeconds": 1, "failureThreshold": 120}


def post_renderers(layout: ChartLayout, names: Names) -> list[dict[str, Any]]:
    """Return the patches that Flux applies to the rendered chart; none if the name of the endpoint picker's container is not known."""
    if not layout.picker_container:
        return []
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": names.endpoint_picker},
        "spec": {"template": {"spec": {"containers": [{"name": layout.picker_container, "startupProbe": _PROBE}]}}},
    }
    target = {"kind": "Deployment", "name": names.endpoint_picker}
    return [{"kustomize": {"patches": [{"target": target, "patch": json.dumps(patch, sort_keys=True)}]}}]

"""The endpoint picker's start: its pod is Ready only when Gateways are answered.

The chart's readiness probe asks another port, which is open at once. The one that Gateways ask opens when a key of 4096 bits has been made,
which takes part of a second, and many on a busy node; until then requests fail. No chart has a value for that, so Flux adds a start-up
probe to what the chart renders.
"""

import json
from typing import Any, Final

from workspace_ctrl.api.names import Names
from workspace_ctrl.catalog.charts import ChartLayout
from workspace_ctrl.planning.chart_values import PICKER_PORT

_PROBE: Final = {"tcpSocket": {"port": PICKER_PORT}, "periodSeconds": 1, "failureThreshold": 120}


def post_renderers(layout: ChartLayout, names: Names) -> list[dict[str, Any]]:
    """Return what Flux changes in the rendered chart; nothing where the endpoint picker's container is not known."""
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

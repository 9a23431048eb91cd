"""Flow control of the endpoint picker: it holds requests while no copy of the model is ready.

It is a feature gate of the picker's configuration, which the charts take as the text of a file. Bounds keep the held requests within the
picker's memory, and a time limit answers those that no copy takes.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from workspace_ctrl.api.yaml.documents import TENANTS, YamlError, parse_documents
from workspace_ctrl.catalog.charts import ChartLayout, ChartValue, value_at

FILE: Final = "workspace-ctrl-flow-control.yaml"
GATE: Final = "flowControl"
_MOST_REQUESTS: Final = "5000"
_MOST_BYTES: Final = "256Mi"
"""Held at a time: an eighth of the picker's default limit of memory."""


def flow_control(layout: ChartLayout, held_seconds: int) -> dict[ChartValue, Any]:
    """Return the values with which the endpoint picker holds requests, each for so many seconds at most.

    Its plugins are those of the charts' own configuration.
    """
    config = {
        "apiVersion": layout.flow_control,
        "kind": "EndpointPickerConfig",
        "featureGates": [GATE],
        "plugins": [{"type": name} for name in _SCORERS],
        "schedulingProfiles": [
            {"name": "default", "plugins": [{"pluginRef": name, "weight": weight} for name, weight in _SCORERS.items()]}
        ],
        GATE: {
            "maxRequests": _MOST_REQUESTS,
            "maxBytes": _MOST_BYTES,
            "defaultRequestTTL": f"{held_seconds}s",
        },
    }
    # JSON is YAML, too.
    return {ChartValue.PLUGINS_FILE: FILE, ChartValue.PLUGINS: {FILE: orjson.dumps(config, option=orjson.OPT_INDENT_2).decode()}}


_SCORERS: Final[Mapping[str, int]] = {"queue-scorer": 2, "kv-cache-utilization-scorer": 2, "prefix-cache-scorer": 3}
"""The scorers of the charts' own configuration, with their weights."""


def unheld(layout: ChartLayout, *values: Mapping[str, Any]) -> str:
    """Return why an endpoint picker with these values, the later ones first, does not hold requests; empty if it does."""
    if not layout.flow_control:
        return f"the endpoint picker of chart {layout.name} {layout.versions} does not hold requests; use 1.5 or later"
    chosen = _last(layout, ChartValue.PLUGINS_FILE, values)
    if chosen is None:
        return ""
    for given in reversed(values):
        path = layout.place(ChartValue.PLUGINS)
        files = value_at(given, path) if path is not None else None
        if isinstance(files, Mapping) and chosen in files:
            return "" if _has_gate(files[chosen]) else f"{chosen}, the endpoint picker's configuration, lacks {_ADVICE}"
    return f"{chosen}, the endpoint picker's configuration, is not one of the values; add it with {_ADVICE}"


_ADVICE: Final = f"featureGates: [{GATE}]"


def _last(layout: ChartLayout, decision: ChartValue, values: tuple[Mapping[str, Any], ...]) -> object:
    path = layout.place(decision)
    if path is None:
        return None
    found = (value_at(given, path) for given in reversed(values))
    return next((value for value in found if value is not None), None)


def _has_gate(text: object) -> bool:
    try:
        documents = parse_documents(text, TENANTS) if isinstance(text, str) else []
    except YamlError:
        return False
    gates = value_at(documents[0], ("featureGates",)) if documents else None
    return isinstance(gates, list) and GATE in gates

"""The triggers of a ScaledObject: what KEDA measures, where, and what it compares that with.

The endpoint picker has a time series for each model name and tenant of its clients, and none before the first request; KEDA's trigger
`metrics-api` reads only the first one. So it reads the sums that the controller serves (`load`), or those that Prometheus calculates.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from workspace_ctrl.api.autoscaling_spec import ScalingTarget
from workspace_ctrl.planning.plan_settings import AutoscalingSettings

_PER_COPY: Final = "AverageValue"
_ON_AVERAGE: Final = "Value"
_QUEUED: Final = "inference_extension_flow_control_queue_size"
_NEVER: Final = "1000000000"
"""Threshold that no load reaches: of a trigger that scales, but does not decide whether any copy is needed."""


_READ_POOL: Final = "inference_pool_ready_pods"
"""Every endpoint picker has it once it has read its pool, also without pods."""


@dataclass(frozen=True, slots=True)
class MeasuredPool:
    """The pool whose load is measured."""

    namespace: str
    name: str
    endpoint_picker: str
    """Its Service, at which the controller reads the metrics."""


def triggers(target: ScalingTarget, pool: MeasuredPool, settings: AutoscalingSettings, *, to_zero: bool) -> list[dict[str, Any]]:
    """Return the triggers for `target`; with `to_zero` also the one that is active while there are requests at all."""
    kind = _ON_AVERAGE if target.metric == "kvCacheUtilization" else _PER_COPY
    found = [_trigger("load", kind, target.metric, str(target.value), pool, settings)]
    if not to_zero:
        return found
    found[0]["metadata"]["activationThreshold" if settings.prometheus else "activationTargetValue"] = _NEVER
    return [*found, _trigger("requests", _PER_COPY, "active", "1", pool, settings)]


def _trigger(  # noqa: PLR0917 - the parts of a trigger
    name: str, kind: str, measured: str, target: str, pool: MeasuredPool, settings: AutoscalingSettings
) -> dict[str, Any]:
    if settings.prometheus:
        query = f"({_query(measured, pool)}) and on() {_READ_POOL}{{{_of(pool)}}}"
        # Without data of the picker, which is no load of 0, KEDA is to fail, so that the replicas stay as they are.
        metadata = {"serverAddress": settings.prometheus, "query": query, "threshold": target, "ignoreNullValues": "false"}
        return {"type": "prometheus", "name": name, "metricType": kind, "metadata": metadata}
    url = f"{settings.url}/load/{pool.namespace}/{pool.endpoint_picker}"
    metadata = {"url": url, "format": "json", "valueLocation": measured, "targetValue": target}
    return {"type": "metrics-api", "name": name, "metricType": kind, "metadata": metadata}


def _query(measured: str, pool: MeasuredPool) -> str:
    """Return the expression of PromQL for a value as the controller serves it (`load/picker_metrics.py`)."""
    here = f'namespace="{pool.namespace}",'
    queued = f'sum({_QUEUED}{{{here}inference_pool="{pool.name}"}})'
    expressions: Mapping[str, str] = {
        "queueSize": f"({queued} or vector(0)) + {_total('average_queue_size', pool)}",
        "runningRequests": _total("average_running_requests", pool),
        "kvCacheUtilization": f'(100 * max(inference_pool_average_kv_cache_utilization{{{here}name="{pool.name}"}}) or vector(0))',
    }
    if measured != "active":
        return expressions[measured]
    return f"clamp_max({expressions['queueSize']} + {expressions['runningRequests']}, 1)"


def _total(average: str, pool: MeasuredPool) -> str:
    """Return the expression for an average over the ready pods, times their number."""
    labels = f"{{{_of(pool)}}}"
    return f"(max(inference_pool_{average}{labels}) * max({_READ_POOL}{labels}) or vector(0))"


def _of(pool: MeasuredPool) -> str:
    return f'namespace="{pool.namespace}",name="{pool.name}"'

"""The load of a pool in the metrics of its endpoint picker.

The picker has a time series for each model name, priority and tenant that its clients send, and none before the first request. So series
are summed up, and a missing one is 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import nan
from typing import Final

from workspace_ctrl.load.metric_values import checked
from workspace_ctrl.load.prometheus_text import samples

_HELD: Final = ("llm_d_epp_flow_control_queue_size", "inference_extension_flow_control_queue_size")
"""Requests in the picker, by the names of llm-d and of the inference extension; llm-d has both, for the same requests."""
_ANSWERED: Final = ("llm_d_epp_request_running", "inference_objective_running_requests")
"""Requests that the picker has sent to a pod, and that are not answered yet."""
_WAITING: Final = ("llm_d_epp_average_queue_size", "inference_pool_average_queue_size")
_RUNNING: Final = ("llm_d_epp_average_running_requests", "inference_pool_average_running_requests")
_CACHE: Final = ("llm_d_epp_average_kv_cache_utilization", "inference_pool_average_kv_cache_utilization")
_READY: Final = ("llm_d_epp_ready_endpoints", "inference_pool_ready_pods")
"""Averages over the ready pods of the pool, by their own metrics; they keep their last value when there is none any more."""
_NAMES: Final = frozenset({*_HELD, *_ANSWERED, *_WAITING, *_RUNNING, *_CACHE, *_READY})


@dataclass(frozen=True, slots=True)
class PoolLoad:
    """The load of a pool."""

    held: float = 0.0
    """Requests that the endpoint picker holds."""
    waiting: float = 0.0
    """Requests that wait in the model servers."""
    running: float = 0.0
    """Requests that are being answered."""
    cache: float = 0.0
    """Average use of the KV cache, from 0 to 1."""

    def as_object(self) -> dict[str, float]:
        """Return the load as the triggers of ScaledObjects name it."""
        queued = self.held + self.waiting
        return {
            "queueSize": queued,
            "runningRequests": self.running,
            "kvCacheUtilization": 100 * self.cache,
            "active": 1.0 if queued + self.running > 0 else 0.0,
        }


def parse_load(text: str) -> PoolLoad:
    """Return the load in the metrics of an endpoint picker, in the text format of Prometheus.

    Raises:
        ValueError: they are not in that format, or a value of the load is not a number, endless or negative: with a load that is not
            known, an autoscaler keeps the replicas.
    """
    sums: dict[str, float] = {}
    for sample in samples(text, _NAMES):
        sums[sample.name] = sums.get(sample.name, 0.0) + (sample.value if sample.value >= 0 else nan)
    ready = _value(sums, _READY)
    averages = sums if ready else {}  # those of no pods may be anything
    return PoolLoad(
        held=_value(sums, _HELD),
        waiting=_value(averages, _WAITING) * ready,
        # Requests that reach pods without the picker count as well.
        running=max(_value(sums, _ANSWERED), _value(averages, _RUNNING) * ready),
        cache=_value(averages, _CACHE),
    )


def _value(sums: Mapping[str, float], names: tuple[str, ...]) -> float:
    """Return the value with the first of `names` that there is; 0 without one.

    Raises:
        ValueError: it is not a number, endless or negative.
    """
    return next((checked(name, sums[name]) for name in names if name in sums), 0.0)

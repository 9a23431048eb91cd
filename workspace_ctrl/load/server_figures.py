"""What a model server has counted of its requests, in its metrics.

vLLM counts them by HTTP status, as all servers with the FastAPI instrumentator for Prometheus do. An endpoint picker cannot be asked:
its counter of failed requests stays 0, because it looks for the status in another header than Envoy sends.
"""

import re
from collections.abc import Sequence
from math import isfinite
from typing import Final

from workspace_ctrl.load.counters import Counters
from workspace_ctrl.load.metric_values import checked
from workspace_ctrl.load.prometheus_text import Sample, samples

_REQUESTS: Final = "http_requests_total"
_DURATION: Final = "http_request_duration_seconds"
_ENGINE_DURATION: Final = "vllm:e2e_request_latency_seconds"
_STARTED: Final = "process_start_time_seconds"
"""The client libraries of Prometheus have it, unless several processes share their counters."""
_NAMES: Final = frozenset(
    {_REQUESTS, _STARTED, *(f"{name}_{part}" for name in (_DURATION, _ENGINE_DURATION) for part in ("sum", "count"))}
)
_LABELS: Final = frozenset({"method", "status"})
_STATUS: Final = re.compile(r"[1-5](xx|[0-9]{2})")
_REMEDY: Final = "workspace-ctrl promote or abort decides instead"


def parse_counters(text: str) -> Counters:
    """Return what is counted in the metrics of a model server, in the text format of Prometheus.

    Only POST requests count: those are for inference, and others are probes.

    Raises:
        ValueError: they are not in that format, or requests are not counted by their status in them, or a value is none.
    """
    if _REQUESTS not in text:
        raise ValueError(f"its metrics have no {_REQUESTS}, as those of vLLM have; {_REMEDY}")
    found = [sample for sample in samples(text, _NAMES, _LABELS) if sample.labels.get("method", "POST") == "POST"]
    # Of the HTTP server there may be none before the first request has ended, while the engine has already answered parts of it.
    has_http_durations = any(sample.name == f"{_DURATION}_count" for sample in found)
    duration = _DURATION if has_http_durations else _ENGINE_DURATION
    started = (sample.value for sample in found if sample.name == _STARTED and isfinite(sample.value))
    return Counters(
        statuses=_by_status(found),
        answers=int(_sum(found, f"{duration}_count")),
        seconds=_sum(found, f"{duration}_sum"),
        has_http_durations=has_http_durations,
        process=next(started, None),
    )


def _by_status(found: Sequence[Sample]) -> dict[str, int]:
    """Return the number of requests by status; what is no status is empty."""
    counts: dict[str, int] = {}
    for sample in found:
        if sample.name == _REQUESTS:
            given = str(sample.labels.get("status", ""))
            status = given if _STATUS.fullmatch(given) else ""
            counts[status] = counts.get(status, 0) + int(checked("counter", sample.value))
    return counts


def _sum(found: Sequence[Sample], name: str) -> float:
    return checked(name, sum(checked(name, sample.value) for sample in found if sample.name == name))

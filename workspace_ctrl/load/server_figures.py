"""What a model server has counted of its requests, in its metrics.

vLLM counts them by HTTP status, as all servers with the FastAPI instrumentator for Prometheus do. An endpoint picker cannot be asked:
its counter of failed requests stays 0, because it looks for the status in another header than Envoy sends.
"""

import re
from collections.abc import Iterator
from math import isfinite
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from workspace_ctrl.load.counters import Counters
from workspace_ctrl.load.metric_values import checked

_REQUESTS: Final = "http_requests_total"
_DURATION: Final = "http_request_duration_seconds"
_ENGINE_DURATION: Final = "vllm:e2e_request_latency_seconds"
_STARTED: Final = "process_start_time_seconds"
"""The client libraries of Prometheus have it, unless several processes share their counters."""
_NAMES: Final = frozenset(
    {_REQUESTS, _STARTED, *(f"{name}_{part}" for name in (_DURATION, _ENGINE_DURATION) for part in ("sum", "count"))}
)
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
    samples = [sample for sample in _samples(text) if sample.labels.get("method", "POST") == "POST"]
    duration = _DURATION if any(sample.name == f"{_DURATION}_count" for sample in samples) else _ENGINE_DURATION
    started = (sample.value for sample in samples if sample.name == _STARTED and isfinite(sample.value))
    return Counters(
        statuses=_by_status(samples),
        answers=int(_sum(samples, f"{duration}_count")),
        seconds=_sum(samples, f"{duration}_sum"),
        process=next(started, None),
    )


def _samples(text: str) -> Iterator[Sample]:
    """Yield the samples that are read; a page has thousands."""
    lines = (line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in _NAMES)
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        yield from family.samples


def _by_status(samples: list[Sample]) -> dict[str, int]:
    """Return the number of requests by status; what is no status is empty."""
    found: dict[str, int] = {}
    for sample in samples:
        if sample.name == _REQUESTS:
            given = str(sample.labels.get("status", ""))
            status = given if _STATUS.fullmatch(given) else ""
            found[status] = found.get(status, 0) + int(checked("counter", sample.value))
    return found


def _sum(samples: list[Sample], name: str) -> float:
    return checked(name, sum(checked(name, sample.value) for sample in samples if sample.name == name))

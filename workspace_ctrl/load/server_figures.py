"""What a model server has counted of its requests, in its metrics.

vLLM counts them by HTTP status, as all servers with the FastAPI instrumentator for Prometheus do. An endpoint picker cannot be asked:
its counter of failed requests stays 0, because it looks for the status in another header than Envoy sends.
"""

from collections.abc import Iterator
from math import isfinite
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from workspace_ctrl.model.canary import Figures

_REQUESTS: Final = "http_requests_total"
_DURATION: Final = "http_request_duration_seconds"
_ENGINE_DURATION: Final = "vllm:e2e_request_latency_seconds"
_NAMES: Final = frozenset({_REQUESTS, *(f"{name}_{part}" for name in (_DURATION, _ENGINE_DURATION) for part in ("sum", "count"))})
_REMEDY: Final = "workspace-ctrl promote or abort decides instead"


def parse_figures(text: str) -> Figures:
    """Return what is counted in the metrics of a model server, in the text format of Prometheus.

    Only POST requests count: those are for inference, and others are probes.

    Raises:
        ValueError: they are not in that format, or requests are not counted by their status in them.
    """
    if _REQUESTS not in text:
        raise ValueError(f"its metrics have no {_REQUESTS}, as those of vLLM have; {_REMEDY}")
    samples = [sample for sample in _samples(text) if sample.labels.get("method", "POST") == "POST"]
    statuses = [(str(sample.labels.get("status", "")), _count(sample.value)) for sample in samples if sample.name == _REQUESTS]
    duration = _DURATION if any(sample.name == f"{_DURATION}_count" for sample in samples) else _ENGINE_DURATION
    return Figures(
        requests=sum(count for _, count in statuses),
        errors=sum(count for status, count in statuses if status.startswith("5")),
        rejected=sum(count for status, count in statuses if status.startswith("4")),
        answers=_count(_sum(samples, f"{duration}_count")),
        seconds=_sum(samples, f"{duration}_sum"),
    )


def _samples(text: str) -> Iterator[Sample]:
    """Yield the samples that are read; a page has thousands."""
    lines = (line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in _NAMES)
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        yield from family.samples


def _count(value: float) -> int:
    """Return a counter as a number.

    Raises:
        ValueError: it is none.
    """
    if not isfinite(value) or value < 0:
        raise ValueError(f"its metrics have a counter of {value}")
    return int(value)


def _sum(samples: list[Sample], name: str) -> float:
    return sum(sample.value for sample in samples if sample.name == name)

"""KAITO's annotations for autoscaling: they mean what `spec.autoscaling` of an InferenceSet does, which precedes them."""

import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError

from workspace_ctrl.api.errors import SpecError, value_problem
from workspace_ctrl.api.inference_set import Autoscaling, check_autoscaling
from workspace_ctrl.api.labels import KAITO_SCALING, KAITO_SCALING_PREFIX

_SWITCH, _METRIC, _THRESHOLD, _LEAST, _MOST = KAITO_SCALING
_NUMBERS: Final = {_LEAST: ("minReplicas",), _MOST: ("maxReplicas",), _THRESHOLD: ("target", "value")}
"""Annotation with a number → the field that it stands for."""
_METRICS: Final = {
    "vllm:num_requests_waiting": "queueSize",
    "vllm:num_requests_running": "runningRequests",
}
"""KAITO's metric, of vLLM → ours; the threshold means the same with both."""
_PERCENT: Final = "vllm:kv_cache_usage_perc"
_LONGEST: Final = 64


def autoscaling_of(annotations: Mapping[str, str], node_limit: int) -> Autoscaling | None:
    """Return the autoscaling that the annotations of an InferenceSet ask for; None if they do not.

    Without a greatest number of copies, it is `node_limit`, as in KAITO; 0 is none.

    Raises:
        SpecError: an annotation has no valid value.
    """
    if annotations.get(_SWITCH, "").lower() != "true":
        return None
    fields: dict[str, Any] = {"maxReplicas": node_limit} if node_limit else {}
    target: dict[str, Any] = {}
    if _METRIC in annotations:
        target["metric"] = _metric(annotations[_METRIC])
    for key, path in _NUMBERS.items():
        if key in annotations:
            (target if path[0] == "target" else fields)[path[-1]] = _number(key, annotations[key])
    if "maxReplicas" not in fields:
        raise SpecError(_at(_MOST), "is missing", "set it, or spec.nodeCountLimit")
    try:
        found = Autoscaling.model_validate({**fields, **({"target": target} if target else {})})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = next((key for key, path in _NUMBERS.items() if path == first["loc"]), _SWITCH)
        raise SpecError(_at(key), value_problem(first)) from None
    check_autoscaling(found, f"metadata.annotations[{KAITO_SCALING_PREFIX}*]")
    return found


def _metric(name: str) -> str:
    if name == _PERCENT:
        raise SpecError(_at(_METRIC), f"is {_PERCENT}, a fraction", "set spec.autoscaling.target with metric kvCacheUtilization")
    if name not in _METRICS:
        known = ", ".join(_METRICS)
        raise SpecError(_at(_METRIC), f"is {name[:_LONGEST]}, which is not supported", f"use {known}, or set spec.autoscaling")
    return _METRICS[name]


def _number(key: str, text: str) -> int:
    if not re.fullmatch("[0-9]{1,7}", text):
        raise SpecError(_at(key), f"is {text[:_LONGEST]}, which is not a number", 'set a whole number in quotes, such as "5"')
    return int(text)


def _at(key: str) -> str:
    return f"metadata.annotations[{key}]"

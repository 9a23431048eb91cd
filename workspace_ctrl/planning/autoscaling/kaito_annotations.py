"""KAITO's annotations for autoscaling: they mean what `spec.autoscaling` of an InferenceSet does, which precedes them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from workspace_ctrl.api.autoscaling_spec import Autoscaling, check_autoscaling
from workspace_ctrl.api.errors import SpecError, value_problem
from workspace_ctrl.api.labels import KAITO_SCALING, KAITO_SCALING_PREFIX, KEDA_PAUSES, PAUSE_ANNOTATION
from workspace_ctrl.api.printable_text import excerpt

_SWITCH, _METRIC, _THRESHOLD, _LEAST, KAITO_MAXIMUM = KAITO_SCALING
_NUMBERS: Final = {_LEAST: ("minReplicas",), KAITO_MAXIMUM: ("maxReplicas",), _THRESHOLD: ("target", "value")}
"""Annotation with a number → the field that it stands for."""
_METRICS: Final = {
    "vllm:num_requests_waiting": "queueSize",
    "vllm:num_requests_running": "runningRequests",
}
"""KAITO's metric, of vLLM → ours; the threshold means the same with both."""
_PERCENT: Final = "vllm:kv_cache_usage_perc"
_SWITCHED: Final = frozenset({"true", "false"})
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
        raise SpecError(_at(KAITO_MAXIMUM), "is missing", "set it, or spec.nodeCountLimit")
    try:
        found = Autoscaling.model_validate({**fields, **({"target": target} if target else {})})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = next((key for key, path in _NUMBERS.items() if path == first["loc"]), _SWITCH)
        raise SpecError(_at(key), value_problem(first)) from None
    check_autoscaling(found, f"metadata.annotations[{KAITO_SCALING_PREFIX}*]")
    return found


def scaling_annotations_without_effect(
    annotations: Mapping[str, str], *, by_spec: bool, autoscaling: Autoscaling | None
) -> Iterator[str]:
    """Yield a message for the annotations of an InferenceSet about autoscaling that nobody reads.

    `by_spec` is whether `spec.autoscaling` is set, and `autoscaling` how it is scaled.
    """
    switch, paused = annotations.get(_SWITCH), annotations.get(PAUSE_ANNOTATION)
    others = [key for key in KAITO_SCALING if key in annotations and key != _SWITCH]
    if by_spec and (others or switch is not None):
        yield f"{_subject([*([_SWITCH] if switch is not None else []), *others])} no effect beside spec.autoscaling"
    elif switch is not None and switch.lower() not in _SWITCHED:
        yield f'{_subject([_SWITCH])} no effect: "{excerpt(switch, _LONGEST)}" is neither "true" nor "false"'
    elif switch is None and others:
        yield f'{_subject(others)} no effect without {_SWITCH}: "true"'
    if paused is not None and paused.lower() not in _SWITCHED:
        yield f'{_subject([PAUSE_ANNOTATION])} no effect: "{excerpt(paused, _LONGEST)}" is neither "true" nor "false"'
    pauses = [key for key in KEDA_PAUSES if key in annotations]
    pauses += [PAUSE_ANNOTATION] if paused is not None and paused.lower() == "true" else []
    if pauses and autoscaling is None:
        yield f"{_subject(pauses)} no effect: the InferenceSet is not scaled by load"


def _subject(keys: Sequence[str]) -> str:
    return f"annotations {', '.join(keys)} have" if len(keys) > 1 else f"annotation {keys[0]} has"


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

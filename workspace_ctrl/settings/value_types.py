"""Types of values in the settings file: each with its pattern, and with the rule that a message about another value tells."""

import re
from ipaddress import ip_network
from typing import Annotated, Any, Final

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from workspace_ctrl.catalog.data_files import suggestion
from workspace_ctrl.catalog.gateway_classes import gateway_classes
from workspace_ctrl.planning.resource_requirements import resources_problem
from workspace_ctrl.planning.vllm.pod_resources import gpus_problem
from workspace_ctrl.settings.process import DEFAULT_HUB, HUB_URL


def _matching(pattern: str, rule: str) -> AfterValidator:
    """Return a validator that text matches `pattern`; `rule` completes "<path> must be ..."."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise PydanticCustomError("rule", "must be {rule}", {"rule": rule})
        return value

    return AfterValidator(check)


_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?"
_CONTROLLER_NAME = r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9/._~%!$&'()*+,;=:-]+"
NAMESPACE_PATTERN: Final = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
Name = Annotated[str, _matching(_NAME, "the name of an object, such as inference-gateway")]
Namespace = Annotated[str, _matching(NAMESPACE_PATTERN, "the name of a namespace, such as gateways")]
NamespaceOrAll = Annotated[str, _matching(rf"\*|{NAMESPACE_PATTERN}", "the name of a namespace, such as gateways, or * for all")]
Path = Annotated[str, _matching(r"/|(/[A-Za-z0-9._~-]+)+", "a path without a trailing slash, such as /models, or / for all")]
Folder = Annotated[
    str, _matching(r"(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+", "an absolute path without a trailing slash, such as /opt/kaito/models")
]
VariableName = Annotated[str, _matching(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable, such as HTTPS_PROXY")]
DataKey = Annotated[str, _matching(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,252}", "a key of a ConfigMap, such as ca.crt")]
Image = Annotated[str, _matching(r"[!-~]+", "the reference of an image without spaces, such as docker.io/vllm/vllm-openai:v0.33.0")]
GatewayKey = Annotated[str, _matching(f"{NAMESPACE_PATTERN}/{_NAME}", "a Gateway as namespace/name")]
Url = Annotated[
    str,
    _matching(
        r"oci://[^/\s@]+(/[^/\s:@]+)+",
        "a URL without a tag, such as oci://registry.example/charts/inferencepool; set the tag as version",
    ),
]
HttpUrl = Annotated[str, _matching(r"https?://[^/\s@?#]+(/[^/\s@?#]+)*/?", "a URL such as http://prometheus.monitoring:9090")]
HubUrl = Annotated[str, _matching(HUB_URL, f"off, or a URL without a trailing slash, such as {DEFAULT_HUB}")]
Digest = Annotated[str, _matching(r"sha256:[0-9a-f]{64}", "sha256: and 64 hexadecimal digits")]
Duration = Annotated[str, _matching(r"([0-9]{1,5}(h|m|s|ms)){1,4}", 'a duration, such as 300s, or 0s for "no limit"')]
ValuePath = Annotated[
    str, _matching(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*", "a dotted path in the chart's values, such as inferenceExtension.affinity")
]


def _known_class(value: str) -> str:
    known = list(gateway_classes())
    if value not in known:
        remedy = suggestion(value, known, f"use one of {', '.join(known)}")
        raise PydanticCustomError("rule", "is {value}, which is not known; {remedy}", {"value": value, "remedy": remedy})
    return value


def _by_controller_name(value: dict[str, str]) -> dict[str, str]:
    wrong = next((key for key in value if not re.fullmatch(_CONTROLLER_NAME, key)), None)
    if wrong is not None:
        rule = "has the key {key}; use spec.controllerName of a GatewayClass, such as example.com/gateway-controller"
        raise PydanticCustomError("rule", rule, {"key": wrong})
    return value


GatewayClasses = Annotated[dict[str, Annotated[str, AfterValidator(_known_class)]], AfterValidator(_by_controller_name)]
"""controllerName of a GatewayClass → name of a profile."""


def _is_network(value: str) -> str:
    try:
        ip_network(value)
    except ValueError:
        raise PydanticCustomError("rule", "must be a network, such as 127.0.0.0/8 or fe80::/10") from None
    return value


Network = Annotated[str, AfterValidator(_is_network)]


def _right_count(value: object) -> object:
    is_count = type(value) is int and value > 0
    if not (is_count or (isinstance(value, str) and re.fullmatch("([1-9][0-9]?|100)%", value))):
        raise PydanticCustomError("rule", "must be a positive number, or a percentage such as 25%")
    return value


CountOrPercentage = Annotated[Any, AfterValidator(_right_count)]


def _right_resources(value: dict[str, Any]) -> dict[str, Any]:
    problem = resources_problem(value)
    if problem:
        raise PydanticCustomError("rule", "{problem}", {"problem": problem})
    return value


Resources = Annotated[dict[str, Any], AfterValidator(_right_resources)]


def _without_gpus(value: dict[str, Any]) -> dict[str, Any]:
    problem = gpus_problem(value)
    if problem:
        raise PydanticCustomError("rule", "{problem}; remove it", {"problem": problem})
    return value


PresetResources = Annotated[Resources, AfterValidator(_without_gpus)]
"""Of the containers of presets, whose GPUs the sizing decides about."""

"""Base of the API models: how they are parsed, and how their validation rules get into the CRD."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel

PRESERVE: Final[dict[str, Any]] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
"""Schema of a field whose content belongs to another API, such as a pod template: the API server validates it on use."""

QUANTITY_PATTERN: Final = r"^[0-9]{1,9}(\.[0-9]{1,9})?(Mi|Gi|Ti|M|G|T)$"
NAME_PATTERN: Final = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
LABEL_NAME_PATTERN: Final = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
WORKSPACE_NAME_PATTERN: Final = "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
"""A DNS label that begins with a letter, because the Workspace's Service has the same name (RFC 1035)."""
GROUP_VERSION_PATTERN: Final = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[a-z0-9]+$"
KIND_PATTERN: Final = "^[A-Z][A-Za-z0-9]*$"
MIG_PROFILE_PATTERN: Final = r"^[1-7]g\.[0-9]{1,3}gb(\+[a-z0-9.]{1,8})?$"
HOSTNAME_PATTERN: Final = r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
PATH_PATTERN: Final = r"^/([A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*)?$"
PROBE_PATH_PATTERN: Final = r"^/(\.?[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)*(\.?[A-Za-z0-9_~-][A-Za-z0-9._~-]*)?$"
"""Without segments `.` and `..` and empty ones, which lead out of the path of the Workspace; `/.well-known/x` and `/health/` are paths."""
MODEL_NAME_PATTERN: Final = "^[!-,.-~][!-~]*$"
"""A value of a header; not with a dash in front, as names are arguments of model servers, which would take it for a flag."""
DURATION_PATTERN: Final = "^([0-9]{1,5}(h|m|s|ms)){1,4}$"
TIMEOUT_PATTERN: Final = "^(none|([0-9]{1,5}(h|m|s|ms)){1,4})$"
CHART_VERSION_PATTERN: Final = "^[A-Za-z0-9_][A-Za-z0-9._+-]*$"
DIGEST_PATTERN: Final = "^sha256:[0-9a-f]{64}$"
PERCENTAGE_PATTERN: Final = r"^(100|[0-9]{1,2}(\.[0-9]{1,2})?)%$"

_WORDS: Final[Mapping[str, str]] = {
    QUANTITY_PATTERN: "a size with one of the units Mi, Gi, Ti, M, G and T, such as 15Gi",
    NAME_PATTERN: "a name of lower-case letters, digits, - and ., that begins and ends with a letter or digit",
    LABEL_NAME_PATTERN: "a name of lower-case letters, digits and -, that begins and ends with a letter or digit",
    WORKSPACE_NAME_PATTERN: "a name of up to 63 lower-case letters, digits and -, that begins with a letter and does not end with -",
    GROUP_VERSION_PATTERN: "an API version, such as v1 or apps/v1",
    KIND_PATTERN: "the name of a kind, such as Deployment",
    MIG_PROFILE_PATTERN: "a MIG profile, such as 1g.10gb or 1g.10gb+me",
    HOSTNAME_PATTERN: "a host name in lower case without a port, such as models.example.com, or a wildcard such as *.example.com",
    PATH_PATTERN: "an absolute path without a trailing slash, of letters, digits, -, _, . and ~, such as /team-a/chat, or / for all",
    PROBE_PATH_PATTERN: "an absolute path of letters, digits, -, _, . and ~, such as /health, without segments like . and .. or empty ones",
    MODEL_NAME_PATTERN: "a name of printable ASCII characters without spaces that does not begin with -",
    DURATION_PATTERN: "a duration in h, m, s or ms, such as 10m or 1h30m",
    TIMEOUT_PATTERN: "a duration in h, m, s or ms, such as 300s, 0s for no limit, or none for the Gateway's default",
    CHART_VERSION_PATTERN: "a tag, such as v1.5.0",
    PERCENTAGE_PATTERN: "a percentage with two decimals at most, such as 1% or 0.25%",
    DIGEST_PATTERN: "sha256: and 64 hexadecimal digits in lower case",
}
"""What a text must be that matches a pattern: nobody should have to read a regular expression to find that out."""


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """Return the schema extension for CEL rules, each with its error message."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def pattern_words(pattern: str) -> str:
    """Return what a text must be that has to match one of the patterns above, as the end of a sentence that begins with its path."""
    return f"must be {_WORDS[pattern]}"


def pattern_rule(pattern: str) -> dict[str, Any]:
    """Return the CEL rule of a pattern; unlike the keyword `pattern` of a schema, it has a message."""
    return {"rule": f"self.matches(r'{pattern}')", "message": pattern_words(pattern)}


class ApiModel(BaseModel):
    """Base of all API models: frozen, camelCase in JSON, unknown fields ignored (the API server prunes them).

    Strict, so that no value is converted from another JSON type: the models reject what the API server rejects.
    """

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _read_as_the_server(cls, given: object) -> object:
        """Treat 3.0 as 3, and null as a missing field, as the API server does."""
        if not isinstance(given, Mapping):
            return given
        return {key: _whole(value) for key, value in given.items() if value is not None}


def _whole(value: object) -> object:
    if isinstance(value, list):
        return [_whole(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value

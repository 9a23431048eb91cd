"""The annotation with the `gateway` field, for Workspaces whose CRD has no such field: checked by the same model.

The API server does not check an annotation, so what it does for the field is done here: unknown fields are rejected, not ignored.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from workspace_ctrl.api.errors import SpecError, field_path, value_problem
from workspace_ctrl.api.labels import GATEWAY_ANNOTATION
from workspace_ctrl.api.value_limits import check_values
from workspace_ctrl.api.workspace import GatewaySpec, check_gateway
from workspace_ctrl.api.yaml.documents import TENANTS, YamlError, parse_documents
from workspace_ctrl.catalog.data_files import suggestion
from workspace_ctrl.planning.admission.fields_without_effect import unknown_paths
from workspace_ctrl.records.workspaces import LONGEST_OPTIONS

PATH: Final = f"metadata.annotations[{GATEWAY_ANNOTATION}]"
_FIELD: Final = "gateway"
_NOT_HERE: Final = frozenset({("serviceAccountName",), ("group",), ("endpointPicker", "valuesFrom")})
"""Fields that `_check_rights` rejects, so that no hint names them."""


def gateway_of(annotations: Mapping[str, str]) -> GatewaySpec | None:
    """Return the `gateway` field in the annotation; None without one.

    Raises:
        SpecError: it is not YAML, or not valid for the field, or has a field for which the rights of its author cannot be checked.
    """
    text = annotations.get(GATEWAY_ANNOTATION)
    if text is None:
        return None
    raw = _mapping(text)
    for path, fields in unknown_paths(GatewaySpec, raw):
        known = [name for name in fields if (*path[:-1], name) not in _NOT_HERE]
        raise SpecError(
            _at(field_path(path)), "is not known", suggestion(str(path[-1])[:64], known, f"known are {', '.join(known)}")
        )
    try:
        gateway = GatewaySpec.model_validate(dict(raw))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise SpecError(_at(field_path(first["loc"])), value_problem(first)) from None
    try:
        check_gateway(gateway)
    except SpecError as error:
        raise replace(error, path=_at(error.path.removeprefix(_FIELD).removeprefix("."))) from None
    _check_rights(gateway)
    return gateway


def _mapping(text: str) -> Mapping[str, Any]:
    if len(text) > LONGEST_OPTIONS:
        raise SpecError(PATH, f"has more than {LONGEST_OPTIONS} characters", "make it shorter")
    try:
        documents = parse_documents(text, TENANTS)
    except YamlError as error:
        raise SpecError(PATH, error.problem, error.remedy) from None
    document = documents[0] if len(documents) == 1 else None
    if not isinstance(document, Mapping):
        raise SpecError(PATH, "is not one YAML mapping", "write the fields of gateway, such as: modelName: phi-4-mini-instruct")
    check_values(document)
    return document


def _check_rights(gateway: GatewaySpec) -> None:
    """Reject what the admission policy, which cannot read YAML, could not check against the rights of the author."""
    if gateway.service_account_name is not None:
        remedy = "set helmRelease.serviceAccountName in the settings of the installation"
        raise SpecError(_at("serviceAccountName"), "cannot be set in an annotation", remedy)
    if gateway.group is not None:
        raise SpecError(_at("group"), "cannot be set in an annotation", "use a CRD with the field gateway")
    if gateway.endpoint_picker is not None and gateway.endpoint_picker.values_from:
        raise SpecError(_at("endpointPicker.valuesFrom"), "cannot be set in an annotation", "use endpointPicker.values")


def _at(path: str) -> str:
    return f"{PATH}.{path}" if path and not path.startswith("[") else f"{PATH}{path}"

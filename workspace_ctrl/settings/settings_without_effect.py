"""Settings of the file that have no effect because of others: each is a warning, as whoever wrote it expects something of it.

The chart warns of its values as well (`workspace-ctrl.valuesWithoutEffect` in `charts/workspace-ctrl/templates/_checks.tpl`), or refuses
them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.planning.chart.picker_settings_without_effect import picker_settings_without_effect
from workspace_ctrl.planning.chart.values import check_installed
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.settings.process import ProbeMode, ProbeSettings
from workspace_ctrl.settings.settings_file import SettingsFile
from workspace_ctrl.settings.stanza import Stanza

_GATE: Final = "the feature gate gatewayAPIInferenceExtension is off"
_BESIDE_KAITO: Final = "with mode companion, KAITO makes and scales the model servers"
_OF_GATEWAYS: Final = (
    *("gateway", "gateway_namespaces", "gateway_classes", "shared_paths", "match_reported_names", "chart_sources", "chart_check"),
    *("endpoint_picker", "helm_release", "probe", "body_based_routing"),
)


def settings_without_effect(file: SettingsFile, plan: PlanSettings, probe: ProbeSettings) -> Iterator[str]:
    """Yield a sentence for each setting that is written in `file` without effect; `plan` and `probe` are what options made of it."""
    yield from _of_gateways(file, plan, probe) if plan.gateway_extension else _without_gateways(file)
    yield from _beside_kaito(file, plan) if plan.is_companion else _of_model_servers(file, plan)
    yield from _of_autoscaling(file)
    if not file.model_index.enabled:
        yield from _each("modelIndex", file.model_index, ("namespaces",), "modelIndex.enabled is false")


def document_without_effect(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return these sentences for the settings file of another process, whose options are not known; none if this one would refuse it."""
    try:
        file = SettingsFile.model_validate(document)
        plan = replace(file.plan_settings(), model_hub=file.model_hub.settings().url if file.model_hub is not None else "")
        check_installed(plan)
    except (ValidationError, SpecError):
        return ()
    return tuple(settings_without_effect(file, plan, file.probe.settings()))


def _written(stanza: Stanza, *names: str) -> list[str]:
    """Return those of the settings `names`, as in the file, that are written and ask for something."""
    fields = type(stanza).model_fields
    return [fields[name].alias or name for name in names if name in stanza.model_fields_set and _asks(getattr(stanza, name))]


def _asks(value: object) -> bool:
    return bool(value.model_fields_set) if isinstance(value, Stanza) else bool(value)


def _each(path: str, stanza: Stanza, names: tuple[str, ...], why: str) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for name in _written(stanza, *names):
        yield f"{prefix}{name} has no effect: {why}"


def _without_gateways(file: SettingsFile) -> Iterator[str]:
    yield from _each("", file, _OF_GATEWAYS, _GATE)
    if _written(file, "timeout"):
        yield f"timeout has no effect but on how long pods of presets may take to end: {_GATE}"
    for path, stanza in (("modelIndex", file.model_index), ("autoscaling", file.autoscaling)):
        yield from _each(path, stanza, ("enabled",), _GATE)


def _of_gateways(file: SettingsFile, plan: PlanSettings, probe: ProbeSettings) -> Iterator[str]:
    if _written(file, "gateway_namespaces") and plan.gateway is not None:
        quoted = "" if probe.mode is ProbeMode.OFF else "; the responses of Gateways there are quoted in statuses"
        yield f"gatewayNamespaces has no effect on the choice of a Gateway: gateway is set{quoted}"
    if not file.chart_check.enabled:
        yield from _each("chartCheck", file.chart_check, ("helm",), "chartCheck.enabled is false")
    picker = file.endpoint_picker
    yield from picker_settings_without_effect(plan.charts, plan.picker, _written(picker, "replicas", "resources"))
    yield from _of_probes(file, plan, probe)
    if not plan.body_routing.managed:
        yield from _each("bodyBasedRouting", file.body_based_routing, ("chart", "values"), "bodyBasedRouting.mode is not managed")


def _of_probes(file: SettingsFile, plan: PlanSettings, probe: ProbeSettings) -> Iterator[str]:
    if probe.mode is ProbeMode.OFF:
        yield from _each("probe", file.probe, ("interval", "secret", "token_gateways", "networks"), "probe.mode is off")
        return
    if _written(file.probe, "token_gateways") and probe.secret is None:
        why = "there is no probe.secret with a token or a client certificate"
        yield f"probe.tokenGateways has no effect but that statuses quote the responses of these Gateways: {why}"
    if _written(file.probe, "secret") and probe.token_gateways is None and plan.gateway is None:
        why = "it is sent only to probe.tokenGateways, or else to gateway, and neither is set"
        yield f"the token or client certificate of probe.secret has no effect: {why}"


def _beside_kaito(file: SettingsFile, plan: PlanSettings) -> Iterator[str]:
    yield from _each("", file, ("model_server", "model_hub"), _BESIDE_KAITO)
    if plan.gateway_extension:
        yield from _each("autoscaling", file.autoscaling, ("enabled",), _BESIDE_KAITO)


def _of_model_servers(file: SettingsFile, plan: PlanSettings) -> Iterator[str]:
    budget = file.model_server.disruption_budget
    if not budget.enabled:
        why = "modelServer.disruptionBudget.enabled is false"
        yield from _each("modelServer.disruptionBudget", budget, ("max_unavailable",), why)
    if file.model_hub is not None and not plan.model_hub:
        yield from _each("modelHub", file.model_hub, ("networks",), "modelHub.url is off")


def _of_autoscaling(file: SettingsFile) -> Iterator[str]:
    stanza = file.autoscaling
    if not stanza.enabled:
        yield from _each("autoscaling", stanza, ("url", "prometheus"), "autoscaling.enabled is false")
    elif stanza.prometheus is not None:
        yield from _each("autoscaling", stanza, ("url",), "KEDA reads the load from autoscaling.prometheus")

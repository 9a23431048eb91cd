"""Options of the installation, shared by `run` and `plan`."""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, TypedDict, TypeVar

import click
from pydantic import TypeAdapter, ValidationError

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.charts import UnknownChartError, find_layout
from workspace_ctrl.planning.chart.values import check_installed
from workspace_ctrl.planning.plan_settings import (
    DEFAULT_MODEL_SERVER_IMAGE,
    AutoscalingSettings,
    ChartSource,
    GatewayChoice,
    Mode,
    PlanSettings,
)
from workspace_ctrl.planning.resource_requirements import resources_problem
from workspace_ctrl.planning.vllm.pod_resources import gpus_problem
from workspace_ctrl.settings.process import (
    DEFAULT_HUB,
    HUB_URL,
    OFF,
    HubSettings,
    ProbeSettings,
    SettingsError,
    parse_feature_gates,
)
from workspace_ctrl.settings.settings_file import SettingsFile, parse_settings_file
from workspace_ctrl.settings.settings_without_effect import settings_without_effect
from workspace_ctrl.settings.value_types import Url

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_CHART = ChartSource()
_STANZAS = ", ".join(field.alias or name for name, field in SettingsFile.model_fields.items())
_OPTIONS = (
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"YAML file with settings ({_STANZAS}); the options below override it.",
    ),
    click.option(
        "--mode",
        type=click.Choice([mode.value for mode in Mode]),
        help="managed: Workspaces and their model servers are this controller's; companion: they are KAITO's (0.8 or newer), and only "
        "the gateway side is made.  [default: managed]",
    ),
    click.option(
        "--feature-gates",
        metavar="GATE=BOOL,...",
        help="Features to enable or disable: gatewayAPIInferenceExtension (default: false).",
    ),
    click.option("--gateway", metavar="NAMESPACE/NAME[/LISTENER]", help="Default Gateway of Workspaces."),
    click.option(
        "--gateway-namespace",
        metavar="NAMESPACE",
        multiple=True,
        help="Without --gateway: a namespace whose Gateways may be the default of Workspaces in all namespaces; can be repeated.",
    ),
    click.option(
        "--shared-path",
        metavar="PATH",
        multiple=True,
        help="Path prefix that Workspaces of all namespaces may use on Gateways of other namespaces; can be repeated.",
    ),
    click.option(
        "--match-reported-names",
        is_flag=True,
        help="Match also model names by header that only a model server reports, and not the spec of the Workspace.",
    ),
    click.option("--chart-url", help=f"OCI URL of the chart that installs pool and endpoint picker.  [default: {_CHART.url}]"),
    click.option("--chart-version", help=f"Version of that chart.  [default: {_CHART.version}]"),
    click.option("--chart-insecure", is_flag=True, help="Fetch the chart over plain HTTP, for registries in tests and demos."),
    click.option(
        "--restricted-fields",
        type=click.Choice(["allow", "deny"]),
        help="Whether Workspaces may set fields for which the chart's admission policy requires further rights of their author.  "
        "[default: deny for run, allow for plan]",
    ),
    click.option(
        "--model-hub",
        metavar="URL|off",
        help="Model hub with the sizes of models that are not in the catalog: config.json and safetensors index, without a token.  "
        f"[default: {DEFAULT_HUB} for run, off for plan]",
    ),
    click.option(
        "--model-hub-network",
        metavar="CIDR",
        multiple=True,
        help="Network with special addresses, such as 127.0.0.0/8, that the model hub may have nevertheless; can be repeated.",
    ),
    click.option(
        "--model-server-requests",
        metavar="NAME=QUANTITY,...",
        help="Requests of the containers of presets, such as cpu=2,memory=8Gi (default: from the size of the weights).",
    ),
    click.option("--model-server-image", help=f"Image of the model server.  [default: {DEFAULT_MODEL_SERVER_IMAGE}]"),
)


class InstallationOptions(TypedDict):
    """The values of `installation_options`, as click passes them."""

    config: Path | None
    mode: str | None
    feature_gates: str | None
    gateway: str | None
    gateway_namespace: tuple[str, ...]
    shared_path: tuple[str, ...]
    match_reported_names: bool
    chart_url: str | None
    chart_version: str | None
    chart_insecure: bool
    restricted_fields: str | None
    model_hub: str | None
    model_hub_network: tuple[str, ...]
    model_server_image: str | None
    model_server_requests: str | None


def installation_options(function: FunctionT) -> FunctionT:
    """Add the installation's options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def read_settings_file(path: Path | None) -> SettingsFile:
    """Return the settings in the file, or the defaults if there is none.

    Raises:
        click.UsageError: the file cannot be read, or a setting is invalid; exit code 2.
    """
    if path is None:
        return SettingsFile()
    try:
        return parse_settings_file(path.read_text(encoding="utf-8"))
    except SettingsError as error:
        raise click.UsageError(f"{path}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise click.UsageError(f"{path} cannot be read: {reason}") from None


def plan_settings(
    options: InstallationOptions,
    *,
    gateway_extension: bool = False,
    restricted_fields: str = "deny",
    model_hub: str = OFF,
    autoscaling: AutoscalingSettings | None = None,
) -> PlanSettings:
    """Return the settings from file and options; `gateway_extension` is the default of the feature gate.

    `restricted_fields`, allow or deny, and `model_hub`, a URL or off, are the defaults of the options with these names, and `autoscaling`
    those without a settings file.

    Raises:
        click.UsageError: one of them is invalid; exit code 2.
    """
    file = read_settings_file(options["config"])
    settings = file.plan_settings()
    given = file.feature_gates.gateway_extension
    merged = replace(
        settings,
        mode=Mode(options["mode"]) if options["mode"] else settings.mode,
        gateway_extension=_gate(options["feature_gates"], gateway_extension if given is None else given),
        gateway=_parse_gateway(options["gateway"]) if options["gateway"] else settings.gateway,
        gateway_namespaces=options["gateway_namespace"] or settings.gateway_namespaces,
        shared_paths=options["shared_path"] or settings.shared_paths,
        match_reported_names=bool(options["match_reported_names"] or settings.match_reported_names),
        charts=(_chart(options, settings.chart), *settings.charts[1:]),
        autoscaling=autoscaling if autoscaling is not None and options["config"] is None else settings.autoscaling,
        restricted_fields=(options["restricted_fields"] or file.restricted_fields or restricted_fields) == "allow",
        model_hub=hub_of(options, model_hub).url,
        model_server_image=options["model_server_image"] or settings.model_server_image,
        model_server_resources=_resources(options["model_server_requests"], settings.model_server_resources),
    )
    try:
        check_installed(merged)
    except SpecError as error:
        raise click.UsageError(f"{options['config']}: {error}") from None
    return merged


def ignored_settings(options: InstallationOptions, plan: PlanSettings, probe: ProbeSettings | None = None) -> Iterator[str]:
    """Yield a sentence for each setting of the settings file without effect; `plan` and `probe` are the settings with the options.

    Raises:
        click.UsageError: the file cannot be read any more; exit code 2.
    """
    path, file = options["config"], read_settings_file(options["config"])
    for text in settings_without_effect(file, plan, probe or file.probe.settings()):
        yield f"{path}: {text}"


def hub_of(options: InstallationOptions, default: str = OFF) -> HubSettings:
    """Return the settings of the model hub; `default` is its URL, or off, if neither the settings file nor an option has one.

    Raises:
        click.UsageError: the URL or a network is invalid; exit code 2.
    """
    file, url = read_settings_file(options["config"]).model_hub, options["model_hub"]
    if url is not None and not re.fullmatch(HUB_URL, url):
        raise click.UsageError(f"--model-hub must be off, or a URL without a trailing slash, such as {DEFAULT_HUB}, not {url!r}")
    given = file.settings() if file is not None else HubSettings(default)
    networks = tuple(map(_network, options["model_hub_network"] or ())) or given.networks
    chosen = given.url if url is None else url
    return HubSettings("" if chosen == OFF else chosen, networks)


def helm_of(file: SettingsFile) -> str:
    """Return the path of the helm binary for chart checks; empty if they are disabled.

    Raises:
        click.UsageError: it does not exist; exit code 2.
    """
    if not file.chart_check.enabled:
        return ""
    program = shutil.which(file.chart_check.helm)
    if program is None:
        remedy = "use the image with helm (make image TARGET=with-helm), or set chartCheck.enabled to false"
        raise click.UsageError(f"chartCheck.helm: {file.chart_check.helm} not found; {remedy}")
    return program


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise click.UsageError(f"--model-hub-network must be a network, such as 127.0.0.0/8, not {text!r}") from None


def _resources(text: str | None, resources: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `resources` with the requests in the option."""
    if text is None:
        return resources
    requests = dict(entry.split("=", 1) for entry in text.split(",") if "=" in entry)
    given = {**resources, "requests": {**(resources.get("requests") or {}), **requests}}
    problem = resources_problem(given)
    if problem or len(requests) != text.count(",") + 1:
        raise click.UsageError(f"--model-server-requests must be requests such as cpu=2,memory=8Gi, not {text!r}")
    if gpus := gpus_problem(given):
        raise click.UsageError(f"--model-server-requests {gpus}; remove it")
    return given


def _gate(text: str | None, default: bool) -> bool:  # noqa: FBT001 - the value that is overridden
    try:
        return parse_feature_gates(text)["gatewayAPIInferenceExtension"] if text else default
    except SettingsError as error:
        raise click.UsageError(str(error)) from None


def _chart(options: InstallationOptions, chart: ChartSource) -> ChartSource:
    """Return the default chart: that of the file, with the options.

    Raises:
        click.UsageError: the chart is not known, or the options would undo a pin of the file; exit code 2.
    """
    url, version = options["chart_url"] or chart.url, options["chart_version"] or chart.version
    _check_pins(options, chart)
    chosen = replace(chart, url=url, version=version, insecure=options["chart_insecure"] or chart.insecure)
    try:
        TypeAdapter(Url).validate_python(url)
        find_layout(chosen.values_of, version)
    except ValidationError as error:
        raise click.UsageError(f"--chart-url {url!r} {error.errors()[0]['msg']}") from None
    except UnknownChartError as error:
        raise click.UsageError(str(error)) from None
    return chosen


def _check_pins(options: InstallationOptions, chart: ChartSource) -> None:
    """Reject options for another chart than that whose digests or layout the file has: no command line takes a pin away in silence.

    Raises:
        click.UsageError: there is such an option; exit code 2.
    """
    of_url = [name for name, value in (("allowedDigests", chart.allowed_digests), ("layout", chart.layout)) if value]
    of_both = ["digest"] if chart.digest else []
    for option, given, there, lost in (
        ("--chart-url", options["chart_url"], chart.url, of_both + of_url),
        ("--chart-version", options["chart_version"], chart.version, of_both),
    ):
        if lost and given and given != there:
            kept = f"{' and '.join(lost)} of chartSources[0] in {options['config']} would be lost, set for {there}"
            fields = ", ".join((option.removeprefix("--chart-"), *lost[:-1]))
            raise click.UsageError(f"with {option} {given}, {kept}; set {fields} and {lost[-1]} in the file instead")


def _parse_gateway(text: str) -> GatewayChoice:
    parts = text.split("/")
    if len(parts) not in {2, 3} or not all(parts):
        raise click.UsageError(f"--gateway must be NAMESPACE/NAME or NAMESPACE/NAME/LISTENER, not {text!r}")
    return GatewayChoice(*parts)

"""Options that say what the installation decides; `run` and `plan` share them."""

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import click

from workspace_ctrl.catalog.charts import UnknownChartError, find_layout
from workspace_ctrl.controller.settings import SettingsError, parse_feature_gates
from workspace_ctrl.planning.settings import DEFAULT_MODEL_SERVER_IMAGE, ChartSource, GatewayChoice, PlanSettings

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_CHART = ChartSource()
_OPTIONS = (
    click.option(
        "--feature-gates",
        default="",
        metavar="GATE=BOOL,...",
        help="Features to switch on or off: gatewayAPIInferenceExtension (default: false).",
    ),
    click.option("--gateway", metavar="NAMESPACE/NAME[/LISTENER]", help="Gateway of all Workspaces that name none."),
    click.option(
        "--chart-url",
        default=_CHART.url,
        show_default=True,
        help="OCI address of the chart that installs pool and endpoint picker.",
    ),
    click.option("--chart-version", default=_CHART.version, show_default=True, help="Its version."),
    click.option("--chart-insecure", is_flag=True, help="Fetch the chart over plain HTTP (registries of tests and demos)."),
    click.option("--model-server-image", default=DEFAULT_MODEL_SERVER_IMAGE, show_default=True, help="Image of the model server."),
)


class InstallationOptions(TypedDict):
    """The values of `installation_options`, as click passes them."""

    feature_gates: str
    gateway: str | None
    chart_url: str
    chart_version: str
    chart_insecure: bool
    model_server_image: str


def installation_options(function: FunctionT) -> FunctionT:
    """Add the installation's options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def plan_settings(options: InstallationOptions) -> PlanSettings:
    """Return the settings that the options make.

    Raises:
        click.UsageError: one of them cannot be used; exit code 2.
    """
    chart = ChartSource(url=options["chart_url"], version=options["chart_version"], insecure=options["chart_insecure"])
    try:
        gates = parse_feature_gates(options["feature_gates"])
        find_layout(chart.chart, chart.version)
    except (SettingsError, UnknownChartError) as error:
        raise click.UsageError(str(error)) from None
    return PlanSettings(
        gateway_extension=gates["gatewayAPIInferenceExtension"],
        gateway=_parse_gateway(options["gateway"]) if options["gateway"] else None,
        chart=chart,
        model_server_image=options["model_server_image"],
    )


def _parse_gateway(text: str) -> GatewayChoice:
    parts = text.split("/")
    if len(parts) not in {2, 3} or not all(parts):
        raise click.UsageError(f"--gateway needs NAMESPACE/NAME or NAMESPACE/NAME/LISTENER, not {text!r}")
    return GatewayChoice(*parts)

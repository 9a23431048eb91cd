"""`workspace-ctrl run`: the controller process."""

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from workspace_ctrl.catalog.charts import UnknownChartError, find_layout
from workspace_ctrl.cli.connecting import configuration_of, connection_options
from workspace_ctrl.controller.settings import Settings, SettingsError, parse_feature_gates
from workspace_ctrl.controller.shell import run
from workspace_ctrl.planning.settings import DEFAULT_MODEL_SERVER_IMAGE, ChartSource, GatewayChoice, PlanSettings

_CHART = ChartSource()


@click.command("run")
@connection_options
@click.option(
    "--feature-gates",
    default="",
    metavar="GATE=BOOL,...",
    help="Features to switch on or off: gatewayAPIInferenceExtension (default: false).",
)
@click.option("--gateway", metavar="NAMESPACE/NAME[/LISTENER]", help="Gateway of all Workspaces that name none.")
@click.option(
    "--chart-url", default=_CHART.url, show_default=True, help="OCI address of the chart that installs pool and endpoint picker."
)
@click.option("--chart-version", default=_CHART.version, show_default=True, help="Its version.")
@click.option("--chart-insecure", is_flag=True, help="Fetch the chart over plain HTTP (registries of tests and demos).")
@click.option("--model-server-image", default=DEFAULT_MODEL_SERVER_IMAGE, show_default=True, help="Image of the model server.")
@click.option("--refusal-interval", default=30.0, show_default=True, help="Seconds after which a refused request is tried again.")
@click.option(
    "--progress-interval",
    default=5.0,
    show_default=True,
    help="Seconds between status writes that only tell of progress; readiness and failures are written at once.",
)
@click.option("--liveness", metavar="URL", help="Address to serve liveness on, such as http://0.0.0.0:8080/healthz.")
@click.option("--metrics-port", default=0, show_default=True, help="Port to serve Prometheus metrics on; 0 for none.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Format of the log.")
@click.option("--verbose", "-v", is_flag=True, help="Log more.")
def run_command(  # noqa: PLR0917 - click passes options by name
    kubeconfig: Path | None,
    context: str | None,
    feature_gates: str,
    gateway: str | None,
    chart_url: str,
    chart_version: str,
    chart_insecure: bool,  # noqa: FBT001
    model_server_image: str,
    refusal_interval: float,
    progress_interval: float,
    liveness: str | None,
    metrics_port: int,
    log_format: str,
    verbose: bool,  # noqa: FBT001
) -> None:
    """Run the controller until a signal ends it."""
    _set_up_logging(log_format, logging.DEBUG if verbose else logging.INFO)
    chart = ChartSource(url=chart_url, version=chart_version, insecure=chart_insecure)
    try:
        gates = parse_feature_gates(feature_gates)
        find_layout(chart.chart, chart.version)
    except (SettingsError, UnknownChartError) as error:
        raise click.UsageError(str(error)) from None
    plan = PlanSettings(
        gateway_extension=gates["gatewayAPIInferenceExtension"],
        gateway=_parse_gateway(gateway) if gateway else None,
        chart=chart,
        model_server_image=model_server_image,
    )
    settings = Settings(plan=plan, refusal_interval=refusal_interval, progress_interval=progress_interval)
    run(configuration_of(kubeconfig, context), settings, liveness=liveness, metrics_port=metrics_port)


def _parse_gateway(text: str) -> GatewayChoice:
    parts = text.split("/")
    if len(parts) not in {2, 3} or not all(parts):
        raise click.UsageError(f"--gateway needs NAMESPACE/NAME or NAMESPACE/NAME/LISTENER, not {text!r}")
    return GatewayChoice(*parts)


class _JsonFormatter(logging.Formatter):
    """One JSON object a line, with the field names that log collectors know."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _set_up_logging(log_format: str, level: int) -> None:
    handler = logging.StreamHandler(sys.stderr)
    text = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_JsonFormatter() if log_format == "json" else text)
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("workspace_ctrl").setLevel(level)
    # kopf looks at the API server's groups at its start, for nothing that we need; when that fails, our own lines say it better.
    logging.getLogger("kopf._core.reactor.observation").setLevel(logging.CRITICAL)

"""`workspace-ctrl model-index`: the process that answers the list of models."""

import logging
from pathlib import Path

import click

from workspace_ctrl.cli.connection_options import access_of, connection_options
from workspace_ctrl.cli.installation_options import read_settings_file
from workspace_ctrl.cli.pods.logged_command import LoggedCommand, log_format_option
from workspace_ctrl.cli.pods.ports import require_different_ports
from workspace_ctrl.process.log_format import set_up_logging
from workspace_ctrl.process.model_index_process import IndexPorts, run_model_index


@click.command("model-index", cls=LoggedCommand)
@connection_options
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="Settings file, that of the controller; modelIndex.service names the Service of this process.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8081, show_default=True, help="Port at which Gateways ask.")
@click.option(
    "--health-port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port of /healthz and /readyz; 0 to disable."
)
@log_format_option
def model_index_command(
    *, kubeconfig: Path | None, context: str | None, config: Path, port: int, health_port: int, log_format: str
) -> None:
    """Answer the list of models, and requests that no model takes, until a signal ends it.

    Gateways send requests here by the routes that the controller makes with modelIndex.enabled. Reads Workspaces, InferenceSets and these
    routes, and writes nothing.
    """
    set_up_logging(log_format, logging.INFO)
    require_different_ports({"--port": port, "--health-port": health_port})
    settings = read_settings_file(config).plan_settings()
    if not settings.model_index.service:
        raise click.UsageError(f"{config}: modelIndex.service is missing; set it to the Service of this process")
    run_model_index(access_of(kubeconfig, context), settings, IndexPorts(port, health_port))

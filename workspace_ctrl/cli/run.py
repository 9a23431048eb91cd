"""`workspace-ctrl run`: the controller process."""

import logging
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Unpack

import click

from workspace_ctrl.cli.connection_options import access_of, connection_options
from workspace_ctrl.cli.installation_options import (
    InstallationOptions,
    helm_of,
    hub_of,
    ignored_settings,
    installation_options,
    plan_settings,
    read_settings_file,
)
from workspace_ctrl.cli.leader_election_options import ReplicaOptions, election_of, replica_options, scope_of
from workspace_ctrl.cli.pods.logged_command import LoggedCommand, log_format_option
from workspace_ctrl.cli.pods.ports import require_different_ports
from workspace_ctrl.cli.probe_options import ProbeOptions, probe_of, probe_options
from workspace_ctrl.planning.held_updates import update_policy
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.process.kopf_process import run
from workspace_ctrl.process.log_format import set_up_logging
from workspace_ctrl.settings.process import DEFAULT_HUB, AdmissionSettings, MetricsSettings, ProbeMode, Settings
from workspace_ctrl.settings.workspace_scope import Scope

logger = logging.getLogger(__name__)

_PORT = click.IntRange(0, 65535)


class _Options(InstallationOptions, ReplicaOptions, ProbeOptions):
    """The options of the shared groups."""


@click.command("run", cls=LoggedCommand)
@connection_options
@installation_options
@replica_options
@click.option("--refusal-interval", default=30.0, show_default=True, help="Seconds until a rejected request is retried.")
@click.option(
    "--progress-interval",
    default=5.0,
    show_default=True,
    help="Seconds between status writes that only report progress; failures are written at once.",
)
@probe_options
@click.option("--events/--no-events", default=True, show_default=True, help="Emit Events for transitions of Workspaces.")
@click.option("--health-port", type=_PORT, default=0, show_default=True, help="Port of /healthz and /readyz; 0 to disable.")
@click.option("--metrics-port", type=_PORT, default=0, show_default=True, help="Port of the Prometheus metrics; 0 to disable.")
@click.option(
    "--metrics-certificates",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with tls.crt and tls.key: serve the metrics by HTTPS, only to tokens that may get /metrics. Renewed files are reloaded.",
)
@click.option(
    "--load-port",
    type=_PORT,
    default=0,
    show_default=True,
    help="Port of the loads of models, for KEDA (setting autoscaling.url); 0 to disable.",
)
@click.option(
    "--admission-port", type=_PORT, default=0, show_default=True, help="Port of the validating admission webhook; 0 to disable."
)
@click.option(
    "--admission-certificates",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with tls.crt and tls.key of the webhook; renewed files are reloaded.",
)
@log_format_option
@click.option("--verbose", "-v", is_flag=True, help="Log at debug level.")
def run_command(
    *,
    kubeconfig: Path | None,
    context: str | None,
    refusal_interval: float,
    progress_interval: float,
    events: bool,
    health_port: int,
    metrics_port: int,
    metrics_certificates: Path | None,
    load_port: int,
    admission_port: int,
    admission_certificates: Path | None,
    log_format: str,
    verbose: bool,
    **options: Unpack[_Options],
) -> None:
    """Run the controller until a signal ends it."""
    set_up_logging(log_format, logging.DEBUG if verbose else logging.INFO)
    require_different_ports(
        {
            "--health-port": health_port,
            "--metrics-port": metrics_port,
            "--load-port": load_port,
            "--admission-port": admission_port,
        }
    )
    file = read_settings_file(options["config"])
    plan, scope = plan_settings(options, model_hub=DEFAULT_HUB), scope_of(options)
    if file.model_server.updates == "OnSpecChange":
        plan = replace(plan, updates=update_policy(plan, version("workspace-ctrl")))
    probe = probe_of(options, file.probe.settings())
    plan = replace(plan, probes=probe.mode is not ProbeMode.OFF)
    _check_scope(plan, scope)
    settings = Settings(
        plan=plan,
        scope=scope,
        election=election_of(options),
        refusal_interval=refusal_interval,
        progress_interval=progress_interval,
        hub=hub_of(options, DEFAULT_HUB),
        probe=probe,
        admission=_admission_of(admission_port, admission_certificates),
        metrics=MetricsSettings(metrics_port, metrics_certificates),
        load_port=load_port,
        events=events,
        helm=helm_of(file),
    )
    for text in ignored_settings(options, plan, probe):
        logger.warning("%s", text)
    run(access_of(kubeconfig, context), settings, health_port=health_port)


def _check_scope(plan: PlanSettings, scope: Scope) -> None:
    """Reject settings that need a process of all Workspaces.

    Raises:
        click.UsageError: this one is only for some of them; exit code 2.
    """
    if plan.body_routing.managed and scope != Scope():
        raise click.UsageError(
            "bodyBasedRouting.mode: managed cannot be combined with --namespace or --shard-selector, because all Workspaces share "
            "the router of a Gateway; remove these options, or set the mode to off and install the router yourself"
        )
    if plan.model_index.enabled and scope != Scope():
        raise click.UsageError(
            "modelIndex.enabled cannot be combined with --namespace or --shard-selector, because only a process that knows all Workspaces "
            "knows which requests no model takes; remove these options, or set it to false"
        )


def _admission_of(port: int, certificates: Path | None) -> AdmissionSettings | None:
    if not port:
        return None
    if certificates is None:
        raise click.UsageError(
            "--admission-port needs --admission-certificates, because the API server calls webhooks by HTTPS only"
        )
    return AdmissionSettings(port, certificates)

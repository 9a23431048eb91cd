"""`workspace-ctrl doctor`: checks that the cluster has what Workspaces need."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of
from workspace_ctrl.cli.inspect.cluster_facts import cluster_facts
from workspace_ctrl.cli.inspect.doctor_checks import Finding, Level, findings
from workspace_ctrl.cli.output import to_json

_COLORS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "red"}


@click.command("doctor")
@connection_options
@click.option(
    "--namespace", "-n", metavar="NAMESPACE", help="Namespace for the dry-run and your rights.  [default: that of the context]"
)
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Format.")
def doctor_command(*, kubeconfig: Path | None, context: str | None, namespace: str | None, output: str) -> None:
    """Check that the cluster has what Workspaces need.

    Kubernetes, CRDs and their versions, controller, feature gate and settings without effect, Flux, gateway classes and their switches,
    Gateways, your rights, admission (by a dry-run), registry, GPU labels, clock. Changes nothing; what you may not read is said.
    Exit code: 0; 1 if something is missing, with the ways out.
    """
    access = access_of(kubeconfig, context)
    own = namespace_of(access, namespace)
    found = findings(calling(access, FIELD_MANAGER, lambda client: cluster_facts(client, own)), datetime.now(UTC))
    failed = [finding for finding in found if finding.level is Level.FAILURE]
    if output == "json":
        click.echo(to_json([{**asdict(finding), "level": finding.level.name.lower()} for finding in found]))
    else:
        _print(found)
    sys.exit(1 if failed else 0)


def _print(found: Sequence[Finding]) -> None:
    width = max(len(finding.subject) for finding in found)
    for finding in found:
        mark = click.style(finding.level.value, fg=_COLORS[finding.level])
        click.echo(f"{mark} {finding.subject.ljust(width)}  {printable(finding.words)}")
        if finding.way_out:
            click.echo(f"  {' ' * width}  -> {printable(finding.way_out)}")

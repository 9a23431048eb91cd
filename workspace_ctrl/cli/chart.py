"""`workspace-ctrl chart check`: whether a chart is as its layout says, asked of Helm."""

import asyncio
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import click
from pyhelm3.errors import Error as HelmError

from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.controller.helm import ChartUnreadableError, Report, look_at, look_at_file, words
from workspace_ctrl.records.charts import ChartId


@click.group("chart")
def chart_command() -> None:
    """Look at charts that install pool and endpoint picker."""


@chart_command.command("check")
@click.argument("reference", metavar="REF")
@click.option("--version", help="Version of the chart.  [default: that in REF or in Chart.yaml]")
@click.option("--insecure", is_flag=True, help="Fetch the chart over plain HTTP (registries of tests and demos).")
@click.option(
    "--layout", default="", metavar="CHART", help="The known chart whose values it takes.  [default: the chart's own name]"
)
@click.option("--helm", default="helm", show_default=True, help="The helm program.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Format.")
def check_command(*, reference: str, version: str | None, insecure: bool, layout: str, helm: str, output: str) -> None:
    """Check that a chart reads every value that would be set, and makes the objects that are counted on.

    REF is oci://REGISTRY/PATH/CHART[:VERSION], a folder, or a packed chart; nothing is installed.
    Exit code: 0 when all checks hold, 1 when one does not, 2 on wrong usage or an unknown version.
    """
    if not reference.startswith("oci://") and not Path(reference).exists():
        raise click.UsageError(f"{reference} is not there; name a folder, a packed chart, or an address that begins with oci://")
    program = shutil.which(helm)
    if program is None:
        raise click.UsageError(f"{helm} is not there; install Helm (https://helm.sh/docs/intro/install), or name it with --helm")
    chart = ChartId(reference, version or "", layout=layout, insecure=insecure)
    is_remote = reference.startswith("oci://")
    try:
        report = asyncio.run(look_at(program, chart) if is_remote else look_at_file(program, reference, version or "", layout))
    except HelmError as error:
        raise click.ClickException(f"{reference}: Helm says: {words(error)}") from None
    except ChartUnreadableError as error:
        raise click.ClickException(f"{reference} cannot be used: {words(error)}") from None
    except UnknownChartError as error:
        raise click.UsageError(str(error)) from None
    _print_json(report) if output == "json" else _print_lines(report)
    sys.exit(0 if report.holds and not report.refused else 1)


def _print_json(report: Report) -> None:
    document = {
        "chart": report.chart,
        "version": report.version,
        "holds": report.holds,
        "refused": report.refused,
        "checks": [asdict(check) for check in report.checks],
    }
    click.echo(json.dumps(document, indent=2))


def _print_lines(report: Report) -> None:
    click.secho(f"Chart {report.chart} {report.version}", bold=True)
    for check in report.checks:
        click.secho(f"✔ {check.name}" if check.holds else f"✘ {check.name}: {check.found}", fg="green" if check.holds else "red")
    if report.refused:
        click.secho(f"This version is not used: {report.refused}", fg="red")

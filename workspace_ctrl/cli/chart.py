"""`workspace-ctrl chart check`: checks with Helm whether a chart matches its layout."""

import sys
from dataclasses import asdict
from pathlib import Path

import click
from pyhelm3.errors import Error as HelmError

from workspace_ctrl.catalog.charts import UnknownChartError
from workspace_ctrl.cli.arguments.helm_program import found_helm
from workspace_ctrl.cli.output import say, to_json
from workspace_ctrl.cli.shell.event_loop import run_in_loop
from workspace_ctrl.helm.chart_rendering import ChartReport, ChartUnreadableError, look_at_file, render_and_check, words
from workspace_ctrl.model.chart_verdicts import ChartId


@click.group("chart")
def chart_command() -> None:
    """Check charts that install pool and endpoint picker."""


@chart_command.command("check")
@click.argument("reference", metavar="REF")
@click.option("--version", help="Version of the chart.  [default: that in REF or in Chart.yaml]")
@click.option("--insecure", is_flag=True, help="Fetch the chart over plain HTTP, for registries in tests and demos.")
@click.option(
    "--layout",
    default="",
    metavar="CHART",
    help="Supported chart with the same values, for forks.  [default: the chart's own name]",
)
@click.option("--helm", default="helm", show_default=True, help="Path of the helm binary.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Format.")
def check_command(*, reference: str, version: str | None, insecure: bool, layout: str, helm: str, output: str) -> None:
    """Check that a chart supports every value that the controller sets, and creates the objects that it expects.

    REF is oci://REGISTRY/PATH/CHART[:VERSION], a directory, or a packaged chart; nothing is installed.
    Exit code: 0 if all checks pass, 1 if one fails, 2 on wrong usage or an unsupported version.
    """
    if not reference.startswith("oci://") and not Path(reference).exists():
        raise click.UsageError(f"{reference} not found; set a directory, a packaged chart, or a URL that begins with oci://")
    program = found_helm(helm)
    chart = ChartId(reference, version or "", layout=layout, insecure=insecure)
    is_remote = reference.startswith("oci://")
    try:
        report = run_in_loop(
            render_and_check(program, chart) if is_remote else look_at_file(program, reference, version or "", layout)
        )
    except HelmError as error:
        raise click.ClickException(f"{reference}: Helm failed: {words(error)}") from None
    except ChartUnreadableError as error:
        raise click.ClickException(f"{reference} cannot be used: {words(error)}") from None
    except UnknownChartError as error:
        raise click.UsageError(str(error)) from None
    _print_json(report) if output == "json" else _print_lines(report)
    sys.exit(0 if report.holds and not report.refused else 1)


def _print_json(report: ChartReport) -> None:
    document = {
        "chart": report.chart,
        "version": report.version,
        "holds": report.holds,
        "refused": report.refused,
        "checks": [asdict(check) for check in report.checks],
    }
    click.echo(to_json(document))


def _print_lines(report: ChartReport) -> None:
    say(f"Chart {report.chart} {report.version}", bold=True)
    for check in report.checks:
        say(f"✔ {check.name}" if check.holds else f"✘ {check.name}: {check.found}", fg="green" if check.holds else "red")
    if report.refused:
        say(f"This version is not supported: {report.refused}", fg="red")

"""`workspace-ctrl chart check`: whether a chart is as its layout says, asked of Helm."""

import asyncio
import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from pyhelm3 import Command
from pyhelm3.errors import Error as HelmError

from workspace_ctrl.catalog.charts import UnknownChartError, find_layout, known_layout
from workspace_ctrl.planning.chart_check import Check, Rendered, checks, renderings


@dataclass(frozen=True)
class _Report:
    """A chart and what was found."""

    chart: str
    version: str
    refused: str
    """Why this version is not installed; empty where it is."""
    checks: Sequence[Check]

    @property
    def holds(self) -> bool:
        """Whether all is as we count on."""
        return all(check.holds for check in self.checks)


@click.group("chart")
def chart_command() -> None:
    """Look at charts that install pool and endpoint picker."""


@chart_command.command("check")
@click.argument("reference", metavar="REF")
@click.option("--version", help="Version of the chart.  [default: that in REF or in Chart.yaml]")
@click.option("--insecure", is_flag=True, help="Fetch the chart over plain HTTP (registries of tests and demos).")
@click.option("--helm", default="helm", show_default=True, help="The helm program.")
@click.option("--output", "-o", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Format.")
def check_command(*, reference: str, version: str | None, insecure: bool, helm: str, output: str) -> None:
    """Check that a chart reads every value that would be set, and makes the objects that are counted on.

    REF is oci://REGISTRY/PATH/CHART[:VERSION], a folder, or a packed chart; nothing is installed.
    Exit code: 0 when all checks hold, 1 when one does not, 2 on wrong usage or an unknown version.
    """
    if not reference.startswith("oci://") and not Path(reference).exists():
        raise click.UsageError(f"{reference} is not there; name a folder, a packed chart, or an address that begins with oci://")
    program = shutil.which(helm)
    if program is None:
        raise click.UsageError(f"{helm} is not there; install Helm (https://helm.sh/docs/intro/install), or name it with --helm")
    logging.getLogger("pyhelm3").setLevel(logging.CRITICAL)  # what fails is said below, once
    try:
        report = asyncio.run(_check(Command(executable=program), reference, version, insecure=insecure))
    except HelmError as error:
        said = (error.stderr or b"").decode(errors="replace").strip() or str(error)
        raise click.ClickException(f"{reference}: Helm says: {said}") from None
    except UnknownChartError as error:
        raise click.UsageError(str(error)) from None
    _print_json(report) if output == "json" else _print_lines(report)
    sys.exit(0 if report.holds and not report.refused else 1)


async def _check(helm: Command, reference: str, version: str | None, *, insecure: bool) -> _Report:
    if not reference.startswith("oci://"):
        return await _checked(helm, reference, version)
    with tempfile.TemporaryDirectory(prefix="workspace-ctrl-") as folder:
        chosen = ["--version", version] if version else []
        await helm.run(["pull", reference, *chosen, *(["--plain-http"] if insecure else []), "--destination", folder])
        (packed,) = await asyncio.to_thread(lambda: list(Path(folder).iterdir()))
        return await _checked(helm, str(packed), version)


async def _checked(helm: Command, path: str, version: str | None) -> _Report:
    about = await helm.show_chart(path)
    name, number = str(about["name"]), version or str(about["version"])
    layout = known_layout(name, number) or find_layout(name, number)
    defaults: Mapping[str, Any] = await helm.show_values(path) or {}
    rendered = [
        Rendered(
            entry,
            [made for made in await helm.template(entry.names.release, path, entry.values, namespace=entry.namespace) if made],
        )
        for entry in renderings(layout)
    ]
    return _Report(name, number, layout.refused, checks(layout, defaults, rendered))


def _print_json(report: _Report) -> None:
    document = {
        "chart": report.chart,
        "version": report.version,
        "holds": report.holds,
        "refused": report.refused,
        "checks": [asdict(check) for check in report.checks],
    }
    click.echo(json.dumps(document, indent=2))


def _print_lines(report: _Report) -> None:
    click.secho(f"Chart {report.chart} {report.version}", bold=True)
    for check in report.checks:
        click.secho(f"✔ {check.name}" if check.holds else f"✘ {check.name}: {check.found}", fg="green" if check.holds else "red")
    if report.refused:
        click.secho(f"This version is not used: {report.refused}", fg="red")

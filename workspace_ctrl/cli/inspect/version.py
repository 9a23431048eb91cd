"""`workspace-ctrl version`: the versions of this program and of the cluster's parts."""

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import click

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options
from workspace_ctrl.cli.inspect.installed_parts import GATEWAYS, POOLS, InstalledParts, chart_of, installed_parts, version_of
from workspace_ctrl.cli.output import to_json, to_yaml
from workspace_ctrl.cli.printing.tables import print_table
from workspace_ctrl.kube.resources import Json

_NOT_READABLE = "you may not list its Deployments"


@click.command("version")
@connection_options
@click.option("--client", "only_client", is_flag=True, help="Only the version of this program; needs no cluster.")
@click.option("--output", "-o", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True, help="Format.")
def version_command(*, kubeconfig: Path | None, context: str | None, only_client: bool, output: str) -> None:
    """Show the versions of this program and of the cluster's parts.

    Kubernetes, the controller and its chart, Flux, the CRDs of Gateway API and of its inference extension.
    """
    found = {"client": version("workspace-ctrl")}
    if not only_client:
        access = access_of(kubeconfig, context)
        found |= versions_of(calling(access, FIELD_MANAGER, installed_parts))
    if output == "table":
        print_table(("PART", "VERSION"), list(found.items()))
    else:
        click.echo(to_json(found) if output == "json" else to_yaml(found).rstrip())


def versions_of(parts: InstalledParts) -> dict[str, str]:
    """Return the version of each part, in words where there is none."""
    return {
        "kubernetes": parts.server,
        "controller": _of_all(parts.controllers, version_of),
        "chart": _of_all(parts.controllers, chart_of),
        "source-controller": _of_all(_named(parts, "source-controller"), version_of),
        "helm-controller": _of_all(_named(parts, "helm-controller"), version_of),
        "gateway-api": _of_crd(parts, GATEWAYS),
        "inference-extension": _of_crd(parts, POOLS),
    }


def _named(parts: InstalledParts, app: str) -> list[Json] | None:
    if parts.flux is None:
        return None
    return [each for each in parts.flux if (each["metadata"].get("labels") or {}).get("app") == app]


def _of_all(deployments: Sequence[Json] | None, read: Callable[[Json], str]) -> str:
    if deployments is None:
        return _NOT_READABLE
    return ", ".join(dict.fromkeys(filter(None, map(read, deployments)))) or "not found"


def _of_crd(parts: InstalledParts, name: str) -> str:
    if not parts.may_read_crds:
        return "you may not read its CRDs"
    if parts.crds[name] is None:
        return "not installed"
    return parts.crd_version(name) or "installed, without a version"

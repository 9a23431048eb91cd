"""`workspace-ctrl plan`: what a Workspace would become, without a cluster."""

import sys
from collections.abc import Iterator
from typing import Any, TextIO, Unpack

import click
import yaml
from rich.console import Console
from rich.tree import Tree

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import KIND
from workspace_ctrl.cli.installation import InstallationOptions, installation_options, plan_settings
from workspace_ctrl.cli.printing import to_yaml
from workspace_ctrl.planning.manifests import ref_of
from workspace_ctrl.planning.preview import Preview, preview


@click.command("plan")
@click.option("--filename", "-f", type=click.File(), required=True, help="File with Workspaces, or - for standard input.")
@click.option("--output", "-o", type=click.Choice(["tree", "yaml"]), default="tree", show_default=True, help="Format.")
@installation_options
def plan_command(*, filename: TextIO, output: str, **installation: Unpack[InstallationOptions]) -> None:
    """Show every object that a Workspace would become, in the order of creation.

    Needs no cluster, and changes nothing. Exit code: 0; 2 when a Workspace is refused, or there is none.
    """
    if not installation["feature_gates"]:
        installation["feature_gates"] = "gatewayAPIInferenceExtension=true"
    settings = plan_settings(installation)
    refused = False
    for raw in _workspaces(filename):
        metadata = raw.get("metadata")
        name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
        try:
            planned = preview(raw, settings)
        except SpecError as error:
            click.echo(f"Workspace {name} is refused: {error}", err=True)
            refused = True
            continue
        if output == "yaml":
            click.echo(to_yaml(*planned.manifests), nl=False)
        else:
            Console().print(_tree(name, planned))
    sys.exit(2 if refused else 0)


def _workspaces(file: TextIO) -> Iterator[dict[str, Any]]:
    """Yield the Workspaces in a YAML file; other objects (a Gateway, a ConfigMap) are passed over."""
    try:
        documents = [document for document in yaml.safe_load_all(file) if isinstance(document, dict)]
    except yaml.YAMLError as error:
        raise click.UsageError(f"{file.name} is not YAML: {error}") from None
    found = [document for document in documents if document.get("kind") == KIND]
    if not found:
        raise click.UsageError(f"there is no Workspace in {file.name}")
    yield from found


def _tree(name: str, planned: Preview) -> Tree:
    decisions = planned.decisions
    tree = Tree(f"[bold]Workspace {name}[/]: {decisions.sizing}")
    for manifest in planned.manifests:
        tree.add(f"{ref_of(manifest)}")
    for problem in decisions.problems:
        tree.add(f"[red]{problem.reason}[/]: {problem.message}")
    if decisions.path:
        tree.add(f"path on the Gateway: {decisions.path}")
    for assumption in planned.assumptions:
        tree.add(f"[dim]assumed: {assumption}[/]")
    return tree

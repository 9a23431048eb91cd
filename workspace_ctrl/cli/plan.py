"""`workspace-ctrl plan`: what a Workspace would become, without a cluster."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any, TextIO, Unpack

import click
from rich.console import Console
from rich.tree import Tree

from workspace_ctrl.api.documents import DocumentError, parse_documents
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
    objects = _objects(filename)
    for raw in _workspaces(objects, filename.name):
        metadata = raw.get("metadata")
        name = str(metadata.get("name", "")) if isinstance(metadata, dict) else ""
        try:
            planned = preview(raw, objects, settings)
        except SpecError as error:
            click.echo(f"Workspace {name} is refused: {error}", err=True)
            refused = True
            continue
        if output == "yaml":
            click.echo(to_yaml(*planned.manifests), nl=False)
        else:
            Console().print(_tree(name, planned))
    sys.exit(2 if refused else 0)


def _objects(file: TextIO) -> list[dict[str, Any]]:
    try:
        documents = parse_documents(file.read())
    except (DocumentError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{file.name} {error}") from None
    return [document for document in documents if isinstance(document, dict)]


def _workspaces(objects: Sequence[dict[str, Any]], name: str) -> Iterator[dict[str, Any]]:
    """Yield the Workspaces; other objects are passed over, except that a Workspace may name them."""
    found = [document for document in objects if document.get("kind") == KIND]
    if not found:
        raise click.UsageError(f"there is no Workspace in {name}")
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

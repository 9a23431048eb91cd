"""`workspace-ctrl plan`: previews the objects of Workspaces and InferenceSets, without a cluster."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Final, TypeAlias, Unpack

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import GROUP, KIND, SET_KIND, STORAGE_VERSION
from workspace_ctrl.catalog.data_files import suggestion
from workspace_ctrl.cli.arguments.helm_program import found_helm
from workspace_ctrl.cli.arguments.manifest_files import STANDARD_INPUT, filename_options, read_objects, repeated_names
from workspace_ctrl.cli.installation_options import (
    InstallationOptions,
    hub_of,
    ignored_settings,
    installation_options,
    plan_settings,
)
from workspace_ctrl.cli.output import say, shown, to_json, to_yaml
from workspace_ctrl.cli.plan_conflicts import taken_matches
from workspace_ctrl.cli.plan_summaries import canary_in_words, facts, facts_of_chart
from workspace_ctrl.cli.shell.event_loop import run_in_loop
from workspace_ctrl.helm.release_rendering import NotRenderedError, missing_parts, rendered_releases
from workspace_ctrl.hub.hub_client import look_up_all
from workspace_ctrl.model.plan_decisions import Problem
from workspace_ctrl.planning.admission.admission_verdict import Known, Verdict, judge
from workspace_ctrl.planning.manifests import Manifest, ref_of
from workspace_ctrl.planning.plan_settings import AutoscalingSettings, PlanSettings
from workspace_ctrl.planning.preview import Neighbours, Preview, preview_body_routers
from workspace_ctrl.planning.preview_cluster import DEFAULT_NAMESPACE, named_sections, workspace_record
from workspace_ctrl.planning.resolved_workspace import resolve
from workspace_ctrl.records.meta import ObjectRef

_KINDS: Final = (KIND, SET_KIND)
_AUTOSCALING: Final = AutoscalingSettings(enabled=True, url="http://workspace-ctrl-load.workspace-ctrl.svc:8090")
"""Where there is no settings file: as a release of the chart with its usual names would have it."""
_INSTEAD: Final[Mapping[str, str]] = {
    "MultiRoleInference": "prefill and decode are not separated; use an InferenceSet, whose copies do both",
    "ModelMirror": "there is no mirror of weights; set inference.weightsVolume of the Workspace, or of the InferenceSet's template, to "
    "keep them on a volume, with claimName for a volume that several share",
    "RAGEngine": "run the retrieval yourself, and let it send requests to status.gateway.url of a Workspace or InferenceSet",
}
"""Kind of KAITO → what to use instead."""
_NEAR: Final = 0.75
"""How close a word must be to count as misspelt."""
_UNBROKEN: Final = 10_000
"""Width in characters, longer than any line."""
_Routers: TypeAlias = Mapping[ObjectRef, Sequence[Manifest]]
"""Gateway → objects of its body-based router."""
_Charts: TypeAlias = Mapping[ObjectRef, Sequence[Manifest]]
"""HelmRelease → objects of its chart."""


@dataclass(frozen=True)
class _Planned:
    """One Workspace or InferenceSet, and its preview."""

    title: str
    preview: Preview
    warnings: tuple[str, ...] = ()


@click.command("plan")
@filename_options
@click.option("--output", "-o", type=click.Choice(["tree", "yaml", "json"]), default="tree", show_default=True, help="Format.")
@click.option("--render", is_flag=True, help="Show the objects of the charts, too: fetches and renders them with Helm.")
@click.option("--helm", default="helm", show_default=True, help="Path of the helm binary, for --render.")
@installation_options
def plan_command(
    *, files: Sequence[str], recursive: bool, output: str, render: bool, helm: str, **installation: Unpack[InstallationOptions]
) -> None:
    """Show all objects that would be created for Workspaces and InferenceSets, in the order of creation.

    Needs no cluster, and changes nothing. Assumptions about the cluster are listed at the end.
    The model hub is asked only with --model-hub, or if the settings file has modelHub.
    Rejections and warnings are those of the admission webhook.
    Exit code: 0; 2 if one of them is rejected or cannot be planned yet, there is none, or a kind is not supported.
    """
    program = found_helm(helm) if render else ""
    hub = hub_of(installation)
    settings = plan_settings(installation, gateway_extension=True, restricted_fields="allow", autoscaling=_AUTOSCALING)
    objects = read_objects(files, recursive=recursive)
    workspaces = [document for document in objects if document.get("kind") in _KINDS]  # any JSON value
    unsupported = [*_unsupported(objects)]
    for text in unsupported:
        say(text, err=True, fg="red")
    for text in (*ignored_settings(installation, settings), *_doubts(objects, workspaces)):
        say(f"warning: {text}", err=True, fg="yellow")
    if not workspaces and not unsupported:
        sources = ", ".join(STANDARD_INPUT if file == "-" else file for file in files)
        raise click.UsageError(f"no Workspace or InferenceSet found in {sources}")
    models = run_in_loop(look_up_all(hub, _hub_models(workspaces, settings))) if hub.url else {}
    planned = list(_plan(workspaces, Known(objects, is_all=True, models=models), settings))
    routers = preview_body_routers((entry.preview for entry in planned), settings)
    rendered = _rendered(program, planned, routers) if program else None
    if output == "yaml":
        _print_yaml(planned, routers, rendered or {})
    elif output == "json":
        _print_json(planned, routers, rendered or {})
    else:
        _print_trees(planned, routers, rendered or {})
    if rendered is not None:
        for text in missing_parts(_all_manifests(planned, routers)):
            say(text, err=True, dim=True)
    sys.exit(2 if len(planned) < len(workspaces) or unsupported else 0)


def _unsupported(objects: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield a message for each object of a kind of KAITO that this controller does not have."""
    for raw in objects:
        kind, group = str(raw.get("kind")), str(raw.get("apiVersion")).partition("/")[0]
        if kind in _INSTEAD and group == GROUP:
            yield f"{kind} {_name(raw)} is not supported: {_INSTEAD[kind]}"


def _hub_models(workspaces: Sequence[Mapping[str, Any]], settings: PlanSettings) -> Iterator[str]:
    """Yield the models whose figures only the model hub has."""
    for raw in workspaces:
        with suppress(SpecError):  # the verdict reports it
            model = resolve(workspace_record(raw), settings).dependencies.hub_model
            if model:
                yield model


def _plan(workspaces: Sequence[Mapping[str, Any]], known: Known, settings: PlanSettings) -> Iterator[_Planned]:
    """Yield the Workspaces that can be planned, and print why the others cannot."""
    for raw, verdict in zip(workspaces, _verdicts(workspaces, known, settings), strict=True):
        title = f"{raw['kind']} {_name(raw)}"
        for text in verdict.refusals:
            say(f"{title} is rejected: {text}", err=True, fg="red")
        for text in verdict.warnings if verdict.refusals else ():  # such as a misspelt field, which may be the cause
            say(f"warning for {title}: {text}", err=True, fg="yellow")
        if verdict.preview is not None:
            yield _Planned(title, verdict.preview, verdict.warnings)
        elif not verdict.refusals:
            for text in verdict.warnings:
                say(f"{title} cannot be planned yet: {text}", err=True, fg="yellow")


def _verdicts(workspaces: Sequence[Mapping[str, Any]], known: Known, settings: PlanSettings) -> Iterator[Verdict]:
    """Yield the verdict on each Workspace, beside the others: those that want the requests of another one are judged again with that."""
    beside = Neighbours(named_sections(workspaces, settings))
    verdicts = [judge(raw, replace(known, neighbours=beside), settings) for raw in workspaces]
    taken = taken_matches([verdict.preview for verdict in verdicts if verdict.preview is not None])
    for raw, verdict in zip(workspaces, verdicts, strict=True):
        lost = taken.get(verdict.preview.planned.desired.workspace.key) if verdict.preview is not None else None
        yield judge(raw, replace(known, neighbours=replace(beside, taken=lost)), settings) if lost else verdict


def _doubts(objects: Sequence[Mapping[str, Any]], workspaces: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what is doubtful in the input as a whole."""
    yield from filter(None, map(_near_kind, objects))
    for raw in workspaces:
        if not raw.get("apiVersion"):
            text = f"{raw['kind']} {_name(raw)} has no apiVersion, which the API server requires"
            yield f"{text}; add apiVersion: {GROUP}/{STORAGE_VERSION}"
    yield from repeated_names(objects, DEFAULT_NAMESPACE)


def _near_kind(document: Mapping[str, Any]) -> str:
    """Return that an object looks like a misspelt one of ours, and is ignored; empty if it does not."""
    kind = str(document.get("kind") or "")
    if kind in _KINDS or kind in _INSTEAD:
        return ""
    if near := suggestion(kind, _KINDS, "", _NEAR):
        return f"kind {kind} is ignored; {near}"
    is_ours = str(document.get("apiVersion") or "").startswith(f"{GROUP}/")
    return f"kind {kind or 'without a name'} of {GROUP} is ignored; only {' and '.join(_KINDS)} are planned" if is_ours else ""


def _name(raw: Mapping[str, Any]) -> str:
    metadata = raw.get("metadata")
    parts = [metadata.get("namespace"), metadata.get("name")] if isinstance(metadata, Mapping) else []
    return "/".join(str(part) for part in parts if part) or "without a name"


def _assumptions(planned: Sequence[_Planned]) -> Iterator[str]:
    for entry in planned:
        for assumption in entry.preview.assumptions:
            yield f"assumed for {entry.title}: {assumption}"


def _warnings(planned: Sequence[_Planned]) -> Iterator[str]:
    """Yield the warnings beside those that are problems of the decisions, which are shown with their reason."""
    for entry in planned:
        shown = {problem.message for problem in entry.preview.decisions.problems}
        for text in entry.warnings:
            if text not in shown:
                yield f"warning for {entry.title}: {text}"


def _all_manifests(planned: Sequence[_Planned], routers: _Routers) -> list[Manifest]:
    # The route of a group is planned for each member, and is the same.
    manifests = [*{ref_of(manifest): manifest for entry in planned for manifest in entry.preview.manifests}.values()]
    return manifests + [manifest for objects in routers.values() for manifest in objects]


def _rendered(program: str, planned: Sequence[_Planned], routers: _Routers) -> _Charts:
    """Return the objects of the planned HelmReleases.

    Raises:
        click.ClickException: a chart cannot be fetched or rendered; exit code 1.
    """
    try:
        return run_in_loop(rendered_releases(program, _all_manifests(planned, routers)))
    except NotRenderedError as error:
        raise click.ClickException(str(error)) from None


def _print_json(planned: Sequence[_Planned], routers: _Routers, rendered: _Charts) -> None:
    """Print the objects as a List; everything else goes to the standard error."""
    items = [*_all_manifests(planned, routers), *chain.from_iterable(rendered.values())]
    click.echo(to_json({"apiVersion": "v1", "kind": "List", "items": items}))
    for text in (*_assumptions(planned), *_warnings(planned), *_problems(planned)):
        say(text, err=True)


def _print_yaml(planned: Sequence[_Planned], routers: _Routers, rendered: _Charts) -> None:
    """Print the objects so that they can be applied; everything else is a comment."""
    manifests = [*_all_manifests(planned, routers), *chain.from_iterable(rendered.values())]
    if manifests:
        click.echo(to_yaml(*manifests), nl=False)
        click.echo("# The uids in ownerReferences are placeholders for those of the Workspaces in the cluster.")
    for ref in rendered:
        say(f"# Flux installs the objects of {ref}; applied beside it, they are not those of the release.")
    for text in (*_assumptions(planned), *_warnings(planned), *_problems(planned)):
        say(f"# {text}")  # on one line, so that nothing ends the comment


def _problems(planned: Sequence[_Planned]) -> Iterator[str]:
    for entry in planned:
        for problem in entry.preview.decisions.problems:
            yield f"{entry.title}: {_heading(problem)}: {problem.message}"


def _heading(problem: Problem) -> str:
    """Return the condition that would have a problem, and the reason there."""
    return f"{problem.condition}: {problem.reason}"


def _print_trees(planned: Sequence[_Planned], routers: _Routers, rendered: _Charts) -> None:
    # Lines are wrapped in a terminal only, not in a pipe.
    console = Console(width=None if sys.stdout.isatty() else _UNBROKEN)
    for entry in planned:
        console.print(_tree(entry, rendered))
    for gateway, manifests in routers.items():
        console.print(_with_objects(Tree(_line(f"Body-based router of {gateway}", "", "bold")), manifests, rendered))
    for text in _assumptions(planned):
        say(text, err=True, dim=True)
    for text in _warnings(planned):
        say(text, err=True, fg="yellow")


def _tree(planned: _Planned, rendered: _Charts) -> Tree:
    decisions = planned.preview.decisions
    tree = _with_objects(Tree(_line(planned.title, decisions.sizing, "bold")), planned.preview.manifests, rendered)
    canary = decisions.group.canary if decisions.group is not None else None
    if canary is not None:
        tree.add(_line("canary", canary_in_words(canary.plan), "cyan"))
    for problem in decisions.problems:
        tree.add(_line(_heading(problem), problem.message, "red"))
    return tree


def _with_objects(tree: Tree, manifests: Sequence[Manifest], rendered: _Charts) -> Tree:
    for manifest in manifests:
        branch = tree.add(shown(str(ref_of(manifest)), "cyan"))
        for name, value in facts(manifest):
            branch.add(_line(name, value, "dim"))
        for made in rendered.get(ref_of(manifest), ()):
            _add_rendered(branch, made)
    return tree


def _add_rendered(branch: Tree, manifest: Manifest) -> None:
    """Add an object of a chart, which may have any shape."""
    metadata = manifest.get("metadata")
    name = metadata.get("name", "") if isinstance(metadata, Mapping) else ""
    leaf = branch.add(shown(f"{manifest.get('kind', 'no kind')} {name}", "cyan"))
    for title, value in facts_of_chart(manifest):
        leaf.add(_line(title, value, "dim"))


def _line(name: str, value: str, style: str) -> Text:
    return Text.assemble(shown(name, style), shown(f": {value}") if value else "")

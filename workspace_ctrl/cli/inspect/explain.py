"""`workspace-ctrl explain`: why a Workspace is not ready, or what a reason means."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from workspace_ctrl.api.conditions import MEANINGS, ConditionType
from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.api.names import names as names_of
from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.catalog.conditions_page import conditions_page
from workspace_ctrl.catalog.reasons import Reason, names_in, near_reasons, own_reasons, quoted_reasons
from workspace_ctrl.cli.arguments.durations import age
from workspace_ctrl.cli.arguments.object_names import KIND_WORDS, ObjectName, parse_names
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of, namespace_options
from workspace_ctrl.cli.inspect.chain_explanation import ExplainedLink, Explanation, explanation
from workspace_ctrl.cli.inspect.named_workspaces import find_named, kind_of, list_kinds
from workspace_ctrl.cli.inspect.observed_workspace import observe
from workspace_ctrl.cli.output import say
from workspace_ctrl.cli.status_view import is_ready, without_gateway
from workspace_ctrl.cli.workspace_watch import WorkspaceDeletedError, WorkspaceWatch
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.resources import Json
from workspace_ctrl.records.companion_status import with_our_status

_MARKS = {"True": ("✔", "green"), "False": ("✘", "red"), "Unknown": ("…", "yellow")}

_SUMMARIES: Final = frozenset({ConditionType.READY, ConditionType.WORKSPACE_SUCCEEDED, ConditionType.GATEWAY_READY})
"""Conditions that have the reason of the first one before them that is not True."""
_MOST_READY: Final = 50
"""Workspaces up to which the objects of those are read, too, that are ready by their status; each takes some ten requests."""


@click.command("explain")
@click.argument("names", nargs=-1, metavar="[NAME|REASON]")
@connection_options
@namespace_options
@click.option("--watch", "-w", is_flag=True, help="Explain again after each change of the Workspace, until it is ready.")
@click.option("--markdown", is_flag=True, help="Print the reference of all conditions and reasons.")
def explain_command(
    *,
    names: tuple[str, ...],
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    watch: bool,
    markdown: bool,
) -> None:
    """Explain why a Workspace is not ready, or what a reason means.

    Reads the objects of the Workspace, and shows the chain link by link; > marks the first broken one, and below are what it means and the
    next command. The controller need not run. Without NAME, explains the Workspaces that are not ready.

    REASON is one of a condition, such as NoReadyEndpoints, or a condition, such as GatewayReady, as it is printed; it needs no cluster.
    It takes precedence over a Workspace of the same name; use workspace/NAME for the Workspace.
    Exit code: 0 if all are ready, 1 if not, 2 on wrong usage.
    """
    if markdown:
        click.echo(conditions_page(), nl=False)
        return
    if asked := _reasons(names, is_of_cluster=bool(context or namespace or all_namespaces or watch)):
        for name in asked:
            _print_reason(name)
        if not _has_capitals(names):
            say(f"for a Workspace of this name: workspace-ctrl explain workspace/{names[0]}", err=True, dim=True)
        return
    wanted = parse_names(names)
    if watch and (len(wanted) > 1 or not wanted[0].name):
        raise click.UsageError("--watch follows one Workspace; name one")
    access = access_of(kubeconfig, context)
    own = namespace_of(access, namespace, all_namespaces=all_namespaces)
    ready = calling(access, FIELD_MANAGER, lambda client: _explain(client, wanted, own, watch=watch))
    sys.exit(0 if ready else 1)


def _reasons(words: tuple[str, ...], *, is_of_cluster: bool) -> tuple[str, ...]:
    """Return the reasons and conditions that are asked for; empty if `words` name objects, which have no capitals.

    One word in lower case can be both; it is the name of an object if `is_of_cluster`, that is, with an option that says where that is.

    Raises:
        click.UsageError: they are of no object, and not known.
    """
    if not words or words[0].lower() in KIND_WORDS or any("/" in word for word in words):
        return ()
    found = names_in(words)
    if not _has_capitals(words):
        return found if len(words) == 1 and not is_of_cluster else ()
    if not found:
        name = " ".join(words)
        raise click.UsageError(f"the reason {name} is not known (those of other controllers are theirs); {near_reasons(name)}")
    return found


def _has_capitals(words: tuple[str, ...]) -> bool:
    return any(character.isupper() for word in words for character in word)


def _print_reason(name: str) -> None:
    if name in MEANINGS:
        _print_condition(ConditionType(name))
        return
    groups = (*own_reasons(), *quoted_reasons())
    reason, group = next((reason, group) for group in groups for reason in group.reasons if reason.name == name)
    types = ", ".join(reason.types or group.types)
    quoted = f" (reported by {group.title})" if group in quoted_reasons() else ""
    say(f"{reason.name}{quoted}", bold=True)
    click.echo(f"condition  {types}{' is True with it' if reason.is_good else ''}")
    for text in _advice(reason, "NAMESPACE", "NAME", "NAME-inferencepool"):
        click.echo(text)


def _print_condition(condition: ConditionType) -> None:
    say(f"{condition} is a condition", bold=True)
    click.echo(f"True means: {MEANINGS[condition]}")
    reasons = [reason for group in own_reasons() for reason in group.reasons if condition in (reason.types or group.types)]
    if reasons:
        others = ", and those of the conditions before it" if condition in _SUMMARIES else ""
        click.echo(f"its reasons: {', '.join(reason.name for reason in reasons)}{others}")
        click.echo("what one means: workspace-ctrl explain REASON")


def _advice(reason: Reason, namespace: str, name: str, release: str) -> Iterator[str]:
    yield f"meaning    {reason.meaning}"
    if reason.way_out:
        yield f"way out    {reason.way_out}"
    if reason.command:
        yield f"next       {reason.command_for(namespace, name, release)}"


async def _explain(client: Client, wanted: tuple[ObjectName, ...], namespace: str, *, watch: bool) -> bool:
    if watch:
        return await _explain_until_ready(client, wanted[0], namespace)
    if wanted[0].name:
        items = [await find_named(client, each, namespace) for each in wanted]
    else:
        items = await list_kinds(client, wanted[0], namespace)
    items = [*map(with_our_status, items)]
    if not items:
        click.echo("no Workspaces and InferenceSets" + (f" in namespace {namespace}" if namespace else ""), err=True)
    looked_at = items if len(items) <= _MOST_READY else [item for item in items if not is_ready(item)]
    results = [await _explain_one(client, item, quiet=not wanted[0].name) for item in looked_at]
    if len(looked_at) < len(items):
        click.echo(f"{len(items) - len(looked_at)} of them are ready by their status; name one to look at its objects")
    return all(results)


async def _explain_until_ready(client: Client, wanted: ObjectName, namespace: str) -> bool:
    place = wanted.namespace or namespace
    kind = kind_of(await find_named(client, wanted, namespace))

    async def explain(item: Json) -> bool:
        click.echo(f"--- {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")
        return await _explain_one(client, item)

    try:
        await WorkspaceWatch(client, kind.resource, place, wanted.name).until(explain)
    except WorkspaceDeletedError:
        raise click.ClickException(f"{'/'.join(filter(None, (place, wanted.name)))} was deleted") from None
    return True


async def _explain_one(client: Client, item: Json, *, quiet: bool = False) -> bool:
    """Print the chain of a Workspace; with `quiet`, one line if it is whole. Return whether it is."""
    metadata = item["metadata"]
    title = f"{kind_of(item).resource.kind} {metadata['namespace']}/{metadata['name']}"
    if metadata.get("deletionTimestamp"):
        finalizers = ", ".join(metadata.get("finalizers") or ()) or "its dependents"
        say(f"{title} is being deleted since {metadata['deletionTimestamp']}, waiting for {finalizers}", fg="yellow")
        return False
    found = explanation(await observe(client, item))
    broken = found.broken
    if broken is None and quiet:
        say(f"{title} is ready", fg="green")
        return True
    say(f"{title} is {'ready' if broken is None else f'not ready: {broken.reason}'}", bold=True)
    _print_chain(found, item)
    return broken is None


def _print_chain(found: Explanation, item: Json) -> None:
    width = max(len(link.title) for link in found.links)
    for link in found.links:
        _print_link(link, width)
    if broken := found.broken:
        _print_advice(found, item, broken)
    if why := without_gateway(item):
        say(why)
    for note in found.notes:
        say(f"note: {note}", fg="yellow")


def _print_link(link: ExplainedLink, width: int) -> None:
    mark, color = _MARKS[link.status]
    words = link.message if link.holds else f"{link.reason}: {link.message}"
    since = f"  (for {_ago(link.since)})" if link.since else ""
    here = click.style(">", fg="red") if link.is_first_broken else " "
    click.echo(f"{here} {click.style(mark, fg=color)} {link.title.ljust(width)}  {printable(words)}{since}")


def _print_advice(found: Explanation, item: Json, broken: ExplainedLink) -> None:
    reason, metadata = found.reason, item["metadata"]
    click.echo("")
    if reason is None:
        click.echo(f"{broken.reason} is a reason of another controller, whose message is above")
        return
    gateway = parse_status(item.get("status")).gateway
    release = (gateway.pool if gateway is not None else None) or names_of(str(metadata["name"])).release
    for text in _advice(reason, str(metadata["namespace"]), str(metadata["name"]), release):
        say(text)


def _ago(since: str) -> str:
    try:
        return age((datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds())
    except ValueError:
        return since

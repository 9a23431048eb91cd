"""`workspace-ctrl diff`: what an apply would change on the cluster, found out by a server-side dry-run."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any, Final

import click

from workspace_ctrl.api.printable_text import printable
from workspace_ctrl.cache.watches import RESOURCES
from workspace_ctrl.cli.arguments.manifest_files import filename_options, read_objects, repeated_names
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of
from workspace_ctrl.cli.output import to_yaml
from workspace_ctrl.cli.printing.masked_secrets import masked
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.errors import KindNotServedError, NotFoundError, RejectedError
from workspace_ctrl.kube.resources import ApiResource, Json

_MANAGER: Final = "kubectl"
"""The field manager of `kubectl apply --server-side`."""
_CHANGES_BY_ITSELF: Final = ("managedFields", "resourceVersion", "uid", "creationTimestamp", "generation")
_COLORS: Final = {"+": "green", "-": "red", "@": "cyan"}
_FAILED: Final = 2
_LONGEST_LINE: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Change:
    title: str
    before: str
    after: str
    problem: str = ""

    def lines(self) -> Iterator[str]:
        names = f"on the cluster: {self.title}", f"applied: {self.title}"
        yield from unified_diff(self.before.splitlines(), self.after.splitlines(), *names, lineterm="")


@click.command("diff")
@filename_options
@connection_options
@click.option("--namespace", "-n", metavar="NAMESPACE", help="Namespace of objects without one.  [default: that of the context]")
def diff_command(
    *, files: Sequence[str], recursive: bool, kubeconfig: Path | None, context: str | None, namespace: str | None
) -> None:
    """Show what an apply would change on the cluster.

    By a server-side dry-run, so with defaults and the rejections of admission; nothing is changed. Objects of any kind are compared; of
    Secrets, only which values differ is shown.
    Exit code, as of kubectl diff: 0 without differences, 1 with some, 2 if objects cannot be compared: one is rejected, the cluster cannot
    be reached, or on wrong usage.
    """
    with _failures():
        objects = read_objects(files, recursive=recursive)
        if not objects:
            raise click.UsageError(f"no object found in {', '.join(files)}")
        access = access_of(kubeconfig, context)
        own = namespace_of(access, namespace)
        for text in repeated_names(objects, own):
            click.secho(printable(f"warning: {text}"), err=True, fg="yellow")
        changes = calling(access, _MANAGER, lambda client: _changes(client, objects, own))
    for change in changes:
        _print(change)
    if any(change.problem for change in changes):
        sys.exit(_FAILED)
    sys.exit(1 if any(change.before != change.after for change in changes) else 0)


class _ComparisonError(click.ClickException):
    """Objects cannot be compared; the usual exit code, 1, would say that there are differences."""

    exit_code = _FAILED


@contextmanager
def _failures() -> Iterator[None]:
    """Give each error the exit code of a comparison that failed."""
    try:
        yield
    except click.UsageError:  # which has it
        raise
    except click.ClickException as error:
        raise _ComparisonError(error.message) from None


def _print(change: _Change) -> None:
    if change.problem:
        click.secho(printable(f"{change.title} is rejected: {change.problem}"), err=True, fg="red")
    for line in change.lines():
        click.secho(printable(line, _LONGEST_LINE), fg=_COLORS.get(line[:1]))


async def _changes(client: Client, objects: Sequence[Mapping[str, Any]], namespace: str) -> list[_Change]:
    return [await _change(client, document, namespace) for document in objects]


async def _change(client: Client, document: Mapping[str, Any], namespace: str) -> _Change:
    metadata = document.get("metadata")
    kind, name = document.get("kind"), metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(kind, str) or not isinstance(name, str) or not isinstance(metadata, Mapping):
        return _Change(f"{kind or 'an object'} {name or 'without a name'}", "", "", "kind and metadata.name are needed")
    try:
        resource = await _resource(client, str(document.get("apiVersion") or ""), kind)
    except KindNotServedError as error:
        return _Change(f"{kind} {name}", "", "", str(error))
    place = str(metadata.get("namespace") or namespace) if resource.namespaced else ""
    title = f"{kind} {f'{place}/' if place else ''}{name}"
    manifest = {**document, "metadata": {**metadata, "namespace": place} if place else metadata}
    before = await _live(client, resource, place, name)
    try:
        after = await client.apply(resource, manifest, force=True, dry_run=True)
    except (RejectedError, NotFoundError) as error:
        return _Change(title, "", "", error.message)
    return _Change(title, *map(_text, masked(before, after)))


async def _resource(client: Client, api_version: str, kind: str) -> ApiResource:
    known = RESOURCES.get(kind)
    return known if known is not None and known.api_version == api_version else await client.find_resource(api_version, kind)


async def _live(client: Client, resource: ApiResource, namespace: str, name: str) -> Json | None:
    try:
        return await client.get(resource, namespace, name)
    except NotFoundError:
        return None


def _text(item: Json | None) -> str:
    """Return an object as YAML, without what every write changes; empty if it does not exist."""
    if item is None:
        return ""
    metadata = {key: value for key, value in item["metadata"].items() if key not in _CHANGES_BY_ITSELF}
    return to_yaml({**{key: value for key, value in item.items() if key != "status"}, "metadata": metadata})

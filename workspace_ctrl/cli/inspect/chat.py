"""`workspace-ctrl chat`: asks the model of a Workspace through its Gateway."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.api.status import parse_status
from workspace_ctrl.cli.arguments.object_names import parse_names
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of
from workspace_ctrl.cli.inspect.model_requests import ModelRequestError, Route, answer, proxied, reachable
from workspace_ctrl.cli.inspect.named_workspaces import find_named
from workspace_ctrl.cli.status_view import without_gateway
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import Connection, open_connection
from workspace_ctrl.kube.resources import Json


@click.command("chat")
@click.argument("name", metavar="NAME")
@click.argument("text", nargs=-1, metavar="[TEXT]")
@connection_options
@click.option("--namespace", "-n", metavar="NAMESPACE", help="Namespace.  [default: that of the context]")
@click.option("--model", metavar="NAME", help="Name of the model, such as that of an adapter.  [default: the first in the status]")
def chat_command(
    *, name: str, text: tuple[str, ...], kubeconfig: Path | None, context: str | None, namespace: str | None, model: str | None
) -> None:
    """Ask the model of a Workspace through its Gateway.

    The answer is printed as it comes, then the pod that gave it and how long it took. Without TEXT, each line of standard input is a
    question of one conversation. Where the Gateway cannot be reached from here, requests go through the API server's proxy, which needs
    the right to services/proxy in the Gateway's namespace.
    Exit code: 0 if the model answers, 1 if not.
    """
    access = access_of(kubeconfig, context)
    own = namespace_of(access, namespace)
    item = calling(access, FIELD_MANAGER, lambda client: find_named(client, parse_names((name,))[0], own))
    url, internal, names = _addresses(item)
    questions = iter((" ".join(text),)) if text else _lines()

    async def converse(client: Client) -> None:
        connection = open_connection(access)
        try:
            routes = [Route(url)] if url else []
            routes += [way for way in (proxied(internal, client.server),) if way is not None]
            await _converse(await reachable(routes, connection), connection, model or next(iter(names), ""), questions)
        finally:
            await connection.close()

    try:
        calling(access, FIELD_MANAGER, converse)
    except ModelRequestError as error:
        metadata = item["metadata"]
        raise click.ClickException(
            f"{error}; see why: workspace-ctrl explain {metadata['name']} -n {metadata['namespace']}"
        ) from None


def _addresses(item: Json) -> tuple[str, str, tuple[str, ...]]:
    """Return URL, URL inside the cluster, and model names.

    Raises:
        click.ClickException: the Workspace has no URL; exit code 1.
    """
    gateway, metadata = parse_status(item.get("status")).gateway, item["metadata"]
    if gateway is None or not (gateway.url or gateway.internal_url):
        why = without_gateway(item) or f"see why: workspace-ctrl explain {metadata['name']} -n {metadata['namespace']}"
        raise click.ClickException(f"Workspace {metadata['namespace']}/{metadata['name']} has no URL; {why}")
    return gateway.url or "", gateway.internal_url or "", gateway.model_names


def _lines() -> Iterator[str]:
    """Yield the questions of standard input, with a prompt in a terminal."""
    while True:
        if sys.stdin.isatty():
            click.echo("> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            return
        if line.strip():
            yield line.strip()


async def _converse(route: Route, connection: Connection, model: str, questions: Iterator[str]) -> None:
    messages: list[dict[str, str]] = []
    while (question := await asyncio.to_thread(next, questions, None)) is not None:
        messages.append({"role": "user", "content": question})
        messages.append({"role": "assistant", "content": await _ask(route, connection, model, messages)})


async def _ask(route: Route, connection: Connection, model: str, messages: list[dict[str, str]]) -> str:
    """Print an answer as it comes, and where it came from; return it."""
    clock = asyncio.get_running_loop().time
    begun, first, pod, said = clock(), 0.0, "", ""
    async for piece in answer(route, connection, model, messages):
        pod = piece.pod or pod
        if piece.text and not said:
            first = clock() - begun
        said += piece.text
        click.echo(_harmless(piece.text), nl=False)
        sys.stdout.flush()
    click.echo("")
    words = f"{f'pod {pod}; ' if pod else ''}first words after {first:.2f} s, all after {clock() - begun:.2f} s; {route}"
    click.secho(_harmless(words), err=True, dim=True)
    return said


def _harmless(text: str) -> str:
    """Return a text of a model without control characters other than line breaks and tabs."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}" for character in text
    )

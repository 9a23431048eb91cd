"""Options for the connection to the API server, and how commands use it: what goes wrong is said in a sentence."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from workspace_ctrl.api.labels import KIND, SET_KIND
from workspace_ctrl.cli.arguments.object_names import INSTALL_CRDS
from workspace_ctrl.cli.shell.event_loop import run_in_loop
from workspace_ctrl.kube.access.access import Access, ConnectionConfigError
from workspace_ctrl.kube.access.kubeconfig import load_access
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.connection import open_connection
from workspace_ctrl.kube.errors import ApiError, KindNotServedError

ResultT = TypeVar("ResultT")
_NO_CONNECTION: Final = "cannot connect to "
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def connection_options(function: FunctionT) -> FunctionT:
    """Add --kubeconfig and --context to a command."""
    context = click.option("--context", help="Context of the kubeconfig.  [default: the current context]")
    kubeconfig = click.option(
        "--kubeconfig",
        envvar="KUBECONFIG",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Path of the kubeconfig.  [default: $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount]",
    )
    return kubeconfig(context(function))


def namespace_options(function: FunctionT) -> FunctionT:
    """Add --namespace and --all-namespaces to a command."""
    namespace = click.option("--namespace", "-n", metavar="NAMESPACE", help="Namespace.  [default: that of the context]")
    every = click.option("--all-namespaces", "-A", is_flag=True, help="All namespaces.")
    return namespace(every(function))


def namespace_of(access: Access, namespace: str | None, *, all_namespaces: bool = False) -> str:
    """Return the namespace that the options and the context choose; empty for all.

    Raises:
        click.ClickException: the kubeconfig cannot be read any more; exit code 1.
    """
    if all_namespaces:
        return ""
    if namespace:
        return namespace.removeprefix("=")  # -n=x is how many write it
    try:
        return access.namespace()
    except ConnectionConfigError as error:
        raise click.ClickException(str(error)) from None


def access_of(kubeconfig: Path | None, context: str | None) -> Access:
    """Return the connection settings of the cluster.

    Raises:
        click.ClickException: there are none, or they are not readable; exit code 1.
    """
    try:
        return load_access(kubeconfig, context)
    except ConnectionConfigError as error:
        raise click.ClickException(str(error)) from None


def calling(access: Access, field_manager: str, ask: Callable[[Client], Awaitable[ResultT]]) -> ResultT:
    """Return what `ask` returns, which gets a client of the cluster.

    Raises:
        click.ClickException: the API server cannot be reached, or rejects a request; exit code 1.
    """
    try:
        return run_in_loop(_asked(access, field_manager, ask))
    except KindNotServedError as error:
        raise click.ClickException(_not_served(error)) from None
    except ApiError as error:
        has_response = not isinstance(error.__cause__, OSError)
        raise click.ClickException(str(error) if has_response else _unreachable(access, error)) from None
    except ConnectionConfigError as error:
        raise click.ClickException(str(error)) from None


async def _asked(access: Access, field_manager: str, ask: Callable[[Client], Awaitable[ResultT]]) -> ResultT:
    connection = open_connection(access)
    try:
        return await ask(Client(connection, field_manager))
    finally:
        await connection.close()


def _unreachable(access: Access, error: ApiError) -> str:
    words = str(error)
    reason = words[words.find(_NO_CONNECTION) :] if _NO_CONNECTION in words else words
    return f"the API server {access.server} does not respond: {reason}; does it run, and is it that of the kubeconfig and context you want?"


def _not_served(error: KindNotServedError) -> str:
    """Return that a kind is not served, and for ours what to do about it."""
    words = str(error)
    return f"{words}; {INSTALL_CRDS}" if any(f"{kind}s" in words for kind in (KIND, SET_KIND)) else words

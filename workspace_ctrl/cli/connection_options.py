"""Options for the connection to the API server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from workspace_ctrl.kube.access import Access, ConnectionConfigError, load_access

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


def access_of(kubeconfig: Path | None, context: str | None) -> Access:
    """Return address and credentials of the cluster.

    Raises:
        click.ClickException: there are none, or they are not readable; exit code 1.
    """
    try:
        return load_access(kubeconfig, context)
    except ConnectionConfigError as error:
        raise click.ClickException(str(error)) from None

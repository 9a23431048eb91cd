"""Options by which commands reach the API server."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from workspace_ctrl.kube.connection import ConnectionConfigError, load_configuration

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def connection_options(function: FunctionT) -> FunctionT:
    """Add --kubeconfig and --context to a command."""
    context = click.option("--context", help="Context of the kubeconfig.  [default: its current one]")
    kubeconfig = click.option(
        "--kubeconfig",
        envvar="KUBECONFIG",
        type=click.Path(path_type=Path, dir_okay=False),
        help="File that says how to reach the cluster.  [default: $KUBECONFIG, ~/.kube/config, or the pod's ServiceAccount]",
    )
    return kubeconfig(context(function))


def configuration_of(kubeconfig: Path | None, context: str | None) -> Any:  # noqa: ANN401
    """Return how to reach the cluster.

    Raises:
        click.ClickException: nothing readable says so; exit code 1.
    """
    try:
        return load_configuration(kubeconfig, context)
    except ConnectionConfigError as error:
        raise click.ClickException(str(error)) from None

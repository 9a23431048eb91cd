"""Where Helm is, for the commands that render charts."""

import shutil

import click


def found_helm(program: str) -> str:
    """Return the path of Helm.

    Raises:
        click.UsageError: there is no such program.
    """
    path = shutil.which(program)
    if path is None:
        raise click.UsageError(
            f"{program} not found; install Helm (https://helm.sh/docs/intro/install), or set its path with --helm"
        )
    return path

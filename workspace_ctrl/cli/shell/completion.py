"""`workspace-ctrl completion`: prints the completion script of a shell."""

import sys
from collections.abc import Sequence
from typing import Final

import click
from click.shell_completion import ShellComplete, get_completion_class

_NO_FILES: Final = ":4"
"""Cobra's directive with which kubectl's completion offers no file names in addition."""
_SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion_command(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash: source <(workspace-ctrl completion bash)
    zsh:  source <(workspace-ctrl completion zsh)
    fish: workspace-ctrl completion fish | source
    """  # noqa: D301 - \b keeps click from wrapping the examples
    made = get_completion_class(shell)
    if made is None:
        raise click.ClickException(f"there is no completion for {shell}")
    # Of the base class, because that for bash starts a shell to find out its version.
    script = ShellComplete.source(made(context.find_root().command, {}, "workspace-ctrl", "_WORKSPACE_CTRL_COMPLETE"))
    click.echo(script)


def complete_for_kubectl(words: Sequence[str] | None = None) -> None:
    """Print the completions of `kubectl workspace`, as kubectl asks its plugins for them: the last word is the incomplete one."""
    from workspace_ctrl.cli.main import main  # noqa: PLC0415 - the group imports this module, too

    *before, incomplete = (sys.argv[1:] if words is None else words) or [""]
    for item in ShellComplete(main, {}, "workspace-ctrl", "").get_completions(before, incomplete):
        click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(_NO_FILES)

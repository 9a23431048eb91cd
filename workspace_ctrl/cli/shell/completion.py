"""`workspace-ctrl completion`: prints the completion script of a shell."""

import click
from click.shell_completion import ShellComplete, get_completion_class

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

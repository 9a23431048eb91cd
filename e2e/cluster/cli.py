"""The command line: `python -m e2e.cluster`."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.table import Table

from e2e.cluster import addons as registry
from e2e.cluster import cache
from e2e.cluster import status as shown
from e2e.cluster.errors import ClusterError, ProgramDiedError
from e2e.cluster.forms import Form
from e2e.cluster.identity import ACTORS
from e2e.cluster.local import LocalCluster, sweep
from e2e.cluster.places import PYTHON, REPOSITORY, cache_dir, cluster_names, locked
from e2e.cluster.running import is_running
from e2e.cluster.start import DEFAULT_NAME, down, prepare, up

PASS_THROUGH = {"ignore_unknown_options": True, "allow_interspersed_args": False}
FORMS = click.Choice([form.value for form in Form])
INTERRUPTED = 130

name_option = click.option("--name", default=DEFAULT_NAME, show_default=True, help="Which cluster.")
form_option = click.option("--form", type=FORMS, default=Form.FULL.value, show_default=True, help="How much of one.")
addons_option = click.option("--addons", default=registry.ALL, show_default=True, help="Comma-separated names; none: ''")
packages_option = click.option("--install-packages", is_flag=True, help="Install missing packages of the distribution.")


@click.group()
def commands() -> None:
    """A real Kubernetes cluster on this machine, without Docker and without images from anywhere."""


@commands.command("up")
@name_option
@form_option
@addons_option
@packages_option
def up_command(name: str, form: str, addons: str, *, install_packages: bool) -> None:
    """Start a cluster and wait until it is ready, or add the missing add-ons to one that runs."""
    up(name, form, _names(addons), install_packages=install_packages)
    click.echo(f"export KUBECONFIG={LocalCluster.attach(name).kubeconfig}")


@commands.command("down")
@name_option
def down_command(name: str) -> None:
    """End a cluster and remove everything of it."""
    click.echo(f"cluster {name} is gone" if down(name) else f"there was no cluster {name}")


@commands.command()
@name_option
def status(name: str) -> None:
    """Show the programs of a cluster; fails if one has died."""
    cluster = _attached(name)
    Console().print(shown.table(cluster))
    cluster.control.check()


@commands.command("list")
def list_command() -> None:
    """List the clusters of this machine."""
    table = Table("name", "form", "add-ons")
    for name in cluster_names():
        if is_running(name):
            cluster = LocalCluster.attach(name)
            table.add_row(name, cluster.form, ", ".join(sorted(cluster.addons)))
        else:
            table.add_row(name, "-", "not running; remove it with: down")
    Console().print(table)


@commands.command("addons")
def addons_command() -> None:
    """List the add-ons that there are."""
    table = Table("name", "what", "forms", "needs")
    for addon in registry.ADDONS.values():
        table.add_row(addon.name, addon.summary, ", ".join(sorted(addon.forms)), ", ".join(addon.needs))
    Console().print(table)


@commands.command("cache")
@click.option("--clean", is_flag=True, help="Remove what making another entry of that name would remove.")
@click.option("--keep", type=click.IntRange(min=0), help="With --clean: keep so many of each name, not as many as usual.")
def cache_command(*, clean: bool, keep: int | None) -> None:
    """Show what is kept of programs and images, and how large it is."""
    if keep is not None and not clean:
        raise click.UsageError("--keep needs --clean")
    if clean:
        try:
            removed = [entry for folder in cache.KEPT for entry in cache.trim(folder, keep)]
        except PermissionError as error:
            raise ClusterError(f"{error.filename}: {error.strerror}; it may be removed by root") from error
        click.echo(f"removed {len(removed)} of what was not used lately")
    Console().print(shown.cache_table())


@commands.command(context_settings=PASS_THROUGH)
@name_option
@click.option("--actor", type=click.Choice(ACTORS), default=ACTORS[0], show_default=True, help="Whose call it is.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def kubectl(name: str, actor: str, arguments: tuple[str, ...]) -> None:
    """Run kubectl against a cluster."""
    _become([*_attached(name).kubectl_command(actor), *arguments])


@commands.command()
@name_option
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def shell(name: str, command: tuple[str, ...]) -> None:
    """Open a shell (or run a command) where Services, pods and cluster names are reachable."""
    cluster = _attached(name)
    argv = list(command) or [os.environ.get("SHELL", "/bin/sh")]
    result = subprocess.run([*cluster.entry_command(), *argv], env={**os.environ, **cluster.environment()}, check=False)
    sys.exit(result.returncode)


@commands.command()
@name_option
@click.option("-f", "--follow", is_flag=True, help="Go on as the log grows.")
@click.argument("program")
def logs(name: str, program: str, *, follow: bool) -> None:
    """Show the log of one of a cluster's programs."""
    cluster = _attached(name)
    text = cluster.logs(program)
    if follow:
        _become(["tail", "--lines=+1", "--follow", str(cluster.places.log(program))])
    click.echo(text, nl=False)


@commands.command()
@name_option
@click.option("--actor", type=click.Choice(ACTORS), default=ACTORS[0], show_default=True, help="Whose it is.")
def kubeconfig(name: str, actor: str) -> None:
    """Print the path of a cluster's kubeconfig."""
    click.echo(_attached(name).kubeconfig_for(actor))


@commands.command()
@form_option
@addons_option
@packages_option
@click.option("--background", is_flag=True, help="Return at once; the build goes on and writes to a log.")
def build(form: str, addons: str, *, install_packages: bool, background: bool) -> None:
    """Build everything that `up` with the same options needs."""
    chosen = registry.choose(_names(addons), Form(form))
    if background:
        click.echo(f"building; follow it with: tail -f {_build_in_background(sys.argv[1:])}")
        return
    prepare(Form(form), chosen, install_packages=install_packages)
    click.echo("everything is built")


def _build_in_background(arguments: list[str]) -> Path:
    log = cache_dir() / "build.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    rest = [argument for argument in arguments if argument != "--background"]
    with log.open("wb") as file:
        subprocess.Popen(
            [PYTHON, "-m", "e2e.cluster", *rest],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            cwd=REPOSITORY,
            start_new_session=True,
        )
    return log


def _attached(name: str) -> LocalCluster:
    if not is_running(name):
        with locked(f"cluster-{name}"):
            if not is_running(name):
                sweep(name)
    return LocalCluster.attach(name)


def _names(addons: str) -> list[str]:
    return [name.strip() for name in addons.split(",") if name.strip()]


def _become(argv: list[str]) -> NoReturn:
    os.execvp(argv[0], argv)  # noqa: S606 - the command that the person asked for, in our place


def main() -> None:
    """Run a command; what goes wrong is told without a traceback."""
    try:
        commands(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted; nothing is left behind", err=True)
        sys.exit(INTERRUPTED)
    except (ClusterError, ProgramDiedError) as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)

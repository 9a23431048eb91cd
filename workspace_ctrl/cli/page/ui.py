"""`workspace-ctrl ui`: a local page with all Workspaces, InferenceSets and Gateways."""

import asyncio
import ipaddress
import os
import shlex
import sys
import threading
import webbrowser
from pathlib import Path

import click

from workspace_ctrl.api.labels import FIELD_MANAGER
from workspace_ctrl.cli.connection_options import access_of, calling, connection_options, namespace_of
from workspace_ctrl.cli.output import say
from workspace_ctrl.cli.page.followed_kinds import PageScope, follow_kinds
from workspace_ctrl.cli.page.live_objects import LiveObjects
from workspace_ctrl.cli.page.page_server import PageOptions, PageServer
from workspace_ctrl.cli.page.user_page import PageTexts
from workspace_ctrl.kube.client import Client
from workspace_ctrl.kube.tasks import first_completed


@click.command("ui")
@connection_options
@click.option("--namespace", "-n", metavar="NAMESPACE", help="Only this namespace.  [default: all]")
@click.option("--all-namespaces", "-A", is_flag=True, help="All namespaces, also where not all may be listed.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port of the page.  [default: a free one]")
@click.option("--address", default="127.0.0.1", show_default=True, metavar="IP", help="Address on which it listens.")
@click.option("--no-browser", is_flag=True, help="Only print the URL.")
def ui_command(
    *,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    all_namespaces: bool,
    port: int,
    address: str,
    no_browser: bool,
) -> None:
    """Show all Workspaces, InferenceSets and Gateways on a local page.

    The page is read-only, follows all changes, and has the rights of the kubeconfig. It shows the chain of each object with the first
    broken link and the way out. Whoever has its URL can read it until Ctrl-C. Of kinds that may not be listed in all namespaces, it shows
    those of the namespace of the context.
    """
    if namespace and all_namespaces:
        raise click.UsageError("--namespace and --all-namespaces exclude each other")
    if not _is_address(address):
        raise click.UsageError(f"--address must be an IP address such as 127.0.0.1 or ::1, not {address!r}")
    access = access_of(kubeconfig, context)
    own = namespace_of(access, None)
    scope = PageScope(namespace_of(access, namespace), "") if namespace else PageScope("", "" if all_namespaces else own)
    options = PageOptions(address, port, PageTexts(_title(access.server, scope.namespace), _same_cluster(kubeconfig, context)))
    calling(access, FIELD_MANAGER, lambda client: _serve(client, scope, options, with_browser=not no_browser))


async def _serve(client: Client, scope: PageScope, options: PageOptions, *, with_browser: bool) -> None:
    """Serve until cancelled; the page is announced once the API server has answered."""
    live = LiveObjects()
    server = PageServer(client, live, options)
    answered = asyncio.Event()

    async def announce() -> None:
        await answered.wait()
        say(f"The page is at {server.url}", bold=True)
        click.echo("Whoever has this URL can read what you may read; Ctrl-C ends it.")
        if not ipaddress.ip_address(options.address).is_loopback:
            say(f"It listens on {options.address} without TLS: others in the network can read what is sent.", err=True, fg="yellow")
        sys.stdout.flush()
        if with_browser and _has_display():
            _open(server.invite())
        await asyncio.Event().wait()

    try:
        await server.start()
    except OSError as error:
        await server.close()
        raise click.ClickException(
            f"cannot listen on {options.address} port {options.port}: {error.strerror or error}; choose another --port, or none"
        ) from None
    try:
        await first_completed(lambda: follow_kinds(client, scope, live, answered.set), announce)
    finally:
        await server.close()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _open(url: str) -> None:
    """Open a browser, in a thread that does not hold up the end: some browsers return only when they are closed."""
    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()


def _has_display() -> bool:
    """Whether there is a desktop on which a browser can open; else Python would start one in this terminal."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _title(server: str, namespace: str) -> str:
    return f"{server}, namespace {namespace}" if namespace else server


def _same_cluster(kubeconfig: Path | None, context: str | None) -> str:
    """Return the options with which other commands use the same cluster; a kubeconfig of the environment is not repeated."""
    given = kubeconfig is not None and str(kubeconfig) != os.environ.get("KUBECONFIG")
    options = [*(("--kubeconfig", str(kubeconfig)) if given else ()), *(("--context", context) if context else ())]
    return shlex.join(options)

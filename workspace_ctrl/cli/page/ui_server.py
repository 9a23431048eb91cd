"""`workspace-ctrl ui-server`: the page in a cluster, for users with tokens of their own."""

import asyncio
import signal
import sys
from functools import partial
from pathlib import Path

import click

from workspace_ctrl.cli.output import say
from workspace_ctrl.cli.page.token_server import TokenServer
from workspace_ctrl.cli.page.token_sessions import TokenSessions
from workspace_ctrl.cli.shell.event_loop import run_in_loop
from workspace_ctrl.kube.access.access import ConnectionConfigError
from workspace_ctrl.kube.access.pod import server_of_pods
from workspace_ctrl.kube.access.token import TokenAccess
from workspace_ctrl.kube.tasks import first_completed
from workspace_ctrl.process.certificate import Certificate

_STOP: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)


@click.command("ui-server")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="Port of the page.")
@click.option("--address", default="", metavar="IP", help="Address on which it listens.  [default: all]")
@click.option(
    "--certificates",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with tls.crt and tls.key, with which the page is served by HTTPS; renewed ones are loaded.",
)
@click.option("--api-server", metavar="URL", default="", help="URL of the API server.  [default: that of the pod]")
@click.option(
    "--certificate-authority",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with the certificate authorities of the API server.  [default: those of the system]",
)
@click.option("--title", default="", help="Name of the cluster, which the page shows.")
def ui_server_command(
    *, port: int, address: str, certificates: Path | None, api_server: str, certificate_authority: Path | None, title: str
) -> None:
    """Serve the page of `ui` in a cluster, to users with tokens of their own.

    It has no rights: each user comes with a token, from a proxy or pasted into the page, and all requests to the API server are made with
    that token. The chart runs it with ui.enabled; a signal ends it.
    """
    try:
        server = api_server or server_of_pods("without a kubeconfig", "--api-server")
    except ConnectionConfigError as error:
        raise click.ClickException(str(error)) from None
    sessions = TokenSessions(partial(TokenAccess, server, certificate_authority), title)
    certificate = Certificate(certificates, "the page is not served") if certificates is not None else None
    run_in_loop(_serve(sessions, address or None, port, certificate))


async def _serve(sessions: TokenSessions, address: str | None, port: int, certificate: Certificate | None) -> None:
    server, stopped = TokenServer(sessions), asyncio.Event()
    try:
        listening = await server.listen(address, port, certificate.context if certificate is not None else None)
    except OSError as error:
        raise click.ClickException(f"cannot listen on port {port}: {error.strerror or error}; choose another --port") from None
    for number in _STOP:  # the first process of a container has no handlers of its own
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    say(f"the page is served on port {listening}{' by HTTPS' if certificate is not None else ''}")
    sys.stdout.flush()
    try:
        await first_completed(stopped.wait, *((certificate.keep_current,) if certificate is not None else ()))
    finally:
        await server.close()

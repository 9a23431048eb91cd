"""Options of probes through Gateways."""

from collections.abc import Callable
from typing import Any, TypedDict, TypeVar

import click

from workspace_ctrl.controller.settings import ProbeMode, ProbeSettings

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

_DEFAULT = ProbeSettings()
_OPTIONS = (
    click.option(
        "--probe",
        type=click.Choice([mode.value for mode in ProbeMode]),
        help="Probe request through the Gateway before a Workspace is ready: none, the list of models (default), or one token.",
    ),
    click.option(
        "--probe-interval",
        type=click.FloatRange(min=1),
        help=f"Probe interval in seconds; a fault that only probes show is reported within 2 s more (default: {_DEFAULT.interval:g}).",
    ),
    click.option(
        "--probe-secret",
        metavar="NAMESPACE/NAME",
        help="Secret with token, ca.crt or both, for Gateways that require authentication.",
    ),
)


class ProbeOptions(TypedDict):
    """The values of `probe_options`, as click passes them."""

    probe: str | None
    probe_interval: float | None
    probe_secret: str | None


def probe_options(function: FunctionT) -> FunctionT:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def probe_of(options: ProbeOptions, file: ProbeSettings) -> ProbeSettings:
    """Return the settings from the settings file and the options, which override it.

    Raises:
        click.UsageError: the name of the Secret is invalid; exit code 2.
    """
    secret = options["probe_secret"]
    namespace, _, name = (secret or "").partition("/")
    if secret is not None and (not namespace or not name or "/" in name):
        raise click.UsageError(f"--probe-secret must be NAMESPACE/NAME, not {secret!r}")
    mode, interval = options["probe"], options["probe_interval"]
    return ProbeSettings(
        mode=ProbeMode(mode) if mode else file.mode,
        interval=interval if interval is not None else file.interval,
        secret=(namespace, name) if secret else file.secret,
    )

"""Options of requests through Gateways."""

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
        help="What to ask through the Gateway before a Workspace is ready: nothing, the list of models (default), or for one token.",
    ),
    click.option(
        "--probe-interval",
        type=click.FloatRange(min=1),
        help=f"Seconds, and 2 more, within which such requests show a fault that nothing else shows (default: {_DEFAULT.interval:g}).",
    ),
    click.option(
        "--probe-secret",
        metavar="NAMESPACE/NAME",
        help="Secret with token, ca.crt or both, for Gateways that want to know who asks.",
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
    """Return the settings that the settings file and the options, which go before it, make.

    Raises:
        click.UsageError: the Secret's name cannot be read; exit code 2.
    """
    secret = options["probe_secret"]
    namespace, _, name = (secret or "").partition("/")
    if secret is not None and (not namespace or not name or "/" in name):
        raise click.UsageError(f"--probe-secret needs NAMESPACE/NAME, not {secret!r}")
    mode, interval = options["probe"], options["probe_interval"]
    return ProbeSettings(
        mode=ProbeMode(mode) if mode else file.mode,
        interval=interval if interval is not None else file.interval,
        secret=(namespace, name) if secret else file.secret,
    )

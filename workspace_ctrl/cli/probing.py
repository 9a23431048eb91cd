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
        default=_DEFAULT.mode.value,
        show_default=True,
        help="What to ask through the Gateway before a Workspace is ready: nothing, the list of models, or for one token.",
    ),
    click.option(
        "--probe-interval",
        type=click.FloatRange(min=1),
        default=_DEFAULT.interval,
        show_default=True,
        help="Seconds between two such requests for a Workspace while all is well.",
    ),
    click.option(
        "--probe-secret",
        metavar="NAMESPACE/NAME",
        help="Secret with token, ca.crt or both, for Gateways that want to know who asks.",
    ),
)


class ProbeOptions(TypedDict):
    """The values of `probe_options`, as click passes them."""

    probe: str
    probe_interval: float
    probe_secret: str | None


def probe_options(function: FunctionT) -> FunctionT:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def probe_of(options: ProbeOptions) -> ProbeSettings:
    """Return the settings that the options make.

    Raises:
        click.UsageError: the Secret's name cannot be read; exit code 2.
    """
    secret = options["probe_secret"]
    namespace, _, name = (secret or "").partition("/")
    if secret is not None and (not namespace or not name or "/" in name):
        raise click.UsageError(f"--probe-secret needs NAMESPACE/NAME, not {secret!r}")
    return ProbeSettings(ProbeMode(options["probe"]), options["probe_interval"], (namespace, name) if secret else None)

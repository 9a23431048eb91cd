"""Options of probes through Gateways."""

from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, TypedDict, TypeVar

import click

from workspace_ctrl.settings.process import ProbeMode, ProbeSettings

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
        help="Secret with token, ca.crt, tls.crt and tls.key, or some of them, for Gateways that require authentication.",
    ),
    click.option(
        "--probe-token-gateway",
        metavar="NAMESPACE/NAME",
        multiple=True,
        help="Gateway that gets the token and the client certificate, by HTTPS only; can be repeated (default: the Gateway of --gateway).",
    ),
    click.option(
        "--probe-network",
        metavar="CIDR",
        multiple=True,
        help="Network with special addresses, such as 127.0.0.0/8, that is probed nevertheless; can be repeated.",
    ),
)


class ProbeOptions(TypedDict):
    """The values of `probe_options`, as click passes them."""

    probe: str | None
    probe_interval: float | None
    probe_secret: str | None
    probe_token_gateway: tuple[str, ...]
    probe_network: tuple[str, ...]


def probe_options(function: FunctionT) -> FunctionT:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def probe_of(options: ProbeOptions, file: ProbeSettings) -> ProbeSettings:
    """Return the settings from the settings file and the options, which override it.

    Raises:
        click.UsageError: the name of the Secret or of a Gateway, or a network is invalid; exit code 2.
    """
    secret, mode, interval = options["probe_secret"], options["probe"], options["probe_interval"]
    gateways = frozenset("/".join(_key("--probe-token-gateway", text)) for text in options["probe_token_gateway"] or ())
    return ProbeSettings(
        mode=ProbeMode(mode) if mode else file.mode,
        interval=interval if interval is not None else file.interval,
        secret=_key("--probe-secret", secret) if secret is not None else file.secret,
        token_gateways=gateways or file.token_gateways,
        networks=tuple(map(_network, options["probe_network"] or ())) or file.networks,
    )


def _key(option: str, text: str) -> tuple[str, str]:
    namespace, _, name = text.partition("/")
    if not namespace or not name or "/" in name:
        raise click.UsageError(f"{option} must be NAMESPACE/NAME, not {text!r}")
    return namespace, name


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise click.UsageError(f"--probe-network must be a network, such as 127.0.0.0/8, not {text!r}") from None

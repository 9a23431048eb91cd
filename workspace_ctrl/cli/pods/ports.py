"""Ports of processes that listen on several."""

from collections.abc import Mapping
from itertools import combinations

import click


def require_different_ports(ports: Mapping[str, int]) -> None:
    """Compare the ports of a process, by their options; 0 is none.

    Raises:
        click.UsageError: two options name one port, on which the second server could not listen.
    """
    for first, second in combinations((option for option, port in ports.items() if port), 2):
        if ports[first] == ports[second]:
            raise click.UsageError(f"{first} and {second} are both {ports[first]}; choose another port for one of them")

"""The URLs of a model on its Gateways."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from workspace_ctrl.model.plan_decisions import Parent
from workspace_ctrl.records.gateways import Gateway, GatewayService
from workspace_ctrl.records.listeners import SCHEMES, Listener

MOST_URLS: Final = 64
"""Limit in a status, whose size the API server limits."""


def urls_of(parents: Iterable[Parent], hostnames: Sequence[str], path: str) -> tuple[str, ...]:
    """Return the URLs of the model without duplicates, those of the first Gateway first, and at most `MOST_URLS`.

    If the route or the listener has host names, the URLs use them, because a request to the Gateway's address would not match. The result
    is empty while the Gateway has neither host names nor addresses, or no listener for HTTP.
    """
    found = (
        _url(listener, host, path)
        for parent in parents
        for listener in parent.listeners
        for host in _hosts(parent.gateway, listener, hostnames)
    )
    return tuple(islice(_once(found), MOST_URLS))


def wildcard_listeners(parents: Iterable[Parent], hostnames: Sequence[str]) -> tuple[str, ...]:
    """Return the listeners that serve only host names with a wildcard, from which no URL follows, in words."""
    return tuple(
        f"listener {listener.name} of {parent.gateway.ref} serves {', '.join(common)}"
        for parent in parents
        for listener in parent.listeners
        if (common := listener.common_hostnames(hostnames)) and all("*" in hostname for hostname in common)
    )


def _once(urls: Iterable[str]) -> Iterator[str]:
    known: set[str] = set()
    for url in urls:
        if url not in known:
            known.add(url)
            yield url


def internal_url(parents: Sequence[Parent], hostnames: Sequence[str], path: str, services: Sequence[GatewayService]) -> str | None:
    """Return the URL through the Service of a Gateway, or None if there is no such Service or if the route requires a host name."""
    found = (
        _url(listener, f"{service.meta.ref.name}.{service.meta.ref.namespace}.svc", path)
        for parent in parents
        for listener in parent.listeners
        for service in services
        if service.serves(parent.gateway.ref) and listener.port in service.ports and not listener.common_hostnames(hostnames)
    )
    known_by_class = (
        f"http://{parent.service[0]}:{parent.service[1]}{path}"
        for parent in parents
        if parent.service is not None and not parent.gateway.addresses
    )
    return next(found, None) or next(known_by_class, None)


def _hosts(gateway: Gateway, listener: Listener, hostnames: Sequence[str]) -> tuple[str, ...]:
    """Return the hosts for URLs of the listener: its host names without wildcards, or the Gateway's addresses if any host matches."""
    common = listener.common_hostnames(hostnames)
    return tuple(hostname for hostname in common if "*" not in hostname) if common else gateway.addresses


def _url(listener: Listener, host: str, path: str) -> str:
    scheme, usual_port = SCHEMES[listener.protocol]
    bracketed = f"[{host}]" if ":" in host else host
    port = "" if listener.port == usual_port else f":{listener.port}"
    return f"{scheme}://{bracketed}{port}{path}"

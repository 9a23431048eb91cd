"""The addresses of a model on its Gateways."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from workspace_ctrl.records.decisions import Decisions, Parent
from workspace_ctrl.records.gateways import Gateway, GatewayService
from workspace_ctrl.records.listeners import SCHEMES, Listener

MOST_URLS: Final = 64
"""In a status, which has its own limit in the API server."""


def urls_of(parents: Iterable[Parent], hostnames: Sequence[str], path: str) -> tuple[str, ...]:
    """Return the URLs under which the model is reached, each once, the first Gateway's first, and at most `MOST_URLS`.

    A host name that the route or the listener has goes before the Gateway's addresses, under which the request would not match. There is
    none while the Gateway has neither, or has no listener for HTTP.
    """
    found = (
        _url(listener, host, path)
        for parent in parents
        for listener in parent.listeners
        for host in _hosts(parent.gateway, listener, hostnames)
    )
    return tuple(islice(_once(found), MOST_URLS))


def _once(urls: Iterable[str]) -> Iterator[str]:
    known: set[str] = set()
    for url in urls:
        if url not in known:
            known.add(url)
            yield url


def internal_url(decisions: Decisions, services: Iterable[GatewayService]) -> str | None:
    """Return the URL by the Service of a Gateway, or None where there is none, or where only certain host names are let in."""
    known = tuple(services)
    found = (
        _url(listener, f"{service.meta.ref.name}.{service.meta.ref.namespace}.svc", decisions.path)
        for parent in decisions.parents
        for listener in parent.listeners
        for service in known
        if service.serves(parent.gateway.ref)
        and listener.port in service.ports
        and not listener.common_hostnames(decisions.hostnames)
    )
    known_by_class = (
        f"http://{parent.service[0]}:{parent.service[1]}{decisions.path}"
        for parent in decisions.parents
        if parent.service is not None and not parent.gateway.addresses
    )
    return next(found, None) or next(known_by_class, None)


def _hosts(gateway: Gateway, listener: Listener, hostnames: Sequence[str]) -> tuple[str, ...]:
    """Return the hosts of URLs to the listener: plain host names that match, or the addresses where any host does."""
    common = listener.common_hostnames(hostnames)
    return tuple(hostname for hostname in common if "*" not in hostname) if common else gateway.addresses


def _url(listener: Listener, host: str, path: str) -> str:
    scheme, usual_port = SCHEMES[listener.protocol]
    bracketed = f"[{host}]" if ":" in host else host
    port = "" if listener.port == usual_port else f":{listener.port}"
    return f"{scheme}://{bracketed}{port}{path}"

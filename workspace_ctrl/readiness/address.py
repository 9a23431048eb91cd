"""The address of a model on its Gateway."""

from workspace_ctrl.records.decisions import Parent
from workspace_ctrl.records.gateways import Gateway, Listener

_SCHEMES = {"HTTP": ("http", 80), "HTTPS": ("https", 443)}


def url_of(parent: Parent, path: str) -> str | None:
    """Return the URL under which the model is reached, or None while the Gateway has no address or no HTTP listener."""
    listener = _listener(parent.gateway, parent.section)
    if listener is None:
        return None
    host = listener.hostname if listener.hostname and "*" not in listener.hostname else next(iter(parent.gateway.addresses), "")
    if not host:
        return None
    scheme, usual_port = _SCHEMES[listener.protocol]
    bracketed = f"[{host}]" if ":" in host else host
    port = "" if listener.port == usual_port else f":{listener.port}"
    return f"{scheme}://{bracketed}{port}{path}"


def _listener(gateway: Gateway, section: str) -> Listener | None:
    return next(
        (entry for entry in gateway.listeners if entry.protocol in _SCHEMES and section in {"", entry.name}),
        None,
    )

"""Timeouts of requests through Gateways."""

from typing import Final

ANSWER_SECONDS: Final = 2.0
"""Timeout of a request that needs no inference. Two such timeouts are part of the bound for reporting a model server that hangs."""
CONNECT_SECONDS: Final = 1.5
"""Timeout of name resolution and connection, in seconds: shorter than that of a response, as only the latter shows a hanging server."""

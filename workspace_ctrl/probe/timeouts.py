"""Timeouts of requests through Gateways."""

from typing import Final

from workspace_ctrl.settings.process import ProbeMode

ANSWER_SECONDS: Final = 2.0
"""Timeout of a request that needs no inference. Two such timeouts are part of the bound for reporting a model server that hangs."""
CONNECT_SECONDS: Final = 1.5
"""Timeout of name resolution and connection, in seconds: shorter than that of a response, as only the latter shows a hanging server."""
BUSY_SECONDS: Final = {ProbeMode.COMPLETION: 60.0, ProbeMode.MODELS: 10.0}
"""Timeout of a completion of one token, in seconds, for a busy server: it queues requests but rejects invalid ones at once, and a server
that hangs does neither. Shorter if completions are sent only because of the Gateway's class."""

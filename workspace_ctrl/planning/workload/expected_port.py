"""What the author of a user's pods should know about the port on which their model server is expected."""

from collections.abc import Iterator
from typing import Final

from workspace_ctrl.api.labels import INFERENCE_PORT
from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.records.workloads import ServingPort

_LONGEST: Final = 64
"""Name of a container in a message, in characters."""


def port_notes(port: ServingPort, subject: str, way_out: str) -> Iterator[str]:
    """Yield that `port` of `subject` could be the wrong one, with the `way_out`, and that its pods are ready too early."""
    container = excerpt(port.container, _LONGEST)
    if port.is_ambiguous:
        which = f"port {port.number} of container {container}"
        yield f"{subject} has several container ports and none named http, so {which} is used; {way_out}"
    if not port.has_probe:
        probe = f"readinessProbe: {{httpGet: {{path: /health, port: {port.number or INFERENCE_PORT}}}}}"
        yield (
            f"container {container} of {subject} has no readinessProbe, so its pods count as ready while the model loads; "
            f"add {probe}, with the path of your server"
        )

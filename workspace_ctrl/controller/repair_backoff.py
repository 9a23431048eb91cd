"""How long the waits are between two repairs of an object that others keep changing."""

from typing import Final

from workspace_ctrl.kube.backoff import BackoffPolicy

REPAIRS: Final = BackoffPolicy(first=1.0, longest=300.0, reset_after=600.0)
"""Of an object that another manager changes repeatedly: at once the first time, then with growing delays."""
RECONCILE_REQUESTS: Final = BackoffPolicy(first=0.5, longest=300.0, reset_after=10.0)
"""Of requests to Flux. Of several objects deleted together, the later ones may miss the reconciliation that the first one causes."""

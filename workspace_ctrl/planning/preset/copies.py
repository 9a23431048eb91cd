"""What the copies of an InferenceSet mean for its nodes, and what its author is told of it."""

from collections.abc import Iterator

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.inference_set import Copies
from workspace_ctrl.planning.preset.preset_pods import PresetServer


def check_limit(copies: Copies | None, nodes: int) -> None:
    """Check that the limit of nodes allows a copy, of so many `nodes`, if any is wanted.

    Raises:
        SpecError: it does not.
    """
    if copies is not None and copies.wanted and not copies.on(nodes):
        problem = f"is {copies.node_limit}, but each copy of the model needs {nodes} nodes"
        raise SpecError("spec.nodeCountLimit", problem, f"set at least {nodes}, or use larger nodes")


def notes_on(copies: Copies | None, nodes: int) -> tuple[str, ...]:
    """Return the messages on the copies of an InferenceSet, of so many `nodes` each: fewer than wanted, and fields without effect."""
    if copies is None:
        return ()
    if copies.on(nodes) == copies.wanted:
        return copies.notes
    each = "1 node" if nodes == 1 else f"{nodes} nodes"
    allowed = f"{copies.on(nodes)} of {copies.wanted} replicas"
    return (f"spec.nodeCountLimit: {copies.node_limit} allows {allowed} of {each} each; raise it for more", *copies.notes)


def shared_claim_note(server: PresetServer) -> Iterator[str]:
    """Yield that copies on several nodes cannot share the claim that is created for their weights, where that is a problem."""
    volume = server.inference.weights_volume
    if volume is None or volume.claim_name or server.is_multi_node or server.copies is None or server.copies.wanted <= 1:
        return
    shared = "inference.weightsVolume creates one ReadWriteOnce claim, so all copies have to run on one node"
    yield f"{shared}; set claimName to a ReadWriteMany claim, or remove it"

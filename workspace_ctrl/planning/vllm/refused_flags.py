"""Flags of vLLM that a user cannot set, because the rest of the chain depends on the controller's own values."""

from collections.abc import Mapping

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.vllm import refused_flags
from workspace_ctrl.planning.vllm.flag_values import CONFIG_FIELD, is_off, whole_number

_API_SERVERS = "api-server-count"


def check_refused(given: Mapping[str, object]) -> None:
    """Reject flags that cannot be set, of those in `given`, by name without dashes; a null is not a value.

    Raises:
        SpecError: one of them is set, to something else than off; with the reason and the way out.
    """
    for name, value in given.items():
        refused = refused_flags().get(name)
        if refused is None or value is None or (name in refused.switches and is_off(value)):
            continue
        raise SpecError(CONFIG_FIELD, f"vllm.{name} cannot be set: {refused.because}", refused.way_out)
    if given.get(_API_SERVERS) is not None:
        whole_number(_API_SERVERS, given[_API_SERVERS])  # with none, vLLM runs without its HTTP server


def instead_of(name: str) -> str:
    """Return what to do instead of setting a flag, to complete "if you mean <name>, ..."; empty for one that can be set."""
    refused = refused_flags().get(name)
    return refused.way_out if refused is not None else ""

"""The annotation `kaito.sh/performance-mode`: what vLLM is tuned for.

vLLM has a flag of that name with the same three values, which it introduced with this meaning: `interactivity` captures finer CUDA graphs
for small batches, `throughput` doubles the default limits of a batch, and `balanced` is the default.
"""

from typing import Final

from workspace_ctrl.catalog.vllm import Knowledge, Version, flag, flag_in, format_version

PERFORMANCE_MODE: Final = "performance-mode"
"""The flag, without dashes."""
THROUGHPUT: Final = "throughput"
_DEFAULT: Final = "balanced"
PERFORMANCE_MODES: Final = (_DEFAULT, "interactivity", THROUGHPUT)


def is_tuned(mode: str) -> bool:
    """Whether `mode`, the value of the annotation, needs a flag; others are vLLM's default, or invalid."""
    return mode in PERFORMANCE_MODES and mode != _DEFAULT


def why_not_passed(version: Version | None) -> str:
    """Return why a vLLM of `version` does not have the flag; empty if it does, or if its version is not known."""
    if version is None or flag_in(PERFORMANCE_MODE, version) is Knowledge.KNOWN:
        return ""
    known = flag(PERFORMANCE_MODE)
    since = known.since if known is not None and known.since is not None else "a newer version"
    return f"it needs vLLM {since}, but the model server image has {format_version(version)}"

"""What the container of a preset requests: GPUs, CPU, memory and disk.

Without requests a quota that demands them rejects the pod, GKE Autopilot gives it 1 GiB of disk, and the scheduler puts it on nodes that
are full. There are no limits but that of the GPUs: what the pod needs for a moment beyond its requests, such as the page cache of the
weights, it may have.
"""

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.planning.resource_requirements import completed, resources_problem
from workspace_ctrl.planning.vllm.gpu_parallelism import Layout

FIELD: Final = "inference.resources"
_OWN_PROCESSES: Final = 2
"""Of vLLM besides one for each GPU: API server and engine."""
_GIB_PER_PROCESS: Final = 1
"""Of API server and engine: the interpreter with PyTorch."""
_GIB_PER_GPU: Final = 3
"""Of the process of a GPU: PyTorch, the context of CUDA, and the page-locked buffers of both."""
_LARGEST_FILE_GIB: Final = 5
"""Weights are published in files of some 5 GB, which each process reads one after the other."""
_OTHER_FILES_GIB: Final = 2
"""Logs, and what vLLM compiles for a model."""
_GPU_PREFIXES: Final = ("nvidia.com/", "amd.com/", "gpu.intel.com/")


def default_requests(weights_gib: float, layout: Layout, offloaded_gib: float, *, has_volume: bool) -> dict[str, str]:
    """Return the requests of the pod of a model with `weights_gib` of weights.

    - CPU: vLLM's documentation (Optimization, CPU Resources for GPU Deployments) demands two cores and one for each GPU at least.
    - Memory: that of its processes, a file of the weights for each GPU while they are loaded, and `offloaded_gib` for each GPU, which the
      user keeps in the node's memory. The rest of the weights is only page cache, or on the GPUs.
    - Disk: all weights, which each pod downloads unless it has a volume, and some GiB for other files.
    """
    loaded = min(_LARGEST_FILE_GIB, weights_gib * layout.data / layout.all_gpus)
    memory = _OWN_PROCESSES * _GIB_PER_PROCESS + layout.gpus * (_GIB_PER_GPU + loaded + offloaded_gib)
    disk = _OTHER_FILES_GIB + (0 if has_volume else weights_gib)
    return {
        "cpu": str(_OWN_PROCESSES + layout.gpus),
        "memory": f"{ceil(memory)}Gi",
        "ephemeral-storage": f"{ceil(disk)}Gi",
    }


def pod_resources(
    defaults: Mapping[str, str], gpus: Mapping[str, str], *, installed: Mapping[str, Any], asked: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return requests and limits: those that the Workspace asks for, completed by the installation's, and these by `defaults`; and `gpus`.

    Raises:
        SpecError: the Workspace's are invalid, or name GPUs.
    """
    _check(asked or {})
    found = completed(asked, completed(installed, {"requests": defaults}))
    return {kind: {**quantities, **gpus} for kind, quantities in found.items()}


def _check(asked: Mapping[str, Any]) -> None:
    problem = resources_problem(asked)
    if problem:
        raise SpecError(FIELD, problem, "correct it, or remove it")
    gpus = gpus_problem(asked)
    if gpus:
        raise SpecError(FIELD, gpus, "remove it, or use resource.partition")


def gpus_problem(given: Mapping[str, Any]) -> str:
    """Return that valid requests and limits name GPUs, as the end of a sentence that begins with their path; empty if they do not."""
    gpus = next((name for quantities in given.values() for name in quantities if name.startswith(_GPU_PREFIXES)), None)
    return f"must not name {gpus}, which follows from the size of the model" if gpus is not None else ""

"""The command that starts vLLM, on one node or on several."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import INFERENCE_PORT, RAY_PORT
from workspace_ctrl.catalog.presets import PresetModel
from workspace_ctrl.planning.engine_config import EngineConfig
from workspace_ctrl.planning.sizing import GPU_MEMORY_UTILIZATION, Sizing

WEIGHTS: Final = "/workspace/weights"
ADAPTERS: Final = "/mnt/adapter"

_MULTI_NODE: Final = f"""\
trap 'exit 0' TERM
if [ "$POD_INDEX" = 0 ]; then
    ray start --head --port={RAY_PORT}
    exec "$0" "$@"
fi
until ray health-check --address="$LEADER:{RAY_PORT}" > /dev/null 2>&1; do
    sleep 2 &
    wait $!
done
exec ray start --address="$LEADER:{RAY_PORT}" --block
"""
"""The leader starts Ray and then vLLM, which waits for all GPUs; the other pods join Ray as workers. If the leader is gone, a worker ends
and its container restarts."""

_HEALTH = f"curl --fail --silent --output /dev/null --max-time 4 http://%s:{INFERENCE_PORT}/health"
LEADER_ANSWERS: Final = ("/bin/sh", "-c", _HEALTH % "$LEADER")
"""Readiness probe of all pods of a multi-node model server: ready when the model is served."""
LEADER_LIVES: Final = ("/bin/sh", "-c", f'[ "$POD_INDEX" != 0 ] || {_HEALTH % "localhost"}')
"""Liveness probe of all pods of a multi-node model server: only the leader can hang; a worker ends with it."""


def check_version(model: PresetModel, image: str) -> None:
    """Reject a model that needs a newer vLLM than `image` has, if its tag is a version.

    Raises:
        SpecError: the image is too old.
    """
    tag = re.search(r":v?(\d+(?:\.\d+)+)$", image)
    if model.min_vllm is not None and tag is not None and _version(tag[1]) < _version(model.min_vllm):
        problem = f"needs vLLM {model.min_vllm} or newer, but the model server image is {image}"
        raise SpecError("inference.preset.name", f"{model.name} {problem}", "set --model-server-image to a newer version")


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def serve_command(model: PresetModel, sizing: Sizing, config: EngineConfig, adapters: Sequence[str]) -> list[str]:
    """Return the command of each pod; `adapters` are the names of the LoRA adapters."""
    command = ["vllm", "serve", model.model, *_flags(model, sizing, adapters), *model.flags, *sizing.flags, *config.flags]
    return ["/bin/sh", "-c", _MULTI_NODE, *command] if sizing.nodes > 1 else command


def _flags(model: PresetModel, sizing: Sizing, adapters: Sequence[str]) -> Iterator[str]:
    yield f"--served-model-name={model.name}"
    yield f"--port={INFERENCE_PORT}"
    yield f"--download-dir={WEIGHTS}"
    yield f"--gpu-memory-utilization={GPU_MEMORY_UTILIZATION}"
    yield f"--tensor-parallel-size={sizing.tensor_parallel_size}"
    if sizing.nodes > 1:
        yield f"--pipeline-parallel-size={sizing.pipeline_parallel_size}"
        yield "--distributed-executor-backend=ray"
    if sizing.max_model_len is not None:
        yield f"--max-model-len={sizing.max_model_len}"
    if adapters:
        yield "--enable-lora"
        yield "--lora-modules"
        yield from (f"{name}={ADAPTERS}/{name}" for name in adapters)

"""The command that starts vLLM, on one node or on several."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import INFERENCE_PORT, LOCAL_WEIGHTS_ANNOTATION, RAY_DASHBOARD_PORT, RAY_PORT, RENDEZVOUS_PORT
from workspace_ctrl.catalog.kaito import kaito_annotations
from workspace_ctrl.catalog.presets import PresetModel
from workspace_ctrl.catalog.vllm import NODES_WITHOUT_RAY, Version, format_version, has_mode, mode, parse_version
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.planning.preset.gpu_sizing import Sizing
from workspace_ctrl.planning.preset.vllm_config import EngineConfig
from workspace_ctrl.planning.vllm.flag_values import flag_name

WEIGHTS: Final = "/workspace/weights"
_NO_NAME: Final = re.compile(r"[^a-z0-9._-]")
"""What does not belong into the name of a directory; KAITO replaces slashes and backslashes, which are all that ids have of it."""
ADAPTERS: Final = "/mnt/adapter"
_MOST_STAGES_WITH_RAY: Final = 3
"""With more pipeline stages, versions that need Ray end with a KeyError."""

_RAY: Final = f"""\
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

_NATIVE: Final = """\
trap 'exit 0' TERM
until address=$(getent hosts "$LEADER"); do
    sleep 2 &
    wait $!
done
if [ "$POD_INDEX" != 0 ]; then
    set -- "$@" --headless
fi
exec "$0" "$@" --node-rank="$POD_INDEX" --master-addr="${address%% *}"
"""
"""Every pod starts vLLM; those with --headless serve no requests. vLLM binds to the leader's address, so its name is resolved here."""

_HEALTH = f"curl --fail --silent --output /dev/null --max-time 4 http://%s:{INFERENCE_PORT}/health"
LEADER_ANSWERS: Final = ("/bin/sh", "-c", _HEALTH % "$LEADER")
"""Readiness probe of all pods of a multi-node model server: ready when the model is served."""
LEADER_LIVES: Final = ("/bin/sh", "-c", f'[ "$POD_INDEX" != 0 ] || {_HEALTH % "localhost"}')
"""Liveness probe of all pods with Ray: only the leader can hang; a worker ends with it."""


@dataclass(frozen=True, slots=True)
class MultiNodeMode:
    """How the pods of one model on several nodes become one model server."""

    script: str
    """For a shell; its arguments are the command that starts vLLM."""
    flags: tuple[str, ...]
    ports: Mapping[str, int]
    """Ports between the pods, by name."""
    liveness: tuple[str, ...]
    """Command of the liveness probe."""


def multi_node_mode(sizing: Sizing, version: Version | None) -> MultiNodeMode | None:
    """Return the mode for a vLLM of `version`; None for one node.

    Raises:
        SpecError: that version cannot serve the model on so many nodes.
    """
    if sizing.nodes == 1:
        return None
    if has_mode(NODES_WITHOUT_RAY, version):
        flags = ("--distributed-executor-backend=mp", f"--nnodes={sizing.nodes}", f"--master-port={RENDEZVOUS_PORT}")
        # A worker does not notice that its leader was replaced, so it restarts when the leader does not answer any more.
        return MultiNodeMode(_NATIVE, flags, {"rendezvous": RENDEZVOUS_PORT}, LEADER_ANSWERS)
    if sizing.pipeline_parallel_size > _MOST_STAGES_WITH_RAY:
        since = mode(NODES_WITHOUT_RAY).since
        problem = f"needs {sizing.pipeline_parallel_size} pipeline stages, for which vLLM {since} or newer is required"
        raise SpecError("inference.preset.name", problem, "set --model-server-image to a newer version, or use larger nodes")
    ports = {"ray": RAY_PORT, "dashboard": RAY_DASHBOARD_PORT}
    return MultiNodeMode(_RAY, ("--distributed-executor-backend=ray",), ports, LEADER_LIVES)


def check_version(model: PresetModel, version: Version | None) -> None:
    """Reject a model that needs a newer vLLM than `version`; None, an unknown one, counts as current.

    Raises:
        SpecError: the image is too old.
    """
    if model.min_vllm is not None and version is not None and version < parse_version(model.min_vllm):
        problem = f"needs vLLM {model.min_vllm} or newer, but the model server image has {format_version(version)}"
        raise SpecError("inference.preset.name", f"{model.name} {problem}", "set --model-server-image to a newer version")


def local_weights(model: PresetModel, wanted: str | None, settings: PlanSettings, *, has_volume: bool) -> str:
    """Return the directory of the nodes with `model`, named as KAITO does; empty if its weights are downloaded.

    `wanted` is the value of KAITO's annotation, None if it is not set; `has_volume` says whether there is a volume for the weights.

    Raises:
        SpecError: the Workspace asks for it, but the installation has no folder with such directories, or it has a volume, too.
    """
    path, entry = f"metadata.annotations[{LOCAL_WEIGHTS_ANNOTATION}]", kaito_annotations()[LOCAL_WEIGHTS_ANNOTATION]
    if wanted is None or not entry.is_said(wanted):
        return ""
    if not settings.local_weights:
        raise SpecError(path, f"is not supported: {entry.here}", entry.instead)
    if has_volume:
        raise SpecError(path, "cannot be combined with inference.weightsVolume", "remove one of them")
    return f"{settings.local_weights}/{_NO_NAME.sub('-', model.model.lower())}"


def serve_command(  # noqa: PLR0917 - all that it depends on
    model: PresetModel,
    sizing: Sizing,
    config: EngineConfig,
    adapters: Sequence[str],
    multi_node: MultiNodeMode | None,
    weights: str = "",
    aliases: Sequence[str] = (),
) -> list[str]:
    """Return the command of each pod; `adapters` are the names of the LoRA adapters. Flags of the user replace ours.

    `weights` is the directory with the model; if it is empty, vLLM downloads the model. `aliases` are further names of the model.
    """
    replaced = config.names
    ours = (flag for flag in (*_flags(sizing, config), *model.flags, *sizing.flags) if flag_name(flag) not in replaced)
    named = ["--served-model-name", model.name, *aliases] if aliases else [f"--served-model-name={model.name}"]
    command = ["vllm", "serve", weights or model.model, *named, *ours, *_lora_modules(adapters), *config.flags]
    return ["/bin/sh", "-c", multi_node.script, *command, *multi_node.flags] if multi_node is not None else command


def _flags(sizing: Sizing, config: EngineConfig) -> Iterator[str]:
    yield f"--port={INFERENCE_PORT}"
    if config.host:
        yield f"--host={config.host}"
    yield f"--download-dir={WEIGHTS}"
    if sizing.utilization is not None:
        yield f"--gpu-memory-utilization={sizing.utilization:g}"
    yield f"--tensor-parallel-size={sizing.tensor_parallel_size}"
    if sizing.pipeline_parallel_size > 1:
        yield f"--pipeline-parallel-size={sizing.pipeline_parallel_size}"
    if sizing.data_parallel_size > 1:
        yield f"--data-parallel-size={sizing.data_parallel_size}"
    if sizing.automatic_context:
        yield "--max-model-len=auto"
    elif sizing.max_model_len is not None:
        yield f"--max-model-len={sizing.max_model_len}"


def _lora_modules(adapters: Sequence[str]) -> Iterator[str]:
    if adapters:
        yield "--enable-lora"
        yield "--lora-modules"
        yield from (f"{name}={ADAPTERS}/{name}" for name in adapters)

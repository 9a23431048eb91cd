"""`inference.config`: the user's own flags for the model server, from a ConfigMap in KAITO's format.

Its key `inference_config.yaml` holds a mapping; the entries under `vllm` are flags of `vllm serve` without their dashes. They follow
ours on the command line and so override them, except for the few that the rest of the chain depends on.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.documents import DocumentError, parse_documents
from workspace_ctrl.api.errors import SpecError

CONFIG_KEY: Final = "inference_config.yaml"
_PATH = "inference.config"
_FLAG = re.compile(r"[a-z0-9][a-z0-9-]*")
_RESERVED = frozenset(
    {"model", "served-model-name", "host", "port", "uds", "config", "ssl-keyfile", "ssl-certfile", "lora-modules", "root-path"}
)
_MAX_MODEL_LEN = "max-model-len"


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The user's settings for the model server."""

    flags: tuple[str, ...] = ()
    max_model_len: int | None = None
    """Context length in tokens, if the user has set one."""


def parse_engine_config(text: str) -> EngineConfig:
    """Return the settings in `text`, the content of `inference_config.yaml`.

    Raises:
        SpecError: it is not a YAML mapping, or sets a flag that cannot be set.
    """
    try:
        documents = parse_documents(text)
    except DocumentError as error:
        raise SpecError(_PATH, f"{CONFIG_KEY} {error}") from None
    document = documents[0] if documents else {}
    entries = (document or {}).get("vllm") if isinstance(document, Mapping | None) else document
    if not isinstance(entries, Mapping | None):
        raise SpecError(_PATH, f"{CONFIG_KEY} must be a mapping whose key vllm holds a mapping with flags of vllm serve")
    given = {str(name).replace("_", "-"): value for name, value in (entries or {}).items()}
    return EngineConfig(
        flags=tuple(flag for name, value in given.items() if name != _MAX_MODEL_LEN for flag in _flags(name, value)),
        max_model_len=_length(given.get(_MAX_MODEL_LEN)),
    )


def _flags(name: str, value: object) -> Iterator[str]:
    if not _FLAG.fullmatch(name):
        raise SpecError(_PATH, f"vllm.{name[:64]!r} is not a valid flag name")
    if name in _RESERVED:
        raise SpecError(_PATH, f"vllm.{name} cannot be set, because the controller sets it for the gateway", "remove it")
    if value is None:
        return
    if isinstance(value, bool):
        yield f"--{name}" if value else f"--no-{name}"
    elif isinstance(value, list):
        yield f"--{name}"
        yield from (_text(name, item) for item in value)
    else:
        yield f"--{name}={_text(name, value)}"


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        raise SpecError(_PATH, f"vllm.{name} must be a string, number, boolean, list or mapping") from None


def _length(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise SpecError(_PATH, f"vllm.{_MAX_MODEL_LEN} must be a whole number of tokens, not {str(value)[:64]!r}")
    return value

"""`inference.config`: the user's own flags for the model server, from a ConfigMap in KAITO's format.

Its key `inference_config.yaml` holds a mapping; the entries under `vllm` are flags of `vllm serve` without their dashes. They follow
ours on the command line and so override them, except for the few that the rest of the chain depends on.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.api.yaml_documents import TENANTS, YamlError, parse_documents

CONFIG_KEY: Final = "inference_config.yaml"
_PATH = "inference.config"
_FLAG = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_MOST_ARGUMENTS: Final = 1000
"""Arguments on the model server's command line; vLLM has about 300 flags."""
_QUOTED: Final = 64
"""Characters of a name or a value that a message quotes."""
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


def config_text(data: object) -> str | None:
    """Return the beginning of `inference_config.yaml` in a ConfigMap's `data`, one character above the limit at most; None if missing."""
    text = data.get(CONFIG_KEY) if isinstance(data, Mapping) else None
    return text[: (TENANTS.size or 0) + 1] if isinstance(text, str) else None


def parse_engine_config(text: str) -> EngineConfig:
    """Return the settings in `text`, the content of `inference_config.yaml`.

    Raises:
        SpecError: it is not a YAML mapping, exceeds the limits `TENANTS`, or sets a flag that cannot be set.
    """
    try:
        documents = parse_documents(text, TENANTS)
    except YamlError as error:
        raise SpecError(_PATH, f"{CONFIG_KEY} {error.problem}", error.remedy) from None
    document = documents[0] if documents else {}
    entries = (document or {}).get("vllm") if isinstance(document, Mapping | None) else document
    if not isinstance(entries, Mapping | None):
        raise SpecError(_PATH, f"{CONFIG_KEY} must be a mapping whose key vllm holds a mapping with flags of vllm serve")
    given = {str(name).replace("_", "-"): value for name, value in (entries or {}).items()}
    length = _length(given.pop(_MAX_MODEL_LEN, None))
    flags = tuple(flag for name, value in given.items() for flag in _flags(name, value))
    if len(flags) > _MOST_ARGUMENTS:
        raise SpecError(_PATH, f"{CONFIG_KEY} has more than {_MOST_ARGUMENTS} flags and list values", "remove some")
    return EngineConfig(flags, length)


def _flags(name: str, value: object) -> Iterator[str]:
    if not _FLAG.fullmatch(name):
        problem = f"vllm.{excerpt(name, _QUOTED)} is not a valid flag name"
        raise SpecError(_PATH, problem, "write it as in vllm serve --help, without the leading dashes")
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
    if not isinstance(value, str):
        return json.dumps(value)
    if "\0" in value:
        raise SpecError(_PATH, f"vllm.{name} contains a NUL character, which a program argument cannot have", "remove it")
    return value


def _length(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        problem = f"vllm.{_MAX_MODEL_LEN} must be a whole number of tokens, not {excerpt(str(value), _QUOTED)!r}"
        raise SpecError(_PATH, problem)
    return value

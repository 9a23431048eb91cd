"""`inference.config`: the user's own flags for the model server, from a ConfigMap in KAITO's format.

Its key `inference_config.yaml` holds a mapping; the entries under `vllm` are flags of `vllm serve` without their dashes. They replace
ours, except for the few that the rest of the chain depends on. Those that change memory or GPUs take part in sizing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.labels import PERFORMANCE_ANNOTATION
from workspace_ctrl.api.printable_text import excerpt, printable
from workspace_ctrl.api.yaml.documents import TENANTS, YamlError, parse_documents
from workspace_ctrl.catalog.vllm import AUTOMATIC_CONTEXT, Version, has_mode, mode
from workspace_ctrl.model.api_query_results import ConfigContent
from workspace_ctrl.model.plan_decisions import LinkName, Problem
from workspace_ctrl.planning.steps import ReadConfig, UnresolvedError
from workspace_ctrl.planning.vllm.flag_arguments import flag_arguments, switch
from workspace_ctrl.planning.vllm.flag_values import flag_name, whole_number
from workspace_ctrl.planning.vllm.known_flags import known_flags, secret_notes
from workspace_ctrl.planning.vllm.memory_flags import MemorySettings, parse_memory_settings
from workspace_ctrl.planning.vllm.performance_mode import PERFORMANCE_MODE, THROUGHPUT, is_tuned, why_not_passed
from workspace_ctrl.planning.vllm.refused_flags import check_refused
from workspace_ctrl.records.core_v1 import ConfigMap
from workspace_ctrl.records.meta import ObjectRef

CONFIG_KEY: Final = "inference_config.yaml"
_PATH = "inference.config"
_FLAG = re.compile(r"[a-z0-9][a-z0-9-]{0,127}")
_MOST_NAMED: Final = 10
"""Flags that one message lists."""
_MOST_ARGUMENTS: Final = 1000
"""Arguments on the model server's command line; vLLM has about 300 flags."""
_QUOTED: Final = 64
"""Characters of a name or a value that a message quotes."""
_MAX_MODEL_LEN = "max-model-len"
_HOST = "host"
_WILDCARDS: Final = ("::", "0.0.0.0")  # noqa: S104 - inside a pod, whose address is the only one that others reach
_NO: Final = "no-"
"""Before the name of a switch: off."""
_AUTOMATIC: Final = ("auto", "-1")
_SIZED: Final = (
    "gpu-memory-utilization",
    "device-memory-utilization",
    "tensor-parallel-size",
    "pipeline-parallel-size",
    "data-parallel-size",
)
"""Flags that are given once, with the values for which the model is sized."""
_OF_KAITO: Final = frozenset({"max_probe_steps", "kv_cache_cpu_memory_utilization", "transformers"})
"""Keys of KAITO's own server beside `vllm`."""


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The user's settings for the model server."""

    flags: tuple[str, ...] = ()
    max_model_len: int | None = None
    """Context length in tokens, if the user has set one."""
    automatic_context: bool = False
    """Whether vLLM determines the longest context that fits."""
    host: str = ""
    """Address on which vLLM listens, a wildcard; empty for vLLM's default, all of IPv4."""
    memory: MemorySettings = field(default_factory=MemorySettings)
    notes: tuple[str, ...] = ()
    """What is left out, or not taken into account, one sentence each."""

    @property
    def names(self) -> frozenset[str]:
        """Names of the flags, without dashes."""
        given = map(flag_name, (argument for argument in self.flags if argument.startswith("--")))
        return frozenset(name for flag in given for name in (flag, flag.removeprefix("no-")))


def config_text(data: object) -> str | None:
    """Return the beginning of `inference_config.yaml` in a ConfigMap's `data`, one character above the limit at most; None if missing."""
    text = data.get(CONFIG_KEY) if isinstance(data, Mapping) else None
    return text[: (TENANTS.size or 0) + 1] if isinstance(text, str) else None


def read_engine_config(
    name: str, namespace: str, live: ConfigMap | None, read: ConfigContent | None, version: Version | None
) -> EngineConfig:
    """Return the settings in the ConfigMap `name`, of which `live` is the record and `read` the content, as far as they are known.

    Raises:
        SpecError: as `parse_engine_config`, or it has no such key.
        UnresolvedError: it does not exist, or has to be read first.
    """
    ref = ObjectRef("ConfigMap", namespace, name)
    if live is None:
        text = printable(f"{ref} ({_PATH}) not found; it is used as soon as it exists")
        raise UnresolvedError(problem=Problem(LinkName.WORKLOAD, "ConfigNotFound", text))
    if read is None or (read.name, read.version) != (name, live.version):
        raise UnresolvedError(step=ReadConfig(ref, live.version))
    if read.text is None:
        raise SpecError(_PATH, f"refers to {ref}, which has no key {CONFIG_KEY}", "add the key, with flags under vllm")
    return parse_engine_config(read.text, version)


def parse_engine_config(text: str, version: Version | None = None) -> EngineConfig:
    """Return the settings in `text`, the content of `inference_config.yaml`, for a vLLM of `version`; None if that is not known.

    Raises:
        SpecError: it is not a YAML mapping, exceeds the limits `TENANTS`, or sets a flag that cannot be set.
    """
    document = _document(text)
    entries = (document or {}).get("vllm") if isinstance(document, Mapping | None) else document
    if not isinstance(entries, Mapping | None):
        raise SpecError(_PATH, f"{CONFIG_KEY} must be a mapping whose key vllm holds a mapping with flags of vllm serve")
    named = _switched(_named(entries or {}))
    check_refused(named)
    known = known_flags(named, version)
    given = dict(known.given)
    memory, remarks = parse_memory_settings(given)
    length, automatic = _length(given.pop(_MAX_MODEL_LEN, None), version)
    host = _host(given.pop(_HOST, None))
    flags = tuple(flag for name, value in given.items() if name not in _SIZED for flag in flag_arguments(name, value))
    if len(flags) > _MOST_ARGUMENTS:
        raise SpecError(_PATH, f"{CONFIG_KEY} has more than {_MOST_ARGUMENTS} flags and list values", "remove some")
    notes = (*_beside(document), *_without_value(named), *known.notes, *secret_notes(given), *remarks)
    return EngineConfig(flags, length, automatic, host, memory, notes)


def _without_value(named: Mapping[str, object]) -> Iterator[str]:
    """Yield a message for flags that are left out because they have no value."""
    empty = [f"vllm.{name}" for name, value in named.items() if value is None]
    if empty:
        listed = ", ".join(empty[:_MOST_NAMED]) + (" and more" if len(empty) > _MOST_NAMED else "")
        have = "have" if len(empty) > 1 else "has"
        yield f"{_PATH}: {listed} {have} no value and no effect; set one, which for a switch is true, or remove it"


def with_performance_mode(config: EngineConfig, wanted: str, version: Version | None) -> EngineConfig:
    """Return `config` with the mode of KAITO's annotation, whose value is `wanted`; a flag of the user overrides it.

    A vLLM of `version` that does not have the flag serves without it.
    """
    if not is_tuned(wanted):
        return config
    overridden = f"{_PATH} sets vllm.{PERFORMANCE_MODE}" if PERFORMANCE_MODE in config.names else ""
    why = overridden or why_not_passed(version)
    if why:
        note = f'annotation {PERFORMANCE_ANNOTATION}: "{wanted}" has no effect; {why}'
        return replace(config, notes=(*config.notes, note))
    memory = replace(config.memory, throughput=wanted == THROUGHPUT)
    return replace(config, flags=(*config.flags, f"--{PERFORMANCE_MODE}={wanted}"), memory=memory)


def _document(text: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        documents = parse_documents(text, TENANTS, for_python=True)
    except YamlError as error:
        raise SpecError(_PATH, f"{CONFIG_KEY} {error.problem}", error.remedy) from None
    given = [document for document in documents if document is not None]
    if len(given) > 1:
        raise SpecError(_PATH, f"{CONFIG_KEY} has {len(given)} YAML documents, of which only one counts", "make them one mapping")
    return given[0] if given else {}


def _named(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries by flag, without dashes; with underscores and with hyphens it is the same one."""
    named: dict[str, Any] = {}
    for key, value in entries.items():
        name = str(key).replace("_", "-")
        _check_name(name)
        if name in named:
            raise SpecError(_PATH, f"vllm.{name} is set twice, with underscores and with hyphens", "keep one of them")
        named[name] = value
    return named


def _switched(given: Mapping[str, object]) -> dict[str, object]:
    """Return the flags with `no-x: true` as `x: false`, which is the same flag, and what sizing reads.

    Raises:
        SpecError: a flag is set in both ways.
    """
    flags: dict[str, object] = {}
    for name, value in given.items():
        positive, is_on = name.removeprefix(_NO), switch(value)
        if positive != name and positive in given:
            raise SpecError(_PATH, f"vllm.{positive} is set twice, also as {name}", "keep one of them")
        if positive != name and isinstance(is_on, bool):
            flags[positive] = not is_on
        else:
            flags[name] = value
    return flags


def _beside(document: object) -> Iterator[str]:
    """Yield a remark for each key beside `vllm`: only KAITO's server knows them."""
    for key in document if isinstance(document, Mapping) else ():
        if key in _OF_KAITO:
            yield f"{_PATH}: {key} is left out: it is a setting of KAITO's own server"
        elif key != "vllm":
            yield f"{_PATH}: {excerpt(str(key), _QUOTED)} has no effect; flags of vllm serve are under the key vllm"


def _check_name(name: str) -> None:
    if not _FLAG.fullmatch(name):
        problem = f"vllm.{excerpt(name, _QUOTED)} is not a valid flag name"
        raise SpecError(_PATH, problem, "write its long name as in vllm serve --help, without the leading dashes")


def _length(value: object, version: Version | None) -> tuple[int | None, bool]:
    """Return the context length, and whether vLLM determines it."""
    if value is None:
        return None, False
    if str(value).strip().lower() in _AUTOMATIC:
        if not has_mode(AUTOMATIC_CONTEXT, version):
            problem = (
                f"vllm.{_MAX_MODEL_LEN} can be auto with vLLM {mode(AUTOMATIC_CONTEXT).since} or newer, which the image has not"
            )
            raise SpecError(_PATH, problem, "set a number of tokens, or remove it")
        return None, True
    try:
        return whole_number(_MAX_MODEL_LEN, value), False
    except SpecError:
        problem = f"vllm.{_MAX_MODEL_LEN} must be a whole number of tokens, or auto, not {excerpt(str(value), _QUOTED)!r}"
        raise SpecError(_PATH, problem) from None


def _host(value: object) -> str:
    if value is None:
        return ""
    text = str(value).strip().strip("[]")
    if text not in _WILDCARDS:
        problem = (
            f"vllm.{_HOST} is {excerpt(text, _QUOTED)!r}, where neither the gateway nor the kubelet may reach the model server"
        )
        raise SpecError(_PATH, problem, 'set "::" (IPv6 and IPv4) or 0.0.0.0 (IPv4), or remove it')
    return text

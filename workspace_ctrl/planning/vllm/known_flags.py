"""Which of a user's flags the model server's version knows, and what happens to the others."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.data_files import closest
from workspace_ctrl.catalog.vllm import Knowledge, Version, flag, flag_in, flags, format_version, newest_version, obsolete_flags
from workspace_ctrl.planning.vllm.flag_values import CONFIG_FIELD

_KAITO = "kaito-"
"""Prefix of flags of KAITO's own server, which wraps vLLM."""
RESERVED: Final = frozenset(
    {"model", "served-model-name", "port", "uds", "config", "ssl-keyfile", "ssl-certfile", "lora-modules", "root-path"}
)
"""Flags that only the controller sets."""


@dataclass(frozen=True, slots=True)
class KnownFlags:
    """The flags that are passed to vLLM, and remarks on the others."""

    given: Mapping[str, object]
    notes: tuple[str, ...] = ()


def known_flags(given: Mapping[str, object], version: Version | None) -> KnownFlags:
    """Return those of `given`, by name without dashes, that vLLM `version` knows; if it is None, all but KAITO's own.

    Flags that newer versions do not have, because they have no effect any more, are left out with a remark.

    Raises:
        SpecError: a flag needs a newer version, has been replaced, or is not known at all.
    """
    kept, notes = {}, []
    for name, value in given.items():
        is_passed, note = _judge(name, version)
        if is_passed:
            kept[name] = value
        if note:
            notes.append(f"{CONFIG_FIELD}: vllm.{name} {note}")
    return KnownFlags(kept, tuple(notes))


def _judge(name: str, version: Version | None) -> tuple[bool, str]:
    """Return whether a flag is passed to vLLM, and a remark on it; empty if there is nothing to say."""
    if name.startswith(_KAITO):
        return False, "is left out: it is a setting of KAITO's own server, not of vLLM"
    obsolete = obsolete_flags().get(name)
    if obsolete is not None and obsolete.instead is not None:
        raise SpecError(CONFIG_FIELD, f"vllm.{name} is no flag of vLLM any more", f"use {obsolete.instead}")
    if obsolete is not None:
        return False, "is left out: vLLM has no such flag any more"
    return _judge_by_version(name, version) if version is not None else (True, "")


def _judge_by_version(name: str, version: Version) -> tuple[bool, str]:
    text = format_version(version)
    match flag_in(name, version):
        case Knowledge.KNOWN:
            return True, ""
        case Knowledge.REMOVED:
            return False, f"is left out: vLLM {text} has no such flag any more"
        case Knowledge.LATER:
            since = getattr(flag(name), "since", "")
            problem = f"vllm.{name} needs vLLM {since} or newer, but the model server image has {text}"
            raise SpecError(CONFIG_FIELD, problem, "remove it, or set --model-server-image to a newer version")
        case Knowledge.NEVER if version > newest_version():
            return True, f"is not a flag of any version of vLLM known here, but vLLM {text} is newer"
        case Knowledge.NEVER:
            near = closest(name, flags())
            remedy = f"did you mean {near}?" if near else f"vllm serve --help=all of vLLM {text} lists the flags"
            remedy = f"if you mean {near}, remove it: the controller sets that" if near in RESERVED else remedy
            raise SpecError(CONFIG_FIELD, f"vllm.{name} is not a flag of vLLM {text}", remedy)

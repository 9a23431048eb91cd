"""Which of a user's flags the model server's version knows, and what happens to the others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.catalog.data_files import closest
from workspace_ctrl.catalog.vllm import (
    Knowledge,
    Version,
    flag,
    flag_in,
    flags,
    format_version,
    newest_version,
    obsolete_flags,
    secret_flags,
    short_forms,
)
from workspace_ctrl.planning.vllm.flag_values import CONFIG_FIELD
from workspace_ctrl.planning.vllm.refused_flags import instead_of

_KAITO = "kaito-"
"""Prefix of flags of KAITO's own server, which wraps vLLM."""


@dataclass(frozen=True, slots=True)
class KnownFlags:
    """The flags that are passed to vLLM, and remarks on the others."""

    given: Mapping[str, object]
    notes: tuple[str, ...] = ()


def known_flags(given: Mapping[str, object], version: Version | None) -> KnownFlags:
    """Return those of `given`, by name without dashes, that vLLM `version` knows; if it is None, all but KAITO's own.

    Flags that newer versions do not have, because they have no effect any more, are left out with a remark.

    Raises:
        SpecError: a flag needs a newer version, has been replaced, is a short form, or is not known at all.
    """
    kept, notes = {}, []
    for name, value in given.items():
        is_passed, note = _judge(name, version)
        if is_passed:
            kept[name] = value
        if note:
            notes.append(f"{CONFIG_FIELD}: vllm.{name} {note}")
    return KnownFlags(kept, tuple(notes))


def secret_notes(given: Mapping[str, object]) -> Iterator[str]:
    """Yield a remark on each flag in `given` whose value is a secret; it does not quote the value."""
    for name, secret in secret_flags().items():
        if given.get(name) is not None:
            yield f"{CONFIG_FIELD}: vllm.{name} is passed in clear text: {secret.note}"


def _judge(name: str, version: Version | None) -> tuple[bool, str]:
    """Return whether a flag is passed to vLLM, and a remark on it; empty if there is nothing to say."""
    if name.startswith(_KAITO):
        return False, "is left out: it is a setting of KAITO's own server, not of vLLM"
    if name in short_forms():
        problem = f"vllm.{name} is the short form of a flag, which vLLM knows on a command line only"
        raise SpecError(CONFIG_FIELD, problem, _meant(short_forms()[name]))
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
            remedy = _meant(near) if near else f"vllm serve --help=all of vLLM {text} lists the flags"
            raise SpecError(CONFIG_FIELD, f"vllm.{name} is not a flag of vLLM {text}", remedy)


def _meant(near: str) -> str:
    instead = instead_of(near)
    return f"if you mean {near}, {instead}" if instead else f"did you mean {near}?"

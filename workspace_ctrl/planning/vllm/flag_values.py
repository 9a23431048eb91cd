"""Values of flags, as vLLM reads them: KAITO passes every value as text, so numbers may be quoted."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.printable_text import excerpt

CONFIG_FIELD: Final = "inference.config"
"""Path of the field in a Workspace that names the ConfigMap with the flags."""
_QUOTED: Final = 64
"""Characters of a value that a message quotes."""
_WHOLE: Final = re.compile(r"[0-9]{1,15}|[0-9]{1,9}(\.[0-9]{1,6})?[kmgt]|[0-9]{1,9}[KMGT]")
_UNITS: Final[Mapping[str, int]] = {unit: 1000 ** (power + 1) for power, unit in enumerate("kmgt")} | {
    unit: 1024 ** (power + 1) for power, unit in enumerate("KMGT")
}
_DECIMAL: Final = re.compile(r"[0-9]{0,9}\.?[0-9]{1,9}")


def flag_name(argument: str) -> str:
    """Return the name of the flag that an argument such as `--name=value` sets, without dashes."""
    return argument.removeprefix("--").partition("=")[0]


def whole_number(name: str, value: object, least: int = 1) -> int:
    """Return a whole number, which may be text with one of vLLM's units, such as 16k (16,000) or 16K (16,384).

    Raises:
        SpecError: it is none, or less than `least`.
    """
    text = str(value).strip()
    if not isinstance(value, bool) and isinstance(value, int | str) and _WHOLE.fullmatch(text):
        number = int(text) if text.isdigit() else int(float(text[:-1]) * _UNITS[text[-1]])
        if number >= least:
            return number
    raise _wrong(name, value, f"a whole number of at least {least}")


def decimal(name: str, value: object, most: float = 1e6) -> float:
    """Return a number from 0 to `most`.

    Raises:
        SpecError: it is none.
    """
    text = str(value).strip()
    if not isinstance(value, bool) and isinstance(value, int | float | str) and _DECIMAL.fullmatch(text) and float(text) <= most:
        return float(text)
    raise _wrong(name, value, f"a number from 0 to {most:g}")


def is_off(value: object) -> bool:
    """Whether a switch is off."""
    return value is False or str(value).strip().lower() == "false"


def mapping(name: str, value: object) -> Mapping[str, Any]:
    """Return a mapping, which may be text with JSON.

    Raises:
        SpecError: it is none.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise _wrong(name, value, "a mapping, or text with a JSON object") from None
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a mapping, or text with a JSON object")
    return value


def _wrong(name: str, value: object, wanted: str) -> SpecError:
    return SpecError(CONFIG_FIELD, f"vllm.{name} must be {wanted}, not {excerpt(str(value), _QUOTED)!r}")

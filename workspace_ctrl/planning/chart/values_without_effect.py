"""Values that a chart accepts without an error, but that do not have the expected effect.

Most of them come from versions: a key that was renamed, a flag that the endpoint picker of this version does not know. Which they are is in
the chart's layout; this module finds them in given values.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.catalog.charts import ChartLayout, ChartValue, Path, value_at
from workspace_ctrl.planning.chart.value_validation import RESERVED_FILES

_QUOTED: Final = 64
"""Characters of a flag's name that a message quotes."""
_EXPONENT: Final = 1_000_000
"""From here on Helm renders a number with an exponent, which no integer flag takes."""


def trap_in(layout: ChartLayout, values: Mapping[str, Any]) -> tuple[Path, str] | None:
    """Return the first of `values` that the chart would accept without the expected effect, and why; None if there is none."""
    for trap in layout.traps:
        path = tuple(trap.path.split("."))
        if trap.catches(value_at(values, path)):
            return path, trap.reason
    path = layout.flags.place
    flags = value_at(values, path)
    problem = _flags_problem(layout, flags) if flags is not None else ""
    if problem:
        return path, problem
    files = layout.place(ChartValue.PLUGINS) or ()
    taken = sorted(RESERVED_FILES.intersection(_keys(value_at(values, files))))
    if taken:
        return files, f"must not contain file {taken[0]!r}, which the chart creates; use a name such as my-plugins.yaml"
    place = layout.place(ChartValue.ENVIRONMENT) or ()
    variables = value_at(values, place) or []
    listed = isinstance(variables, list) and all(isinstance(entry, Mapping) for entry in variables)
    return None if listed else (place, "must be a list of environment variables")


def _flags_problem(layout: ChartLayout, flags: object) -> str:
    if layout.flags.form == "map" and isinstance(flags, Mapping):
        entries = list(flags.items())
    elif layout.flags.form == "list" and isinstance(flags, Sequence) and all(isinstance(entry, Mapping) for entry in flags):
        entries = [(entry.get("name"), entry.get("value")) for entry in flags]
    else:
        return f"must be a {'mapping from name to value' if layout.flags.form == 'map' else 'list of name and value'} in this chart version"
    for name, value in entries:
        refusal = layout.flags.refused.get(name) if isinstance(name, str) else None
        if refusal:
            return f"sets {name}, which {refusal}"
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= _EXPONENT:
            said = f"sets {excerpt(str(name), _QUOTED)} to a number that Helm renders with an exponent"
            return f'{said}; write it in quotes: "{value:.0f}"'
        if not layout.flags.booleans and str(value).lower() in {"true", "false"}:
            said = f"sets {excerpt(str(name), _QUOTED)} to {value}"
            return f"{said}, which this chart passes as two arguments, so that the flag is always on; remove it"
    return ""


def _keys(value: object) -> list[Any]:
    return list(value) if isinstance(value, Mapping) else []

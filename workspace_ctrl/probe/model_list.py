"""Model names in a response to /v1/models, which is untrusted: users choose the model server."""

from dataclasses import dataclass

import orjson

from workspace_ctrl.model.probe_results import LONGEST_NAME, MOST_NAMES, is_model_name


@dataclass(frozen=True, slots=True)
class ModelList:
    """The models that a model server reports."""

    names: tuple[str, ...] = ()
    """In the order of the response; empty if that is not a list of models."""
    left_out: int = 0
    """Number of entries that are ignored: without a valid name, or above the limit."""
    is_list: bool = False
    """Whether the response is a list of models, if one with invalid names or without any."""

    def __str__(self) -> str:
        """Return a note about the ignored entries; empty if there are none."""
        if not self.left_out:
            return ""
        which = f"only the first {MOST_NAMES} printable names of at most {LONGEST_NAME} characters are used"
        return f"ignored {self.left_out} of its models: {which}"


def read_models(body: bytes, asked: str = "") -> ModelList:
    """Return the names in `body`; `asked`, the name that requests use, is included if it is anywhere in the list."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:  # not JSON, nested too deeply, or invalid numbers or characters
        return ModelList()
    entries = document.get("data") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return ModelList()
    given = [name for entry in entries if (name := _name(entry))]
    usable = list(dict.fromkeys(given))
    names = usable[:MOST_NAMES]
    if asked in usable[MOST_NAMES:]:
        names[-1] = asked
    is_list = not entries or any(isinstance(entry, dict) and isinstance(entry.get("id"), str) for entry in entries)
    return ModelList(tuple(names), len(entries) - len(given) + len(usable) - len(names), is_list)


def _name(entry: object) -> str:
    """Return the name in an entry; empty if it has no valid one."""
    name = entry.get("id") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and is_model_name(name) else ""

"""The names in an answer to /v1/models, which is written by whoever runs the model server, or stands in for it."""

from dataclasses import dataclass

import orjson

from workspace_ctrl.records.probes import LONGEST_NAME, MOST_NAMES, is_model_name


@dataclass(frozen=True, slots=True)
class ModelList:
    """What a model server says it serves."""

    names: tuple[str, ...] = ()
    """In its order; none where the answer is no list of models."""
    left_out: int = 0
    """How many entries have no name that can be used, or one too many."""

    def __str__(self) -> str:
        """Return what a person must know of the names that are left out; empty where none are."""
        if not self.left_out:
            return ""
        which = f"only the first {MOST_NAMES} names of at most {LONGEST_NAME} characters that all print are taken"
        return f"{self.left_out} of the models in it {'is' if self.left_out == 1 else 'are'} left out: {which}"


def read_models(body: bytes, asked: str = "") -> ModelList:
    """Return the names in `body`; `asked`, the one that requests ask for, is among them if it is anywhere in the list."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:  # no JSON, nested too deep, or numbers and signs that JSON does not know
        return ModelList()
    entries = document.get("data") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        return ModelList()
    given = [name for entry in entries if (name := _name(entry))]
    usable = list(dict.fromkeys(given))
    names = usable[:MOST_NAMES]
    if asked in usable[MOST_NAMES:]:
        names[-1] = asked
    return ModelList(tuple(names), len(entries) - len(given) + len(usable) - len(names))


def _name(entry: object) -> str:
    """Return the name in an entry; empty where it has none that can be used."""
    name = entry.get("id") if isinstance(entry, dict) else None
    return name if isinstance(name, str) and is_model_name(name) else ""

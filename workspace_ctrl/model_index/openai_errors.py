"""Errors in the shape of OpenAI's API, which clients turn into exceptions that name the model and those that exist."""

from collections.abc import Sequence
from typing import Final

import orjson

from workspace_ctrl.api.printable_text import excerpt
from workspace_ctrl.model_index.listing import Entry, Listing

_MOST_NAMED: Final = 20
_LONGEST_WORD: Final = 128
"""Characters of the words of a client that an error repeats."""


def error_body(message: str, code: str, *, param: str | None = None, type_: str = "invalid_request_error") -> bytes:
    """Return an error as OpenAI's API has it."""
    return orjson.dumps({"error": {"message": message, "type": type_, "param": param, "code": code}})


def model_not_found(asked: str, method: str, path: str, there: Listing) -> bytes:
    """Return the error for a request that no model takes; `asked` is the model that it names, empty if it names none."""
    found = there.by_id.get(asked, ())
    request = f"{excerpt(method, _LONGEST_WORD)} {excerpt(path, _LONGEST_WORD)}"
    if found:
        words = f"The model '{excerpt(asked, _LONGEST_WORD)}' does not answer {request}. {_elsewhere(found)}"
    elif asked:
        words = f"The model '{excerpt(asked, _LONGEST_WORD)}' does not exist here. {_names(there.entries)}"
    else:
        words = f"No model answers {request}. {_names(there.entries)}"
    return error_body(words, "model_not_found", param="model")


def _elsewhere(entries: Sequence[Entry]) -> str:
    """Return where a model is reached: most have a path of their own, which belongs to the base URL of a client."""
    paths = ", ".join(f"{entry['x-path']}/v1{_unready(entry)}" for entry in entries[:_MOST_NAMED])
    return f"It is reached by the base URL with the path {paths}."


def _names(entries: Sequence[Entry]) -> str:
    if not entries:
        return "No models are listed here."
    shown = ", ".join(f"{entry['id']} ({entry['x-path']}/v1){_unready(entry)}" for entry in entries[:_MOST_NAMED])
    more = f", and {len(entries) - _MOST_NAMED} more: see GET /v1/models" if len(entries) > _MOST_NAMED else ""
    return f"Models, with the paths of their base URLs: {shown}{more}."


def _unready(entry: Entry) -> str:
    return "" if entry["x-ready"] else " [not ready]"

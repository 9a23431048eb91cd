"""Reads and writes the JSON of the API server so that one object can never spoil the reading of others.

The parser refuses a text as a whole where one object in it is nested too deeply, and with it a page of a list, or a watch that would then
never get past that object. So what lies too deep is cut out before such a text is read again: the object keeps its identity, and whoever
reads it finds it still deeper than any object that makes sense.
"""

import asyncio
import re
from typing import Any, Final

import orjson

from workspace_ctrl.kube.errors import RejectedError

KEPT_LEVELS: Final = 200
"""Levels of a text that are kept when it is too deep to be read: more than any sound object has, and fewer than can be written again."""

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|\[+|\{+|\]+|\}+')
_QUOTE, _OPEN = ord('"'), b"[{"


async def decode(text: bytes) -> Any:  # noqa: ANN401
    """Return what `text` holds; what is nested deeper than `KEPT_LEVELS` in a text that is too deep to be read as a whole is null.

    Such a text is read beside the event loop: a megabyte of brackets takes a tenth of a second.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        pruned = await asyncio.to_thread(without_depths, text)
        if len(pruned) == len(text):
            raise error from None
        return orjson.loads(pruned)


def encode(document: Any) -> bytes:  # noqa: ANN401
    """Return `document` as JSON.

    Raises:
        RejectedError: it cannot be written: nested too deeply, or with a number or a text that JSON has not.
    """
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError as error:
        raise RejectedError(f"cannot be written as JSON: {error}") from None


def without_depths(text: bytes, kept: int = KEPT_LEVELS) -> bytes:
    """Return `text` with null in place of each list and mapping below `kept` levels; in one step over its brackets, without recursion."""
    depth, begin = 0, 0
    pieces: list[bytes] = []
    for token in _TOKEN.finditer(text):
        first, size = text[token.start()], token.end() - token.start()
        if first == _QUOTE:
            continue
        if first in _OPEN:
            if depth <= kept < depth + size:
                pieces += text[begin : token.start() + kept - depth], b"null"
            depth += size
        else:
            if depth - size <= kept < depth:
                begin = token.start() + depth - kept
            depth -= size
    if depth > kept:  # torn: the end is missing, and what is left is no JSON either
        return text
    return b"".join([*pieces, text[begin:]])

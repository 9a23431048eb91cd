"""Responses of the API server: their lines, and their JSON, decoded so that one object cannot prevent the decoding of others.

The parser rejects a whole text if one object in it is nested too deeply: a page of a list, or an event of a watch, which would then never
get past that object. So values that are too deep are removed, and the text is parsed again: the object keeps its identity, and is still
deeper than any meaningful object, so that its parser can report it.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import orjson

from workspace_ctrl.kube.errors import RejectedError

KEPT_LEVELS: Final = 200
"""Levels that are kept of a text that is too deep to parse: more than any valid object has, and few enough to be encoded again."""

_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|\[+|\{+|\]+|\}+')
_QUOTE, _OPEN = ord('"'), b"[{"


async def decode(text: bytes) -> Any:  # noqa: ANN401
    """Return the value of `text`; if it is too deep to parse, values nested deeper than `KEPT_LEVELS` are null.

    Such a text is parsed outside the event loop: a megabyte of brackets takes a tenth of a second.

    Raises:
        ValueError: it is not JSON.
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
        RejectedError: it is nested too deeply, or has a number or string that JSON cannot represent.
    """
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError as error:
        raise RejectedError(f"cannot be encoded as JSON: {error}") from None


def without_depths(text: bytes, kept: int = KEPT_LEVELS) -> bytes:
    """Return `text` with null in place of each list and mapping below `kept` levels; in one pass over its brackets, without recursion."""
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
    if depth > kept:  # truncated, so not JSON anyway
        return text
    return b"".join([*pieces, text[begin:]])


async def lines(stream: aiohttp.StreamReader, *, with_rest: bool = False) -> AsyncIterator[bytes]:
    """Yield the lines of a stream; unlike the stream's own iterator, whatever their length.

    With `with_rest`, what follows the last line break is a line, too; of a watch it would be an event that was cut off.

    Each chunk is read once, so the time is linear in the length: an object of 1.5 MB, which anyone may store, can be 9 MB of escaped JSON.
    """
    pieces: list[bytes] = []
    async for chunk in stream.iter_any():
        end, *begins = chunk.split(b"\n")
        pieces.append(end)
        for begin in begins:
            line = b"".join(pieces)
            pieces = [begin]
            if line:
                yield line
    rest = b"".join(pieces)
    if rest and with_rest:
        yield rest

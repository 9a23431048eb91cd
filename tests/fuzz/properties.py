"""What holds for every text that we write: on one line, bounded, harmless in a terminal."""

from typing import Any

import orjson

from workspace_ctrl.api.printable_text import MESSAGE_LIMIT


def assert_message(message: str) -> None:
    """A message of ours: one printable line."""
    assert message.isprintable(), ascii(message[:200])
    assert len(message) <= MESSAGE_LIMIT, len(message)


def assert_writable(document: Any) -> None:
    """A document that the API server can be sent."""
    orjson.dumps(document)

"""Formats of the log: one record per line, whatever text of others is in it."""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

from workspace_ctrl.api.printable_text import printable


class TextFormatter(logging.Formatter):
    """One line per record; lines of a traceback are indented. Text of others cannot forge a line, or control a terminal."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - as in the base class
        """Return the line of a record."""
        record.message = printable(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - as in the base class
        """Return a traceback."""
        return "\n".join(f"  {_indented(line)}" for line in super().formatException(ei).split("\n"))


def _indented(line: str) -> str:
    inside = line.lstrip(" ")
    return " " * (len(line) - len(inside)) + printable(inside)


class JsonFormatter(logging.Formatter):
    """One JSON object per line, in ASCII, with common field names."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": printable(record.getMessage()),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry).replace("\x7f", "\\u007f")


def set_up_logging(log_format: str, level: int) -> None:
    """Log to standard error, in the format `text` or `json`; other libraries only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("workspace_ctrl").setLevel(level)

"""Commands that run in a pod: an error that ends one is a record of its log, in the format of that log.

The last line before a CrashLoopBackOff says what is wrong; what collects logs in JSON cannot read it in any other form.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final

import click

from workspace_ctrl.process.log_format import set_up_logging

logger = logging.getLogger(__name__)

_OPTION: Final = "--log-format"
_JSON: Final = "json"
_FAILED: Final = 1
"""Exit code after an error that nobody expected, as Python's own."""

log_format_option = click.option(
    _OPTION,
    type=click.Choice(["text", _JSON]),
    default="text",
    show_default=True,
    is_eager=True,  # read before the other options, whose errors are reported in this format
    help="Format of the log.",
)


class LoggedCommand(click.Command):
    """A command with `log_format_option`: in the format json, an error that ends it is logged as critical; the exit code is the same."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options."""
        given = tuple(args)
        with _logged(ctx, lambda: _is_json(ctx) or _asks_for_json(given)):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as in the base class
        """Run the command."""
        with _logged(ctx, lambda: _is_json(ctx)):
            return super().invoke(ctx)


def _is_json(ctx: click.Context) -> bool:
    return ctx.params.get("log_format") == _JSON


def _asks_for_json(args: Sequence[str]) -> bool:
    """Whether arguments ask for the format json; an option that does not exist is an error before any option is read."""
    return f"{_OPTION}={_JSON}" in args or (_OPTION, _JSON) in pairwise(args)


@contextmanager
def _logged(ctx: click.Context, is_json: Callable[[], bool]) -> Iterator[None]:
    try:
        yield
    except (click.exceptions.Exit, click.Abort):
        raise
    except Exception as error:
        if not is_json():
            raise
        set_up_logging(_JSON, logging.INFO)  # options may be wrong before the command has done so
        if isinstance(error, click.ClickException):
            logger.critical("%s", error.format_message())
            ctx.exit(error.exit_code)
        logger.critical("ended by an unexpected error", exc_info=error)
        ctx.exit(_FAILED)

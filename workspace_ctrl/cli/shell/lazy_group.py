"""The group of commands: a command is imported when it is used, and whatever ends it ends with a sentence.

Importing all commands takes seconds, most of it for what the controller alone needs. So the help of the group knows their first lines.
"""

import codecs
import errno
import gc
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import click

from workspace_ctrl.api.printable_text import printable

_PLUGIN: Final = "kubectl-"
"""Beginning of the names of kubectl's plugins; `kubectl-workspace` is called as `kubectl workspace`."""
_NEAR: Final = 0.6
"""How alike a command has to be that may have been meant."""
_COMPLETE: Final = frozenset({"utf-8", "utf-16", "utf-32"})
"""Encodings that have all characters."""
_INTERRUPTED: Final = 130
"""Exit code after Ctrl-C, as of a program that ends by the signal."""
_OUTPUT_FAILURES: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
"""Why an output cannot be written; a closed pipe is none of them: its reader has read enough."""


class LazyGroup(click.Group):
    """Commands by name, each with the place of its definition and the first line of its help."""

    def __init__(self, *args: Any, commands_at: Mapping[str, tuple[str, str]], **kwargs: Any) -> None:  # noqa: ANN401 - click's
        """Make a group; `commands_at` has `module:attribute` and the first line of the help of each command."""
        super().__init__(*args, **kwargs)
        self._commands_at = commands_at

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as in the base class
        """Return the names of the commands, in their order of use."""
        return list(self._commands_at)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as in the base class
        """Import a command; None if there is none of that name."""
        place = self._commands_at.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place[0].partition(":")
        if module in sys.modules:
            return _attribute(module, attribute)
        gc.disable()  # what is imported stays, so looking for garbage in it, a fifth of the time, finds none
        try:
            return _attribute(module, attribute)
        finally:
            gc.freeze()  # nor later
            gc.enable()

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command in `args`; for an unknown one, raise an error with the nearest name."""
        name = args[0]
        if name not in self._commands_at and not name.startswith("-"):
            from workspace_ctrl.catalog.data_files import suggestion  # noqa: PLC0415 - takes time that --help does not have

            near = suggestion(name, self._commands_at, f"the commands are listed by: {ctx.command_path} --help", _NEAR)
            raise click.UsageError(f"No such command {name!r}; {near}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as in the base class
        """Write the table of commands, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in self._commands_at.items() if summary])

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as in the base class
        """Run the chosen command; its errors are on one line: they may quote files, charts and messages of the API server."""
        if os.environ.get("NO_COLOR"):
            ctx.color = False
        try:
            with _interruptible():
                return super().invoke(ctx)
        except click.ClickException as error:
            error.message = printable(error.message)  # type: ignore[misc] # final only for subclasses
            raise
        except KeyboardInterrupt:
            sys.exit(_INTERRUPTED)

    def main(self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any) -> Any:  # type: ignore[override] # noqa: ANN401
        """Run the command line and exit."""
        _replace_closed()
        _replace_unprintable()
        try:
            result = super().main(args, prog_name or program_name(sys.argv[0]), **extra)
        except SystemExit as ended:
            _flush(ended.code)
            raise
        except OSError as error:
            if error.errno not in _OUTPUT_FAILURES:
                raise
            _output_failed(error)
        return result


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt in the block, if it ends the program before and after it.

    Outside of the block, click would take the exception for a wish to abort, with a message and the exit code 1.
    """
    if signal.getsignal(signal.SIGINT) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def _attribute(module: str, attribute: str) -> click.Command:
    command: click.Command = getattr(import_module(module), attribute)
    return command


def program_name(path: str) -> str:
    """Return how a user calls the program at `path`."""
    name = Path(path).name
    if name == "__main__.py":
        return "workspace-ctrl"
    return f"kubectl {name.removeprefix(_PLUGIN)}" if name.startswith(_PLUGIN) else name


def _replace_closed() -> None:
    """Open what Python has no stream for, because it is closed (`>&-`): a write to such an output fails, as in other programs.

    Else its number would be given to the next connection, which would get what is printed. A closed input is empty, and what would go to
    a closed standard error is lost.
    """
    streams = (("stdin", os.O_RDONLY, "r"), ("stdout", os.O_RDONLY, "w"), ("stderr", os.O_WRONLY, "w"))
    for number, (name, flags, mode) in enumerate(streams):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, flags)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            stream = os.fdopen(number, mode, encoding="utf-8", closefd=False)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)


def _replace_unprintable() -> None:
    """Write characters that the terminal's encoding does not have as escapes, instead of failing at the first mark."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None and codecs.lookup(stream.encoding).name not in _COMPLETE:
            reconfigure(errors="backslashreplace")


def _flush(code: str | int | None) -> None:
    """Write what is left, which Python would do with a trace of its own if that fails."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _discard_output()
        sys.exit(code)
    except OSError as error:
        _output_failed(error)


def _output_failed(error: OSError) -> None:
    click.echo(f"Error: the output cannot be written: {error.strerror}", err=True)
    _discard_output()
    sys.exit(1)


def _discard_output() -> None:
    """Send what is still buffered nowhere, so that the end of the process does not try it again."""
    output = sys.__stdout__
    if output is None or sys.stdout is not output:
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, output.fileno())
    os.close(nowhere)

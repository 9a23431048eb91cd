"""`python -m workspace_ctrl` is `workspace-ctrl`: where the program begins."""

import signal
import sys
from importlib import import_module

_INTERRUPTED = 130
"""Exit code after Ctrl-C, as of a program that ends by the signal."""


def run() -> None:
    """Run the command line."""
    _run("workspace_ctrl.cli.main", "main")


def complete() -> None:
    """Complete words for kubectl."""
    _run("workspace_ctrl.cli.shell.completion", "complete_for_kubectl")


def _run(module: str, function: str) -> None:
    """Call a function; Ctrl-C ends the program at once and without a traceback from here on, but while a command runs, which may clean up.

    Until here only this module is imported, in a millisecond; what comes before is Python's own start.
    """
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # as in the background of a script
    if not is_ignored:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        getattr(import_module(module), function)()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    finally:
        if not is_ignored:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


if __name__ == "__main__":
    run()

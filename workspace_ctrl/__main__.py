"""`python -m workspace_ctrl` is `workspace-ctrl`: where the program begins."""

import signal
from importlib import import_module


def run() -> None:
    """Run the command line; Ctrl-C ends the program without a traceback from here on."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # the imports below take a tenth of a second
    main = import_module("workspace_ctrl.cli.main").main
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()


if __name__ == "__main__":
    run()

"""`python -m workspace_ctrl` is `workspace-ctrl`."""

from workspace_ctrl.cli.main import main

main()

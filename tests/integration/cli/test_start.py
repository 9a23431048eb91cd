"""Where the program begins and ends: Ctrl-C is never a traceback. tests/terminal presses it in a terminal."""

import subprocess
import sys

import pytest

PRESSED = """
import os, signal, sys, types
module = types.ModuleType("workspace_ctrl.cli.main")
def main():
    {}
module.main = main
sys.modules["workspace_ctrl.cli.main"] = module
from workspace_ctrl.__main__ import run
run()
"""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        pytest.param("raise KeyboardInterrupt", 130, id="outside of any command"),
        pytest.param("os.kill(os.getpid(), signal.SIGINT); signal.pause()", -2, id="between two commands"),
        pytest.param("sys.exit(3)", 3, id="not at all"),
        pytest.param(
            "import atexit; atexit.register(os.kill, os.getpid(), signal.SIGINT); sys.exit(0)", -2, id="while Python ends"
        ),
    ],
)
def test_ctrl_c_ends_it_without_a_traceback(body, code):
    result = subprocess.run([sys.executable, "-c", PRESSED.format(body)], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (code, "")


def test_where_ctrl_c_is_ignored_it_stays_so():
    """A shell that starts a job in the background has it ignore the key, which is meant for the job in the foreground."""
    body = "os.kill(os.getpid(), signal.SIGINT); sys.exit(3)"
    ignoring = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n{PRESSED.format(body)}"
    assert subprocess.run([sys.executable, "-c", ignoring], check=False).returncode == 3


def test_until_ctrl_c_is_taken_care_of_one_small_module_is_imported():
    code = "import sys; from workspace_ctrl.__main__ import run; print(*(n for n in sys.modules if n.startswith('workspace_ctrl')))"
    found = subprocess.check_output([sys.executable, "-c", code], text=True).split()
    assert [name for name in found if not name.startswith("__editable__")] == ["workspace_ctrl", "workspace_ctrl.__main__"]

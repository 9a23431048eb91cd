"""How `make test-unit` runs its parts: forked runs of pytest have arguments, output and exit codes of their own."""

import os
import subprocess
import sys

from e2e.cluster.places import REPOSITORY
from e2e.forked import PYTEST

TESTS = """
import os
import signal
import sys


def test_success():
    print("not shown")


def test_failure():
    print("shown")
    assert "hypothesis" not in sys.modules  # imported before


def test_killed():
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_each_has_its_own_arguments_output_and_exit_code(tmp_path):
    (tmp_path / "test_it.py").write_text(TESTS)
    names = ("success or failure", "killed")
    runs = [([*PYTEST, "-p", "no:cacheprovider", "-k", name, str(tmp_path)], str(tmp_path / name)) for name in names]
    program = (
        "import hypothesis\n"
        "from e2e.forked import ForkedPytest\n"
        f"started = [ForkedPytest(command, open(path, 'wb')) for command, path in {runs!r}]\n"
        "print([each.wait() for each in started])"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[1, -9]\n", "")
    printed, killed = ((tmp_path / name).read_text() for name in names)
    assert "1 failed, 1 passed, 1 deselected" in printed
    assert ("shown" in printed, "not shown" in printed) == (True, False)
    assert "1 passed" not in killed
    assert "cannot be rewritten" not in printed + killed

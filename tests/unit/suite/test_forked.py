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
    names = ("success", "failure", "killed", "nothing")
    runs = [([*PYTEST, "-p", "no:cacheprovider", "-k", name, str(tmp_path)], str(tmp_path / name)) for name in names]
    program = (
        "import hypothesis, sys\n"
        "from e2e.forked import ForkedPytest\n"
        f"started = [ForkedPytest(command, open(path, 'wb')) for command, path in {runs!r}]\n"
        "print([each.wait() for each in started])"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("[0, 1, -9, 5]\n", "")
    printed = {name: (tmp_path / name).read_text() for name in names}
    assert "1 passed, 2 deselected" in printed["success"]
    assert "not shown" not in printed["success"]
    assert "1 failed, 2 deselected" in printed["failure"]
    assert "shown" in printed["failure"]
    assert "3 deselected" in printed["nothing"]
    assert not [name for name in names if "cannot be rewritten" in printed[name]]

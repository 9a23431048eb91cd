"""`make mutants` as it is typed: modules are changed, and their tests are run on the changes."""

import subprocess
import sys

from tests.mutants import REPOSITORY


def test_changes_that_tests_notice_are_killed():
    command = [sys.executable, "-m", "tests.mutants", "workspace_ctrl/planning/preset/gpu_sizing.py", "--count", "2"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    *judged, summary = done.stdout.splitlines()
    assert [line.split()[0] for line in judged] == ["killed", "killed"]
    assert summary.startswith("2 of 2 mutants judged: ")

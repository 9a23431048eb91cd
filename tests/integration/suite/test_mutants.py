"""`make mutants` as it is typed: modules are changed, and their tests are run on the changes."""

import subprocess
import sys

import pytest

from tests.mutants import REPOSITORY, trial
from tests.mutants.operators import mutants
from tests.mutants.trial import Outcome


def test_changes_that_tests_notice_are_killed():
    command = [sys.executable, "-m", "tests.mutants", "workspace_ctrl/planning/preset/gpu_sizing.py", "--count", "2"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    *judged, summary = done.stdout.splitlines()
    assert [line.split()[0] for line in judged] == ["killed", "killed"]
    assert summary.startswith("2 of 2 mutants judged: ")


@pytest.mark.parametrize(
    ("body", "seconds", "patience", "outcome"),
    [
        pytest.param("pass", 60, 4, Outcome.SURVIVED, id="nothing noticed"),
        pytest.param("assert False", 60, 4, Outcome.KILLED, id="noticed"),
        pytest.param("while True: pass", 1, 240, Outcome.ENDLESS, id="computes without an end"),
        pytest.param("import time; time.sleep(3600)", 60, 0.05, Outcome.ENDLESS, id="waits without an end"),
    ],
)
def test_what_becomes_of_a_mutant(tmp_path, monkeypatch, body, seconds, patience, outcome):
    """By CPU time, so that tests beside other programs are not taken for endless ones, which count as noticed."""
    monkeypatch.setattr(trial, "_PATIENCE", patience)
    path = "workspace_ctrl/planning/preset/gpu_sizing.py"
    tests = tmp_path / "test_it.py"
    tests.write_text(f"def test_it():\n    {body}\n")
    mutant = next(iter(mutants(path, (REPOSITORY / path).read_text())))
    assert trial._run(mutant, [str(tests)], seconds) is outcome

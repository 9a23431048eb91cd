"""`make mutants` as it is typed: modules are changed, and their tests are run on the changes."""

import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from click.testing import CliRunner

from tests.mutants import REPOSITORY, trial
from tests.mutants.__main__ import main, modules, sample, without_effect
from tests.mutants.operators import mutants
from tests.mutants.trial import JudgesError, Outcome, Trials

PATH = "workspace_ctrl/planning/preset/gpu_sizing.py"
MUTANTS = list(mutants(PATH, (REPOSITORY / PATH).read_text()))


def test_changes_that_tests_notice_are_killed():
    command = [sys.executable, "-m", "tests.mutants", PATH, "--count", "2"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    *judged, summary = done.stdout.splitlines()
    assert [line.split()[0] for line in judged] == ["killed", "killed"]
    assert summary.startswith("2 of 2 mutants judged: ")


def test_what_was_not_judged_in_time_is_no_success(monkeypatch):
    monkeypatch.setattr("tests.mutants.__main__.prepare", lambda: None)
    done = CliRunner().invoke(main, [PATH, "--count", "2", "--seconds", "0"])
    assert (done.exit_code, done.stderr) == (1, "Error: 2 were not judged in 0 s; give more --seconds, or a smaller --count\n")


@pytest.mark.parametrize(
    ("body", "seconds", "patience", "outcome"),
    [
        pytest.param("pass", 60, 4, Outcome.SURVIVED, id="nothing noticed"),
        pytest.param("assert False", 60, 4, Outcome.KILLED, id="noticed"),
        pytest.param("import no_such_module", 60, 4, Outcome.KILLED, id="not importable"),
        pytest.param("while True: pass", 1, 240, Outcome.ENDLESS, id="computes without an end"),
        pytest.param("import time; time.sleep(3600)", 60, 0.05, Outcome.ENDLESS, id="waits without an end"),
    ],
)
def test_what_becomes_of_a_mutant(tmp_path, monkeypatch, body, seconds, patience, outcome):
    """By CPU time, so that tests beside other programs are not taken for endless ones, which count as noticed."""
    monkeypatch.setattr(trial, "_PATIENCE", patience)
    tests = tmp_path / "test_it.py"
    tests.write_text(f"def test_it():\n    {body}\n" if "no_such" not in body else f"{body}\n")
    assert trial._run(MUTANTS[0], [str(tests)], seconds).outcome is outcome


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        pytest.param("test_it.py", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "have ended with -9", id="killed"),
        pytest.param("test_other.py", "pass", r"(?s)have ended with 4.*not found", id="no such test"),
    ],
)
def test_tests_that_end_without_a_result_say_nothing_of_a_mutant(tmp_path, name, body, said):
    (tmp_path / name).write_text(f"def test_it():\n    {body}\n")
    ended = trial._run(MUTANTS[0], [str(tmp_path / "test_it.py")], 60)
    with pytest.raises(JudgesError, match=said):
        _ = ended.outcome


def test_a_mutant_that_cannot_be_made_is_an_error():
    with pytest.raises(IndexError):
        trial._run(replace(MUTANTS[0], place=(10**9, 0)), [], 60)


def test_tests_that_fail_without_a_mutant_judge_nothing(tmp_path):
    (tmp_path / "test_it.py").write_text("def test_it():\n    assert 'rain' == 'sun'\n")
    with pytest.raises(JudgesError, match=r"(?s)do not pass without a mutant either.*rain"):
        Trials().allowed((str(tmp_path),))


def test_tests_may_take_as_long_as_they_take_without_a_mutant_and_run_once_for_that(tmp_path):
    (tmp_path / "test_it.py").write_text(f"def test_it():\n    open({str(tmp_path / 'runs')!r}, 'a').write('x')\n")
    trials = Trials()
    assert [trials.allowed((str(tmp_path),)) for _ in range(2)] == [20.0, 20.0]
    assert (tmp_path / "runs").read_text() == "x"


def test_what_is_known_to_have_no_effect_is_one_mutant_each():
    titles = Counter(mutant.title for path in modules((), "") for mutant in mutants(path, (REPOSITORY / path).read_text()))
    assert max(titles.values()) == 1
    assert without_effect() <= titles.keys()


def test_a_sample_stays_the_same_but_for_what_is_gone(monkeypatch):
    before = sample([PATH], 20, 1)
    assert sample([PATH], 20, 2) != before
    monkeypatch.setattr("tests.mutants.__main__.without_effect", lambda: {before[3].title})
    after = sample([PATH], 20, 1)
    assert after[:19] == [*before[:3], *before[4:]]

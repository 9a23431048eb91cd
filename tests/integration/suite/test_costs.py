"""What `make test` says at its end: which files and tests took longest, and how much of that they only waited."""

import pytest

from e2e import costs
from e2e.costs import Cost, read, report, skips
from e2e.test import run

SOME = [
    Cost("tests/a.py::test_one", setup=1.0, call=2.0, teardown=1.0, cpu=1.0),
    Cost("tests/a.py::test_two", setup=0.0, call=1.0, teardown=0.0, cpu=1.5),
    Cost("tests/b.py::test_three", setup=0.0, call=8.0, teardown=0.0, cpu=0.4),
]


def test_the_sum_comes_first_then_files_then_tests_each_with_the_longest_first():
    assert [line.split() for line in report(SOME)] == [
        ["seconds", "setup", "teardown", "CPU", "waiting"],
        ["13.0", "1.0", "1.0", "2.9", "78%", "3", "tests"],
        ["8.0", "0.0", "0.0", "0.4", "95%", "tests/b.py:", "1", "tests"],
        ["5.0", "1.0", "1.0", "2.5", "50%", "tests/a.py:", "2", "tests"],
        ["8.0", "0.0", "0.0", "0.4", "95%", "tests/b.py::test_three"],
        ["4.0", "1.0", "1.0", "1.0", "75%", "tests/a.py::test_one"],
        ["1.0", "0.0", "0.0", "1.5", "0%", "tests/a.py::test_two"],
    ]


def test_what_was_skipped_is_told_with_its_reason():
    skipped = [Cost("tests/c.py::test_four", setup=1.0, call=0.0, teardown=0.0, cpu=0.0, skipped="Skipped: no root")] * 2
    assert skips([*SOME, *skipped]) == ["2 of 5 tests were skipped", "       2 Skipped: no root"]
    assert skips(SOME) == ["0 of 3 tests were skipped"]


@pytest.mark.parametrize(("user", "code"), [(0, 1), (1000, 0)])
def test_a_run_of_root_on_linux_in_which_tests_were_skipped_has_failed(monkeypatch, tmp_path, capfd, user, code):
    path = tmp_path / "test_it.py"
    path.write_text("import pytest\ndef test_it():\n    pytest.skip('not here')\ndef test_other():\n    pass\n")
    monkeypatch.setattr("e2e.test.sys.platform", "linux")
    monkeypatch.setattr("e2e.test.os.geteuid", lambda: user)
    assert run([["-p", "e2e.costs", str(path)]], 1, "-p", "no:cacheprovider") == code
    out = capfd.readouterr().out
    assert "1 of 2 tests were skipped" in out
    assert "Skipped: not here" in out


def test_only_the_slowest_are_told(monkeypatch):
    monkeypatch.setattr(costs, "SLOWEST", 1)
    assert len(report(SOME)) == 4


def test_what_pytest_writes_is_read(pytester, tmp_path):
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function")  # what pytest-asyncio warns of otherwise
    pytester.makepyfile("import subprocess, sys\ndef test_it():\n    subprocess.run([sys.executable, '-c', ''])\n")
    pytester.runpytest_inprocess("-p", "e2e.costs", f"--costs={tmp_path / 'costs'}").assert_outcomes(passed=1)
    (cost,) = read([tmp_path / "costs", tmp_path / "never written"])
    assert cost.test.endswith("::test_it")
    assert cost.call > 0
    assert cost.cpu > 0

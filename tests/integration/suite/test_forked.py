"""How parts that need no cluster are run: forked runs of pytest have arguments, output and exit codes of their own."""

import signal
import tempfile
from pathlib import Path

from e2e.forked import PYTEST, ForkedPytest

TESTS = """
import atexit
import os
import signal
import sys


def test_exit():
    atexit.register(print, "at its end")


def test_success():
    print("not shown")


def test_failure():
    print("shown")
    assert "hypothesis" not in sys.modules  # imported before


def test_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def test_endless():
    signal.pause()
"""


def forked(folder, chosen, out):
    """Start pytest with the chosen ones of the tests above."""
    (folder / "test_it.py").write_text(TESTS)
    return ForkedPytest([*PYTEST, "-p", "no:cacheprovider", "--rootdir", str(folder), "-k", chosen, str(folder)], out)


def test_what_is_to_run_at_the_exit_runs(tmp_path, capfd):
    with (tmp_path / "out").open("wb") as out, capfd.disabled():
        started = forked(tmp_path, "exit", out)
    assert started.wait() == 0
    assert (tmp_path / "out").read_text().endswith("at its end\n")


def test_what_was_registered_before_stays_for_the_process_that_has_done_so(tmp_path, capfd):
    with tempfile.TemporaryDirectory() as ours, (tmp_path / "out").open("wb") as out, capfd.disabled():
        started = forked(tmp_path, "exit", out)
        assert started.wait() == 0
        assert Path(ours).exists()


def test_a_signal_that_comes_at_once_is_not_taken_by_a_handler_of_ours(tmp_path, capfd):
    ours = []
    before = signal.signal(signal.SIGTERM, lambda number, _: ours.append(number))
    try:
        with (tmp_path / "out").open("wb") as out, capfd.disabled():
            started = forked(tmp_path, "endless", out)
        started.terminate()
        assert started.wait() == -signal.SIGTERM
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ours == []


def test_each_has_its_own_arguments_output_and_exit_code(tmp_path, capfd):
    started = []
    for name in ("success or failure", "killed"):
        with (tmp_path / name).open("wb") as out, capfd.disabled():
            started.append(forked(tmp_path, name, out))
    assert [each.wait() for each in started] == [1, -signal.SIGKILL]
    printed, killed = ((tmp_path / name).read_text() for name in ("success or failure", "killed"))
    assert "1 failed, 1 passed, 3 deselected" in printed
    assert ("shown" in printed, "not shown" in printed) == (True, False)
    assert "1 passed" not in killed
    assert "cannot be rewritten" not in printed + killed

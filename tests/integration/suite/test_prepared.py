"""Controllers that are forked from a prepared interpreter: for tests, they are as processes of their own."""

import atexit
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.prepared import ForkedProcess, Interpreter, prepared, start
from e2e.waiting import WAIT_SECONDS

CONTROLLER = [sys.executable, "-m", "workspace_ctrl"]


@pytest.fixture(scope="module", autouse=True)
def _interpreter():
    with prepared():
        yield


def test_arguments_standard_error_and_exit_code_are_those_of_a_process_of_its_own():
    with subprocess.Popen([*CONTROLLER, "status", "--no-such-option"], stderr=subprocess.PIPE, text=True) as own:
        expected = (own.stderr.read(), own.wait())
    forked = start([*CONTROLLER, "status", "--no-such-option"], os.environ)
    assert isinstance(forked, ForkedProcess)
    assert (forked.stderr.read(), forked.wait(WAIT_SECONDS)) == expected
    assert forked.poll() == expected[1] != 0


def test_the_environment_is_the_one_that_is_given():
    forked = start([*CONTROLLER, "status"], {"KUBECONFIG": "/no/such/file", "PATH": os.environ["PATH"]})
    assert "/no/such/file" in forked.stderr.read()
    assert forked.wait(WAIT_SECONDS) == 1


def test_an_output_that_cannot_be_written_ends_it_as_a_process_of_its_own():
    with Path("/dev/full").open("wb") as full:
        forked = start([*CONTROLLER, "--help"], os.environ, stdout=full.fileno())
    assert forked.stderr.read() == "Error: the output cannot be written: No space left on device\n"
    assert forked.wait(WAIT_SECONDS) == 1


@pytest.fixture
def waiting(tmp_path):
    """A command that waits until it has a file to read."""
    os.mkfifo(tmp_path / "kubeconfig")
    return start([*CONTROLLER, "status", "--kubeconfig", str(tmp_path / "kubeconfig")], os.environ)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_signal_ends_it_and_all_threads_that_wait_are_told(waiting, number):
    assert waiting.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.01)
    codes = []
    threads = [threading.Thread(target=lambda: codes.append(waiting.wait(WAIT_SECONDS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    waiting.send_signal(number)
    for thread in threads:
        thread.join()
    assert codes == [-number] * 4
    waiting.send_signal(number)  # nothing is there to get it


def test_what_is_not_the_controller_is_started_as_ever():
    with start([sys.executable, "-c", ""], os.environ) as process:
        assert process.wait(WAIT_SECONDS) == 0


@contextmanager
def forked_interpreter():
    """One that is ended whatever happens: pytest would wait for it at its own end."""
    interpreter = Interpreter.forked()
    try:
        yield interpreter
    finally:
        interpreter.end()


def _note_pid(folder):
    (folder / str(os.getpid())).touch()


@pytest.mark.parametrize("arguments", [pytest.param(["crd"], id="returns"), pytest.param(["--no-such-option"], id="exits")])
def test_what_a_forked_process_registers_runs_at_its_exit_also_where_the_interpreter_was_forked(tmp_path, monkeypatch, arguments):
    run = runpy.run_module

    def registering(*of_run, **options):
        atexit.register(_note_pid, tmp_path)
        return run(*of_run, **options)

    monkeypatch.setattr(runpy, "run_module", registering)
    with forked_interpreter() as interpreter:
        forked = interpreter.start(arguments, os.environ)
        forked.stderr.read()
        forked.wait(WAIT_SECONDS)
    assert [path.name for path in tmp_path.iterdir()] == [str(forked.pid)]


def test_what_was_registered_before_stays_for_the_process_that_has_done_so(tmp_path):
    with tempfile.TemporaryDirectory(dir=tmp_path):
        with forked_interpreter() as interpreter:
            forked = interpreter.start(["crd"], os.environ)
            forked.stderr.read()
            assert forked.wait(WAIT_SECONDS) == 0
        assert len(list(tmp_path.iterdir())) == 1


def test_after_one_within_another_the_outer_goes_on():
    with prepared():
        pass
    forked = start([*CONTROLLER, "--no-such-option"], os.environ)
    assert isinstance(forked, ForkedProcess)
    assert forked.wait(WAIT_SECONDS) != 0

"""How `make test` runs its parts: at once, one's output after the other's, and no failure lost."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from e2e.side_by_side import process, run
from e2e.waiting import WAIT_SECONDS


def together(*commands):
    """Run all commands at once."""
    return run(commands, len(commands))


def script(text, *arguments):
    """A program of the shell, which starts in a tenth of the time of Python."""
    return ["sh", "-c", text, "sh", *arguments]


def program(words, code=0):
    return script(f"echo {words}; echo and an error >&2; exit {code}")


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((1, 0), 1), ((0, 2), 2), ((3, 2), 3)])
def test_no_failure_is_lost(codes, expected):
    assert together(*[program("x", code) for code in codes]) == expected
    assert run([program("x", code) for code in codes], 1) == expected


def test_a_program_that_a_signal_ends_has_failed():
    assert together(program("x"), script("kill -KILL $$")) == signal.SIGKILL


def test_the_output_of_the_others_follows_that_of_the_first(capfd):
    together(program("first"), program("second"))
    out = capfd.readouterr().out
    assert out.index("first") < out.index("Meanwhile") < out.index("second")
    assert out.splitlines().count("and an error") == 1  # the first one's errors are not among its output


def test_without_a_free_place_programs_run_one_after_the_other(tmp_path):
    path = str(tmp_path / "made")
    assert run([script('sleep 0.1; touch "$1"', path), script('test -e "$1"', path)], 1) == 0


def test_a_place_that_is_free_takes_the_next_program(tmp_path):
    """The first program runs until the third one has begun."""
    path = str(tmp_path / "begun")
    wait = script('until test -e "$1"; do sleep 0.01; done', path)
    assert run([wait, program("second"), script('touch "$1"', path)], 2) == 0


def test_programs_run_at_once(tmp_path):
    """Each waits for the other's file."""
    wait = 'touch "$1"; until test -e "$2"; do sleep 0.01; done'
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert together(script(wait, *paths), script(wait, *reversed(paths))) == 0


def test_where_one_cannot_be_started_the_others_are_stopped_and_waited_for(tmp_path):
    begun, end = tmp_path / "begun", tmp_path / "end"
    stopped = script('trap \'sleep 0.1; touch "$2"; exit\' TERM; touch "$1"; while true; do sleep 0.01; done', str(begun), str(end))

    def start(command, out):
        if command == ["none"]:
            while not begun.exists():
                time.sleep(0.01)
            raise FileNotFoundError("none")
        return process(command, out)

    with pytest.raises(FileNotFoundError, match="none"):
        run([stopped, ["none"], program("third")], 2, start)
    assert end.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("later", [False, True], ids=["first", "later"])
def test_a_program_that_was_being_started_when_all_are_stopped_is_stopped_too(number, later):
    """The signal comes when the process is there and its place does not know it yet, in the main thread and in that of a place."""
    endless = script("while true; do sleep 0.01; done")
    handled = threading.Event()

    def start(command, out):
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(number)
            signal.signal(number, lambda *arguments: (handler(*arguments), handled.set()))
        started = process(command, out)
        if command is endless:
            os.kill(os.getpid(), number)
            assert handled.wait(WAIT_SECONDS)
        return started

    assert run([*([program("first")] if later else []), endless], 1, start) == signal.SIGTERM


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_each_program_is_waited_for_when_all_are_stopped_and_no_other_begins(tmp_path, number):
    """What a program takes down at its end is taken down: here it writes a file."""
    part = (
        "import pathlib, signal, sys, time\n"
        "def stop(*_):\n    time.sleep(0.2)\n    pathlib.Path(sys.argv[1]).write_text('down')\n    sys.exit(1)\n"
        "signal.signal(signal.SIGINT, stop)\nsignal.signal(signal.SIGTERM, stop)\n"
        "pathlib.Path(sys.argv[2]).touch()\nwhile True:\n    time.sleep(0.01)"
    )
    commands = [[sys.executable, "-c", part, str(tmp_path / f"end{n}"), str(tmp_path / f"begin{n}")] for n in range(3)]
    runner = f"import sys; from e2e.side_by_side import run; sys.exit(run({commands!r}, 2))"
    with subprocess.Popen([sys.executable, "-c", runner], start_new_session=True) as running:
        while not all((tmp_path / f"begin{n}").exists() for n in range(2)):
            assert running.poll() is None
            time.sleep(0.01)
        # Ctrl-C goes to all processes of the terminal, SIGTERM to one.
        if number is signal.SIGINT:
            os.killpg(running.pid, signal.SIGINT)
        else:
            running.terminate()
    assert running.returncode == 1
    assert all((tmp_path / f"end{n}").read_text() == "down" for n in range(2))
    assert not (tmp_path / "begin2").exists()

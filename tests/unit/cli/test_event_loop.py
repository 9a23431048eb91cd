"""Coroutines of commands, and Ctrl-C at the worst moment."""

import asyncio
import os
import signal

import pytest

from workspace_ctrl.cli.shell.event_loop import run_in_loop


async def answer():
    return 42


def test_the_result_is_that_of_the_coroutine():
    assert run_in_loop(answer()) == 42


def test_ctrl_c_while_the_loop_is_made_waits_until_it_can_be_closed(monkeypatch, recwarn):
    loops, make = [], asyncio.new_event_loop

    def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        loops.append(make())
        return loops[0]

    monkeypatch.setattr(asyncio.events, "new_event_loop", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_in_loop(answer())
    finally:
        signal.signal(signal.SIGINT, before)
    assert [loop.is_closed() for loop in loops] == [True]
    assert [str(warning.message) for warning in recwarn] == []

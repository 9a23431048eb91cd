"""What is waited for is excused where the API server gives no answer in time, and not elsewhere."""

import subprocess
import threading

from e2e import stalls


class Answering:
    """A cluster whose API server answers the first times at once, and then when it is let."""

    def __init__(self, at_once):
        self.may_answer = threading.Event()
        self.asked = threading.Semaphore(0)
        self.at_once = at_once

    def kubectl_result(self, *_):
        self.asked.release()
        self.at_once -= 1
        if self.at_once < 0:
            self.may_answer.wait()
        return subprocess.CompletedProcess((), returncode=0)


class Refusing:
    """A cluster whose API server refuses all connections."""

    def kubectl_result(self, *_):
        return subprocess.CompletedProcess((), returncode=1)


def test_an_api_server_that_answers_has_not_stood_still(monkeypatch):
    monkeypatch.setattr(stalls, "_PAUSE_SECONDS", 0.001)
    cluster = Answering(at_once=10_000)
    with stalls.Stalls(cluster) as found:
        for _ in range(5):
            cluster.asked.acquire()
        cluster.may_answer.set()
    assert not found


def test_one_that_does_not_answer_has(monkeypatch):
    monkeypatch.setattr(stalls, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(stalls, "_STALL_SECONDS", 0.05)
    cluster = Answering(at_once=2)
    with stalls.Stalls(cluster) as found:
        for _ in range(3):
            cluster.asked.acquire()
        threading.Timer(0.1, cluster.may_answer.set).start()
    assert found
    assert found.longest > 0.09


def test_a_refusal_is_no_answer(monkeypatch):
    monkeypatch.setattr(stalls, "_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(stalls, "_STALL_SECONDS", 0.05)
    with stalls.Stalls(Refusing()) as found:
        threading.Event().wait(0.06)
    assert found

"""Locks, sockets and process identities: the small things that everything else stands on."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import os
import subprocess
import threading

import pytest

from e2e.cluster import places, unixsocket
from e2e.cluster.errors import ClusterError
from e2e.cluster.places import ClusterPlaces, cache_dir, clusters_dir, locked, spread_clusters
from e2e.cluster.processes import ProcessId
from e2e.waiting import until


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSPACE_CTRL_CACHE", str(tmp_path))


def test_a_lock_excludes_others_and_leaves_no_file():
    order = []

    def second():
        with locked("x"):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked("x"):
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert not list((cache_dir() / "locks").iterdir())


def test_who_waits_for_a_lock_is_told_why(capsys):
    def second():
        with locked("x", busy="somebody builds"):
            pass

    said = []

    def is_told():
        said.append(capsys.readouterr().err)
        return "somebody builds" in "".join(said)

    thread = threading.Thread(target=second)
    with locked("x"):
        thread.start()
        until(is_told, "the other one to find the lock taken")  # a thread may begin late, and then nobody has it any more
    thread.join()
    assert "somebody builds" in "".join(said)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "-a", "A"])
def test_a_name_that_leads_out_of_the_clusters_folder_is_refused(name):
    with pytest.raises(ClusterError, match="cannot name a cluster"):
        ClusterPlaces(name)


def test_a_socket_works_under_a_path_that_is_too_long_for_the_kernel(tmp_path):
    path = tmp_path / ("x" * 120) / "socket"
    path.parent.mkdir()
    with unixsocket.listening(path) as listener, unixsocket.connected(path, 1.0) as client:
        served, _ = listener.accept()
        with served:
            client.sendall(b"hello")
            assert served.recv(5) == b"hello"


def test_a_process_is_alive_until_it_ends_even_before_it_is_reaped():
    with subprocess.Popen(["sleep", "60"]) as process:
        identity = ProcessId.of(process.pid)
        assert identity.alive
        identity.kill()
        assert identity.gone_within(60.0)


def test_a_pid_that_was_given_out_again_is_somebody_else():
    ours = ProcessId.of(os.getpid())
    assert ours.alive
    assert not ProcessId(ours.pid, ours.started + 1).alive


@pytest.mark.parametrize("takes_advice", [True, False])
def test_clusters_have_a_folder_whether_the_file_system_takes_advice_or_not(monkeypatch, takes_advice):
    given = []

    def ioctl(_, request, value):
        given.append((request, value))
        if not takes_advice:
            raise OSError("not supported")
        return (0x80000).to_bytes(4, "little")

    monkeypatch.setattr("fcntl.ioctl", ioctl)
    spread_clusters()
    spread_clusters()
    assert clusters_dir().is_dir()
    flags = [int.from_bytes(value, "little") for request, value in given if request == places._SET_FLAGS]
    assert flags == ([0x80000 | places._TOP_OF_A_TREE] * 2 if takes_advice else [])

"""Clusters come, stand side by side, and go without a trace."""

# mypy: allow-untyped-defs, allow-untyped-calls, allow-incomplete-defs

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from e2e.cluster import Form, ProgramDiedError, connect, control_plane, down, remains, up
from e2e.cluster.errors import ClusterError, NotPossibleError
from e2e.cluster.images import PAUSE_IMAGE
from e2e.cluster.places import PYTHON, REPOSITORY, ClusterPlaces
from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS

"""For what takes a few seconds alone, and more beside two other lanes."""

AT_ONCE_SECONDS = 60
"""Half of what a start waits for a program that is not ready."""


@pytest.fixture
def name(request):
    chosen = f"test-{abs(hash(request.node.name)) % 10000}-{os.getpid()}"
    yield chosen
    down(chosen)


def start(name, form, *addons):
    try:
        return up(name, form, addons)
    except NotPossibleError as error:
        pytest.skip(str(error))


def processes(name):
    """Return the host's processes that mention the cluster's folder or name."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if name in line:
                found.append(line)
    return found


def interfaces():
    return sorted(entry.name for entry in Path("/sys/class/net").iterdir())


def check_until_one_has_died(cluster):
    """The supervisor is told of a death by a signal, which it may take up late on a machine with too much to do."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        cluster.control.check()
        time.sleep(0.02)


def gone(name):
    deadline = time.monotonic() + WAIT_SECONDS
    while (left := processes(name)) or ClusterPlaces(name).root.exists():
        assert time.monotonic() < deadline, f"left behind: {left or ClusterPlaces(name).root}"
        time.sleep(0.05)
    return name not in Path("/proc/self/mountinfo").read_text()


def test_two_clusters_side_by_side_and_nothing_left_after_a_kill(cluster, name):
    before = interfaces()
    second = start(name, Form.FULL)
    uids = {one.kubectl("get", "namespace", "kube-system", "--output=jsonpath={.metadata.uid}") for one in (cluster, second)}
    assert len(uids) == 2
    # A pod is refused until its namespace has a service account.
    second.kubectl("wait", "--for=create", "serviceaccount/default", KUBECTL_TIMEOUT)
    second.kubectl("run", "sleeper", f"--image={PAUSE_IMAGE}")
    second.kubectl("wait", "--for=condition=Ready", "pod/sleeper", KUBECTL_TIMEOUT)
    groups = remains.control_groups(second.places)
    assert groups
    os.kill(second.supervisor.pid, signal.SIGKILL)
    assert gone(name)
    assert not [group for group in groups if group.exists()]
    assert interfaces() == before
    assert cluster.kubectl("get", "--raw=/readyz") == "ok"


def test_a_second_start_adds_what_is_missing_a_dead_program_is_named_and_a_killed_keeper_takes_the_cluster_along(name):
    """One cluster for all three, as it takes seconds to start."""
    assert not start(name, Form.PLANE).addons
    plane = start(name, Form.PLANE, "gateway-api")
    assert plane.addons == {"gateway-api"}
    assert connect(name).addons == {"gateway-api"}
    etcd = next(program for program in plane.control.status() if program.name == "etcd")
    os.kill(etcd.pid, signal.SIGKILL)
    with pytest.raises(ProgramDiedError, match="etcd was killed by signal 9"):
        check_until_one_has_died(plane)
    os.kill(plane.keeper.pid, signal.SIGKILL)
    assert plane.supervisor.gone_within(WAIT_SECONDS)
    down(name)  # sweeps
    assert gone(name)


def test_a_program_that_dies_during_the_start_is_named_at_once_and_nothing_is_left(name, monkeypatch):
    monkeypatch.setattr(control_plane, "AUDIT_MEGABYTES", "many")
    begin = time.monotonic()
    with pytest.raises(ProgramDiedError, match="kube-apiserver ended with code"):
        start(name, Form.PLANE)
    assert time.monotonic() - begin < AT_ONCE_SECONDS
    assert gone(name)


@pytest.fixture
def in_a_terminal():
    """Have programs hear of Ctrl-C as in a terminal; one that a shell began in the background ignores it, and so do its children."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.mark.usefixtures("in_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "SIGKILL"])
def test_a_start_that_is_broken_off_leaves_nothing(name, number):
    command = [str(PYTHON), "-u", "-m", "e2e.cluster", "up", "--form=plane", f"--name={name}"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as starting:
        assert starting.stdout
        assert "supervisor" in starting.stdout.readline()
        starting.send_signal(number)
        starting.communicate(timeout=WAIT_SECONDS)
    assert starting.returncode
    assert gone(name)


def test_a_cluster_that_is_not_there_is_said_to_be_so(name):
    with pytest.raises(ClusterError, match="no cluster named"):
        connect(name)

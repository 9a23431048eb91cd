"""Several processes at once: one leads and the others stand by, or each has its part."""

import os
import signal
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from e2e import workspaces
from e2e.cluster.settings import free_port
from e2e.controller import ControllerProcess
from e2e.prepared import start
from e2e.waiting import WAIT_SECONDS, until
from workspace_ctrl.kube.lease import LeaseTimes

SECOND = "user"
"""The user of the API server as whom the second replica runs; the audit log tells its calls from kubectl's by their user agent."""


def now():
    """The time, to be compared with those of the audit log."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Replica(ControllerProcess):
    """A controller process under the name of `actor`."""

    def __init__(self, cluster, *arguments, actor="controller", kubeconfig=None):
        super().__init__(cluster, *arguments)
        self.actor = actor
        self._audit_place = cluster.audit_place()
        self._since = now()
        self._command += ["--kubeconfig", str(kubeconfig or cluster.kubeconfig_for(actor))]

    def audited(self):
        """All finished calls by this process."""
        return [
            event
            for event in self._cluster.audit_events(self.actor, self._audit_place)
            if event["requestReceivedTimestamp"] >= self._since and event.get("userAgent") == "workspace-ctrl"
        ]

    def watched(self):
        """The (resource, namespace) of its watches that have ended; only then does the audit log have them."""
        return {
            (event["objectRef"]["resource"], event["objectRef"].get("namespace"))
            for event in self.audited()
            if event["verb"] == "watch"
        }

    def __exit__(self, kind, error, trace):
        """End it, also where the test has already done so."""
        if self.is_running:
            self.signal(signal.SIGCONT)
            self.stop()
        if error is not None:
            error.add_note(f"log of {self.actor}:\n" + "\n".join(self.log[-60:]))

    def begin(self):
        """Start it and wait for nothing."""
        environment = {**os.environ, "KUBECONFIG": str(self._cluster.kubeconfig_for(self.actor))}
        self._process = start(self._command, environment)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ended(self):
        """Wait until it has ended by itself and return its exit code."""
        code = self._process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        return code

    def signal(self, number):
        os.kill(self.pid, number)

    def signal_once_more(self, number):
        """Send a signal, unless an earlier one has ended it meanwhile."""
        self._process.send_signal(number)

    def kill(self):
        self._end(signal.SIGKILL)

    def wait_for(self, words):
        """Wait until the log has these words."""
        until(lambda: any(words in line for line in self.log), f"{words!r} in the log")


@contextmanager
def begun(cluster, *arguments):
    """A process that is waited for by the block, and gone at its end, whatever happens."""
    replica = Replica(cluster, *arguments)
    try:
        replica.begin()
        yield replica
    finally:
        replica.kill()


@pytest.fixture
def election(plane_namespace):
    return ("--leader-elect", "--leader-election-namespace", plane_namespace)


@pytest.fixture
def lease(installed, plane_namespace):
    """What the only Lease of the namespace says."""

    def spec():
        (item,) = workspaces.items(installed, plane_namespace, "leases")
        return item["spec"]

    return spec


@pytest.fixture
def make(installed, plane_namespace):
    def apply(name, **labels):
        document = workspaces.workspace(name, gateway={"enabled": False}, metadata={"name": name, "labels": labels})
        workspaces.apply(installed, plane_namespace, document)

    return apply


@pytest.fixture
def ready(installed, plane_namespace):
    return lambda name: workspaces.wait_ready(installed, plane_namespace, name, "Ready")


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}") as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode().strip()


def writes_of(events):
    return [event for event in events if event["verb"] not in {"get", "list", "watch"}]


def test_one_reconciles_and_the_other_makes_no_call_but_its_watch(installed, plane_namespace, election, lease, make, ready):
    ports = free_port(), free_port()
    first = Replica(installed, *election, "--health-port", str(ports[0]))
    second = Replica(installed, *election, "--health-port", str(ports[1]), actor=SECOND)
    with first, second:
        second.wait_for("standby")
        title = f"Lease {plane_namespace}/workspace-ctrl"
        began = now()
        make("phi")
        ready("phi")
        assert ask(ports[0], "/readyz") == (200, f"synced, leader of {title}")
        assert ask(ports[1], "/readyz") == (200, f"standby: {title} is held by {lease()['holderIdentity']}")
        assert ask(ports[0], "/healthz") == ask(ports[1], "/healthz") == (200, "ok")
        for _ in range(2):
            renewed = lease()["renewTime"]
            until(lambda renewed=renewed: lease()["renewTime"] != renewed, "a renewal")
        # By the time of each call: the audit log may have one that began earlier, such as the last read of the start, only now.
        assert [event for event in second.audited() if event["requestReceivedTimestamp"] >= began] == []
        assert writes_of(second.audited()) == []
        assert ("patch", "deployments") in first.calls(plane_namespace)


def test_a_leader_with_nothing_to_do_only_renews(installed, plane_namespace, election, lease):
    with Replica(installed, *election, "--namespace", plane_namespace) as leader:  # others may still be going away
        renewed = lease()["renewTime"]
        until(lambda: lease()["renewTime"] != renewed, "a renewal")
        before = len(leader.audited())
        until(lambda: len(leader.audited()) >= before + 3, "three renewals")
        calls = {(event["verb"], event["objectRef"]["resource"]) for event in leader.audited()[before:]}
    assert calls - {("watch", "leases")} == {("update", "leases")}


def test_a_killed_leader_is_replaced_and_what_came_meanwhile_is_picked_up(installed, election, lease, make, ready, capsys):
    with Replica(installed, *election) as first, Replica(installed, *election, actor=SECOND) as second:
        second.wait_for("standby")
        before = lease()
        began = time.monotonic()
        first.kill()
        make("late")
        ready("late")
        seconds = time.monotonic() - began
        after = lease()
    with capsys.disabled():
        print(f"\n  leader killed → a Workspace made then is ready by the other: {seconds:.1f} s")
    assert after["holderIdentity"] != before["holderIdentity"]
    assert after["leaseTransitions"] == before["leaseTransitions"] + 1
    assert before["leaseDurationSeconds"] + LeaseTimes().retry < 15  # what a standby waits, and an attempt that failed


def test_a_leader_that_stops_hands_over_by_its_lease(installed, election, lease, make, ready, capsys):
    with Replica(installed, *election) as first, Replica(installed, *election, actor=SECOND) as second:
        second.wait_for("standby")
        before = lease()
        began = time.monotonic()
        assert first.stop() == 0
        second.wait_for("became leader of")
        seconds = time.monotonic() - began
        after = lease()
        make("later")
        ready("later")
    with capsys.disabled():
        print(f"\n  leader told to stop → it has ended and the other leads: {seconds:.2f} s")
    assert any("released Lease" in line for line in first.log)
    assert after["leaseTransitions"] == before["leaseTransitions"] + 1
    updates = [event for event in second.audited() if event["verb"] == "update"]
    assert updates[0]["responseStatus"]["code"] == 200  # the first attempt, as nobody else waited


def test_a_leader_that_slept_too_long_writes_nothing_and_stands_by(installed, election, lease, make, ready):
    with Replica(installed, *election) as first, Replica(installed, *election, actor=SECOND) as second:
        second.wait_for("standby")
        make("phi")
        ready("phi")
        # A request that is on its way when the process falls asleep cannot be called back.
        until(lambda: {event["objectRef"]["resource"] for event in first.audited()[-2:]} == {"leases"}, "nothing but renewals")
        first.signal(signal.SIGSTOP)
        second.wait_for("became leader of")
        before = len(first.audited())
        make("phi", changed="while-it-slept")
        first.signal(signal.SIGCONT)
        first.wait_for("stopped all reconciliations")
        until(lambda: "standby: watching Lease" in first.log[-1], "the standby")
        assert writes_of(first.audited()[before:]) == []
        assert lease()["leaseTransitions"] == 1
        assert second.is_running


def test_shards_reconcile_theirs_and_nothing_else(installed, plane_namespace, election, make, ready):
    with (
        Replica(installed, *election, "--shard-selector", "shard=a") as first,
        Replica(installed, *election, "--shard-selector", "shard in (b)", actor=SECOND) as second,
    ):
        make("alpha", shard="a")
        make("beta", shard="b")
        ready("alpha")
        ready("beta")
        names = {
            replica.actor: {
                event["objectRef"].get("name")
                for event in writes_of(replica.audited())
                if event["objectRef"]["resource"] != "leases"
            }
            for replica in (first, second)
        }
        leases = workspaces.items(installed, plane_namespace, "leases")
    assert names["controller"] & {"alpha", "beta"} == {"alpha"}
    assert names[SECOND] & {"alpha", "beta"} == {"beta"}
    assert len({item["metadata"]["name"] for item in leases}) == 2


def test_only_the_chosen_namespaces_are_watched(installed, plane_namespace, make, ready):
    installed.kubectl("create", "namespace", f"{plane_namespace}-other")
    try:
        with Replica(installed, "--namespace", plane_namespace, "--namespace", f"{plane_namespace}-more") as replica:
            elsewhere = workspaces.workspace("elsewhere", gateway={"enabled": False})
            workspaces.apply(installed, f"{plane_namespace}-other", elsewhere)
            make("phi")
            ready("phi")
        expected = {("workspaces", plane_namespace), ("workspaces", f"{plane_namespace}-more"), ("gateways", None)}
        until(lambda: expected <= replica.watched(), "the watches' ends in the audit log")
        assert ("workspaces", None) not in replica.watched()
        assert workspaces.get(installed, f"{plane_namespace}-other", "workspace", "elsewhere")["status"] == {
            "observedGeneration": -1
        }
    finally:
        installed.kubectl("delete", "namespace", f"{plane_namespace}-other", "--wait=false")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_in_quick_succession_stop_it_without_a_trace(installed, election, number):
    with Replica(installed, *election) as replica:
        replica.signal(number)
        for _ in range(4):
            replica.signal_once_more(number)
        assert_stopped(replica)


@pytest.mark.parametrize("options", [(), ("--leader-elect", "--leader-election-namespace", "default")])
def test_a_signal_while_it_starts_stops_it_without_a_trace(installed, options):
    with begun(installed, *options) as replica:
        replica.wait_for("starting")
        replica.signal(signal.SIGTERM)
        replica.signal_once_more(signal.SIGINT)
        assert_stopped(replica)


def test_a_taken_health_port_is_said_in_a_sentence(installed):
    with socket.socket() as listening:
        listening.bind(("", 0))
        listening.listen()
        port = listening.getsockname()[1]
        with begun(installed, "--health-port", str(port)) as replica:
            assert replica.ended() == 1
    assert any(f"--health-port {port}: " in line and "use another port" in line for line in replica.log)
    assert [line for line in replica.log if "Traceback" in line] == [], "\n".join(replica.log)


def assert_stopped(replica):
    assert replica.ended() == 0
    assert replica.log[-1].endswith(": stopped")
    assert [line for line in replica.log if "Traceback" in line or "Error" in line] == [], "\n".join(replica.log)

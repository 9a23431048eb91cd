"""What helpers of tests take back where a test, or what they wait for, fails."""

import json
import subprocess

import pytest

from e2e import policies
from e2e.outdated_status import picker_away

SUSPEND, RESUME = (json.dumps({"spec": {"suspend": value}}) for value in (True, False))


class Recorder:
    """Stands in for a cluster; the commands of kubectl that it got."""

    def __init__(self):
        self.commands = []

    def kubectl(self, *arguments, **_):
        self.commands.append(arguments)
        return json.dumps({"metadata": {"name": "picker"}, "spec": {}})

    def kubectl_result(self, *arguments, **_):
        return subprocess.CompletedProcess(arguments, returncode=0, stdout="", stderr="")

    def verbs(self):
        return [command[0] for command in self.commands]

    def suspensions(self):
        return [command[-1] for command in self.commands if command[0] == "patch"]


class Unanswered(Recorder):
    """The same, where waiting takes too long."""

    def kubectl_result(self, *_, **__):
        raise TimeoutError


def test_a_release_is_resumed_if_the_test_fails_while_the_picker_is_away():
    cluster = Recorder()
    with pytest.raises(KeyError), picker_away(cluster, "x"):
        raise KeyError
    assert cluster.suspensions() == [SUSPEND, RESUME]
    assert "create" not in cluster.verbs()


def test_a_release_stays_suspended_after_the_picker_is_back():
    cluster = Recorder()
    with picker_away(cluster, "x"):
        assert "create" not in cluster.verbs()
    assert cluster.verbs()[-1] == "create"
    assert cluster.suspensions() == [SUSPEND]


def test_a_release_is_resumed_if_the_picker_is_not_missed():
    cluster = Unanswered()
    with pytest.raises(TimeoutError), picker_away(cluster, "x"):
        pytest.fail("the block has begun")
    assert cluster.suspensions() == [SUSPEND, RESUME]
    assert "create" not in cluster.verbs()


def test_the_policy_that_comes_last_is_deleted_if_waiting_for_it_fails():
    cluster = Unanswered()
    with pytest.raises(TimeoutError):
        policies._wait_enforced(cluster)
    assert cluster.verbs() == ["create", "delete"]

"""Between controller and API server: refusals, torn connections, broken and expired watches, while Workspaces are made."""

import random
import threading

import pytest

from e2e.controller import ControllerProcess
from tests.faults import aftermath
from tests.faults import proxy as faults

COUNT = 20
FAULTS = 150
SEED = 20261121


class Storm:
    """A rule: every second request meets a fault, `FAULTS` times in all; every 25th request breaks all watches in turn."""

    KINDS = (
        faults.Answer(429),
        faults.Answer(429, {"Retry-After": "1"}),
        faults.Answer(500),
        faults.Answer(503),
        faults.Reset(),
        faults.Reset(after=True),
    )

    def __init__(self, proxy, seed):
        self.random = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
        self.given = dict.fromkeys(map(str, self.KINDS), 0)
        self.broken_watches = 0
        self.over = threading.Event()
        self._proxy = proxy
        self._requests = 0

    def __call__(self, _call):
        self._requests += 1
        if self.over.is_set():
            return None
        if self._requests % 25 == 0:
            self.broken_watches += self.random.choice((self._proxy.cut_watches, self._proxy.expire_watches))()
        if self.random.random() < 0.5:
            return None
        fault = self.random.choice(self.KINDS)
        self.given[str(fault)] += 1
        if sum(self.given.values()) == FAULTS:
            self.over.set()
        return fault


@pytest.mark.timeout(900)
def test_a_storm_of_refusals_and_broken_connections(installed, plane_namespace, behind, proxy, through_proxy, capsys):
    proxy.rule = storm = Storm(proxy, SEED)
    names = aftermath.create(installed, plane_namespace, behind, COUNT)
    with ControllerProcess(installed, kubeconfig=through_proxy) as controller:
        assert storm.over.wait(300), f"only {storm.given}"
        aftermath.wait_all_ready(installed, plane_namespace, names)
        aftermath.assert_whole(installed, plane_namespace, names)
        aftermath.assert_quiet(installed, plane_namespace, controller)
        assert controller.is_running
    assert all(storm.given.values())
    assert storm.broken_watches > 0
    with capsys.disabled():
        print(f"\n  seed {SEED}: {sum(storm.given.values())} requests failed, {storm.broken_watches} watches were broken")
    assert not [line for line in controller.log if "Traceback" in line]

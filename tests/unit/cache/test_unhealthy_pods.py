"""Of endpoint pickers' pods, only those with a problem are kept, and lead to their Workspace."""

import pytest

from tests.unit.factories import NAME, NAMESPACE, derived, picker, pod
from workspace_ctrl.api.labels import PICKER_POD_LABEL
from workspace_ctrl.cache.cache import Cache
from workspace_ctrl.cache.watches import PICKER_PODS
from workspace_ctrl.records.pods import PodProblem

KEY = (NAMESPACE, "epp-1")
LABELS = {PICKER_POD_LABEL: derived().endpoint_picker}
WELL = pod(name="epp-1", labels=LABELS)
STUCK = pod(name="epp-1", labels=LABELS, ready=False, problem=PodProblem("Unschedulable", "no cpu"))


@pytest.fixture
def cache():
    return Cache()


def test_a_pod_is_kept_while_it_is_in_trouble(cache):
    store = cache.picker_pods
    assert not store.put(KEY, WELL, 1)
    assert store.put(KEY, STUCK, 2)
    assert store.owned_by((NAMESPACE, derived().endpoint_picker)) == (STUCK,)
    assert store.put(KEY, WELL, 3)
    assert len(store) == 0
    assert store.replace({KEY: (WELL, 4)}, 4) == []
    assert store.replace({KEY: (STUCK, 5)}, 5) == [STUCK]


def test_its_workspace_is_that_of_its_deployment(cache):
    assert cache.owner_of(PICKER_PODS, STUCK) is None
    cache.deployments.put((NAMESPACE, derived().endpoint_picker), picker(), 1)
    assert cache.owner_of(PICKER_PODS, STUCK) == (NAMESPACE, NAME)

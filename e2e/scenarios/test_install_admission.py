"""The chart's admission: `kubectl apply` is answered by the controller's pods, by a certificate that upgrades keep and renewals replace."""

import json

from e2e import workspaces
from e2e.release import NAMESPACE
from e2e.waiting import KUBECTL_TIMEOUT, until

SECRET = "workspace-ctrl-admission"
REFUSED = (
    "admission webhook \"workspaces.kaito.sh\" denied the request: inference.preset.name 'phi4' is not known; did you mean phi-4?"
)
WRONG = workspaces.workspace("wrong", inference={"preset": {"name": "phi4"}})
"""Within which a kubelet has brought a changed Secret to its pods."""


def applied(cluster, team, document=WRONG):
    """What kubectl says, as an error or warning, to a Workspace that is applied and not kept."""
    command = ("apply", "--dry-run=server", "-n", team, "-f", "-")
    return cluster.kubectl_result(*command, input=json.dumps(document), actor="user").stderr


def have_patience(cluster):
    """Let the API server wait longer for an answer than the chart says, which is 2 s: on a machine with too much to do one takes longer.

    It accepts what nobody answers about in time. Helm does not upgrade a release whose objects somebody else has changed so.
    """
    name = f"{NAMESPACE}-workspace-ctrl"
    change = [{"op": "replace", "path": "/webhooks/0/timeoutSeconds", "value": 30}]
    cluster.kubectl("patch", "validatingwebhookconfiguration", name, "--type=json", "-p", json.dumps(change))


def certificate(cluster):
    return workspaces.get(cluster, NAMESPACE, "secret", SECRET)["data"]


def pods_of(cluster):
    return {
        pod["metadata"]["name"] for pod in workspaces.items(cluster, NAMESPACE, "pods", "app.kubernetes.io/name=workspace-ctrl")
    }


def test_an_apply_is_answered_by_every_replica_and_by_none_that_is_away(release, team):
    cluster = release.cluster
    release.upgrade({"replicas": 2, "networkPolicy": {"enabled": True}})
    have_patience(cluster)
    until(lambda: REFUSED in applied(cluster, team), "a refusal")
    assert all(REFUSED in applied(cluster, team) for _ in range(10))  # whichever of the two is asked
    doubtful = workspaces.workspace(resource={"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {}, "count": 3})
    assert applied(cluster, team, doubtful) == "Warning: resource.count: 3 has no effect; the model is sized for 1\n"

    cluster.kubectl("scale", "deployment/workspace-ctrl", "-n", NAMESPACE, "--replicas=0")
    cluster.kubectl("wait", "pods", "-l", "app.kubernetes.io/name=workspace-ctrl", "-n", NAMESPACE, "--for=delete", KUBECTL_TIMEOUT)
    assert applied(cluster, team) == ""


def test_upgrades_keep_the_certificate_and_another_one_is_taken_up_by_running_pods(release, team):
    cluster = release.cluster
    release.upgrade()
    until(lambda: REFUSED in applied(cluster, team), "a refusal")
    before, pods = certificate(cluster), pods_of(cluster)
    release.upgrade()
    assert certificate(cluster) == before
    until(lambda: REFUSED in applied(cluster, team), "a refusal after the upgrade")  # each is waited for 2 s, and then not needed

    cluster.kubectl("delete", "secret", SECRET, "-n", NAMESPACE)
    release.upgrade()
    assert certificate(cluster)["ca.crt"] != before["ca.crt"]
    # The old one is not trusted any more, so that an answer can only come by the new one.
    until(lambda: REFUSED in applied(cluster, team), "a refusal by the new certificate")
    assert pods_of(cluster) == pods

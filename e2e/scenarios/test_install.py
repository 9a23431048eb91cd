"""The chart on a cluster where nothing of it is there yet: installed, upgraded, its feature gate turned on and off, and removed."""

import json
import time

import pytest
import yaml

from e2e import workspaces
from e2e.cluster.chart import NAME, chart, package
from e2e.release import GATE, NAMESPACE, NO_FLUX, RESTRICTED, import_image, wait_answered
from e2e.waiting import KUBECTL_TIMEOUT, until, until_equal
from tests.chart.helm import render
from workspace_ctrl.cache.watches import GATEWAY_SIDE, WATCHED

MOST_MEMORY = 100 * 2**20
GRANTED = {"services", "configmaps", "deployments", "pods"}
"""Kinds of the gateway side that model servers need as well."""
GATEWAY_KINDS = {watched.resource.plural for watched in WATCHED if watched.name in GATEWAY_SIDE} - GRANTED
FLUX_LEASES = ("helm-controller-leader-election", "source-controller-leader-election")
EVERYTHING = {
    **GATE,
    "replicas": 2,
    "metrics": {"dashboard": {"enabled": True}},
    "networkPolicy": {"enabled": True},
    "ui": {"enabled": True, "certificateSecret": "ui-tls", "from": [{"podSelector": {}}]},
    "rbac": {"workloadKinds": [{"apiGroup": "leaderworkerset.x-k8s.io", "resource": "leaderworkersets"}]},
}


def made_for(cluster, team, name):
    """Which objects of which generation there are of a Workspace, on both sides."""
    kinds = "deployments,services,ocirepositories,helmreleases,httproutes,inferencepools"
    found = workspaces.items(cluster, team, kinds, f"workspace-ctrl/workspace={name}")
    return {(item["kind"], item["metadata"]["uid"], item["metadata"].get("generation")) for item in found}


def served(cluster, team):
    """What is there of the gateway side."""
    kinds = "helmreleases,ocirepositories,httproutes,inferencepools"
    return {item["kind"] for item in workspaces.items(cluster, team, kinds)}


def everything(cluster):
    """All objects of the cluster but Events, which tell of them, and what the API server makes of CRDs: kind/namespace/name."""
    template = "go-template={{range .items}}{{.kind}}/{{.metadata.namespace}}/{{.metadata.name}} {{end}}"
    listed: list[str] = []

    def is_listed():
        kinds = set(cluster.kubectl("api-resources", "--verbs=list", "-o", "name").split())
        kinds -= {"events", "events.events.k8s.io", "componentstatuses", "apiservices.apiregistration.k8s.io"}
        result = cluster.kubectl_result("get", ",".join(sorted(kinds)), "-A", "-o", template)
        listed[:] = result.stdout.replace("<no value>", "").split()
        return not result.returncode

    # For a moment after CRDs were removed, the API server names kinds that it does not serve any more.
    until(is_listed, "all kinds that there are to be served")
    return set(listed)


def test_with_the_gate_off_models_serve_without_flux_its_kinds_or_rights_to_them(first_release, team, capsys):
    cluster = first_release.cluster
    began = time.monotonic()
    first_release.upgrade()
    seconds = time.monotonic() - began
    workspaces.apply(cluster, team, workspaces.workspace("phi"))
    workspaces.wait_ready(cluster, team, "phi", "Ready")
    tested = first_release.helm("test", "workspace-ctrl")
    assert not tested.returncode, tested.stderr
    memory = first_release.metric("process_resident_memory_bytes")
    with capsys.disabled():
        print(f"\n  chart installed and Available after {seconds:.1f} s; memory {memory / 2**20:.0f} MiB")
    assert memory <= MOST_MEMORY
    # Asked for once, not again: nobody polls for what the gate would need.
    assert first_release.forbidden() == dict.fromkeys((f"list {kind}" for kind in GATEWAY_KINDS), 1)


def test_the_commands_that_the_notes_name_work(release, bare_cluster):
    notes = release.upgrade().stdout.partition("NOTES:")[2]
    commands = [line.strip() for line in notes.splitlines() if line.startswith("  kubectl")]
    assert len(commands) == 3
    manifest = notes.partition("<<END\n")[2].partition("  END")[0]
    for command in commands:
        arguments = command.split(" <<")[0].split()[1:]
        bare_cluster.kubectl(*arguments, input=manifest if arguments[0] == "apply" else None)
    assert workspaces.get(bare_cluster, "default", "workspace", "phi")["inference"] == {"preset": {"name": "phi-4-mini-instruct"}}


def test_the_gate_without_flux_says_what_is_missing_and_goes_on_when_flux_comes(first_release, team, behind):
    cluster = first_release.cluster
    first_release.upgrade(GATE, NO_FLUX)
    workspaces.apply(cluster, team, workspaces.workspace("phi", gateway=behind))
    found = workspaces.wait_reason(cluster, team, "phi", "GatewayReady", "CRDsNotAvailable")
    assert found["message"] == "HelmRelease and OCIRepository not served by the cluster; install Flux"
    workspaces.wait_ready(cluster, team, "phi", "InferenceReady")
    first_release.upgrade(GATE)  # Flux comes with the chart
    workspaces.wait_ready(cluster, team, "phi")
    wait_answered(cluster, team, "phi", "phi-4-mini-instruct")


def test_a_second_flux_is_refused(first_release):
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "helmreleases.helm.toolkit.fluxcd.io"},
        "spec": {
            "group": "helm.toolkit.fluxcd.io",
            "scope": "Namespaced",
            "names": {"kind": "HelmRelease", "listKind": "HelmReleaseList", "plural": "helmreleases", "singular": "helmrelease"},
            "versions": [{"name": "v2", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
        },
    }
    first_release.cluster.kubectl("apply", "-f", "-", input=json.dumps(crd))
    refused = first_release.upgrade(GATE, check=False)
    assert "can have only one Flux: set flux2.enabled=false" in refused.stderr


def keeping_values(release, change):
    """Upgrade to the chart with the values of before and a change, as users do."""
    given = ["--reset-then-reuse-values", "--set", change, "--wait", KUBECTL_TIMEOUT]
    result = release.helm("upgrade", NAME, str(chart()), *given)
    assert not result.returncode, result.stderr


def test_the_gate_goes_off_in_order_and_on_again(release, team, behind):
    cluster = release.cluster
    release.upgrade(GATE)
    workspaces.apply(cluster, team, workspaces.workspace("phi", gateway=behind))
    workspaces.wait_ready(cluster, team, "phi")

    refused = release.upgrade(check=False)
    assert f"1 objects of the kind HelmRelease of Workspaces ({team}/phi-inferencepool, ...) would be left behind" in refused.stderr
    assert "--set gatewayRemoval=true" in refused.stderr
    workspaces.wait_ready(cluster, team, "phi")

    notes = release.upgrade({"gatewayRemoval": True}).stdout
    for kind, name in (("helmrelease", "phi-inferencepool"), ("ocirepository", "phi-inferencepool"), ("httproute", "phi")):
        workspaces.wait_gone(cluster, team, kind, name)
    assert served(cluster, team) == set()
    (command,) = (line for line in notes.splitlines() if "get helmreleases" in line)
    assert cluster.kubectl(*command.split()[1:]) == ""
    until(lambda: "finalizers" not in workspaces.get(cluster, team, "workspace", "phi")["metadata"], "the finalizer to be removed")

    keeping_values(release, "gatewayRemoval=null")
    assert "gatewayRemoval" not in json.loads(release.helm("get", "values", NAME, "--output=json").stdout)
    workspaces.wait_ready(cluster, team, "phi", "InferenceReady")
    assert cluster.kubectl("get", "deployments", "-n", NAMESPACE, "-o", "name").split() == ["deployment.apps/workspace-ctrl"]

    release.upgrade(GATE)
    workspaces.wait_ready(cluster, team, "phi")
    wait_answered(cluster, team, "phi", "phi-4-mini-instruct")


def test_an_upgrade_changes_nothing_of_what_serves(release, team, behind, tmp_path):
    cluster = release.cluster
    import_image(cluster, "0.0.9")
    release.upgrade(GATE, {"image": {"tag": "0.0.9"}}, package=package(tmp_path, "0.0.9", "0.0.9"))
    workspaces.apply(cluster, team, workspaces.workspace("phi", gateway=behind))
    workspaces.wait_ready(cluster, team, "phi", "Ready")
    before = made_for(cluster, team, "phi")
    crd = json.loads(cluster.kubectl("get", "crd", "workspaces.kaito.sh", "-o", "json"))
    assert crd["metadata"]["labels"]["app.kubernetes.io/version"] == "0.0.9"

    release.upgrade(GATE, {"replicas": 2})
    crd = json.loads(cluster.kubectl("get", "crd", "workspaces.kaito.sh", "-o", "json"))
    assert crd["metadata"]["labels"]["app.kubernetes.io/version"] != "0.0.9"
    workspaces.apply(cluster, team, workspaces.workspace("later", gateway=behind))
    workspaces.wait_ready(cluster, team, "later", "Ready")
    assert made_for(cluster, team, "phi") == before
    wait_answered(cluster, team, "phi", "phi-4-mini-instruct")
    holder = workspaces.get(cluster, NAMESPACE, "lease", "workspace-ctrl")["spec"]["holderIdentity"]
    pods = workspaces.items(cluster, NAMESPACE, "pods", "app.kubernetes.io/instance=workspace-ctrl")
    ready = [pod["metadata"]["name"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    assert len(ready) == 2
    assert any(holder.startswith(name) for name in ready)


def test_uninstalling_is_refused_while_there_are_workspaces_and_then_leaves_crds_and_leases_alone(first_release, team, behind):
    cluster = first_release.cluster
    before = everything(cluster)
    first_release.upgrade(GATE)
    workspaces.apply(cluster, team, workspaces.workspace("phi", gateway=behind))
    workspaces.wait_ready(cluster, team, "phi")

    refused = first_release.helm("uninstall", "workspace-ctrl", KUBECTL_TIMEOUT)
    assert refused.returncode
    assert f"1 Workspace still exists (Workspace {team}/phi)" in refused.stdout + refused.stderr
    workspaces.wait_ready(cluster, team, "phi")
    cluster.kubectl("wait", "job/workspace-ctrl-uninstall-check", "-n", NAMESPACE, "--for=delete", KUBECTL_TIMEOUT)

    cluster.kubectl("delete", "workspace", "phi", "-n", team, KUBECTL_TIMEOUT, actor="user")
    gone = first_release.helm("uninstall", "workspace-ctrl", "--wait", KUBECTL_TIMEOUT)
    assert not gone.returncode, gone.stderr
    assert served(cluster, team) == set()
    crds = {name for name in cluster.kubectl("get", "crds", "-o", "name").split() if name.endswith(("kaito.sh", "fluxcd.io"))}
    kept = {f"CustomResourceDefinition//{name.partition('/')[2]}" for name in crds}
    assert "CustomResourceDefinition//workspaces.kaito.sh" in kept
    assert len(kept) > 1  # Flux's stay as well: others may use them
    leases = {f"Lease/{NAMESPACE}/{name}" for name in ("workspace-ctrl", *FLUX_LEASES)}
    cluster.kubectl("wait", "pods", "-l", "kaito.sh/workspace=phi", "-n", team, "--for=delete", KUBECTL_TIMEOUT)
    until_equal(lambda: everything(cluster) - before, kept | leases, "what is left")  # what hangs on pods goes a moment later


def test_models_serve_on_without_a_controller_and_a_new_one_takes_over_and_finishes_what_was_begun(release, team, behind):
    cluster = release.cluster
    release.upgrade(GATE)
    for name in ("phi", "unwanted"):
        workspaces.apply(cluster, team, workspaces.workspace(name, gateway=behind))
    for name in ("phi", "unwanted"):
        workspaces.wait_ready(cluster, team, name, "Ready")
    before = made_for(cluster, team, "phi")
    gone = release.helm("uninstall", "workspace-ctrl", "--no-hooks", "--wait", KUBECTL_TIMEOUT)
    assert not gone.returncode, gone.stderr
    cluster.kubectl("wait", "pods", "--all", "-n", NAMESPACE, "--for=delete", KUBECTL_TIMEOUT)
    cluster.kubectl("delete", "workspace", "unwanted", "-n", team, "--wait=false", actor="user")
    waiting = workspaces.get(cluster, team, "workspace", "unwanted")["metadata"]
    assert "deletionTimestamp" in waiting
    assert waiting["finalizers"] == ["workspace-ctrl/gateway"]
    for name in ("phi", "unwanted"):
        wait_answered(cluster, team, name, "phi-4-mini-instruct")

    release.upgrade(GATE)
    workspaces.wait_gone(cluster, team, "workspace", "unwanted")
    workspaces.apply(cluster, team, workspaces.workspace("later", gateway=behind))
    workspaces.wait_ready(cluster, team, "later", "Ready")
    assert made_for(cluster, team, "phi") == before
    assert {item["metadata"]["name"] for item in workspaces.items(cluster, team, "helmreleases,ocirepositories")} == {
        "phi-inferencepool",
        "later-inferencepool",
    }


@pytest.mark.parametrize("values", [pytest.param({}, id="defaults"), pytest.param(EVERYTHING, id="everything")])
def test_the_api_server_takes_every_manifest_strictly_and_under_restricted_pod_security(release, values):
    cluster = release.cluster
    manifests = [each for each in render(values) if not each["metadata"]["name"].endswith("toolkit.fluxcd.io")]
    assert {"Pod", "Deployment", "Job"} <= {each["kind"] for each in manifests}
    # Pod Security refuses pods only; of what makes pods it warns.
    cluster.kubectl("label", "namespace", NAMESPACE, RESTRICTED.replace("enforce", "warn"), "--overwrite")
    command = ("apply", "--dry-run=server", "--validate=strict", "-n", NAMESPACE, "-f", "-")
    result = cluster.kubectl_result(*command, input=yaml.safe_dump_all(manifests))
    assert not result.returncode, result.stderr
    assert "would violate PodSecurity" not in result.stderr

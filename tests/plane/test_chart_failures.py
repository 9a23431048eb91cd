"""Flux fails, stands still or goes away: what the Workspace says at each stage, and that all is well afterwards."""

import json
import re

import pytest

from e2e import flux, workspaces
from e2e.controller import ControllerProcess
from e2e.repacking import repack
from e2e.waiting import KUBECTL_TIMEOUT, WAIT_SECONDS

MOST_ATTEMPTS = 5
RELEASE = "helmrelease/phi-inferencepool"


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


def create(cluster, namespace, behind, name="phi"):
    workspaces.apply(cluster, namespace, workspaces.workspace(name, gateway=behind))


def message(cluster, namespace, type_, reason, *, name="phi", seconds=WAIT_SECONDS):
    """The message of a condition once it has that reason, without the names and numbers of this run."""
    found = workspaces.wait_reason(cluster, namespace, name, type_, reason, seconds=seconds)
    return normal(found["message"], namespace)


def normal(text, namespace):
    text = re.sub(r"127\.0\.0\.1:\d+", "REGISTRY", text.replace(namespace, "NAMESPACE"))
    text = re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", re.sub(r"\+[0-9a-f]{12}\b", "+DIGEST", text))
    return re.sub(r"failed \d+ times", "failed N times", text)


def told(cluster, namespace, name="phi"):
    """Condition → (status, reason, message), without the names and numbers of this run."""
    conditions = workspaces.get(cluster, namespace, "workspace", name)["status"]["conditions"]
    return {entry["type"]: (entry["status"], entry["reason"], normal(entry["message"], namespace)) for entry in conditions}


WELL = {
    "WorkspaceSucceeded": ("True", "workspaceSucceeded", "workspace succeeds"),
    "ChartReady": ("True", "ChartInstalled", "HelmRelease NAMESPACE/phi-inferencepool: inferencepool VERSION+DIGEST installed"),
    "EndpointPickerReady": (
        "True",
        "EndpointPickerRunning",
        "Deployment NAMESPACE/phi-inferencepool-epp has 1 of 1 replicas ready",
    ),
    "RouteReady": ("True", "HTTPRouteAccepted", "HTTPRoute NAMESPACE/phi is accepted by Gateway NAMESPACE/inference-gateway"),
    "EndpointsReady": ("True", "EndpointsReady", "1 of 1 pods of InferencePool NAMESPACE/phi-inferencepool are ready"),
    "GatewayReady": ("True", "GatewayConfigured", "model is served through Gateway NAMESPACE/inference-gateway"),
    "Ready": (
        "True",
        "Ready",
        "model is served at http://inference-gateway-istio.NAMESPACE.svc.cluster.local/NAMESPACE/phi; model name: phi-4-mini-instruct",
    ),
}


def wait_well(cluster, namespace, version="1.5.0"):
    """Wait until the Workspace is ready, and check every word that it says of the gateway side then."""
    workspaces.wait_ready(cluster, namespace, "phi", "Ready")
    said = told(cluster, namespace)
    assert not {"Stalled", "Reconciling"} & set(said)
    found = {type_: said[type_] for type_ in WELL}
    expected = {type_: (*words[:2], words[2].replace("VERSION", version)) for type_, words in WELL.items()}
    assert found == expected


def ask_flux(cluster, namespace, target, value):
    """Ask Flux to look at an object now, as `flux reconcile` does."""
    cluster.kubectl("annotate", target, "-n", namespace, f"reconcile.fluxcd.io/requestedAt={value}", "--overwrite", actor="user")


def test_a_registry_that_is_down_at_first(installed, plane_namespace, behind):
    installed.stop_program("registry")
    try:
        with ControllerProcess(installed):
            create(installed, plane_namespace, behind)
            said = message(installed, plane_namespace, "ChartReady", "OCIArtifactPullFailed")
            assert said == (
                "OCIRepository NAMESPACE/phi-inferencepool: failed to determine artifact digest: Get "
                '"https://REGISTRY/v2/": dial tcp REGISTRY: connect: connection refused; Get "http://REGISTRY/v2/": dial tcp REGISTRY: '
                "connect: connection refused; the registry is down or unreachable; check "
                "that source-controller can reach it"
            )
            assert workspaces.condition(installed, plane_namespace, "phi", "GatewayReady")["reason"] == "OCIArtifactPullFailed"
            workspaces.wait_ready(installed, plane_namespace, "phi", "InferenceReady")
            installed.start_program("registry")
            wait_well(installed, plane_namespace)
    finally:
        installed.start_program("registry")


def test_a_registry_that_goes_down_later_hurts_nobody(installed, plane_namespace, behind):
    with ControllerProcess(installed) as controller:
        create(installed, plane_namespace, behind)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        installed.stop_program("registry")
        try:
            ask_flux(installed, plane_namespace, "ocirepository/phi-inferencepool", "now")
            installed.kubectl(
                "wait", "ocirepository/phi-inferencepool", "-n", plane_namespace, "--for=condition=FetchFailed", KUBECTL_TIMEOUT
            )
            # One made now shows that the failure was looked at.
            workspaces.apply(installed, plane_namespace, workspaces.workspace("later", gateway={"enabled": False}))
            workspaces.wait_ready(installed, plane_namespace, "later", "Ready")
            before = workspaces.condition(installed, plane_namespace, "phi", "GatewayReady")
            chart = 'jsonpath={.status.conditions[?(@.type=="ChartReady")].status}=True'
            installed.kubectl("wait", "workspace/phi", "-n", plane_namespace, f"--for={chart}", KUBECTL_TIMEOUT)
            assert before["status"] == "True"
        finally:
            installed.start_program("registry")
        # Until it listens, the next test could not use it.
        ask_flux(installed, plane_namespace, "ocirepository/phi-inferencepool", "again")
        workspaces.wait_ready(installed, plane_namespace, "phi-inferencepool", "Ready", kind="ocirepository")
        assert not any("Ready=False OCIArtifactPullFailed" in line for line in controller.log)


def test_a_version_that_is_pushed_later(installed, plane_namespace, behind, tmp_path):
    with ControllerProcess(installed, "--chart-version", "v1.5.7"):
        create(installed, plane_namespace, behind)
        said = message(installed, plane_namespace, "ChartReady", "OCIArtifactPullFailed")
        assert said.startswith("OCIRepository NAMESPACE/phi-inferencepool: failed to determine artifact digest: ")
        assert said.endswith(
            "; the registry does not have this chart version; push it, or choose another one with --chart-url and --chart-version"
        )
        workspaces.wait_ready(installed, plane_namespace, "phi", "InferenceReady")  # which is written, too, sooner or later
        # Flux tries again and again, and its own condition is Unknown meanwhile; ours stays, and is not written.
        before = workspaces.get(installed, plane_namespace, "workspace", "phi")["metadata"]["resourceVersion"]
        with workspaces.statuses(installed, plane_namespace, "ocirepositories", "Ready") as seen:
            attempts = 0
            while attempts < 2:
                attempts += next(seen) == "Unknown"
        assert workspaces.get(installed, plane_namespace, "workspace", "phi")["metadata"]["resourceVersion"] == before
        repack(installed, tmp_path, version="v1.5.7")
        wait_well(installed, plane_namespace, "1.5.7")


MISSPELT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: misspelt}
dta: {}
"""


@pytest.mark.parametrize(
    ("template", "words"),
    [
        pytest.param(
            '{{ fail "this chart is broken" }}\n',
            "execution error at (inferencepool/templates/added.yaml:1:3): this chart is broken; Flux retries",
            id="template",
        ),
        # By the API server: Helm does not look for it.
        pytest.param(
            MISSPELT,
            "server-side apply failed for object NAMESPACE/misspelt /v1, Kind=ConfigMap: failed to create typed patch object "
            "(NAMESPACE/misspelt; /v1, Kind=ConfigMap): .dta: field not declared in schema; the API server does not know a field of an "
            "object of the chart; correct the values in gateway.endpointPicker, or choose another version of the chart",
            id="unknown field",
        ),
    ],
)
def test_a_broken_chart_that_is_corrected_under_the_same_tag(installed, plane_namespace, behind, tmp_path, template, words):
    repack(installed, tmp_path, version="v1.5.8", template=template)
    with ControllerProcess(installed, "--chart-version", "v1.5.8"):
        create(installed, plane_namespace, behind)
        said = message(installed, plane_namespace, "ChartReady", "InstallFailed")
        assert said == (
            "HelmRelease NAMESPACE/phi-inferencepool: Helm install failed for release NAMESPACE/phi-inferencepool with chart "
            f"inferencepool@1.5.8+DIGEST: {words}"
        )
        repack(installed, tmp_path, version="v1.5.8")
        ask_flux(installed, plane_namespace, "ocirepository/phi-inferencepool", "corrected")
        wait_well(installed, plane_namespace, "1.5.8")


def test_a_helm_controller_that_dies_in_the_middle_of_an_installation(installed, plane_namespace, behind):
    # A release that nobody works on shows when a watch has begun: an installation takes no longer than a kubectl does to start.
    suspended = {"chartRef": {"kind": "OCIRepository", "name": "none"}, "interval": "1h", "suspend": True}
    watched = {"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "watched"}, "spec": suspended}
    workspaces.apply(installed, plane_namespace, watched)
    with ControllerProcess(installed):
        for _ in range(MOST_ATTEMPTS):
            with workspaces.statuses(installed, plane_namespace, "helmreleases", "Reconciling") as reconciling:
                next(reconciling)
                create(installed, plane_namespace, behind)
                assert "True" in reconciling
                installed.kill_program("helm-controller")
            status = workspaces.get(installed, plane_namespace, "helmrelease", "phi-inferencepool")["status"]
            if "deployed" not in {entry["status"] for entry in status.get("history", ())}:
                break
            # On a busy machine the installation may be over before the kill comes.
            installed.start_program("helm-controller")
            installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, KUBECTL_TIMEOUT, actor="user")
        else:
            pytest.fail(f"{MOST_ATTEMPTS} installations were over before helm-controller was killed")
        assert workspaces.condition(installed, plane_namespace, "phi", "Ready").get("status") != "True"
        installed.start_program("helm-controller")
        wait_well(installed, plane_namespace)
        (pool,) = workspaces.items(installed, plane_namespace, "inferencepool")
        assert pool["metadata"]["name"] == "phi-inferencepool"


def with_toleration(behind, operator):
    """The fields of `gateway` with a toleration of the endpoint picker."""
    values = {"inferenceExtension": {"tolerations": [{"key": "a", "operator": operator}]}}
    return {**behind, "endpointPicker": {"values": values}}


def test_values_that_the_api_server_refuses_are_said_and_corrected(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        create(installed, plane_namespace, with_toleration(behind, "Nonsense"))
        said = message(installed, plane_namespace, "ChartReady", "InstallFailed")
        assert said == (
            "HelmRelease NAMESPACE/phi-inferencepool: Helm install failed for release NAMESPACE/phi-inferencepool with chart "
            "inferencepool@1.5.0+DIGEST: server-side apply failed for object NAMESPACE/phi-inferencepool-epp apps/v1, Kind=Deployment: "
            'Deployment.apps "phi-inferencepool-epp" is invalid: spec.template.spec.tolerations[0].operator: Unsupported value: '
            '"Nonsense": supported values: "Equal", "Exists"; the API server rejects an object of the chart; correct the values in '
            "gateway.endpointPicker"
        )
        assert told(installed, plane_namespace)["GatewayReady"] == ("False", "InstallFailed", said)
        create(installed, plane_namespace, with_toleration(behind, "Exists"))
        wait_well(installed, plane_namespace)


def test_a_quota_that_refuses_the_endpoint_picker(installed, plane_namespace, behind):
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small"}, "spec": {"hard": {"pods": "1"}}}
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, quota)
        installed.kubectl(
            "wait", "resourcequota/small", "-n", plane_namespace, "--for=jsonpath={.status.hard.pods}=1", KUBECTL_TIMEOUT
        )
        create(installed, plane_namespace, {"enabled": False})
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        create(installed, plane_namespace, {"enabled": True, **behind})
        said = message(installed, plane_namespace, "EndpointPickerReady", "FailedCreate")
        assert re.sub(r"epp-\w+-\w+", "epp-POD", said) == (
            'Deployment NAMESPACE/phi-inferencepool-epp: pods "phi-inferencepool-epp-POD" is forbidden: exceeded quota: small, requested: '
            "pods=1, used: pods=1, limited: pods=1"
        )
        workspaces.wait_ready(installed, plane_namespace, "phi", "ChartReady")  # all that Flux has to do is done
        installed.kubectl("delete", "resourcequota", "small", "-n", plane_namespace, actor="user")
        # The ReplicaSet's own back-off may be long by now; a user restarts the rollout.
        installed.kubectl("rollout", "restart", "deployment/phi-inferencepool-epp", "-n", plane_namespace, actor="user")
        wait_well(installed, plane_namespace)


def test_a_service_account_that_is_gone(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        create(installed, plane_namespace, behind)
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")
        patch = {"spec": {"serviceAccountName": "nobody"}}
        installed.kubectl("patch", RELEASE, "-n", plane_namespace, "--type=merge", "-p", json.dumps(patch), actor="user")
        said = message(installed, plane_namespace, "ChartReady", "StateError")
        assert said.endswith("; restore the ServiceAccount that Flux uses for the installation, with its RBAC rules")
        assert 'User "system:serviceaccount:NAMESPACE:nobody" cannot' in said
        patch = {"spec": {"serviceAccountName": None}}
        installed.kubectl("patch", RELEASE, "-n", plane_namespace, "--type=merge", "-p", json.dumps(patch), actor="user")
        workspaces.wait_ready(installed, plane_namespace, "phi", "Ready")


def test_an_absent_helm_controller_is_named_and_is_not_asked_again_and_again(installed, plane_namespace, behind):
    with ControllerProcess(installed) as controller:
        for name in ("leaves", "loses"):
            create(installed, plane_namespace, behind, name)
            workspaces.wait_ready(installed, plane_namespace, name, "Ready")
        # After an installation, helm-controller looks for drift before it calls the release done; one that it leaves in the middle of that
        # says for ever that it is being reconciled, and is not asked for.
        for name in ("leaves", "loses"):
            flux.wait_done(installed, plane_namespace, "helmrelease", f"{name}-inferencepool")
        installed.stop_program("helm-controller")
        try:
            create(installed, plane_namespace, behind)
            installed.kubectl("delete", "workspace", "leaves", "-n", plane_namespace, "--wait=false", actor="user")
            installed.kubectl("delete", "inferencepool", "loses-inferencepool", "-n", plane_namespace, actor="user")
            said = message(installed, plane_namespace, "ChartReady", "HelmControllerSilent")
            assert said == (
                "HelmRelease NAMESPACE/phi-inferencepool: helm-controller has not reconciled it for over a minute; check that it "
                "runs and watches this namespace: kubectl get pods --all-namespaces -l app=helm-controller"
            )
            contains(installed, plane_namespace, "leaves", "Ready", "helm-controller has not uninstalled it for over a minute")
            contains(installed, plane_namespace, "loses", "GatewayReady", "helm-controller has not reconciled it for over a minute")
            # Three were made, and Flux is asked once to bring back the pool of one of them.
            assert controller.calls(plane_namespace)["patch", "helmreleases"] == 3 + 1
        finally:
            installed.start_program("helm-controller")
        workspaces.wait_gone(installed, plane_namespace, "workspace", "leaves")
        for name in ("phi", "loses"):
            workspaces.wait_ready(installed, plane_namespace, name, "Ready")
        assert workspaces.items(installed, plane_namespace, "inferencepool", "workspace-ctrl/workspace=leaves") == []


def contains(cluster, namespace, name, type_, words):
    """Wait until a condition's message contains some words."""
    expression = f'{{.status.conditions[?(@.type=="{type_}")].message}}'
    watch = [
        "get",
        f"workspace/{name}",
        "-n",
        namespace,
        "--watch",
        f"-o=jsonpath={expression}{{'\\n'}}",
        f"--request-timeout={WAIT_SECONDS}s",
    ]
    with cluster.popen([*cluster.kubectl_command("admin"), *watch], stdout=-1) as process:
        assert any(words in line for line in process.stdout), f"{name}: {type_} never said {words!r}"
        process.terminate()

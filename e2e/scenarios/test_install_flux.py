"""The manifests of `flux/`: Flux installs the controller, then a team's models with the team's own rights."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from e2e import workspaces
from e2e.cluster.builder import build
from e2e.cluster.catalog import FLUX
from e2e.cluster.chart import chart, flux_values, image_values, package
from e2e.cluster.places import REPOSITORY
from e2e.release import NAMESPACE, SMALL_SERVERS, merge, own_chart, wait_answered
from e2e.waiting import KUBECTL_TIMEOUT

MANIFESTS = REPOSITORY / "flux"
TEAM = "team-blue"
READY = ("Ready", "GatewayReady")


def helm(*arguments, values=None):
    command = [str(build(FLUX).binary("helm")), *map(str, arguments), *(["--values=-"] if values else [])]
    result = subprocess.run(command, input=json.dumps(values), capture_output=True, text=True, check=False)
    assert not result.returncode, result.stderr
    return result.stdout


@pytest.fixture
def flux(first_release):
    """Flux with source-controller and helm-controller, from a release of its own."""
    cluster = first_release.cluster
    kubeconfig = f"--kubeconfig={cluster.kubeconfig}"
    place = [kubeconfig, "--namespace=flux-system"]
    helm(
        "install",
        "flux2",
        chart() / "charts" / "flux2",
        *place,
        "--create-namespace",
        "--wait",
        KUBECTL_TIMEOUT,
        values=flux_values()["flux2"],
    )
    yield cluster
    for namespace in (TEAM, NAMESPACE):
        for kind in ("helmreleases", "ocirepositories"):
            cluster.kubectl("delete", kind, "--all", "-n", namespace, KUBECTL_TIMEOUT)
    cluster.kubectl("delete", "namespace", TEAM, "--ignore-not-found")
    helm("uninstall", "flux2", *place, "--wait", "--ignore-not-found")


def documents(cluster, file: Path, values):
    """The manifests, with this cluster's registry in place of the example's and `values` over those of the HelmRelease."""
    registry = f"oci://{cluster.settings.registry_for_pods}"
    for document in yaml.safe_load_all(file.read_text().replace("oci://registry.example", registry)):
        if document["kind"] == "OCIRepository":
            document["spec"]["insecure"] = True
        if document["kind"] == "HelmRelease":
            document["spec"]["values"] = merge(document["spec"]["values"], values)
        yield document


def push(cluster, archive):
    # The registry is reached from inside the cluster only.
    command = [str(build(FLUX).binary("helm")), "push", str(archive), f"oci://{cluster.settings.registry}/charts", "--plain-http"]
    result = cluster.run(command)
    assert not result.returncode, result.stderr


def test_flux_installs_the_controller_and_a_team_s_models_in_order(flux, behind, tmp_path):
    push(flux, package(tmp_path))
    helm("package", MANIFESTS / "models", "--destination", tmp_path)
    push(flux, next(tmp_path.glob("models-*.tgz")))
    (parent,) = behind["parentRefs"]
    gateway = {"gateway": parent}
    # The team first: it waits for the controller.
    tenant = list(documents(flux, MANIFESTS / "tenant.yaml", {}))
    flux.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(tenant))
    waiting = "--for=jsonpath={.status.conditions[?(@.type=='Ready')].reason}=DependencyNotReady"
    flux.kubectl("wait", "helmrelease/models", "-n", TEAM, waiting, KUBECTL_TIMEOUT)
    controller = documents(flux, MANIFESTS / "controller.yaml", merge(image_values(), own_chart(flux), SMALL_SERVERS, gateway))
    flux.kubectl("apply", "-f", "-", input=yaml.safe_dump_all(controller))
    for name, namespace in (("workspace-ctrl", NAMESPACE), ("models", TEAM)):
        flux.kubectl("wait", f"helmrelease/{name}", "-n", namespace, "--for=condition=Ready", KUBECTL_TIMEOUT)
    # Flux has waited for the Workspace, although nobody had written a status of it when its chart was applied.
    assert {type_: workspaces.condition(flux, TEAM, "phi", type_).get("status") for type_ in READY} == dict.fromkeys(READY, "True")
    wait_answered(flux, TEAM, "phi", "phi-4-mini-instruct")

    # What the team may not do, its release may not do either.
    more = {"resource": workspaces.workspace()["resource"], "inference": {"template": {"spec": {"containers": []}}}}
    patch = json.dumps({"spec": {"values": {"workspaces": {"more": more}}}})
    flux.kubectl("patch", "helmrelease/models", "-n", TEAM, "--type=merge", f"--patch={patch}")
    flux.kubectl("wait", "helmrelease/models", "-n", TEAM, "--for=condition=Ready=False", KUBECTL_TIMEOUT)
    refused = "--for=jsonpath={.status.conditions[?(@.type=='Released')].status}=False"
    flux.kubectl("wait", "helmrelease/models", "-n", TEAM, refused, KUBECTL_TIMEOUT)
    said = json.dumps(workspaces.get(flux, TEAM, "helmrelease", "models")["status"]["conditions"])
    assert f"which system:serviceaccount:{TEAM}:deployer does not have" in said

    flux.kubectl("delete", "helmrelease/models", "-n", TEAM, KUBECTL_TIMEOUT)
    workspaces.wait_gone(flux, TEAM, "workspace", "phi")
    flux.kubectl("delete", "helmrelease/workspace-ctrl", "-n", NAMESPACE, KUBECTL_TIMEOUT)
    assert flux.kubectl("get", "deployments", "-n", NAMESPACE, "-o", "name") == ""

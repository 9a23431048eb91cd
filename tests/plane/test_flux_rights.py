"""Rights that come with Flux: it installs charts as cluster-admin, so whoever creates HelmReleases can do everything."""

import json

import pytest

from e2e import workspaces
from e2e.controller import ControllerProcess
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.chart.helm import GATE, render

EDITOR = "editor"
LAST = "limitranges"
"""What editors may not create, but for the role that is made last."""
HELM_RELEASES = "helmreleases.helm.toolkit.fluxcd.io"
ROUTES = "httproutes.gateway.networking.k8s.io"


@pytest.fixture
def editor(installed, plane_namespace):
    """Returns a function: whether an editor of the namespace may create something, with the roles of the chart for some values."""
    made = []

    def may_create(resource, values):
        roles = [role for role in render({**GATE, **values}) if role["kind"] == "ClusterRole" and is_aggregated(role)]
        for role in roles:
            role["metadata"]["name"] = f"{plane_namespace}-{role['metadata']['name']}"
            made.append(role["metadata"]["name"])
        roles.append(last_role(f"{plane_namespace}-last"))
        made.append(f"{plane_namespace}-last")
        installed.kubectl("apply", "-f", "-", input="\n---\n".join(map(json.dumps, roles)))
        # Roles are aggregated one after the other: when the last one is, the others are.
        until(lambda: can(LAST), "the roles to be aggregated")
        assert can("workspaces.kaito.sh")
        return can(resource)

    def can(resource):
        who = (f"--as={EDITOR}", "-n", plane_namespace)
        return installed.kubectl("auth", "can-i", "create", resource, *who, check=False).strip() == "yes"

    installed.kubectl("create", "rolebinding", EDITOR, "--clusterrole=edit", f"--user={EDITOR}", "-n", plane_namespace)
    yield may_create
    # The last one goes last, and when an editor has lost its right, those of the others are gone, too.
    installed.kubectl("delete", "clusterroles", *dict.fromkeys(made))
    until(lambda: not can(LAST), "the rights to be gone, which the next test would find")


def last_role(name):
    """Return a role that gives editors a right of which no other one tells."""
    labels = {"rbac.authorization.k8s.io/aggregate-to-edit": "true"}
    rules = [{"apiGroups": [""], "resources": [LAST], "verbs": ["create"]}]
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": metadata, "rules": rules}


def is_aggregated(role):
    return any(label.startswith("rbac.authorization.k8s.io/aggregate-to-") for label in role["metadata"].get("labels", {}))


@pytest.mark.parametrize(
    ("resource", "values", "may"),
    [
        pytest.param(HELM_RELEASES, {}, False, id="HelmReleases"),
        pytest.param(HELM_RELEASES, {"flux2": {"rbac": {"createAggregation": True}}}, True, id="HelmReleases, by flux2's default"),
        pytest.param(ROUTES, {}, False, id="HTTPRoutes"),
        pytest.param(ROUTES, {"rbac": {"aggregateRoutes": True}}, True, id="HTTPRoutes, on request"),
    ],
)
def test_what_editors_of_a_namespace_may_create(editor, resource, values, may):
    assert editor(resource, values) is may


def test_flux_installs_with_the_service_account_of_the_installation_unless_a_workspace_names_another(
    installed, plane_namespace, gateway, tmp_path
):
    path = tmp_path / "settings.yaml"
    path.write_text(json.dumps({"helmRelease": {"serviceAccountName": "flux-tenant"}}))
    behind = workspaces.behind(gateway, plane_namespace)
    with ControllerProcess(installed, "--config", str(path)):
        workspaces.apply(
            installed,
            plane_namespace,
            workspaces.workspace("phi", gateway=behind),
            workspaces.workspace("own", gateway={**behind, "serviceAccountName": "mine"}),
        )
        for name, account in (("phi", "flux-tenant"), ("own", "mine")):
            release = (f"helmrelease/{name}-inferencepool", "-n", plane_namespace)
            installed.kubectl("wait", "--for=create", *release, KUBECTL_TIMEOUT)
            spec = workspaces.get(installed, plane_namespace, "helmrelease", f"{name}-inferencepool")["spec"]
            assert spec["serviceAccountName"] == account

"""Charts, versions and values that installations and Workspaces choose, with real Flux and the real charts."""

import json
from collections import Counter

import pytest

from e2e import flux, policies, workspaces
from e2e.cluster.builder import output_of
from e2e.cluster.catalog import FLUX
from e2e.cluster.errors import ClusterError
from e2e.controller import ControllerProcess
from e2e.repacking import repack
from e2e.waiting import KUBECTL_TIMEOUT, until

VERSIONS = ("v1.0.1", "v1.1.0", "v1.2.1", "v1.3.1", "v1.4.0", "v1.5.0")
RELEASE = "phi-inferencepool"
SERVICE_MONITORS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicemonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "scope": "Namespaced",
        "names": {"kind": "ServiceMonitor", "plural": "servicemonitors", "singular": "servicemonitor"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


@pytest.fixture
def behind(gateway, plane_namespace):
    return workspaces.behind(gateway, plane_namespace)


@pytest.fixture
def settings(tmp_path):
    """Write a settings file and return the controller's arguments for it."""

    def write(document):
        path = tmp_path / "settings.yaml"
        path.write_text(json.dumps(document))
        return "--config", str(path)

    return write


def apply(cluster, namespace, name="phi", **gateway):
    workspaces.apply(cluster, namespace, workspaces.workspace(name, gateway=gateway))


def apply_small(cluster, namespace, name, **gateway):
    """Apply a Workspace that needs no GPU."""
    container = {"name": "server", "image": "example/server:1", "ports": [{"name": "http", "containerPort": 80}]}
    document = workspaces.workspace(
        name, resource={"labelSelector": {}}, inference={"template": {"spec": {"containers": [container]}}}, gateway=gateway
    )
    workspaces.apply(cluster, namespace, document)


def helm(cluster, *arguments):
    """Return what Helm says, as JSON."""
    result = cluster.run([str(output_of(FLUX).binary("helm")), *arguments, "-o", "json"])
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def revisions(cluster, namespace):
    """Return chart version and values of each revision of the release that Helm has kept."""
    place = (RELEASE, "-n", namespace)
    numbers = [str(entry["revision"]) for entry in helm(cluster, "history", *place)]
    return [
        (
            helm(cluster, "get", "metadata", *place, "--revision", number)["version"].partition("+")[0],
            helm(cluster, "get", "values", *place, "--revision", number),
        )
        for number in numbers
    ]


def test_every_version_of_the_chart_is_installed_and_becomes_ready(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        for version in VERSIONS:
            apply(installed, plane_namespace, f"phi-{version.replace('.', '-')}", chart={"version": version}, **behind)
        for version in VERSIONS:
            name = f"phi-{version.replace('.', '-')}"
            workspaces.wait_ready(installed, plane_namespace, name, "GatewayReady")
            status = workspaces.get(installed, plane_namespace, "workspace", name)["status"]
            assert status["gateway"]["chart"]["version"] == version
            pool = workspaces.get(installed, plane_namespace, "inferencepool", f"{name}-inferencepool")["spec"]
            assert pool["selector"]["matchLabels"] == {"kaito.sh/workspace": name}
            assert pool["targetPorts"] == [{"number": 5000}]
            picker = workspaces.get(installed, plane_namespace, "deployment", f"{name}-inferencepool-epp")["spec"]["template"][
                "spec"
            ]
            # In the one container, not in another beside it: ready when the port is open that Gateways ask.
            assert [(entry["name"], entry["startupProbe"]["tcpSocket"]) for entry in picker["containers"]] == [
                ("epp", {"port": 9002})
            ]


def test_a_version_with_build_metadata_is_installed_by_its_tag(installed, plane_namespace, behind, tmp_path):
    """Helm pushes v1.5.0+team.2 as the tag v1.5.0_team.2, because a tag must not contain a plus sign."""
    repack(installed, tmp_path, version="v1.5.0+team.2")
    with ControllerProcess(installed):
        for name, written in (("plus", "v1.5.0+team.2"), ("tag", "v1.5.0_team.2")):
            apply_small(installed, plane_namespace, name, chart={"version": written}, **behind)
        for name in ("plus", "tag"):
            workspaces.wait_ready(installed, plane_namespace, name)
            chart = workspaces.get(installed, plane_namespace, "workspace", name)["status"]["gateway"]["chart"]
            assert chart["version"] == "v1.5.0_team.2"


def wait_two_replicas(cluster, namespace):
    """Wait until the release asks for two endpoint pickers."""
    replicas = "--for=jsonpath={.spec.values.inferenceExtension.replicas}=2"
    cluster.kubectl("wait", f"helmrelease/{RELEASE}", "-n", namespace, replicas, KUBECTL_TIMEOUT)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [("v1.4.0", "v1.5.0", "modelServerProtocol"), ("v1.5.0", "v1.4.0", "targetPortNumber")],
    ids=["upgrade", "downgrade"],
)
def test_a_chart_is_changed_in_place_and_new_values_never_meet_the_old_one(installed, plane_namespace, behind, old, new, key):
    """Chart and values change in one edit; `key` is one that only the new layout has."""

    def uids():
        return {
            kind: workspaces.get(installed, plane_namespace, kind, name)["metadata"]["uid"]
            for kind, name in (("inferencepool", RELEASE), ("deployment", f"{RELEASE}-epp"))
        }

    with ControllerProcess(installed):
        apply(installed, plane_namespace, chart={"version": old}, **behind)
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")
        before = uids()
        apply(installed, plane_namespace, chart={"version": new}, endpointPicker={"replicas": 2}, **behind)
        wait_two_replicas(installed, plane_namespace)
        # Our status may still be that of before the release was changed.
        flux.wait_done(installed, plane_namespace, "helmrelease", RELEASE)
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")
    assert uids() == before  # in place
    kept = revisions(installed, plane_namespace)
    assert len(kept) == 2
    assert [version for version, values in kept if key in values["inferencePool"]] == [new.removeprefix("v")]
    assert kept[-1][1]["inferenceExtension"]["replicas"] == 2
    (container,) = workspaces.get(installed, plane_namespace, "deployment", f"{RELEASE}-epp")["spec"]["template"]["spec"][
        "containers"
    ]
    assert container["image"].endswith(f":{new}")


def test_new_values_are_not_written_before_the_new_chart_is_fetched(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        apply(installed, plane_namespace, chart={"version": "v1.4.0"}, **behind)
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")
        installed.stop_program("source-controller")
        try:
            apply(installed, plane_namespace, chart={"version": "v1.5.0"}, endpointPicker={"replicas": 2}, **behind)
            installed.kubectl(
                "wait", f"ocirepository/{RELEASE}", "-n", plane_namespace, "--for=jsonpath={.spec.ref.tag}=v1.5.0", KUBECTL_TIMEOUT
            )
            # A Workspace made now shows that the changed source was looked at before it: keys are worked on in order.
            apply_small(installed, plane_namespace, "later", enabled=False)
            workspaces.wait_ready(installed, plane_namespace, "later", "Ready")
            values = workspaces.get(installed, plane_namespace, "helmrelease", RELEASE)["spec"]["values"]
            assert (values["inferenceExtension"]["replicas"], "modelServerProtocol" in values["inferencePool"]) == (1, False)
        finally:
            installed.start_program("source-controller")
        wait_two_replicas(installed, plane_namespace)
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")


def test_a_refused_value_is_said_while_the_installed_chart_and_others_go_on(installed, plane_namespace, behind):
    with ControllerProcess(installed):
        apply(installed, plane_namespace, **behind)
        apply(installed, plane_namespace, "other", **behind)
        for name in ("phi", "other"):
            workspaces.wait_ready(installed, plane_namespace, name, "GatewayReady")
        generation = workspaces.get(installed, plane_namespace, "helmrelease", RELEASE)["metadata"]["generation"]
        refused = {"inferenceExtension": {"image": {"tag": "mine"}}}
        apply(installed, plane_namespace, endpointPicker={"values": refused}, **behind)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "ValuesNotAllowed")
        assert found["message"].startswith(
            "gateway.endpointPicker.values.inferenceExtension.image.tag cannot be set by a Workspace; "
        )
        assert workspaces.condition(installed, plane_namespace, "phi", "InferenceReady")["status"] == "True"
        assert workspaces.condition(installed, plane_namespace, "phi", "RouteReady")["status"] == "True"
        assert workspaces.condition(installed, plane_namespace, "other", "GatewayReady")["status"] == "True"
        assert workspaces.get(installed, plane_namespace, "helmrelease", RELEASE)["metadata"]["generation"] == generation
        apply(
            installed, plane_namespace, endpointPicker={"values": {"inferenceExtension": {"tolerations": [{"key": "a"}]}}}, **behind
        )
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")
        pod = workspaces.get(installed, plane_namespace, "deployment", f"{RELEASE}-epp")["spec"]["template"]["spec"]
        assert [entry["key"] for entry in pod["tolerations"]] == ["a"]


def test_a_workspace_can_pin_the_chart_of_a_listed_source_and_no_other(installed, plane_namespace, behind, settings):
    url = installed.chart_source_url()
    listed = [{}, {"name": "old", "url": url, "version": "v1.4.0", "insecure": True}]
    with ControllerProcess(installed, *settings({"chartSources": listed})):
        apply(installed, plane_namespace, chart={"name": "old"}, **behind)
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")
        chart = workspaces.get(installed, plane_namespace, "workspace", "phi")["status"]["gateway"]["chart"]
        assert chart["version"] == "v1.4.0"
        apply(installed, plane_namespace, chart={"name": "old", "digest": chart["digest"]}, **behind)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "ChartNotAllowed")
        assert found["message"].startswith("gateway.chart.digest is not one that the controller's settings allow for v1.4.0")
    listed[1]["allowedDigests"] = {"v1.4.0": chart["digest"]}
    allowed = policies.digest_allowed(installed, "v1.4.0", chart["digest"])
    with allowed, ControllerProcess(installed, *settings({"chartSources": listed})):
        apply(installed, plane_namespace, chart={"name": "old", "digest": chart["digest"]}, **behind)
        installed.kubectl(
            "wait",
            f"ocirepository/{RELEASE}",
            "-n",
            plane_namespace,
            f"--for=jsonpath={{.status.artifact.revision}}={chart['digest']}",
            KUBECTL_TIMEOUT,
        )
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")
        apply(installed, plane_namespace, chart={"name": "elsewhere"}, **behind)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "ChartNotAllowed")
        assert found["message"] == "gateway.chart.name elsewhere is not known; available: default, old"


def test_credentials_that_are_not_there_are_said_in_fluxs_words(installed, plane_namespace, behind, settings):
    with ControllerProcess(installed, *settings({"chartSources": [{"secretRef": {"name": "no-such-login"}}]})):
        apply(installed, plane_namespace, **behind)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "AuthenticationFailed")
        assert "no-such-login" in found["message"]


def test_flux_installs_with_the_service_account_and_says_what_it_lacks(installed, plane_namespace, behind):
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    subject = {"kind": "ServiceAccount", "name": "tenant", "namespace": plane_namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tenant"}
    metadata = {"name": "tenant"}
    with ControllerProcess(installed):
        workspaces.apply(installed, plane_namespace, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        apply(installed, plane_namespace, serviceAccountName="tenant", **behind)
        found = workspaces.wait_reason(installed, plane_namespace, "phi", "ChartReady", "StateError")
        assert f"system:serviceaccount:{plane_namespace}:tenant" in found["message"]
        group = "rbac.authorization.k8s.io/v1"
        workspaces.apply(
            installed,
            plane_namespace,
            {"apiVersion": group, "kind": "Role", "metadata": metadata, "rules": rules},
            {"apiVersion": group, "kind": "RoleBinding", "metadata": metadata, "roleRef": role, "subjects": [subject]},
        )
        # The API server learns of rights as every watcher does; an attempt of Flux before that would be the last one for a minute.
        account = f"--as=system:serviceaccount:{plane_namespace}:tenant"
        can = ("auth", "can-i", "create", "inferencepools.inference.networking.k8s.io", "-n", plane_namespace, account)
        until(lambda: installed.kubectl(*can, check=False).strip() == "yes", "the rights of the ServiceAccount")
        installed.kubectl(
            "annotate", "helmrelease", RELEASE, "-n", plane_namespace, "reconcile.fluxcd.io/requestedAt=2026-01-01T00:00:00Z"
        )
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")
        installed.kubectl("delete", "workspace", "phi", "-n", plane_namespace, KUBECTL_TIMEOUT)


HARMFUL_VALUES = {
    "file": {"inferenceExtension": {"pluginsConfigFile": 'x"\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: stolen}\n#'}},
    "replicas": {"inferenceExtension": {"replicas": "1\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: stolen}\n#"}},
    "image": {"inferenceExtension": {"image": {"tag": "x\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: stolen}\n#"}}},
    "flags": {"inferenceExtension": {"flags": {"x\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: stolen}\n#": "y"}}},
    "volume": {"inferenceExtension": {"volumes": [{"name": "root", "hostPath": {"path": "/"}}]}},
    "sidecar": {"inferenceExtension": {"sidecar": {"enabled": True, "image": "example/evil:1"}}},
    "monitoring": {"inferenceExtension": {"monitoring": {"prometheus": {"enabled": True}}}},
    "selector": {"inferencePool": {"modelServers": {"matchLabels": {"app": "bank"}}}},
    "secret": {
        "inferenceExtension": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "admin", "key": "token"}}}]},
    },
}
HARMFUL_LABEL = "a: b\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: stolen}\n#"


def test_who_may_only_write_workspaces_gains_none_of_fluxs_rights(installed, plane_namespace, behind):
    """Each Workspace tries one way; what comes of it is a condition, or the API server's refusal."""
    with ControllerProcess(installed) as controller:
        for name, values in HARMFUL_VALUES.items():
            apply_small(installed, plane_namespace, name, endpointPicker={"values": values}, **behind)
        apply_small(installed, plane_namespace, "from", endpointPicker={"valuesFrom": [{"kind": "Secret", "name": "a"}]}, **behind)
        apply_small(installed, plane_namespace, "address", chart={"name": "oci://evil.example/chart"}, **behind)
        theirs = {"workloadRef": {"selector": {HARMFUL_LABEL: "x"}, "targetPort": 80}}
        labels = workspaces.workspace("labels", resource=None, inference=theirs, gateway=behind)
        with pytest.raises(ClusterError, match="selector contains an invalid label"):
            workspaces.apply(installed, plane_namespace, labels)
        for name in (*HARMFUL_VALUES, "from"):
            workspaces.wait_reason(installed, plane_namespace, name, "ChartReady", "ValuesNotAllowed")
        workspaces.wait_reason(installed, plane_namespace, "address", "ChartReady", "ChartNotAllowed")
        apply_small(installed, plane_namespace, "good", **behind)
        workspaces.wait_ready(installed, plane_namespace, "good", "GatewayReady")
        releases = {item["metadata"]["name"] for item in workspaces.items(installed, plane_namespace, "helmrelease")}
        assert releases == {"good-inferencepool"}
        assert installed.kubectl("get", "namespace", "stolen", "--ignore-not-found") == ""
        assert not any("Traceback" in line for line in controller.log)


@pytest.fixture
def values_from(installed):
    """The policies of an installation that allows `valuesFrom`; afterwards those of all other tests."""
    with policies.changed(installed, {"endpointPicker": {"allowValuesFrom": True}}):
        yield


@pytest.mark.usefixtures("values_from")
def test_values_of_a_config_map_are_taken_where_the_installation_allows_them(installed, plane_namespace, behind, settings):
    values = {
        "inferencePool": {"targetPorts": [{"number": 1}]},
        "inferenceExtension": {"extProcPort": 1, "tolerations": [{"key": "theirs"}]},
    }
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "values"},
        "data": {"values.yaml": json.dumps(values)},
    }
    workspaces.apply(installed, plane_namespace, document)
    with ControllerProcess(installed, *settings({"endpointPicker": {"allowValuesFrom": True}})):
        apply(installed, plane_namespace, endpointPicker={"valuesFrom": [{"kind": "ConfigMap", "name": "values"}]}, **behind)
        workspaces.wait_ready(installed, plane_namespace, "phi", "GatewayReady")
        pod = workspaces.get(installed, plane_namespace, "deployment", f"{RELEASE}-epp")["spec"]["template"]["spec"]
        assert [entry["key"] for entry in pod["tolerations"]] == ["theirs"]
        pool = workspaces.get(installed, plane_namespace, "inferencepool", RELEASE)["spec"]
        assert pool["targetPorts"] == [{"number": 5000}]
        assert pool["endpointPickerRef"]["port"]["number"] == 9002


@pytest.fixture
def second_namespace(installed, plane_namespace):
    name = f"{plane_namespace}-b"
    installed.kubectl("create", "namespace", name)
    installed.kubectl("wait", "--for=create", "serviceaccount/default", "-n", name, KUBECTL_TIMEOUT)
    yield name
    installed.kubectl("delete", "namespace", name, "--wait=false")


def test_long_and_equal_names_share_no_object(installed, plane_namespace, second_namespace, behind, settings):
    """63 characters, the first 40 in common, in two namespaces; with monitoring, so that cluster roles and Secrets are made, too."""
    installed.kubectl("apply", "-f", "-", input=json.dumps(SERVICE_MONITORS))
    workspaces.wait_served(installed, "servicemonitors.monitoring.coreos.com")
    names = ["w" * 40 + letter * 23 for letter in "ab"]
    places = [(namespace, name) for namespace in (plane_namespace, second_namespace) for name in names]
    monitored = {"endpointPicker": {"values": {"inferenceExtension": {"monitoring": {"prometheus": {"enabled": True}}}}}}
    with ControllerProcess(installed, *settings(monitored)):
        for namespace, name in places:
            apply(installed, namespace, name, **behind)
        for namespace, name in places:
            workspaces.wait_ready(installed, namespace, name, "GatewayReady")
        for namespace in (plane_namespace, second_namespace):
            for release in workspaces.items(installed, namespace, "helmrelease"):  # the inventory may be written last
                flux.wait_done(installed, namespace, "helmrelease", release["metadata"]["name"])
        inventories = [
            [entry["id"] for entry in release["status"]["inventory"]["entries"]]
            for namespace in (plane_namespace, second_namespace)
            for release in workspaces.items(installed, namespace, "helmrelease")
        ]
        assert len(inventories) == len(places)
        assert len({len(entries) for entries in inventories}) == 1
        assert max(Counter(entry for entries in inventories for entry in entries).values()) == 1
        for kind in ("ClusterRole", "Secret", "ServiceMonitor"):
            assert all(any(entry.endswith(f"_{kind}") for entry in entries) for entries in inventories), kind

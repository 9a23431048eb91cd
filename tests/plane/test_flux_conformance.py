"""What we count on in Flux, asked of the real controllers: each claim of docs/concepts/flux.md that its documentation does not settle."""

import http.client
import json
from urllib.parse import urlsplit

import pytest

from e2e import workspaces
from e2e.flux import wait_done
from e2e.waiting import KUBECTL_TIMEOUT, until
from tests.plane.counting_registry import CountingRegistry

VALUES = {"inferencePool": {"modelServers": {"matchLabels": {"app": "ours"}}}}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def flux(plane, plane_namespace):
    return Flux(plane, plane_namespace)


class Flux:
    """Flux objects of one namespace, as a user handles them."""

    def __init__(self, cluster, namespace):
        self.cluster, self.namespace = cluster, namespace

    def source(self, name="source", **changes):
        spec = {
            "url": self.cluster.chart_source_url(),
            "insecure": True,
            "interval": "1h",
            "ref": {"tag": "v1.5.0"},
            "layerSelector": {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", "operation": "copy"},
            **changes,
        }
        self.apply("source.toolkit.fluxcd.io/v1", "OCIRepository", name, spec)

    def release(self, name="release", **changes):
        action = {"disableWait": True, "strategy": {"name": "RetryOnFailure", "retryInterval": "1m"}}
        spec = {
            "chartRef": {"kind": "OCIRepository", "name": "source"},
            "interval": "1h",
            "install": action,
            "upgrade": action,
            "values": VALUES,
            **changes,
        }
        self.apply("helm.toolkit.fluxcd.io/v2", "HelmRelease", name, spec)

    def apply(self, api_version, kind, name, spec=None, **fields):
        document = {
            "apiVersion": api_version,
            "kind": kind,
            "metadata": {"name": name},
            **({"spec": spec} if spec else {}),
            **fields,
        }
        workspaces.apply(self.cluster, self.namespace, document)

    def get(self, kind, name):
        return workspaces.get(self.cluster, self.namespace, kind, name)

    def patch(self, target, document):
        self.cluster.kubectl("patch", target, "-n", self.namespace, "--type=merge", "-p", json.dumps(document))

    def wait(self, target, *conditions):
        for condition in conditions:
            self.cluster.kubectl("wait", target, "-n", self.namespace, f"--for={condition}", KUBECTL_TIMEOUT)

    def wait_ready(self, target):
        """Wait until an object is Ready, and all else of its status has been written, too."""
        wait_done(self.cluster, self.namespace, *target.split("/"))
        self.wait(target, "condition=Ready")

    def fetched(self, name="source", **changes):
        """Create a source and wait until Flux has its chart."""
        self.source(name, **changes)
        self.wait_ready(f"ocirepository/{name}")

    def installed(self, name="release", **changes):
        """Install a release and wait until it is there."""
        self.release(name, **changes)
        self.wait_ready(f"helmrelease/{name}")

    def reconcile(self, target):
        """Ask for a reconciliation and wait until it was made."""
        stamp = f"2026-01-01T00:00:00.{self.get(*target.split('/'))['metadata']['resourceVersion']}Z"
        self.patch(target, {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": stamp}}})
        self.wait(target, f"jsonpath={{.status.lastHandledReconcileAt}}={stamp}")

    def condition(self, kind, name, type_):
        return condition(self.get(kind, name), type_)

    def failed(self, kind, name, word, generation):
        """Return an object as it was while Ready had a reason and `observedGeneration` a value.

        Flux writes them one after the other, and the next attempt overwrites both, so they are looked for in one answer.
        """
        seen = []

        def is_there():
            seen[:] = [self.get(kind, name)]
            ready = condition(seen[0], "Ready") or {}
            return (ready.get("reason"), seen[0].get("status", {}).get("observedGeneration")) == (word, generation)

        until(is_there, f"{kind} {name} of generation {generation} to be {word}")
        return seen[0]


def condition(document, type_):
    conditions = document.get("status", {}).get("conditions", [])
    return next((entry for entry in conditions if entry["type"] == type_), None)


def reason(type_, word):
    return f'jsonpath={{.status.conditions[?(@.type=="{type_}")].reason}}={word}'


def test_a_pinned_digest_costs_the_registry_nothing_after_the_first_fetch(flux, capsys):
    flux.fetched("by-tag")
    tag, _, digest = flux.get("ocirepository", "by-tag")["status"]["artifact"]["revision"].partition("@")
    assert tag == "v1.5.0"
    address = urlsplit(flux.cluster.chart_source_url())
    with CountingRegistry.running(address.netloc) as registry:
        url = f"oci://{registry.address}{address.path}"
        flux.fetched("pinned", url=url, ref={"digest": digest})
        assert flux.get("ocirepository", "pinned")["status"]["artifact"]["revision"] == digest
        first = registry.counts.copy()
        flux.reconcile("ocirepository/pinned")
        assert registry.counts == first
        flux.fetched("tagged", url=url)
        fetched = registry.counts.copy()
        flux.reconcile("ocirepository/tagged")
        again = registry.counts - fetched
    with capsys.disabled():
        print(
            f"\n  requests of a first fetch: pinned {dict(first)}, by tag {dict(fetched - first)}; of a check by tag: {dict(again)}"
        )
    assert again["HEAD", "manifests"] == 1
    assert not {purpose for _, purpose in again} & {"blobs", "tags"}


def test_a_suspended_source_calls_its_old_chart_ready_for_the_new_spec(flux):
    flux.fetched()
    flux.patch("ocirepository/source", {"spec": {"suspend": True, "ref": {"tag": "v1.4.0"}}})
    flux.wait("ocirepository/source", "jsonpath={.status.observedGeneration}=2")
    ready = flux.condition("ocirepository", "source", "Ready")
    assert (ready["status"], ready["observedGeneration"]) == ("True", 2)
    assert flux.get("ocirepository", "source")["status"]["artifact"]["revision"].startswith("v1.5.0@")


def test_a_source_fills_in_what_we_do_not_send(flux):
    flux.fetched(interval="0s")
    spec = flux.get("ocirepository", "source")["spec"]
    assert (spec["provider"], spec["timeout"], spec["interval"]) == ("generic", "60s", "0s")


def test_a_source_with_a_bad_tag_stays_behind_and_stops_upgrades_but_nothing_that_runs(flux):
    flux.source()
    flux.installed()
    flux.patch("ocirepository/source", {"spec": {"ref": {"tag": "v0.0.0"}}})
    source = flux.failed("ocirepository", "source", "OCIArtifactPullFailed", generation=1)
    assert source["metadata"]["generation"] == condition(source, "Ready")["observedGeneration"] == 2
    flux.patch("helmrelease/release", {"metadata": {"annotations": {"reconcile.fluxcd.io/requestedAt": "2026-01-01T00:00:00Z"}}})
    flux.wait("helmrelease/release", reason("Ready", "SourceNotReady"))
    assert flux.get("deployment", "release-epp")["spec"]["replicas"] == 1


def test_a_new_chart_does_not_change_the_generation_of_its_release(flux):
    flux.source(ref={"tag": "v1.4.0"})
    flux.installed()
    before = flux.get("helmrelease", "release")
    flux.patch("ocirepository/source", {"spec": {"ref": {"tag": "v1.5.0"}}})
    flux.wait("ocirepository/source", "jsonpath={.status.observedGeneration}=2")
    digest = flux.get("ocirepository", "source")["status"]["artifact"]["revision"].partition("@")[2]
    flux.wait("helmrelease/release", f"jsonpath={{.status.history[0].ociDigest}}={digest}", "condition=Ready")
    after = flux.get("helmrelease", "release")
    assert after["metadata"]["generation"] == before["metadata"]["generation"] == 1
    assert after["status"]["lastAttemptedRevisionDigest"] == digest != before["status"]["lastAttemptedRevisionDigest"]
    assert [entry["chartVersion"].partition("+")[0] for entry in after["status"]["history"]] == ["1.5.0", "1.4.0"]


def test_a_floating_tag_is_read_as_a_version_that_the_chart_does_not_have(flux):
    copy_tag(flux.cluster.chart_source_url(), "v1.5.0", "1")
    flux.fetched(ref={"tag": "1"})
    flux.release()
    flux.wait("helmrelease/release", reason("Ready", "ChartMutateError"))


def test_a_tag_that_is_no_version_at_all_is_taken(flux):
    copy_tag(flux.cluster.chart_source_url(), "v1.5.0", "stable")
    flux.source(ref={"tag": "stable"})
    flux.installed()
    revision = flux.get("ocirepository", "source")["status"]["artifact"]["revision"]
    attempted = flux.get("helmrelease", "release")["status"]["lastAttemptedRevisionDigest"]
    assert attempted.endswith(revision.partition("@")[2])


def copy_tag(url, old, new):
    """Give a chart in the registry another tag."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc)
    manifests = f"/v2{address.path}/manifests"
    connection.request("GET", f"{manifests}/{old}", headers={"Accept": MANIFEST})
    manifest = connection.getresponse().read()
    connection.request("PUT", f"{manifests}/{new}", body=manifest, headers={"Content-Type": MANIFEST})
    assert connection.getresponse().status == 201
    connection.close()


def test_a_release_that_is_created_suspended_has_seen_its_generation_and_says_nothing(flux):
    flux.source()
    flux.release(suspend=True)
    flux.wait("helmrelease/release", "jsonpath={.status.observedGeneration}=1")
    status = flux.get("helmrelease", "release")["status"]
    assert "conditions" not in status
    assert "lastAttemptedGeneration" not in status


def test_a_release_that_does_not_render_never_stalls_and_stays_behind(flux):
    flux.source()
    flux.release(values={})
    release = flux.failed("helmrelease", "release", "InstallFailed", generation=1)
    assert "matchLabels is required" in condition(release, "Ready")["message"]
    assert condition(release, "Stalled") is None
    assert "history" not in release["status"]


def test_settings_of_flux_alone_make_no_revision(flux):
    flux.source()
    flux.installed()
    flux.patch("helmrelease/release", {"spec": {"interval": "2h", "maxHistory": 2}})
    flux.wait("helmrelease/release", "jsonpath={.status.observedGeneration}=2", "condition=Ready")
    assert [entry["version"] for entry in flux.get("helmrelease", "release")["status"]["history"]] == [1]


def test_an_unchanged_apply_keeps_the_generation_and_a_vanished_value_goes(flux):
    flux.source()

    def apply(values):
        spec = {"chartRef": {"kind": "OCIRepository", "name": "source"}, "interval": "1h", "values": values}
        document = {
            "apiVersion": "helm.toolkit.fluxcd.io/v2",
            "kind": "HelmRelease",
            "metadata": {"name": "release", "namespace": flux.namespace},
            "spec": spec,
        }
        flux.cluster.kubectl("apply", "--server-side", "--field-manager=test", "-f", "-", input=json.dumps(document))
        return flux.get("helmrelease", "release")

    apply({**VALUES, "inferenceExtension": {"replicas": 2}})
    assert apply({**VALUES, "inferenceExtension": {"replicas": 2}})["metadata"]["generation"] == 1
    changed = apply(VALUES)
    assert (changed["metadata"]["generation"], changed["spec"]["values"]) == (2, VALUES)


def test_a_pool_that_no_gateway_knows_holds_up_no_release_that_waits(flux):
    flux.source()
    flux.installed(install={"disableWait": False})
    assert "status" not in flux.get("inferencepool", "release") or not flux.get("inferencepool", "release")["status"].get("parents")


def test_a_long_name_is_shortened_by_flux_unless_the_release_is_named(flux):
    flux.source()
    long = "n" * 60
    flux.installed(long)
    shortened = flux.get("helmrelease", long)["status"]["history"][0]["name"]
    assert (len(shortened), shortened[:41]) == (53, "n" * 40 + "-")


def test_two_releases_that_share_an_object_take_it_from_each_other_without_a_word(flux):
    flux.source()
    shared = "r" * 40
    flux.installed("first", releaseName=f"{shared}1")
    flux.installed("second", releaseName=f"{shared}2")
    assert flux.get("deployment", f"{shared}-epp")["metadata"]["labels"]["helm.toolkit.fluxcd.io/name"] == "second"
    assert flux.condition("helmrelease", "first", "Ready")["status"] == "True"


def config_map(flux, **data):
    flux.apply("v1", "ConfigMap", "values", data=data)


def selected(flux):
    return flux.get("inferencepool", "release")["spec"]["selector"]["matchLabels"]


def test_values_of_a_config_map_give_way_to_inline_values(flux):
    flux.source()
    config_map(flux, **{"values.yaml": json.dumps({"inferencePool": {"modelServers": {"matchLabels": {"app": "theirs"}}}})})
    flux.installed(valuesFrom=[{"kind": "ConfigMap", "name": "values"}])
    assert selected(flux) == {"app": "ours"}


def test_a_value_at_a_target_path_reaches_beyond_its_path(flux):
    """So a list of allowed target paths would protect nothing: valuesFrom is refused as a whole unless the installation allows it."""
    flux.source()
    config_map(flux, mode="FailOpen,inferencePool.modelServers.matchLabels.app=theirs")
    reference = {"kind": "ConfigMap", "name": "values", "valuesKey": "mode", "targetPath": "inferenceExtension.failureMode"}
    flux.installed(valuesFrom=[reference])
    assert selected(flux) == {"app": "theirs"}


@pytest.mark.parametrize("how", ["suspended", "its ServiceAccount is gone"])
def test_flux_leaves_the_objects_behind_when_a_release_is_deleted_that(flux, how):
    flux.source()
    flux.apply("v1", "ServiceAccount", "tenant")
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    flux.apply("rbac.authorization.k8s.io/v1", "Role", "tenant", rules=rules)
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "tenant"}
    subjects = [{"kind": "ServiceAccount", "name": "tenant", "namespace": flux.namespace}]
    flux.apply("rbac.authorization.k8s.io/v1", "RoleBinding", "tenant", roleRef=role, subjects=subjects)
    flux.installed(serviceAccountName="tenant")
    if how == "suspended":
        flux.patch("helmrelease/release", {"spec": {"suspend": True}})
    else:
        flux.cluster.kubectl("delete", "serviceaccount", "tenant", "-n", flux.namespace)
    flux.cluster.kubectl("delete", "helmrelease", "release", "-n", flux.namespace, KUBECTL_TIMEOUT)
    assert flux.get("inferencepool", "release")["metadata"].get("deletionTimestamp") is None

"""`kubectl apply` of a Workspace against a real API server: the controller's refusals and warnings, and that nothing hangs on them."""

import base64
import json
import socket
import time

import pytest

from e2e import policies, workspaces
from e2e.cluster.chart import chart
from e2e.controller import ControllerProcess
from e2e.waiting import until
from tests.certificates import make_certificate
from tests.chart.helm import find, helm, render

UNKNOWN = "inference.preset.name 'phi4' is not known; did you mean phi-4?"
INVALID = {"inference": {"preset": {"name": "phi4"}}}
CHARTS_SECONDS = 2
"""For which the API server waits for an answer by the chart's configuration; with none, it does without."""
LONGEST_SECONDS = 60
"""Much longer than what should be waited for: a busy machine stands still for seconds. What it takes is printed."""
FAILED_OPEN = '"failed-open.validating.webhook.admission.k8s.io/'
DENIED = 'admission webhook "workspaces.kaito.sh" denied the request: '


@pytest.fixture
def folder(tmp_path):
    """A folder with a certificate for this machine."""
    make_certificate(tmp_path / "certificates")
    return tmp_path / "certificates"


@pytest.fixture
def patience():
    """Seconds for which the API server waits for an answer, in place of the chart's: a busy machine may need them."""
    return 30


@pytest.fixture
def configured(installed, plane_namespace, folder, patience):
    """The chart's configuration, for the test's namespace and a port of this machine; yields that port."""
    document = find(render({"scope": {"namespaces": [plane_namespace]}}), "ValidatingWebhookConfiguration")
    document["metadata"]["name"] = plane_namespace
    authority = base64.b64encode((folder / "tls.crt").read_bytes()).decode()
    (webhook,) = document["webhooks"]
    assert webhook["timeoutSeconds"] == CHARTS_SECONDS
    webhook["timeoutSeconds"] = patience
    # A socket that only holds the port: others who reuse the address can listen on it, and nobody else is given it meanwhile.
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        webhook["clientConfig"] = {"url": f"https://127.0.0.1:{port}/workspaces", "caBundle": authority}
        installed.kubectl("apply", "-f", "-", input=json.dumps(document))
        yield port
    installed.kubectl("delete", "validatingwebhookconfiguration", plane_namespace)


@pytest.fixture
def kubectl(installed, plane_namespace):
    """Returns a function that runs kubectl as the user with an object as input, whatever becomes of it: exit code and words."""

    def run(*arguments, document=None):
        result = installed.kubectl_result("-n", plane_namespace, *arguments, input=json.dumps(document), actor="user")
        return result.returncode, result.stderr

    return run


@pytest.fixture
def checked(installed, plane_namespace, configured, folder, kubectl):
    """A controller that is asked; the API server has noticed the configuration."""
    options = ("--admission-port", str(configured), "--admission-certificates", str(folder))
    with ControllerProcess(installed, *options, "--namespace", plane_namespace) as controller:
        document = workspaces.workspace("any", **INVALID)
        until(lambda: kubectl("create", "--dry-run=server", "-f", "-", document=document)[0] != 0, "the webhook refuses")
        yield controller


def test_an_apply_is_refused_in_the_words_of_the_condition(installed, plane_namespace, checked, kubectl):
    document = workspaces.workspace("wrong", **INVALID)
    for verb in (("create",), ("apply",), ("apply", "--server-side")):
        code, words = kubectl(*verb, "-f", "-", document=document)
        assert (code, words.strip().endswith(f"{DENIED}{UNKNOWN}")) == (1, True), words
    assert workspaces.items(installed, plane_namespace, "workspaces") == []
    assert not any("Traceback" in line or "ERROR" in line for line in checked.log)


def test_doubts_are_printed_as_warnings_with_every_version_of_the_api(checked, kubectl):
    fields = {
        "resource": {"labelSelector": {}, "count": 3},
        "metadata": {"name": "doubtful", "annotations": {"kaito.sh/enablelb": "yes", "kaito.sh/runtim": "vllm"}},
    }
    for version in ("v1beta1", "v1alpha1"):
        document = workspaces.workspace(**fields) | {"apiVersion": f"kaito.sh/{version}"}
        code, words = kubectl("apply", "--dry-run=server", "-f", "-", document=document)
        assert (code, words.splitlines()) == (
            0,
            [
                "Warning: unknown annotation kaito.sh/runtim; did you mean kaito.sh/runtime?",
                'Warning: annotation kaito.sh/enablelb: "yes" has no effect; set "true" for a Service of type LoadBalancer',
                "Warning: sized for Standard_NC24ads_A100_v4, unless matching nodes have labels of other GPUs; set resource.instanceType",
                "Warning: resource.count: 3 has no effect; the model is sized for 1",
            ],
        )


def test_an_unknown_field_is_reported_by_the_api_server_which_removes_it_before_the_webhook(checked, kubectl):
    document = workspaces.workspace("unknown-field")
    document["inference"]["preset"]["presetOptions"] = {"modelWeightsPVC": "weights"}
    code, words = kubectl("create", "--dry-run=server", "-f", "-", document=document)
    assert (code, 'unknown field "inference.preset.presetOptions.modelWeightsPVC"' in words) == (1, True), words
    code, words = kubectl("create", "--dry-run=server", "--validate=warn", "-f", "-", document=document)
    assert (code, words.splitlines()) == (0, ['Warning: unknown field "inference.preset.presetOptions.modelWeightsPVC"'])


def test_an_inference_set_is_judged_in_the_words_of_its_own_fields(checked, kubectl):
    document = workspaces.inference_set("copies", autoUpgrade={"enabled": True}, nodeCountLimit=1, replicas=2)
    for version in ("v1beta1", "v1alpha1"):
        code, words = kubectl("create", "--dry-run=server", "-f", "-", document=document | {"apiVersion": f"kaito.sh/{version}"})
        assert code == 0
        assert "Warning: spec.nodeCountLimit: 1 allows 1 of 2 replicas of 1 node each" in words
        assert "Warning: spec.autoUpgrade has no effect: this controller does not upgrade by itself" in words
    document["spec"]["template"]["inference"] = INVALID["inference"]
    code, words = kubectl("create", "-f", "-", document=document)
    assert (code, words.strip().endswith(f"{DENIED}spec.template.{UNKNOWN}")) == (1, True), words


def test_what_the_cluster_lacks_or_has_already_is_a_warning(installed, plane_namespace, checked, kubectl):
    installed.kubectl("create", "deployment", "taken", "--image=any", "-n", plane_namespace)
    document = workspaces.workspace("taken", inference={"preset": {"name": "phi-4-mini-instruct"}, "config": "later"})

    def warnings():
        """The warnings of one apply; none if a busy machine did not look up the objects in time."""
        code, words = kubectl("create", "--dry-run=server", "-f", "-", document=document)
        assert code == 0
        return words

    until(
        lambda: f"Warning: ConfigMap {plane_namespace}/later (inference.config) not found" in warnings(), "the ConfigMap is missing"
    )
    installed.kubectl("create", "configmap", "later", "-n", plane_namespace)
    until(lambda: f"Warning: Deployment {plane_namespace}/taken " in (words := warnings()) and words.count("Warning: ") == 1, "one")
    adopt = f"kubectl annotate workspace taken -n {plane_namespace} workspace-ctrl/adopt=Deployment"
    until(lambda: adopt in warnings(), "how the Deployment is adopted")


def test_one_that_is_there_and_invalid_can_be_edited_freed_and_deleted(installed, plane_namespace, configured, folder, kubectl):
    document = workspaces.workspace("old", **INVALID)
    document["metadata"]["finalizers"] = ["example.com/mine"]
    wait_asked(installed, plane_namespace, kubectl)
    assert kubectl("create", "-f", "-", document=document) == (0, "")  # nobody serves: as before the webhook was there
    options = ("--admission-port", str(configured), "--admission-certificates", str(folder), "--namespace", plane_namespace)
    with ControllerProcess(installed, *options):
        found = workspaces.wait_reason(installed, plane_namespace, "old", "WorkspaceSucceeded", "InvalidSpec")
        assert found["message"] == UNKNOWN
        until(lambda: kubectl("create", "--dry-run=server", "-f", "-", document=document)[1].find(DENIED) > 0, "it is asked")
        assert kubectl("label", "workspace", "old", "a=b") == (0, "")
        patch = json.dumps({"gateway": {"hostnames": ["a.example"]}})
        assert kubectl("patch", "workspace", "old", "--type=merge", "-p", patch) == (0, f"Warning: {UNKNOWN}\n")
        assert kubectl("delete", "workspace", "old", "--wait=false") == (0, "")
        patch = json.dumps({"metadata": {"finalizers": None}})
        assert kubectl("patch", "workspace", "old", "--type=merge", "-p", patch) == (0, "")
        workspaces.wait_gone(installed, plane_namespace, "workspace", "old")


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        pytest.param(
            "[" * 80 + "]" * 80, "the Workspace cannot be read: inference.template.spec is nested deeper than 64 levels", id="deep"
        ),
        pytest.param(
            "[" * 5000 + "]" * 5000,
            "the Workspace cannot be read: it is larger than 256 KiB or nested deeper than 64 levels",
            id="deeper than parsers go",
        ),
        pytest.param(json.dumps("x" * 300 * 1024), "the Workspace cannot be read: it is larger than 256 KiB", id="large"),
    ],
)
def test_what_would_harm_the_controller_is_not_stored(installed, plane_namespace, checked, inner, words):
    text = json.dumps(workspaces.workspace("huge", inference={"template": {"spec": "INNER"}}))
    path = f"/apis/kaito.sh/v1beta1/namespaces/{plane_namespace}/workspaces"
    result = installed.kubectl_result("create", "--raw", path, "-f", "-", input=text.replace('"INNER"', inner), actor="user")
    assert words in result.stderr
    assert workspaces.items(installed, plane_namespace, "workspaces") == []


def wait_asked(cluster, namespace, kubectl):
    """Wait until the API server has noticed the configuration: it asks, and goes on without an answer."""
    since = cluster.audit_place()

    def has_asked():
        kubectl("create", "--dry-run=server", "-f", "-", document=workspaces.workspace("any", **INVALID))
        return unanswered(cluster, namespace, since) > 0

    until(has_asked, "the webhook to be asked")


def unanswered(cluster, namespace, since):
    """How many calls the API server has let through because the webhook did not answer, by the audit log."""
    events = cluster.audit_events_with(FAILED_OPEN, since)
    return sum(event["objectRef"].get("namespace") == namespace for event in events)


def apply_unanswered(cluster, namespace, kubectl):
    """Apply what the webhook would refuse, and print how long it takes."""
    wait_asked(cluster, namespace, kubectl)
    since = cluster.audit_place()
    began = time.monotonic()
    assert kubectl("apply", "-f", "-", document=workspaces.workspace("one", **INVALID)) == (0, "")
    seconds = time.monotonic() - began
    print(f"an apply without an answer of the webhook: {seconds:.2f} s")
    assert seconds < LONGEST_SECONDS
    assert unanswered(cluster, namespace, since) == 1


@pytest.mark.parametrize("patience", [CHARTS_SECONDS])
@pytest.mark.usefixtures("configured")
def test_nobody_waits_for_a_controller_that_is_away(installed, plane_namespace, kubectl):
    apply_unanswered(installed, plane_namespace, kubectl)


@pytest.mark.parametrize("patience", [CHARTS_SECONDS])
def test_nobody_waits_long_for_a_controller_that_hangs(installed, plane_namespace, configured, kubectl):
    with socket.create_server(("127.0.0.1", configured)) as server:  # it never answers; each call takes the chart's seconds
        apply_unanswered(installed, plane_namespace, kubectl)
        server.accept()[0].close()  # the API server has connected


def rendered(installed, namespace):
    """The certificate's Secret and the trusted authorities, as an upgrade of a release in `namespace` would make them."""
    command = [
        "template",
        "workspace-ctrl",
        str(chart()),
        "--dry-run=server",
        f"--kubeconfig={installed.kubeconfig}",
        "-n",
        namespace,
    ]
    # With the gate off, the chart would refuse while other tests of this API server have HelmReleases.
    gate = {"featureGates": {"gatewayAPIInferenceExtension": True}, "flux2": {"enabled": False}}
    result = helm(*command, values={"crds": {"install": False}, **gate})
    assert not result.returncode, result.stderr
    manifests = policies.read_documents(result.stdout)
    client = find(manifests, "ValidatingWebhookConfiguration")["webhooks"][0]["clientConfig"]
    return find(manifests, "Secret", "-admission"), base64.b64decode(client["caBundle"]).decode()


def store(installed, namespace, secret):
    """Store the Secret as Helm does."""
    ours = {"meta.helm.sh/release-name": "workspace-ctrl", "meta.helm.sh/release-namespace": namespace}
    metadata = {**secret["metadata"], "annotations": {**secret["metadata"]["annotations"], **ours}}
    workspaces.apply(installed, namespace, {**secret, "metadata": metadata})


def test_upgrades_keep_the_certificate_until_it_is_due_and_then_trust_both(installed, plane_namespace):
    first, trusted = rendered(installed, plane_namespace)
    authority = base64.b64decode(first["data"]["ca.crt"]).decode()
    assert trusted == authority
    assert 4.9 < (int(first["metadata"]["annotations"]["workspace-ctrl/renew-after"]) - time.time()) / (365 * 86400) < 5.1
    store(installed, plane_namespace, first)
    assert rendered(installed, plane_namespace) == (first, trusted)

    first["metadata"]["annotations"]["workspace-ctrl/renew-after"] = str(int(time.time()) - 1)
    store(installed, plane_namespace, first)
    second, trusted = rendered(installed, plane_namespace)
    assert second["data"]["tls.crt"] != first["data"]["tls.crt"]
    assert trusted == base64.b64decode(second["data"]["ca.crt"]).decode() + authority
    store(installed, plane_namespace, second)
    assert rendered(installed, plane_namespace) == (second, base64.b64decode(second["data"]["ca.crt"]).decode())

"""Reading a Workspace: what is accepted, and in which words the rest is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import NAME, quickstart
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import parse_workspace

BEGINS_WITH_A_DASH = "must be a name of printable ASCII characters without spaces that does not begin with -"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=10), children, max_size=3),
    max_leaves=10,
)


def test_the_quickstart_is_accepted():
    workspace = parse_workspace(NAME, quickstart())
    assert workspace.resource.instance_type == "Standard_NC24ads_A100_v4"
    assert workspace.inference is not None
    assert workspace.inference.preset is not None
    assert workspace.inference.preset.name == "phi-4-mini-instruct"


@pytest.mark.parametrize(
    "reference",
    [
        {"kind": "Deployment", "name": "x"},
        {"apiVersion": "v1", "kind": "ReplicationController", "name": "x"},
        {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "x"},
        {"apiVersion": "v1", "selector": {"a": "b"}, "targetPort": 80},
    ],
    ids=lambda reference: reference.get("kind", "labels"),
)
def test_objects_that_have_pods_can_be_referenced(reference):
    workspace = parse_workspace(NAME, quickstart(inference={"workloadRef": reference}))
    assert workspace.inference is not None
    assert workspace.inference.sources == ["workloadRef"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param(
            {"inference": None},
            "a Workspace needs exactly one of inference and tuning; add inference, or remove tuning",
            id="neither",
        ),
        pytest.param(
            {"tuning": {}}, "a Workspace needs exactly one of inference and tuning; add inference, or remove tuning", id="both"
        ),
        pytest.param(
            {"inference": {"preset": {"name": "x"}, "template": {}}},
            "inference needs exactly one of preset, template and workloadRef; set one, and remove the others",
            id="preset and template",
        ),
        pytest.param(
            {"inference": {"workloadRef": {"selector": {"a: b\nc": "d"}, "targetPort": 80}}},
            "inference.workloadRef.selector contains 'a: b\\nc=d', which is not a valid label; set labels of the pods",
            id="no label",
        ),
        pytest.param(
            {"inference": {"workloadRef": {"apiVersion": "v1", "kind": "Secret", "name": "x"}}},
            "inference.workloadRef.apiVersion has no workloads; reference an object that has pods, or set selector and targetPort "
            "without a kind",
            id="a kind without pods",
        ),
        pytest.param(
            {"inference": {"workloadRef": {"kind": "Deployment"}}},
            "inference.workloadRef needs kind and name together; add the one that is missing",
            id="a kind without a name",
        ),
        pytest.param(
            {"inference": {"workloadRef": {"selector": {"a": "b"}}}},
            "inference.workloadRef selects no pods; set kind and name of an object, or selector and targetPort",
            id="labels without a port",
        ),
        pytest.param(
            {"inference": {"template": {}, "weightsVolume": {}}},
            "inference.weightsVolume needs a preset; remove it, or mount a volume in the template",
            id="a volume for the weights of a template",
        ),
        pytest.param(
            {"inference": {"preset": {"name": "x"}, "weightsVolume": {"claimName": "a", "size": "1Gi"}}},
            "inference.weightsVolume allows either claimName, or storageClassName and size; remove the other",
            id="a claim and a size",
        ),
        pytest.param({"resource": None}, "resource is required; select the nodes with resource.labelSelector", id="no resource"),
        pytest.param(
            {"inference": {"preset": {"name": 3}}},
            "inference.preset.name is not valid: it must be a text, in quotes if it looks like a number",
            id="wrong type",
        ),
        pytest.param({"inference": {"preset": "x"}}, "inference.preset must be a mapping", id="text for a mapping"),
        pytest.param({"gateway": {"group": {}}}, "gateway.group.name is not valid: it is required", id="a field that is missing"),
        pytest.param(
            {"gateway": {"group": {"name": "chat", "weight": "90"}}},
            "gateway.group.weight is not valid: it must be a whole number, without quotes",
            id="text for a number",
        ),
        pytest.param(
            {"gateway": {"group": {"name": "chat", "weight": 0.5}}},
            "gateway.group.weight is not valid: it must be a whole number, without quotes",
            id="a fraction",
        ),
        pytest.param(
            {"gateway": {"group": {"name": "chat", "fallback": "yes"}}},
            "gateway.group.fallback is not valid: it must be true or false, without quotes",
            id="text for a truth value",
        ),
        pytest.param(
            {"gateway": {"group": {"name": "chat", "canary": {"steps": [10, 101]}}}},
            "gateway.group.canary.steps[1] is not valid: it must be at most 100",
            id="too large a number",
        ),
        pytest.param(
            {"gateway": {"group": {"name": "chat", "canary": {"maxLatencyRatio": "1.5"}}}},
            "gateway.group.canary.maxLatencyRatio is not valid: it must be a number, without quotes",
            id="text for a fraction",
        ),
        pytest.param({"gateway": {"aliases": "chat"}}, "gateway.aliases is not valid: it must be a list", id="text for a list"),
        pytest.param(
            {"gateway": {"aliases": [f"name-{number}" for number in range(17)]}},
            "gateway.aliases is not valid: it must have at most 16 items",
            id="too long a list",
        ),
        *(
            pytest.param({"gateway": given}, f"gateway.{path} {BEGINS_WITH_A_DASH}", id=f"a flag as {path}")
            for path, given in (
                ("aliases[0]", {"aliases": ["--trust-remote-code"]}),
                ("aliases[1]", {"aliases": ["chat", "-tp=4"]}),
                ("modelName", {"modelName": "--api-key=abc"}),
            )
        ),
        pytest.param({"gateway": {"aliases": [""]}}, "gateway.aliases[0] is not valid: it must not be empty", id="no text"),
        pytest.param(
            {"gateway": {"pool": {"failureMode": "Open"}}},
            "gateway.pool.failureMode is not valid: it must be 'FailOpen' or 'FailClose'",
            id="another word",
        ),
    ],
)
def test_refusals_name_path_problem_and_remedy(changes, text):
    with pytest.raises(SpecError) as caught:
        parse_workspace(NAME, quickstart(**changes))
    assert str(caught.value) == text


@pytest.mark.parametrize("path", ["/", "/health", "/health/", "/v1/models", "/.well-known/ready", "/a-b_c~d.e/f"])
def test_a_path_for_probes_is_below_that_of_the_workspace(path):
    assert parse_workspace(NAME, quickstart(gateway={"probe": {"path": path}})).gateway.probe.path == path


@pytest.mark.parametrize(
    "path", ["", "health", "/..", "/.", "/../x", "/x/../y", "/x/./y", "//x", "/x//y", "/%2e%2e/x", "/x?y", "/x\n"]
)
def test_a_path_for_probes_that_leads_elsewhere_is_refused(path):
    with pytest.raises(
        SpecError, match=r"gateway\.probe\.path must be an absolute path .* without segments like \. and \.\. or empty ones"
    ):
        parse_workspace(NAME, quickstart(gateway={"probe": {"path": path}}))


def test_a_name_that_no_limit_allows_is_refused():
    with pytest.raises(SpecError, match=r"metadata\.name must be a DNS label of at most 63 characters"):
        parse_workspace("a.b", quickstart())


@given(st.dictionaries(st.sampled_from(["resource", "inference", "tuning", "gateway"]), json_values))
def test_whatever_stands_in_a_workspace_it_is_read_or_refused(raw):
    try:
        parse_workspace(NAME, raw)
    except SpecError as error:
        assert str(error)

"""The verdict on a Workspace before it is stored: refusals in the words of the condition, and warnings for what is doubtful."""

import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import NAME, NAMESPACE, NOW, SETTINGS, quickstart, status, workspace
from workspace_ctrl.api.labels import POD_LABEL
from workspace_ctrl.cli.main import main
from workspace_ctrl.model.api_query_results import DryRun, QueryResults
from workspace_ctrl.model.snapshot import Snapshot
from workspace_ctrl.planning.admission.admission_verdict import Known, Verdict, judge, judge_change
from workspace_ctrl.planning.manifests import applied_hash
from workspace_ctrl.planning.plan import plan
from workspace_ctrl.planning.plan_settings import PlanSettings
from workspace_ctrl.records.meta import ObjectRef

NOTHING = Known()
DEFAULT_SIZE = "sized for Standard_NC24ads_A100_v4, unless matching nodes have labels of other GPUs; set resource.instanceType"
CONFIG_MISSING = f"ConfigMap {NAMESPACE}/my (inference.config) not found; it is used as soon as it exists"
PHI = {"preset": {"name": "phi-4-mini-instruct"}}
NODES = {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {}}
REFERENCE = {"workloadRef": {"kind": "Deployment", "name": "llama"}}
PROBE = {"httpGet": {"path": "/health", "port": 80}}
TEMPLATE = {"template": {"spec": {"containers": [{"name": "own", "ports": [{"containerPort": 80}], "readinessProbe": PROBE}]}}}

NO_PORT = (
    "inference.template has no container port, so the model server is expected on port 5000; set "
    "inference.template.spec.containers[].ports[].containerPort to the port on which it listens"
)
NO_PROBE = (
    "container own of inference.template has no readinessProbe, so its pods count as ready while the model loads; "
    "add readinessProbe: {{httpGet: {{path: /health, port: {port}}}}}, with the path of your server"
)
NO_VERSION = "has no effect; set a version of the controller, such as 0.2.0, or always"
NO_REVISION = "has no effect; use `workspace-ctrl promote` or `workspace-ctrl abort`, which set it"


def annotated(**annotations):
    """A Workspace with annotations; two underscores stand for a slash, one for a point or a dash."""
    return quickstart(metadata={"name": NAME, "namespace": NAMESPACE, "annotations": annotations})


def said(raw, known=NOTHING, settings=SETTINGS):
    verdict = judge(raw, known, settings)
    return verdict.refusals, verdict.warnings


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        pytest.param(
            quickstart(inference=None),
            "a Workspace needs exactly one of inference and tuning; add inference, or remove tuning",
            id="no model",
        ),
        pytest.param(
            quickstart(inference={"preset": {"name": "phi4"}}),
            "inference.preset.name 'phi4' is not known; did you mean phi-4?",
            id="unknown preset",
        ),
        pytest.param(
            quickstart(gateway={"parentRefs": [{"name": "g", "namespace": "gateways"}], "match": {"path": "/team-b/phi/v1/chat"}}),
            "gateway.match.path /team-b/phi/v1/chat is not under /default, the prefix of the Workspace's namespace on Gateway gateways/g; "
            "use a path under it; administrators can allow others by sharedPaths in the settings",
            id="another namespace's path",
        ),
        pytest.param(
            annotated(**{"kaito.sh/runtime": "transformers"}),
            "metadata.annotations[kaito.sh/runtime] is transformers, but only vllm is supported; remove it",
            id="an annotation",
        ),
        pytest.param(
            quickstart(gateway={"chart": {"name": "mine"}}),
            "gateway.chart.name mine is not known; available: default",
            id="a chart that the installation does not list",
        ),
        pytest.param(
            quickstart(inference=None, tuning={}),
            "tuning is not supported by workspace-ctrl; use KAITO for fine-tuning, and serve the result here",
            id="fine-tuning",
        ),
        pytest.param(quickstart(metadata=[1]), "metadata must be an object", id="no object"),
        pytest.param(
            {"metadata": {"name": NAME}, "spec": {"resource": {}, "inference": PHI}},
            "there is no spec here; move its fields up: resource, inference are at the top level of a Workspace",
            id="all under spec",
        ),
        pytest.param(
            quickstart(inference={"template": nested(64)}),
            "the Workspace cannot be read: inference.template is nested deeper than 64 levels; make it smaller",
            id="too deep",
        ),
        pytest.param(
            quickstart(inference={"template": nested(100_000)}),
            "the Workspace cannot be read: inference.template is nested deeper than 64 levels; make it smaller",
            id="far too deep",
        ),
        pytest.param(
            quickstart(inference={"template": {"x": [[]] * 6_000}}),
            "a Workspace can have at most 5,000 values: fields, labels and list items; move long parts to an image or a ConfigMap",
            id="too many values",
        ),
        pytest.param(
            quickstart(inference={"template": {"x": "y" * 300 * 1024}}),
            "the Workspace cannot be read: it is larger than 256 KiB; make it smaller",
            id="too large",
        ),
    ],
)
def test_what_planning_refuses_is_refused(raw, refusal):
    assert said(raw) == ((refusal,), ())


def in_group(**group):
    return quickstart(gateway={"group": {"name": "chat", **group}})


@pytest.mark.parametrize(
    ("raw", "refusal"),
    [
        pytest.param(
            quickstart(gateway={"group": {"name": NAME}}),
            "gateway.group.name is the name of this Workspace, whose own route has it; name the group differently",
            id="its own name",
        ),
        pytest.param(
            in_group(weight=1, fallback=True),
            "gateway.group cannot have a weight with fallback: true; remove one of them",
            id="a fallback with a weight",
        ),
        pytest.param(
            in_group(weight=1, canary={}),
            "gateway.group.canary decides the share of the requests itself; remove weight and fallback",
            id="a canary with a weight",
        ),
        pytest.param(
            in_group(canary={"steps": [50, 10]}),
            "gateway.group.canary.steps must rise; set percentages such as [10, 25, 50, 100]",
            id="steps that fall",
        ),
        pytest.param(
            in_group(canary={"interval": "1s"}),
            "gateway.group.canary.interval must be from 5s to 24h; set one such as 5m",
            id="an interval that is too short",
        ),
    ],
)
def test_a_group_that_cannot_be_is_refused(raw, refusal):
    assert said(raw) == ((refusal,), ())
    assert said(raw, Known([raw], is_all=True)) == ((refusal,), ())


def test_what_is_missing_in_a_group_is_a_warning_only_where_all_members_are_known():
    new = in_group(weight=0)
    assert said(new) == ((), ())
    _, (warning,) = said(new, Known([new], is_all=True))
    assert warning.startswith("no member of group chat has a weight")


@pytest.mark.parametrize("kind", ["Workspace", "InferenceSet"])
def test_a_group_with_the_name_of_another_object_of_the_files_is_a_warning(kind):
    other = {"apiVersion": "kaito.sh/v1beta1", "kind": kind, "metadata": {"name": "chat", "namespace": NAMESPACE}}
    elsewhere = other | {"metadata": {"name": "chat", "namespace": "elsewhere"}}
    assert said(in_group(), Known([in_group(), elsewhere], is_all=True)) == ((), ())
    _, (warning,) = said(in_group(), Known([in_group(), other], is_all=True))
    assert warning.startswith(f"{kind} {NAMESPACE}/chat has the name of group chat")


@pytest.mark.parametrize(
    ("lead", "other", "parents"),
    [
        pytest.param({"parentRefs": [{"name": "a"}, {"name": "b"}]}, {"parentRefs": [{"name": "a"}]}, ["a", "b"], id="one more"),
        pytest.param({"parentRefs": [{"name": "a"}]}, {}, ["a"], id="the oldest member names one"),
        pytest.param({}, {"parentRefs": [{"name": "a"}]}, ["inference-gateway"], id="the oldest member names none"),
        pytest.param(
            {},
            {"parentRefs": [{"name": "inference-gateway", "namespace": "gateways"}]},
            ["inference-gateway"],
            id="one of the default's name",
        ),
        pytest.param(
            {"parentRefs": [{"name": "a", "sectionName": "https"}]},
            {"parentRefs": [{"name": "a", "sectionName": "http"}]},
            ["a"],
            id="another listener",
        ),
    ],
)
def test_every_member_of_a_group_plans_the_same_route_whatever_gateways_it_has_itself(lead, other, parents):
    found = []
    members = [
        quickstart(metadata={"name": name, "namespace": NAMESPACE}, gateway={"group": {"name": "chat"}, **gateway})
        for name, gateway in (("v1", lead), ("v2", other))
    ]
    for member in members:
        verdict = judge(member, Known(members, is_all=True), SETTINGS)
        found += [each["spec"] for each in verdict.preview.manifests if each["metadata"]["name"] == "chat"]
        assert [text for text in verdict.warnings if "differs from that of" not in text] == []
    assert [[parent["name"] for parent in spec["parentRefs"]] for spec in found] == [parents, parents]


def test_a_model_that_cannot_fit_is_refused_unless_what_is_not_known_could_make_it_fit():
    big = {"preset": {"name": "org/big", "size": {"weights": "900Gi", "layers": 1}}}
    ((refusal,), warnings) = said(quickstart(inference=big))
    assert (refusal.partition(":")[0], warnings) == ("resource.instanceType Standard_NC24ads_A100_v4 is too small for org/big", ())
    assert said(quickstart(inference=big | {"config": "my"})) == ((), (refusal,))
    ((), (unnamed, *_)) = said(quickstart(inference=big, resource={"labelSelector": {}}))
    assert unnamed == refusal


@pytest.mark.parametrize(
    ("raw", "known", "warnings"),
    [
        pytest.param(quickstart(), NOTHING, (), id="nothing to say"),
        pytest.param(
            quickstart(resource={"labelSelector": {}}, inference=PHI), NOTHING, (DEFAULT_SIZE,), id="an assumption of sizing"
        ),
        pytest.param(
            quickstart(resource={"instanceType": "my-gpus", "labelSelector": {}}),
            NOTHING,
            ("resource.instanceType 'my-gpus' is not known; `workspace-ctrl presets --instance-types` lists the known ones",),
            id="nodes may tell the GPUs of an unknown instance type",
        ),
        pytest.param(
            quickstart(resource={**NODES, "count": 3}),
            NOTHING,
            ("resource.count: 3 has no effect; the model is sized for 1",),
            id="a count that sizing decides",
        ),
        pytest.param(quickstart(inference={**PHI, "config": "my"}), NOTHING, (), id="of its ConfigMap nothing is known"),
        pytest.param(
            quickstart(inference={**PHI, "config": "my"}),
            Known(missing=frozenset({ObjectRef("ConfigMap", NAMESPACE, "my")})),
            (CONFIG_MISSING,),
            id="its ConfigMap does not exist yet",
        ),
        pytest.param(quickstart(inference={**PHI, "config": "my"}), Known(is_all=True), (CONFIG_MISSING,), id="nor in the files"),
        pytest.param(quickstart(resource=None, inference=REFERENCE), NOTHING, (), id="of the pods nothing is known"),
        pytest.param(
            quickstart(resource=None, inference=REFERENCE),
            Known(missing=frozenset({ObjectRef("Deployment", NAMESPACE, "llama")})),
            (f"Deployment {NAMESPACE}/llama (inference.workloadRef, apps/v1) not found; it is used as soon as it exists",),
            id="the pods do not exist yet",
        ),
        pytest.param(
            quickstart(resource={**NODES, "labelSelektor": {}}),
            NOTHING,
            ("unknown field resource.labelSelektor; did you mean labelSelector?",),
            id="unknown field",
        ),
        pytest.param(
            quickstart(inference={**PHI, "adapters": [{"source": {"name": "a", "image": "x"}, "weight": 1}]}),
            NOTHING,
            ("unknown field inference.adapters[0].weight",),
            id="unknown field in a list",
        ),
        pytest.param(
            quickstart(
                gateway={"parentRefs": [{"kind": "ListenerSet", "name": "team", "port": 443}], "hostname": "a.example"}, spec={}
            ),
            NOTHING,
            (
                "unknown field gateway.parentRefs[0].kind; a parent is always a Gateway; name the Gateway itself",
                "unknown field gateway.parentRefs[0].port; name the listener with sectionName",
                "unknown field gateway.hostname; did you mean hostnames?",
                "unknown field spec",
            ),
            id="fields that other kinds have, all at once",
        ),
        pytest.param(
            quickstart(inferense=PHI),
            NOTHING,
            ("unknown field inferense; did you mean inference?",),
            id="unknown field at the top",
        ),
        pytest.param(
            quickstart(inference={"template": {"spec": {"containers": [{"name": "own"}]}}}),
            NOTHING,
            (NO_PORT, NO_PROBE.format(port=5000)),
            id="a template without a port",
        ),
        pytest.param(
            quickstart(inference={"template": {**TEMPLATE["template"], "kind": "Pod", "replicas": 2}}, resource=NODES),
            NOTHING,
            ("inference.template.kind, inference.template.replicas have no effect: a pod template has metadata and spec",),
            id="fields beside those of a template",
        ),
        pytest.param(
            quickstart(inference={"template": {**TEMPLATE["template"], "metadata": {"labels": {POD_LABEL: "x"}}}}, resource=NODES),
            NOTHING,
            (f"the label {POD_LABEL} of inference.template is replaced by the name of the Workspace, by which its pods are found",),
            id="our label in a template",
        ),
        pytest.param(
            quickstart(inference={**TEMPLATE, "config": "my"}, resource=NODES),
            NOTHING,
            ("inference.config has no effect without a preset",),
            id="config without a preset",
        ),
        pytest.param(
            quickstart(inference=REFERENCE, resource=NODES),
            NOTHING,
            ("resource has no effect with inference.workloadRef",),
            id="nodes",
        ),
        pytest.param(
            quickstart(gateway={"enabled": False, "hostnames": ["a.example"]}),
            NOTHING,
            ("gateway.enabled is false: the other fields of gateway have no effect",),
            id="a gateway that is off",
        ),
        pytest.param(
            quickstart(gateway={"pool": {"ref": {"name": "theirs"}}, "chart": {"name": "default"}}),
            NOTHING,
            ("gateway.chart has no effect with gateway.pool.ref: no chart is installed",),
            id="a chart beside a pool of one's own",
        ),
        pytest.param(
            quickstart(gateway={"pool": {"ref": {"name": "theirs"}, "failureMode": "FailClose"}}),
            NOTHING,
            (
                "gateway.pool.failureMode has no effect with gateway.pool.ref; set endpointPickerRef.failureMode of that InferencePool",
            ),
            id="a failure mode beside a pool of one's own",
        ),
        pytest.param(
            quickstart(inference={"preset": {"name": "microsoft/Phi-4-mini-instruct", "size": {"weights": "9Gi"}}}),
            NOTHING,
            ("inference.preset.size has no effect: microsoft/Phi-4-mini-instruct is in the catalog, whose figures are used",),
            id="a size of a model of the catalog",
        ),
        pytest.param(
            annotated(**{"kaito.sh/enableLB": "True", "other.example/x": "y"}),
            NOTHING,
            ("unknown annotation kaito.sh/enableLB; did you mean kaito.sh/enablelb?",),
            id="unknown annotation",
        ),
        pytest.param(
            annotated(**{"kaito.sh/enablelb": "yes"}),
            NOTHING,
            ('annotation kaito.sh/enablelb: "yes" has no effect; set "true" for a Service of type LoadBalancer',),
            id="a value that nobody reads",
        ),
        pytest.param(
            annotated(**{"workspace-ctrl/adopt": "yes"}),
            NOTHING,
            ('annotation workspace-ctrl/adopt: "yes" has no effect; set "true", or kinds such as Deployment,Service',),
            id="an adoption of nothing",
        ),
        pytest.param(
            annotated(**{"workspace-ctrl/update-pods": "Always"}),
            NOTHING,
            (f'annotation workspace-ctrl/update-pods: "Always" {NO_VERSION}',),
            id="an update of no version",
        ),
        pytest.param(
            annotated(**{"workspace-ctrl/update-pods": "v0.2.0"}),
            NOTHING,
            (f'annotation workspace-ctrl/update-pods: "v0.2.0" {NO_VERSION}',),
            id="a version as tags have it",
        ),
        pytest.param(
            annotated(**{"workspace-ctrl/canary": "promote"}),
            NOTHING,
            (f'annotation workspace-ctrl/canary: "promote" {NO_REVISION}',),
            id="a decision about no revision",
        ),
        pytest.param(
            annotated(**{"kaito.sh/bypass-resource-checks": "x"}) | {"inference": TEMPLATE, "resource": NODES},
            NOTHING,
            ('annotation kaito.sh/bypass-resource-checks: "x" has no effect; only presets are sized',),
            id="an annotation for presets",
        ),
    ],
)
def test_what_is_doubtful_or_without_effect_is_a_warning(raw, known, warnings):
    assert said(raw, known) == ((), warnings)


@pytest.mark.parametrize("version", ["0.1.0", "0.3.0", "0.3.0rc1", "always"])
def test_what_remains_of_an_earlier_decision_is_no_warning(version):
    assert said(annotated(**{"workspace-ctrl/update-pods": version, "workspace-ctrl/canary": "promote-1a2b"})) == ((), ())


@pytest.mark.parametrize("name", ["weight", "fallback", "canary"])
def test_a_field_of_the_group_beside_it_is_answered_with_its_place(name):
    raw = quickstart(gateway={"group": {"name": "chat"}, name: 1})
    assert said(raw) == ((), (f"unknown field gateway.{name}; it is in group: gateway.group.{name}",))


@pytest.mark.parametrize(("count", "end"), [(10, ".k9 have"), (11, ".k9 and more have")])
def test_of_many_fields_beside_those_of_a_template_ten_are_told(count, end):
    beside = dict.fromkeys([*(f"k{number}" for number in range(10)), "l"][:count], 1)
    _, (warning,) = said(quickstart(inference={"template": {**TEMPLATE["template"], **beside}}, resource=NODES))
    assert f"{end} no effect: a pod template has metadata and spec" in warning


def test_of_many_unknown_names_ten_are_told():
    raw = annotated(**{f"kaito.sh/{number:03}": "x" for number in range(500)})
    raw["resource"] |= {f"field{number:03}": 1 for number in range(300)}
    _, warnings = said(raw)
    assert len(warnings) == 22
    assert (warnings[10], warnings[21]) == ("290 more unknown fields", "and more unknown annotations")


NEVERTHELESS = ", but for aliases, with which the model server is started"
GATE_OFF = ": the feature gate gatewayAPIInferenceExtension is off"


@pytest.mark.parametrize(
    ("gateway", "settings", "warnings"),
    [
        pytest.param({"enabled": False, "aliases": ["chat"]}, SETTINGS, (), id="aliases alone, no Gateway wanted"),
        pytest.param({"aliases": ["chat"]}, PlanSettings(), (), id="aliases alone, without the feature gate"),
        pytest.param(
            {"enabled": False, "aliases": ["chat"], "timeout": "9s"},
            SETTINGS,
            (f"gateway.enabled is false: the other fields of gateway have no effect{NEVERTHELESS}",),
            id="more than aliases, no Gateway wanted",
        ),
        pytest.param(
            {"aliases": ["chat"], "timeout": "9s"},
            PlanSettings(),
            (f"gateway has no effect{NEVERTHELESS}{GATE_OFF}",),
            id="more than aliases, without the feature gate",
        ),
    ],
)
def test_aliases_have_an_effect_without_a_gateway(gateway, settings, warnings):
    assert said(quickstart(gateway=gateway), settings=settings) == ((), warnings)


def test_aliases_of_a_pod_template_have_none_without_a_gateway():
    raw = quickstart(inference=TEMPLATE, gateway={"enabled": False, "aliases": ["chat"]})
    assert said(raw) == ((), ("gateway.enabled is false: the other fields of gateway have no effect",))


def test_a_gateway_stanza_without_the_feature_gate_is_a_warning():
    raw = quickstart(gateway={"hostnames": ["a.example"]})
    assert said(raw, settings=PlanSettings()) == (
        (),
        ("gateway has no effect: the feature gate gatewayAPIInferenceExtension is off",),
    )


def test_an_object_of_the_workspace_s_name_is_a_warning_until_it_is_handed_over():
    known = Known(taken=[{"kind": "Deployment", "metadata": {"name": NAME, "namespace": NAMESPACE}}])
    ((), (warning,)) = said(quickstart(), known)
    assert warning.startswith(f"Deployment {NAMESPACE}/{NAME} ")
    assert f"kubectl annotate workspace {NAME} -n {NAMESPACE} workspace-ctrl/adopt=Deployment" in warning
    assert said(annotated(**{"workspace-ctrl/adopt": "true"}), known) == ((), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"inference": {"preset": {"name": "phi4"}}},
        {"inference": None},
        {"inference": None, "tuning": {}},
        {"gateway": {"chart": {"name": "mine"}}},
        {"gateway": {"chart": {"version": "v9.9.9"}}},
        {"resource": {"labelSelector": "x"}},
    ],
)
def test_the_condition_has_the_same_sentence(changes):
    ((refusal, *_), _) = said(quickstart(**changes))
    (step, *_) = plan(workspace(), Snapshot(), SETTINGS).steps
    accepted = Snapshot(query_results=QueryResults(dry_run=DryRun(applied_hash(step.manifest), kind="Deployment")))
    planned = plan(workspace(**changes), accepted, SETTINGS)
    assert refusal in [problem.message for problem in planned.decisions.problems]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"resource": {**NODES, "count": 3}}, id="count"),
        pytest.param({"resource": {"labelSelector": {}}}, id="assumption"),
        pytest.param({"inference": {"preset": {"name": "phi-4-mini-instruct", "accessMode": "private"}}}, id="field"),
        pytest.param({"metadata": annotated(**{"kaito.sh/node-class-name": "x"})["metadata"]}, id="annotation of KAITO"),
        pytest.param({"metadata": annotated(**{"kaito.sh/x": "x"})["metadata"], "inference": TEMPLATE}, id="unknown annotation"),
        pytest.param({"metadata": {**quickstart()["metadata"], "labels": {"kaito.sh/inference-role": "decode"}}}, id="label"),
        pytest.param({"metadata": annotated(**{"kaito.sh/x": "x"})["metadata"], "inference": None, "tuning": {}}, id="rejected"),
    ],
)
def test_the_condition_warning_has_the_same_sentences(changes):
    warnings = judge(quickstart(**changes), NOTHING, SETTINGS).warnings
    record = workspace(**changes)
    decided = plan(record, Snapshot(), SETTINGS).decisions
    (found,) = (entry for entry in status(record, Snapshot(), decided, NOW).conditions if entry.type == "Warning")
    assert (found.message, len(warnings)) == (" ".join(warnings), 1)


@pytest.mark.parametrize(
    "raw",
    [
        quickstart(inference={"preset": {"name": "phi4"}}),
        quickstart(inference=None, tuning={}),
        quickstart(resource={"labelSelector": {}, "count": 3, "x": 1}),
        quickstart(gateway={"chart": {"name": "mine"}}),
        quickstart(inference={**PHI, "config": "my"}),
    ],
)
def test_the_command_plan_says_the_same(raw):
    verdict = judge(raw, Known(is_all=True), PlanSettings(gateway_extension=True))
    result = CliRunner().invoke(main, ["plan", "-f", "-"], input=json.dumps(raw))
    sentences = (*verdict.refusals, *verdict.warnings)
    assert sentences
    assert [text for text in sentences if text not in result.stderr] == []


INVALID = quickstart(inference={"preset": {"name": "phi4"}})


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [
        pytest.param(
            INVALID, INVALID | {"metadata": {"name": NAME, "labels": {"a": "b"}}}, Verdict(), id="labels of an invalid one"
        ),
        pytest.param(
            INVALID | {"metadata": {"name": NAME, "finalizers": ["a"]}},
            INVALID | {"metadata": {"name": NAME}},
            Verdict(),
            id="finalizer",
        ),
        pytest.param(INVALID, INVALID | {"status": {"conditions": []}}, Verdict(), id="status"),
        pytest.param(
            quickstart(inference={"template": nested(2000)}),
            quickstart(inference={"template": nested(2000)}, metadata={"name": NAME}),
            Verdict(),
            id="one that is too deep",
        ),
        pytest.param(
            INVALID,
            INVALID | {"gateway": {"hostnames": ["a.example"]}},
            Verdict(warnings=("inference.preset.name 'phi4' is not known; did you mean phi-4?",)),
            id="something else of an invalid one",
        ),
        pytest.param(
            quickstart(),
            INVALID,
            Verdict(refusals=("inference.preset.name 'phi4' is not known; did you mean phi-4?",)),
            id="a change that breaks it",
        ),
        pytest.param(
            INVALID,
            quickstart(inference={"preset": {"name": "phi5"}}),
            Verdict(refusals=("inference.preset.name 'phi5' is not known; did you mean phi-4?",)),
            id="a change that breaks it in another way",
        ),
    ],
)
def test_a_change_is_refused_only_for_what_it_breaks(before, after, verdict):
    assert judge_change(after, before, NOTHING, SETTINGS) == verdict


def test_annotations_for_others_change_nothing_and_ours_are_judged():
    before, after = annotated(), annotated(**{"kaito.sh/runtime": "transformers"})
    assert judge_change(after, before, NOTHING, SETTINGS).refusals
    assert judge_change(INVALID | {"metadata": annotated(a="b")["metadata"]}, INVALID, NOTHING, SETTINGS) == Verdict()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)
FIELDS = ("metadata", "resource", "inference", "tuning", "gateway", "status", "spec")
INNER = {
    "inference": ("preset", "template", "workloadRef", "config", "adapters", "weightsVolume"),
    "resource": ("count", "instanceType", "labelSelector", "preferredNodes"),
    "gateway": ("enabled", "match", "pool", "chart", "endpointPicker", "objectives", "hostnames", "timeout"),
    "metadata": ("name", "namespace", "annotations", "uid", "labels", "ownerReferences", "finalizers"),
}


def changed_somewhere():
    """The quickstart with one field, or one inside a field, replaced by any JSON."""
    outer = st.builds(lambda name, value: quickstart() | {name: value}, st.sampled_from(FIELDS), JSON)
    places = st.sampled_from([(name, inner) for name, inside in INNER.items() for inner in inside])
    within = st.builds(
        lambda place, value: quickstart() | {place[0]: (quickstart().get(place[0]) or {}) | {place[1]: value}}, places, JSON
    )
    return outer | within


@given(
    raw=changed_somewhere() | st.dictionaries(st.sampled_from(FIELDS), JSON), known=st.sampled_from([NOTHING, Known(is_all=True)])
)
def test_whatever_the_object_is_there_is_a_verdict(raw, known):
    verdict = judge(raw, known, SETTINGS)
    assert all(isinstance(text, str) and text for text in (*verdict.refusals, *verdict.warnings))
    assert verdict.preview is not None or verdict.refusals or verdict.warnings


@given(before=changed_somewhere(), after=changed_somewhere())
def test_whatever_changes_there_is_a_verdict(before, after):
    verdict = judge_change(after, before, NOTHING, SETTINGS)
    assert set(verdict.refusals).isdisjoint(judge(before, NOTHING, SETTINGS).refusals)


@pytest.mark.parametrize("version", ["v1alpha1", "v1beta1"])
def test_what_is_planned_of_a_file_is_what_a_controller_makes_which_reads_the_stored_version(version):
    preview = judge(quickstart(apiVersion=f"kaito.sh/{version}"), NOTHING, SETTINGS).preview
    owners = {owner["apiVersion"] for manifest in preview.manifests for owner in manifest["metadata"]["ownerReferences"]}
    assert owners == {"kaito.sh/v1beta1"}

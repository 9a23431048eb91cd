"""Nothing that KAITO has on a Workspace is ignored in silence: each field, annotation and label has an effect, a warning or a rejection."""

import copy

import pytest
import yaml

from tests.kaito import FOLDER
from tests.unit.factories import quickstart
from workspace_ctrl.api.crd import crd
from workspace_ctrl.catalog.kaito import find_entry, kaito_annotations, kaito_fields, kaito_labels
from workspace_ctrl.planning.admission.admission_verdict import Known, judge
from workspace_ctrl.planning.plan_settings import PlanSettings

FIELDS = yaml.load((FOLDER / "fields.yaml").read_text(), yaml.CSafeLoader)
SETTINGS = PlanSettings(gateway_extension=True)
PRESET = {"preset": {"name": "phi-4-mini-instruct"}}
FOUR_GPUS = {"instanceType": "Standard_NC96ads_A100_v4", "labelSelector": {}}
ONE_GPU = {"instanceType": "Standard_NC24ads_A100_v4", "labelSelector": {}}
EXPRESSIONS = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
CONFIG = {
    "kind": "ConfigMap",
    "metadata": {"name": "flags", "namespace": "default"},
    "data": {"inference_config.yaml": "vllm: {max-num-seqs: 8}"},
}
BASES = {
    "preset": quickstart(resource={**ONE_GPU, "labelSelector": EXPRESSIONS}),
    "four GPUs": quickstart(resource=FOUR_GPUS),
    "one of four GPUs": quickstart(resource={**FOUR_GPUS, "partition": {"mode": "accelerator"}}),
    "mig": quickstart(resource={**ONE_GPU, "partition": {"mode": "mig", "profile": "1g.10gb"}}),
    "template": quickstart(
        inference={
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "own",
                            "image": "a",
                            "ports": [{"containerPort": 80}],
                            "readinessProbe": {"tcpSocket": {"port": 80}},
                        }
                    ]
                }
            }
        }
    ),
    "adapter": quickstart(inference={**PRESET, "adapters": [{"source": {"name": "one", "image": "example/adapter:1"}}]}),
    "adapter of nowhere": quickstart(inference={**PRESET, "adapters": [{"source": {"name": "one"}}]}),
    "tuning": quickstart(inference=None, tuning={}),
}
NODES = "no nodes are provisioned; set it in the NodePool of Karpenter"
ONLY_SETS = "only InferenceSets are scaled by load; use one, with spec.autoscaling"
RECORD = "a record of KAITO's controller; remove it"
RAG = "RAGEngines are not supported; remove it"
BENCHMARK = "no benchmark is run"


def changed(base, path, value):
    """The Workspace `base` with a value at `path`; `[]` stands for the first entry of a list."""
    raw = copy.deepcopy(base)
    part, steps = raw, path.split(".")
    for step in steps[:-1]:
        name = step.removesuffix("[]")
        part = part.setdefault(name, [{}] if name != step else {})
        part = part[0] if name != step else part
    last = steps[-1]
    if last.endswith("[]"):
        part[last.removesuffix("[]")] = [value]
    else:
        part[last] = value
    return raw


def planned(raw):
    """What is created for a Workspace, and what is said."""
    verdict = judge(raw, Known([CONFIG]), SETTINGS)
    manifests = verdict.preview.manifests if verdict.preview is not None else ()
    return manifests, verdict.refusals, verdict.warnings


def of(kind, key, value):
    return planned(quickstart(metadata={**quickstart()["metadata"], kind: {key: value}}))


def node_of(schema, path):
    """The node at `path` in a structural schema; the nearest one above it that keeps everything, or None if the path is pruned."""
    for step in path.split("."):
        if schema.get("x-kubernetes-preserve-unknown-fields"):
            return schema
        schema = schema.get("properties", {}).get(step.removesuffix("[]"))
        if schema is None:
            return None
        schema = schema["items"] if step.endswith("[]") else schema
    return schema


def test_the_table_has_all_fields_of_kaito_and_no_others():
    assert {row["path"]: row["effect"] for row in FIELDS} == {path: entry.effect for path, entry in kaito_fields().items()}


@pytest.mark.parametrize("version", crd()["spec"]["versions"], ids=lambda version: version["name"])
@pytest.mark.parametrize("path", kaito_fields())
def test_the_api_server_stores_it(version, path):
    assert node_of(version["schema"]["openAPIV3Schema"], path) is not None


@pytest.mark.parametrize("row", [pytest.param(row, id=row["path"]) for row in FIELDS])
def test_each_field_has_the_effect_of_the_table(row):
    base = BASES[row.get("base", "preset")]
    before, after = planned(base), planned(changed(base, row["path"], row["value"]))
    entry = kaito_fields()[row["path"]]
    match row["effect"]:
        case "honoured":
            assert (after[0] != before[0], after[1]) == (True, ())
        case "ignored":
            assert after == (before[0], (), (f"{row['path']} is ignored: {entry.reason}",))
        case "rejected":
            ((refusal,), said) = after[1:]
            assert refusal.startswith((row["path"].replace("[]", "[0]").removesuffix("[0]"), "tuning "))
            assert (refusal.endswith(f"; {entry.instead}"), entry.here in refusal, said) == (True, True, ())


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("inference.preset.accessMode", "public"),
        ("inference.adapters[].strength", "1.0"),
        ("inference.adapters[].strength", "1"),
        ("resource.count", 1),
    ],
)
def test_a_value_that_asks_for_what_happens_anyway_changes_nothing(path, value):
    base = BASES["adapter" if "adapters" in path else "preset"]
    assert planned(changed(base, path, value)) == planned(base)


def test_an_adapter_with_a_volume_under_both_names_is_rejected():
    volumes = {"name": "one", "volume": {"emptyDir": {}}, "volumeSource": {"emptyDir": {}}}
    _, refusals, _ = planned(quickstart(inference={**PRESET, "adapters": [{"source": volumes}]}))
    assert refusals == ("inference.adapters[0].source has both volume and volumeSource, which mean the same; remove volume",)


def test_a_volume_of_an_adapter_is_the_same_under_both_names():
    base, volume = BASES["adapter of nowhere"], {"persistentVolumeClaim": {"claimName": "chat"}}
    named = (changed(base, f"inference.adapters[].source.{name}", volume) for name in ("volume", "volumeSource"))
    one, other = map(planned, named)
    assert one == other


SAID = [
    ("annotations", "kaito.sh/disable-benchmark", "true", ()),
    ("annotations", "kaito.sh/disable-benchmark", "false", (f"annotation kaito.sh/disable-benchmark is ignored: {BENCHMARK}",)),
    ("annotations", "kaito.sh/run-benchmark", "true", (f"annotation kaito.sh/run-benchmark is ignored: {BENCHMARK}",)),
    ("annotations", "kaito.sh/node-class-name", "gpu", (f"annotation kaito.sh/node-class-name is ignored: {NODES}",)),
    ("annotations", "kaito.sh/node-image-family", "x", (f"annotation kaito.sh/node-image-family is ignored: {NODES}",)),
    ("annotations", "kaito.sh/model-streaming", "disabled", ()),
    (
        "annotations",
        "kaito.sh/model-streaming",
        "enabled",
        (
            (
                "annotation kaito.sh/model-streaming is ignored: the pods download the weights; "
                "set inference.weightsVolume to keep them"
            ),
        ),
    ),
    (
        "annotations",
        "kaito.sh/model-mirror-storage-class",
        "fast",
        (
            (
                "annotation kaito.sh/model-mirror-storage-class is ignored: no ModelMirror is created; "
                "set inference.weightsVolume.storageClassName"
            ),
        ),
    ),
    (
        "annotations",
        "kaito.sh/streaming-service-account",
        "stream",
        (
            (
                "annotation kaito.sh/streaming-service-account is ignored: the pods of a preset need no ServiceAccount, because they do "
                "not stream their weights; use inference.template for pods with one"
            ),
        ),
    ),
    *(
        ("annotations", key, value, (f"annotation {key} is ignored: {ONLY_SETS}",))
        for key, value in (
            ("kaito.sh/paused", "true"),
            ("scaledobject.kaito.sh/auto-provision", "true"),
            ("scaledobject.kaito.sh/metricName", "vllm:num_requests_waiting"),
            ("scaledobject.kaito.sh/threshold", "10"),
            ("scaledobject.kaito.sh/min-replicas", "0"),
            ("scaledobject.kaito.sh/max-replicas", "4"),
        )
    ),
    (
        "annotations",
        "scaledobject.kaito.sh/scaleupcooldown",
        "10",
        (
            (
                "annotation scaledobject.kaito.sh/scaleupcooldown is ignored: the behaviour of KEDA and of its HorizontalPodAutoscaler is "
                "used; set spec.autoscaling"
            ),
        ),
    ),
    ("annotations", "workspace.kaito.io/revision", "1", (f"annotation workspace.kaito.io/revision is ignored: {RECORD}",)),
    ("annotations", "inferenceset.kaito.io/revision", "1", (f"annotation inferenceset.kaito.io/revision is ignored: {RECORD}",)),
    ("annotations", "ragengine.kaito.io/hash", "x", (f"annotation ragengine.kaito.io/hash is ignored: {RECORD}",)),
    ("annotations", "kaito.sh/use-local-weights", "false", ()),
    ("annotations", "kaito.sh/runtime", "vllm", ()),
    ("annotations", "kaito.sh/bypass-resource-checks", "", ()),
    ("annotations", "kaito.sh/performance-mode", "balanced", ()),
    (
        "annotations",
        "kaito.sh/performance-mode",
        "fast",
        ('annotation kaito.sh/performance-mode: "fast" has no effect; set one of balanced, interactivity, throughput',),
    ),
    ("annotations", "kaito.sh/enablelb", "false", ()),
    (
        "annotations",
        "kaito.sh/enablelb",
        "yes",
        ('annotation kaito.sh/enablelb: "yes" has no effect; set "true" for a Service of type LoadBalancer',),
    ),
    (
        "labels",
        "kaito.sh/inference-role",
        "decode",
        ("label kaito.sh/inference-role is ignored: every model server does both prefill and decode; remove it",),
    ),
    (
        "labels",
        "inferenceset.kaito.sh/created-by",
        "set",
        ("label inferenceset.kaito.sh/created-by is ignored: no InferenceSet manages this Workspace; remove it",),
    ),
    ("labels", "kaito.sh/workspace", "x", ("label kaito.sh/workspace is ignored: the controller sets it on the pods; remove it",)),
    (
        "labels",
        "kaito.sh/workspacenamespace",
        "x",
        ("label kaito.sh/workspacenamespace is ignored: it is for nodes that KAITO provisions; remove it",),
    ),
    ("labels", "kaito.sh/ragengine", "x", (f"label kaito.sh/ragengine is ignored: {RAG}",)),
    ("labels", "kaito.sh/ragenginenamespace", "x", (f"label kaito.sh/ragenginenamespace is ignored: {RAG}",)),
    ("labels", "kaito.sh/runtime", "vllm", ("label kaito.sh/runtime is ignored: only annotations have an effect",)),
    ("labels", "kaito.sh/team", "a", ()),
]


@pytest.mark.parametrize(("kind", "key", "value", "warnings"), [pytest.param(*row, id=f"{row[1]}={row[2]}") for row in SAID])
def test_a_key_without_effect_is_a_warning_and_changes_nothing(kind, key, value, warnings):
    assert of(kind, key, value) == (planned(quickstart())[0], (), warnings)


def test_every_annotation_and_label_of_kaito_is_among_these():
    for kind, entries in (("annotations", kaito_annotations()), ("labels", kaito_labels())):
        assert {find_entry(key, entries) for place, key, *_ in SAID if place == kind} - {None} == set(entries.values())


def test_keys_of_one_row_are_one_warning():
    keys = {f"scaledobject.kaito.sh/{name}": "1" for name in ("max-replicas", "auto-provision")}
    _, _, warnings = planned(quickstart(metadata={**quickstart()["metadata"], "annotations": keys}))
    assert warnings == (
        f"annotations scaledobject.kaito.sh/auto-provision, scaledobject.kaito.sh/max-replicas are ignored: {ONLY_SETS}",
    )


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("kaito.sh/performence-mode", "did you mean kaito.sh/performance-mode?"),
        ("kaito.sh/node-class", "did you mean kaito.sh/node-class-name?"),
        ("workspace-ctrl/adopts", "did you mean workspace-ctrl/adopt?"),
        (
            "kaito.sh/x",
            (
                "known are kaito.sh/runtime, kaito.sh/enablelb, kaito.sh/bypass-resource-checks, kaito.sh/performance-mode, "
                "kaito.sh/paused, workspace-ctrl/adopt, workspace-ctrl/canary, workspace-ctrl/update-pods, workspace-ctrl/gateway"
            ),
        ),
    ],
)
def test_an_unknown_annotation_is_a_warning_with_the_closest_known_one(key, said):
    assert of("annotations", key, "x")[1:] == ((), (f"unknown annotation {key}; {said}",))


LOCAL = PlanSettings(gateway_extension=True, local_weights="/opt/kaito/models")
ON_NODES = {"metadata": {**quickstart()["metadata"], "annotations": {"kaito.sh/use-local-weights": "true"}}}


def test_weights_of_the_node_are_rejected_with_a_way_out_where_the_settings_do_not_allow_them():
    assert planned(quickstart(**ON_NODES))[1:] == (
        (
            (
                "metadata.annotations[kaito.sh/use-local-weights] is not supported: weights in a directory of the node are off unless the "
                "setting modelServer.localWeights names their folder; set inference.weightsVolume.claimName to a claim of a local "
                "PersistentVolume that holds the Hugging Face cache, or remove the annotation to download the weights"
            ),
        ),
        (),
    )


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("phi-4-mini-instruct", "/opt/kaito/models/microsoft-phi-4-mini-instruct"),
        ("llama-3.1-8b-instruct", "/opt/kaito/models/meta-llama-llama-3.1-8b-instruct"),  # gated, but nothing is downloaded
    ],
)
def test_weights_of_the_node_are_read_where_the_settings_allow_them(name, directory):
    verdict = judge(quickstart(**ON_NODES, inference={"preset": {"name": name}}), Known(), LOCAL)
    pod = verdict.preview.manifests[0]["spec"]["template"]["spec"]
    (container,), (volume,) = pod["containers"], [entry for entry in pod["volumes"] if "hostPath" in entry]
    (mount,) = [entry for entry in container["volumeMounts"] if entry["name"] == volume["name"]]
    assert volume["hostPath"] == {"path": directory, "type": "Directory"}
    assert (mount["mountPath"], mount["readOnly"]) == (directory, True)
    assert container["command"][:4] == ["vllm", "serve", directory, f"--served-model-name={name}"]
    assert container["resources"]["requests"]["ephemeral-storage"] == "2Gi"
    assert (verdict.refusals, verdict.warnings) == ((), ())


def test_a_name_of_a_model_does_not_lead_out_of_the_folder():
    preset = {"name": "../../etc/../shadow", "size": {"weights": "1Gi"}}
    verdict = judge(quickstart(**ON_NODES, inference={"preset": preset}), Known(), LOCAL)
    pods = [manifest["spec"]["template"]["spec"] for manifest in (verdict.preview.manifests if verdict.preview else ())[:1]]
    paths = [volume["hostPath"]["path"] for pod in pods for volume in pod["volumes"] if "hostPath" in volume]
    assert bool(paths) != bool(verdict.refusals)
    assert [path for path in paths if path.count("/") != LOCAL.local_weights.count("/") + 1] == []


def test_weights_of_the_node_and_a_volume_for_them_exclude_each_other():
    raw = quickstart(**ON_NODES, inference={**PRESET, "weightsVolume": {"size": "10Gi"}})
    assert judge(raw, Known(), LOCAL).refusals == (
        "metadata.annotations[kaito.sh/use-local-weights] cannot be combined with inference.weightsVolume; remove one of them",
    )


@pytest.mark.parametrize("value", ["True", "true", "TRUE"])
def test_a_load_balancer_is_asked_for_in_any_case(value):
    manifests, refusals, warnings = of("annotations", "kaito.sh/enablelb", value)
    (service,) = (manifest for manifest in manifests if manifest["kind"] == "Service")
    assert (service["spec"]["type"], refusals, warnings) == ("LoadBalancer", (), ())


@pytest.mark.parametrize("key", ["kaito.sh/performance-mode", "kaito.sh/use-local-weights"])
def test_annotations_for_presets_have_no_effect_on_a_template(key):
    raw = {**BASES["template"], "metadata": {**quickstart()["metadata"], "annotations": {key: "true"}}}
    assert planned(raw)[1:] == ((), (f'annotation {key}: "true" has no effect; it is only for presets',))


def command(raw, *objects, settings=SETTINGS):
    verdict = judge(raw, Known(objects), settings)
    (deployment,) = (manifest for manifest in verdict.preview.manifests if manifest["kind"] == "Deployment")
    flags = deployment["spec"]["template"]["spec"]["containers"][0]["command"]
    return [flag for flag in flags if flag.startswith("--performance-mode")], verdict.warnings


def tuned(mode, **changes):
    return quickstart(metadata={**quickstart()["metadata"], "annotations": {"kaito.sh/performance-mode": mode}}, **changes)


@pytest.mark.parametrize(
    ("mode", "flags"),
    [("balanced", []), ("interactivity", ["--performance-mode=interactivity"]), ("throughput", ["--performance-mode=throughput"])],
)
def test_the_performance_mode_is_the_flag_of_vllm(mode, flags):
    assert command(tuned(mode)) == (flags, ())


def test_a_performance_mode_in_the_configmap_overrides_the_annotation():
    config = {**CONFIG, "data": {"inference_config.yaml": "vllm: {performance-mode: interactivity}"}}
    assert command(tuned("throughput", inference={**PRESET, "config": "flags"}), config) == (
        ["--performance-mode=interactivity"],
        ('annotation kaito.sh/performance-mode: "throughput" has no effect; inference.config sets vllm.performance-mode',),
    )


@pytest.mark.parametrize("data", [None, "text", [], {}])
def test_a_configmap_without_the_key_is_named_whatever_its_data_are(data):
    verdict = judge(quickstart(inference={**PRESET, "config": "flags"}), Known([{**CONFIG, "data": data}]), SETTINGS)
    assert verdict.refusals == (
        "inference.config refers to ConfigMap default/flags, which has no key inference_config.yaml; add the key, with flags under vllm",
    )


def test_an_image_without_performance_modes_serves_without_one():
    old = PlanSettings(gateway_extension=True, model_server_image="docker.io/vllm/vllm-openai:v0.16.0")
    assert command(tuned("throughput"), settings=old) == (
        [],
        (
            'annotation kaito.sh/performance-mode: "throughput" has no effect; it needs vLLM 0.19.1, but the model server image has 0.16.0',
        ),
    )


@pytest.mark.parametrize(("instance_type", "is_smaller"), [("Standard_NC40ads_H100_v5", True), ("Standard_NC24ads_A100_v4", False)])
def test_throughput_takes_its_larger_batches_from_the_context(instance_type, is_smaller):
    """The default batch of a large GPU is doubled; on others, twice the default is what sizing leaves room for anyway."""

    def context(mode):
        raw = tuned(
            mode, resource={**ONE_GPU, "instanceType": instance_type}, inference={"preset": {"name": "qwen2.5-coder-32b-instruct"}}
        )
        return judge(raw, Known(), SETTINGS).preview.decisions.sizing

    assert (context("throughput") != context("balanced")) is is_smaller

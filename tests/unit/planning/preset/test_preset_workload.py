"""A preset's workload: one node or several, configuration, adapters, weights, nodes."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.factories import SETTINGS, quickstart, workspace
from workspace_ctrl.api.api_model import MODEL_NAME_PATTERN
from workspace_ctrl.api.errors import SpecError
from workspace_ctrl.api.workspace import parse_workspace
from workspace_ctrl.model.api_query_results import ConfigContent
from workspace_ctrl.model.probe_results import is_model_name
from workspace_ctrl.planning.steps import UnresolvedError
from workspace_ctrl.planning.workload.model_server import ModelServer, ServerRecords
from workspace_ctrl.planning.workload.server_from_spec import model_server
from workspace_ctrl.records.core_v1 import ConfigMap, Node
from workspace_ctrl.records.meta import Meta, ObjectRef
from workspace_ctrl.records.workloads import Workload, parse_workload

OLD = "registry.example/vllm/vllm-openai:v0.10.2"
LLAMA = {"name": "llama-3.3-70b-instruct", "presetOptions": {"modelAccessSecret": "hf", "imagePullSecrets": ["registry"]}}
TWO_NODES = {
    "resource": {"count": 2, "instanceType": "Standard_NC48ads_A100_v4", "labelSelector": {"matchLabels": {"apps": "llama"}}},
    "inference": {"preset": LLAMA},
}


def serve(
    records: ServerRecords | None = None, annotations: dict[str, str] | None = None, image: str = "", **changes: Any
) -> ModelServer:
    raw = quickstart(**changes)
    raw["metadata"]["annotations"] = annotations or {}
    record = workspace(raw)
    settings = replace(SETTINGS, model_server_image=image or SETTINGS.model_server_image)
    return model_server(record, parse_workspace(record.meta.ref.name, record.fields()), records or ServerRecords(), settings)


def pod_spec(server: ModelServer) -> dict[str, Any]:
    spec: dict[str, Any] = server.workload["spec"]["template"]["spec"]
    return spec


def container(server: ModelServer) -> dict[str, Any]:
    (only,) = pod_spec(server)["containers"]
    return only


def configured(text: str | None, *, version: str = "7", read: str = "7") -> ServerRecords:
    ref = ObjectRef("ConfigMap", "default", "flags")
    return ServerRecords(config_map=ConfigMap(Meta(ref), version), config=ConfigContent("flags", read, text=text))


def with_config(text: str | None, image: str = "", **versions: str) -> ModelServer:
    inference = {"preset": {"name": "phi-4-mini-instruct"}, "config": "flags"}
    return serve(configured(text, **versions), image=image, inference=inference)


def with_adapters(*adapters: dict[str, Any], preset: str = "phi-4-mini-instruct") -> ModelServer:
    return serve(inference={"preset": {"name": preset}, "adapters": list(adapters)})


def test_one_node_is_a_deployment_that_serves_the_preset_under_its_name():
    server = serve()
    command = container(server)["command"]
    assert server.workload["kind"] == "Deployment"
    assert command[:3] == ["vllm", "serve", "microsoft/Phi-4-mini-instruct"]
    assert {"--served-model-name=phi-4-mini-instruct", "--port=5000", "--tensor-parallel-size=1"} <= set(command)
    assert container(server)["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert server.model_names == ("phi-4-mini-instruct",)


def test_aliases_are_further_names_of_the_same_server():
    server = serve(gateway={"aliases": ["chat", "gpt-4o"]})
    command = container(server)["command"]
    start = command.index("--served-model-name")
    assert command[start : start + 5] == ["--served-model-name", "phi-4-mini-instruct", "chat", "gpt-4o", "--port=5000"]
    assert server.model_names == ("phi-4-mini-instruct", "chat", "gpt-4o")


@pytest.mark.parametrize("alias", ["--trust-remote-code", "--api-key=abc", "-tp=4", "-"])
def test_a_name_never_becomes_a_flag_of_the_model_server(alias):
    """Among the names, vLLM would take what begins with a dash for a flag, past the list of those that nobody may set."""
    with pytest.raises(SpecError, match=r"gateway\.aliases\[1\] must be a name .* that does not begin with -"):
        serve(gateway={"aliases": ["chat", alias]})
    assert not is_model_name(alias)


@given(st.from_regex(MODEL_NAME_PATTERN, fullmatch=True).filter(lambda name: len(name) <= 253))
def test_each_name_that_the_api_allows_is_one_argument_that_is_no_flag_and_a_name_that_servers_may_report(alias):
    command = container(serve(gateway={"aliases": [alias]}))["command"]
    assert command[command.index("--served-model-name") + 2] == alias
    assert not alias.startswith("-")
    assert is_model_name(alias)


def test_an_alias_is_none_if_the_model_has_that_name():
    with pytest.raises(SpecError, match=r"gateway\.aliases has phi-4-mini-instruct, which is a name of this model"):
        serve(gateway={"aliases": ["phi-4-mini-instruct"]})


def test_a_model_that_hangs_gets_no_requests_after_eight_seconds_and_is_restarted_after_a_minute():
    found = container(serve())
    every = {name: found[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")}
    for probe in every.values():
        assert (probe["httpGet"], probe["timeoutSeconds"]) == ({"path": "/health", "port": 5000}, 5)
    periods = {name: (probe["periodSeconds"], probe["failureThreshold"]) for name, probe in every.items()}
    # Loading takes an hour, and half a minute for each GiB of the weights.
    assert periods == {"startupProbe": (2, (3600 + 214) // 2), "readinessProbe": (4, 2), "livenessProbe": (10, 6)}


def test_replicas_of_a_deployment_are_left_to_whoever_scales():
    assert "replicas" not in serve().workload["spec"]


def test_several_nodes_are_a_stateful_set_with_a_leader():
    server = serve(**TWO_NODES)
    spec = server.workload["spec"]
    assert (server.workload["kind"], spec["replicas"], spec["podManagementPolicy"]) == ("StatefulSet", 2, "Parallel")
    assert spec["serviceName"] == "workspace-phi-4-mini-headless"
    command = container(server)["command"]
    assert command[:2] == ["/bin/sh", "-c"]
    assert {"--pipeline-parallel-size=2", "--tensor-parallel-size=2", "--nnodes=2", "--distributed-executor-backend=mp"} <= set(
        command
    )
    environment = {entry["name"]: entry for entry in container(server)["env"]}
    assert environment["LEADER"]["value"] == "workspace-phi-4-mini-0.workspace-phi-4-mini-headless.default.svc"
    assert environment["POD_INDEX"]["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.labels['apps.kubernetes.io/pod-index']"


def test_of_several_nodes_the_service_leads_to_the_leader_only():
    services = {manifest["metadata"]["name"]: manifest for manifest in serve(**TWO_NODES).others}
    assert services["workspace-phi-4-mini"]["spec"]["selector"]["apps.kubernetes.io/pod-index"] == "0"
    assert "apps.kubernetes.io/pod-index" not in services["workspace-phi-4-mini-headless"]["spec"]["selector"]


def test_probes_of_several_nodes_ask_the_leader():
    probes = container(serve(**TWO_NODES))
    assert "$LEADER" in probes["readinessProbe"]["exec"]["command"][-1]
    assert "$LEADER" in probes["livenessProbe"]["exec"]["command"][-1]


def test_an_image_that_needs_ray_gets_it():
    server = serve(**TWO_NODES, image=OLD)
    command, probes = container(server)["command"], container(server)
    assert "--distributed-executor-backend=ray" in command
    assert "ray start --head" in command[2]
    assert not [word for word in command if word.startswith("--nnodes")]
    assert "localhost" in probes["livenessProbe"]["exec"]["command"][-1]
    assert [port["name"] for port in probes["ports"]] == ["http", "ray"]
    headless = next(manifest for manifest in server.others if manifest["metadata"]["name"].endswith("-headless"))
    assert [(port["name"], port["port"]) for port in headless["spec"]["ports"]] == [("ray", 6379), ("dashboard", 8265)]


@pytest.mark.parametrize("image", ["", "registry.example/vllm/vllm-openai:latest", "registry.example/vllm/vllm-openai@sha256:aa"])
def test_current_and_unknown_images_get_no_ray(image):
    server = serve(**TWO_NODES, image=image)
    command = container(server)["command"]
    assert "ray" not in command[2]
    assert [port["name"] for port in container(server)["ports"]] == ["http", "rendezvous"]
    headless = next(manifest for manifest in server.others if manifest["metadata"]["name"].endswith("-headless"))
    assert [(port["name"], port["port"]) for port in headless["spec"]["ports"]] == [("rendezvous", 29501)]


def test_old_images_with_ray_serve_at_most_three_stages():
    deepseek = {
        "inference": {"preset": {"name": "deepseek-r1-0528"}},
        "resource": {**TWO_NODES["resource"], "instanceType": "Standard_NC80adis_H100_v5"},
    }
    assert serve(**deepseek).node_count == 5
    with pytest.raises(SpecError, match=r"needs 5 pipeline stages, for which vLLM 0\.11\.2 or newer is required"):
        serve(**deepseek, image=OLD)


def test_a_name_too_long_for_a_stateful_set_is_refused():
    raw = quickstart(**TWO_NODES)
    raw["metadata"]["name"] = "w" * 53
    record = workspace(raw)
    with pytest.raises(SpecError, match="at most 52 characters"):
        model_server(record, parse_workspace("w" * 53, record.fields()), ServerRecords(), SETTINGS)


def test_the_token_comes_from_the_secret_and_is_never_in_the_manifest():
    token = next(entry for entry in container(serve(**TWO_NODES))["env"] if entry["name"] == "HF_TOKEN")
    assert token == {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf", "key": "HF_TOKEN"}}}


def test_the_image_is_pulled_with_the_given_secrets():
    assert pod_spec(serve(**TWO_NODES))["imagePullSecrets"] == [{"name": "registry"}]
    assert "imagePullSecrets" not in pod_spec(serve())


def test_the_container_gains_no_privileges():
    server = serve()
    assert container(server)["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod_spec(server)["automountServiceAccountToken"] is False
    assert pod_spec(server)["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}


def test_a_larger_model_gets_more_time_to_start():
    small, large = (container(server)["startupProbe"] for server in (serve(), serve(**TWO_NODES)))
    assert large["failureThreshold"] > small["failureThreshold"] >= 1800


@pytest.mark.parametrize(
    ("resource", "keys"),
    [
        pytest.param({}, ["apps", "node.kubernetes.io/instance-type"], id="labels and instance type"),
        pytest.param({"preferredNodes": ["mine"]}, ["apps"], id="own nodes: any instance type"),
        pytest.param({"instanceType": None}, ["apps"], id="no instance type"),
        pytest.param(
            {"instanceType": None, "labelSelector": {"matchExpressions": [{"key": "gpu", "operator": "Exists"}]}},
            ["gpu"],
            id="an expression",
        ),
    ],
)
def test_nodes_are_chosen_by_labels_and_instance_type(resource, keys):
    merged = {**quickstart()["resource"], **resource}
    server = serve(resource={key: value for key, value in merged.items() if value is not None})
    (term,) = pod_spec(server)["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [entry["key"] for entry in term["matchExpressions"]] == keys


def test_flags_of_the_config_map_come_last_so_that_the_user_s_word_counts():
    command = container(with_config("vllm: {block-size: 32, enforce_eager: true, enable-prefix-caching: false, seed: null}"))[
        "command"
    ]
    assert command[-3:] == ["--block-size=32", "--enforce-eager", "--no-enable-prefix-caching"]


def test_a_flag_of_the_user_replaces_ours():
    command = container(with_config("vllm: {dtype: bfloat16, download-dir: /elsewhere, gpu-memory-utilization: 0.5}"))["command"]
    for name, value in (("dtype", "bfloat16"), ("download-dir", "/elsewhere"), ("gpu-memory-utilization", "0.5")):
        assert [word for word in command if word.startswith(f"--{name}=")] == [f"--{name}={value}"]


def test_a_date_is_text():
    assert container(with_config("vllm: {revision: 2026-01-01}"))["command"][-1] == "--revision=2026-01-01"


def test_lists_and_mappings_become_one_flag_each():
    text = "vllm: {ignore-patterns: [a, b], hf-overrides: {rope: {factor: 2}}, limit-mm-per-prompt: {image: 4}}"
    command = container(with_config(text))["command"]
    assert command[-5:] == [
        "--ignore-patterns",
        "a",
        "b",
        '--hf-overrides={"rope": {"factor": 2}}',
        '--limit-mm-per-prompt={"image": 4}',
    ]


def test_the_user_s_context_length_takes_part_in_sizing():
    assert "--max-model-len=4096" in container(with_config("vllm: {max-model-len: 4096}"))["command"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("vllm: {port: 80}", "vllm.port cannot be set", id="port"),
        pytest.param("vllm: {served_model_name: x}", "vllm.served-model-name cannot be set", id="name"),
        pytest.param("vllm: [a]", "must be a mapping", id="list"),
        pytest.param("a: [", "is not YAML", id="no YAML"),
        pytest.param("vllm: {'--x y': 1}", "is not a valid flag name", id="no flag"),
        pytest.param("vllm: {max-model-len: many}", "whole number of tokens", id="no number"),
        pytest.param("vllm: {a: !!binary aGk=}", "which is not JSON", id="bytes"),
        pytest.param("a: &a [*a]\nvllm: {x: *a}", "has an alias in line 1", id="an anchor in itself"),
        pytest.param(None, "has no key inference_config.yaml", id="no such key"),
    ],
)
def test_a_config_map_that_cannot_be_used_is_refused_with_the_reason(text, said):
    with pytest.raises(SpecError, match="inference.config") as caught:
        with_config(text)
    assert said in str(caught.value)


SQL = {"adapters": [{"source": {"name": "sql", "image": "registry.example/sql:1"}}]}
VOLUME = {"weightsVolume": {"claimName": "mine"}}


@pytest.mark.parametrize(
    ("text", "inference", "said"),
    [
        pytest.param("download-dir: /data", VOLUME, "so it would stay empty; remove one of them", id="another directory"),
        pytest.param("download-dir: /workspace/weights", VOLUME, "", id="the directory of the volume"),
        pytest.param("download-dir: /data", {}, "", id="no volume"),
        pytest.param("enable-lora: false", SQL, "only with it; remove it, or the adapters", id="no LoRA"),
        pytest.param("no-enable-lora: false", SQL, "", id="LoRA"),
        pytest.param("enable-lora: false", {}, "", id="no adapters"),
    ],
)
def test_a_flag_with_which_another_field_would_have_no_effect_is_refused(text, inference, said):
    asked = {"preset": {"name": "phi-4-mini-instruct"}, "config": "flags", **inference}
    if not said:
        assert serve(configured(f"vllm: {{{text}}}"), inference=asked).workload
        return
    with pytest.raises(SpecError, match="inference.config sets vllm") as caught:
        serve(configured(f"vllm: {{{text}}}"), inference=asked)
    assert str(caught.value).endswith(said)


@pytest.mark.parametrize(
    ("flag", "passed"),
    [
        ("api-key: sk-secret", "--api-key=sk-secret"),
        ("api-key: [sk-secret, sk-secret-2]", "--api-key"),
        ("watermark-config: {key: 4711, algorithm: sk-secret}", '--watermark-config={"key": 4711, "algorithm": "sk-secret"}'),
    ],
)
def test_a_secret_among_the_flags_is_passed_with_a_warning_that_does_not_show_it(flag, passed):
    server = with_config(f"vllm: {{{flag}}}")
    assert passed in container(server)["command"]
    (note,) = server.notes
    assert note.startswith(f"inference.config: vllm.{flag.partition(':')[0]} is passed in clear text: everyone who may read")
    assert "sk-secret" not in f"{note} {server.sizing}"
    assert "clear text" not in "".join(with_config("vllm: {api-key: null}").notes)


def test_flags_without_a_value_are_named():
    names = (
        *("enforce-eager", "max-num-seqs", "max-num-batched-tokens", "block-size", "seed", "quantization", "load-format"),
        *("tokenizer-mode", "kv-cache-dtype", "enable-chunked-prefill", "enable-prefix-caching"),
    )
    many = ", ".join(f"{name}: null" for name in names)
    assert with_config("vllm: {enforce-eager: , max-num-seqs: 8}").notes == (
        "inference.config: vllm.enforce-eager has no value and no effect; set one, which for a switch is true, or remove it",
    )
    (note,) = (note for note in with_config(f"vllm: {{{many}}}").notes if "no value" in note)
    assert note.startswith("inference.config: vllm.enforce-eager, vllm.max-num-seqs, ")
    assert "vllm.enable-chunked-prefill and more have no value and no effect; " in note


@pytest.mark.parametrize("name", ["flags", "not\ud7fcprintable"])
def test_a_config_map_that_is_not_there_is_waited_for(name):
    with pytest.raises(UnresolvedError) as caught:
        serve(inference={"preset": {"name": "phi-4-mini-instruct"}, "config": name})
    assert caught.value.problem.reason == "ConfigNotFound"
    assert caught.value.problem.message.isprintable()
    assert not caught.value.problem.terminal


def test_a_changed_config_map_is_read_again():
    with pytest.raises(UnresolvedError) as caught:
        with_config("vllm: {}", version="8", read="7")
    assert (caught.value.step.ref.name, caught.value.step.version) == ("flags", "8")


def test_adapters_are_mounted_and_served_under_their_names():
    image = {"source": {"name": "sql", "image": "registry.example/sql:1", "imagePullSecrets": ["adapters"]}}
    volume = {"source": {"name": "chat", "volumeSource": {"persistentVolumeClaim": {"claimName": "chat"}}}}
    server = with_adapters(image, volume)
    volumes = {entry["name"]: entry for entry in pod_spec(server)["volumes"]}
    assert volumes["adapter-0"]["image"] == {"reference": "registry.example/sql:1"}
    assert volumes["adapter-1"]["persistentVolumeClaim"] == {"claimName": "chat"}
    mounts = {entry["name"]: entry for entry in container(server)["volumeMounts"]}
    assert mounts["adapter-0"] == {"name": "adapter-0", "mountPath": "/mnt/adapter/sql", "readOnly": True, "subPath": "data"}
    assert mounts["adapter-1"] == {"name": "adapter-1", "mountPath": "/mnt/adapter/chat", "readOnly": True}
    command = container(server)["command"]
    at = command.index("--lora-modules")
    assert command[at - 1 : at + 3] == ["--enable-lora", "--lora-modules", "sql=/mnt/adapter/sql", "chat=/mnt/adapter/chat"]
    assert server.model_names == ("phi-4-mini-instruct", "sql", "chat")
    assert pod_spec(server)["imagePullSecrets"] == [{"name": "adapters"}]


@pytest.mark.parametrize(
    ("adapter", "preset", "path"),
    [
        pytest.param({"source": {"name": "a", "image": "x"}, "strength": "0.5"}, "phi-4", "adapters[0].strength", id="strength"),
        pytest.param({"source": {"name": "a", "image": "x"}, "strength": "x"}, "phi-4", "adapters[0].strength", id="no number"),
        pytest.param({"source": {"name": "a", "urls": ["x"]}}, "phi-4", "adapters[0].source.urls", id="addresses"),
        pytest.param({"source": {"name": "a"}}, "phi-4", "adapters[0].source", id="no source"),
        pytest.param({"source": {"name": "phi-4", "image": "x"}}, "phi-4", "adapters[0].source.name", id="name of the model"),
        pytest.param({"source": {"name": "a", "image": "x"}}, "falcon-7b", "inference.adapters", id="a model without LoRA"),
    ],
)
def test_an_adapter_that_vllm_cannot_serve_is_refused(adapter, preset, path):
    with pytest.raises(SpecError) as caught:
        with_adapters(adapter, preset=preset)
    assert path in str(caught.value)


@pytest.mark.parametrize("strength", ["1.0", "1", None])
def test_the_default_strength_of_an_adapter_is_taken(strength):
    assert with_adapters({"source": {"name": "a", "image": "x"}, "strength": strength}).model_names == ("phi-4-mini-instruct", "a")


def test_weights_are_kept_on_a_claim_where_that_is_asked_for():
    inference = {"preset": {"name": "phi-4-mini-instruct"}, "weightsVolume": {"storageClassName": "fast", "size": "50Gi"}}
    server = serve(inference=inference)
    claim = server.others[0]
    assert (claim["kind"], claim["metadata"]["name"]) == ("PersistentVolumeClaim", "workspace-phi-4-mini-weights")
    assert claim["spec"]["resources"] == {"requests": {"storage": "50Gi"}}
    assert claim["spec"]["storageClassName"] == "fast"
    volumes = {entry["name"]: entry for entry in pod_spec(server)["volumes"]}
    assert volumes["weights"] == {"name": "weights", "persistentVolumeClaim": {"claimName": "workspace-phi-4-mini-weights"}}


def test_a_claim_without_a_size_is_large_enough_for_the_weights():
    claim = serve(inference={"preset": {"name": "phi-4-mini-instruct"}, "weightsVolume": {}}).others[0]
    assert claim["spec"]["resources"]["requests"]["storage"] == "9Gi"
    assert "storageClassName" not in claim["spec"]


def test_several_pods_get_a_claim_each():
    inference = {"preset": LLAMA, "weightsVolume": {"size": "200Gi"}}
    server = serve(**{**TWO_NODES, "inference": inference})
    (template,) = server.workload["spec"]["volumeClaimTemplates"]
    assert template["metadata"] == {"name": "weights"}
    assert not any(manifest["kind"] == "PersistentVolumeClaim" for manifest in server.others)
    assert not any(volume["name"] == "weights" for volume in pod_spec(server)["volumes"])


def test_a_claim_that_is_there_is_shared():
    server = serve(inference={"preset": {"name": "phi-4-mini-instruct"}, "weightsVolume": {"claimName": "models"}})
    volumes = {entry["name"]: entry for entry in pod_spec(server)["volumes"]}
    assert volumes["weights"]["persistentVolumeClaim"] == {"claimName": "models"}
    assert not any(manifest["kind"] == "PersistentVolumeClaim" for manifest in server.others)


@pytest.mark.parametrize(("size", "notes"), [("7Gi", 1), ("7500M", 1), ("8Gi", 0), (None, 0)])
def test_a_volume_that_is_smaller_than_the_weights_is_a_warning(size, notes):
    volume = {"size": size} if size else {"storageClassName": "fast"}
    server = serve(inference={"preset": {"name": "phi-4-mini-instruct"}, "weightsVolume": volume})
    said = [
        note
        for note in server.notes
        if note.startswith(f"inference.weightsVolume.size: {size} is less than the 7.2 GiB of weights")
    ]
    assert (len(said), len(server.notes)) == (notes, notes)


def test_kaito_s_annotation_makes_the_service_public():
    assert serve(annotations={"kaito.sh/enablelb": "True"}).others[-1]["spec"]["type"] == "LoadBalancer"


def test_the_transformers_runtime_is_refused():
    with pytest.raises(SpecError, match="is transformers, but only vllm is supported"):
        serve(annotations={"kaito.sh/runtime": "transformers"})


OWN_NODES = {"count": 1, "labelSelector": {"matchLabels": {"apps": "phi-4-mini"}}}


UNLABELLED = Node(Meta(ObjectRef("Node", "", "bare")), {"apps": "phi-4-mini"})


def node(name: str, memory: int, *, count: int = 1, **labels: str) -> Node:
    told = {
        "nvidia.com/gpu.product": "NVIDIA-L40S",
        "nvidia.com/gpu.memory": str(memory),
        "nvidia.com/gpu.count": str(count),
        "apps": "phi-4-mini",
        **labels,
    }
    return Node(Meta(ObjectRef("Node", "", name)), told)


def length(server: ModelServer) -> int:
    return next(int(word.partition("=")[2]) for word in container(server)["command"] if word.startswith("--max-model-len="))


def test_own_nodes_are_sized_by_their_labels_and_the_smallest_counts():
    small, large = node("small", 24 * 1024), node("large", 80 * 1024)
    assert length(serve(ServerRecords(nodes=(small, large)), resource=OWN_NODES)) == length(
        serve(ServerRecords(nodes=(small,)), resource=OWN_NODES)
    )
    assert length(serve(ServerRecords(nodes=(small,)), resource=OWN_NODES)) < length(
        serve(ServerRecords(nodes=(large,)), resource=OWN_NODES)
    )


@pytest.mark.parametrize("swapped", [False, True])
def test_nodes_that_differ_are_sized_for_what_each_of_them_has(swapped):
    many, large = node("many", 24 * 1024, count=8), node("large", 80 * 1024)
    server = serve(ServerRecords(nodes=(large, many) if swapped else (many, large)), resource=OWN_NODES)
    alone = serve(ServerRecords(nodes=(node("small", 24 * 1024),)), resource=OWN_NODES)
    assert container(server)["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    assert length(server) == length(alone)
    (note,) = server.notes
    assert note.startswith("the nodes differ (")
    assert "many with 8 x NVIDIA-L40S" in note
    assert "large with 1 x NVIDIA-L40S" in note


def test_nodes_that_are_alike_are_no_warning():
    assert serve(ServerRecords(nodes=(node("a", 48 * 1024), node("b", 48 * 1024))), resource=OWN_NODES).notes == ()


def test_the_oldest_of_several_nodes_decides_what_vllm_can():
    old, new = node("old", 80 * 1024, **{"nvidia.com/gpu.compute.major": "7"}), node("new", 48 * 1024)
    assert "--dtype=float16" in container(serve(ServerRecords(nodes=(new, old)), resource=OWN_NODES))["command"]


@pytest.mark.parametrize(
    ("labels", "said", "notes"),
    [
        pytest.param({"gpu-partition-size": "3g.20gb"}, "on 1 x NVIDIA-A100-SXM4-40GB-MIG-3g.20gb, context", 0, id="MIG"),
        pytest.param(
            {"gpu-sharing-strategy": "time-sharing", "max-shared-clients-per-gpu": "2"},
            "26.0 GiB KV cache on 1 x NVIDIA-A100-SXM4-40GB-SHARED",
            1,
            id="time-sharing: a pod gets one GPU",
        ),
        pytest.param(
            {"gpu-sharing-strategy": "mps", "max-shared-clients-per-gpu": "2"},
            "8.0 GiB KV cache on 1 x NVIDIA-A100-SXM4-40GB-SHARED",
            0,
            id="MPS: a pod gets a part of the memory",
        ),
    ],
)
def test_gpus_that_gke_shares_or_partitions(labels, said, notes):
    told = {f"cloud.google.com/gke-{key}": value for key, value in labels.items()}
    shared = Node(UNLABELLED.meta, {**UNLABELLED.labels, "node.kubernetes.io/instance-type": "a2-highgpu-4g", **told})
    server = serve(ServerRecords(nodes=(shared,)), resource=OWN_NODES)
    assert said in server.sizing
    assert (len(server.notes), container(server)["resources"]["limits"]) == (notes, {"nvidia.com/gpu": "1"})


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        pytest.param(
            {"node.kubernetes.io/instance-type": "g2-standard-12", "cloud.google.com/gke-gpu-partition-size": "1g.5gb"},
            "memory of NVIDIA-L4-MIG-1g.5gb is not known",
            id="a partition that the GPU cannot have",
        ),
        pytest.param(
            {"node.kubernetes.io/instance-type": "a2-highgpu-1g", "cloud.google.com/gke-gpu-partition-size": "half"},
            "memory of NVIDIA-A100-SXM4-40GB-MIG-half is not known",
            id="no profile",
        ),
        pytest.param({"cloud.google.com/gke-tpu-accelerator": "tpu-v5-lite"}, "of this kind are not supported", id="TPU"),
        pytest.param({"habana.ai/gaudi": "true"}, "of this kind are not supported", id="Gaudi"),
        pytest.param({"intel.feature.node.kubernetes.io/gpu": "true"}, "of this kind are not supported", id="Intel"),
        pytest.param({"beta.amd.com/gpu.vram": "192G"}, "of this kind are not supported", id="AMD, former label"),
    ],
)
def test_accelerators_that_cannot_be_used_are_named(labels, said):
    bare = Node(UNLABELLED.meta, {**UNLABELLED.labels, **labels})
    with pytest.raises(UnresolvedError) as caught:
        serve(ServerRecords(nodes=(bare,)), resource=OWN_NODES)
    assert said in caught.value.problem.message


def test_nodes_that_are_not_meant_do_not_count():
    other = node("other", 1024, apps="another")
    assert length(serve(ServerRecords(nodes=(other,)), resource=OWN_NODES)) == length(serve(resource=OWN_NODES))


def test_a_node_whose_gpus_are_not_known_is_waited_for():
    with pytest.raises(UnresolvedError) as caught:
        serve(ServerRecords(nodes=(UNLABELLED,)), resource=OWN_NODES)
    assert (caught.value.problem.reason, caught.value.problem.terminal) == ("GPUsUnknown", False)


def test_such_a_node_does_not_stop_a_running_model():
    live = Workload(Meta(ObjectRef("Deployment", "default", "workspace-phi-4-mini")))
    server = serve(ServerRecords(nodes=(UNLABELLED,), workloads=(live,)), resource=OWN_NODES)
    assert server.workload == serve(resource=OWN_NODES).workload
    assert "is assumed" in server.sizing


def test_an_empty_instance_type_is_none():
    server = serve(resource={**OWN_NODES, "instanceType": ""})
    assert (server.sizing, server.notes) == ((without := serve(resource=OWN_NODES)).sizing, without.notes)
    assert "is assumed" in server.sizing


def test_a_selector_that_matches_all_nodes_means_none_of_them():
    server = serve(ServerRecords(nodes=(UNLABELLED,)), resource={"labelSelector": {}})
    assert server.sizing.endswith("no node tells its GPUs, so Standard_NC24ads_A100_v4 is assumed")
    assert server.notes == (
        "sized for Standard_NC24ads_A100_v4, unless matching nodes have labels of other GPUs; set resource.instanceType",
    )


@pytest.mark.parametrize(
    ("instance_type", "labels", "said"),
    [
        pytest.param("g6e.xlarge", {}, "1 x g6e.xlarge: ", id="preferred nodes without labels: the user's instance type"),
        pytest.param(None, {"node.kubernetes.io/instance-type": "g6.xlarge"}, "1 x g6.xlarge: ", id="the cloud's label"),
        pytest.param(
            None,
            {
                "node.kubernetes.io/instance-type": "g6.xlarge",
                "nvidia.com/gpu.product": "NVIDIA-L4",
                "nvidia.com/gpu.memory": "23034",
            },
            "1 x node with NVIDIA-L4: ",
            id="the driver's word before the catalog's",
        ),
    ],
)
def test_what_names_the_hardware_of_preferred_nodes(instance_type, labels, said):
    bare = Node(UNLABELLED.meta, {**UNLABELLED.labels, **labels})
    resource = {**OWN_NODES, "preferredNodes": ["bare"], **({"instanceType": instance_type} if instance_type else {})}
    assert serve(ServerRecords(nodes=(bare,)), resource=resource).sizing.startswith(said)


@pytest.mark.parametrize("product", ["NVIDIA-A100-SXM4-80GB", "NVIDIA-" + "A" * 50])
def test_a_node_that_comes_later_does_not_change_a_running_model(product):
    large = node("large", 80 * 1024)
    large = Node(large.meta, {**large.labels, "nvidia.com/gpu.product": product})
    first = serve(ServerRecords(nodes=(large,)), resource=OWN_NODES)
    live = parse_workload(first.workload, "Deployment")
    assert json.loads(live.node_gpus)
    later = serve(ServerRecords(nodes=(node("small", 24 * 1024),), workloads=(live,)), resource=OWN_NODES)
    assert later.workload == first.workload


def test_a_model_that_is_newer_than_the_image_is_refused():
    with pytest.raises(SpecError, match=r"needs vLLM 0\.13\.0 or newer.* has 0\.11\.2"):
        serve(
            inference={"preset": {"name": "deepseek-v3.2"}},
            resource={**OWN_NODES, "instanceType": "Standard_ND96isr_H200_v5"},
            image="registry.example/vllm/vllm-openai:v0.11.2",
        )


def test_any_model_of_hugging_face_is_served_by_its_size():
    size = {"weights": "14.2Gi", "contextLimit": 32768, "layers": 32, "attentionHeads": 32, "kvHeads": 8, "headDim": 128}
    server = serve(inference={"preset": {"name": "some-lab/Some-Model-7B", "size": size}})
    command = container(server)["command"]
    assert command[2] == "some-lab/Some-Model-7B"
    assert {"--served-model-name=some-lab/Some-Model-7B", "--max-model-len=32768"} <= set(command)


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        pytest.param({"name": "some-lab/Some-Model-7B"}, "is not in the catalog, and its size is not set", id="no size"),
        pytest.param({"name": "some-lab/x", "size": {"weights": "999999999Ti"}}, "inference.preset.size is not valid", id="absurd"),
    ],
)
def test_a_model_without_a_usable_size_is_refused(preset, said):
    with pytest.raises(SpecError) as caught:
        serve(inference={"preset": preset})
    assert said in str(caught.value)


def test_the_user_may_know_better_than_the_arithmetic():
    changes = {"resource": {**OWN_NODES, "instanceType": "Standard_NC4as_T4_v3"}, "inference": {"preset": {"name": "phi-4"}}}
    with pytest.raises(SpecError, match="is too small"):
        serve(**changes)
    server = serve(annotations={"kaito.sh/bypass-resource-checks": "True"}, **changes)
    assert not any(word.startswith("--max-model-len") for word in container(server)["command"])
    assert "--dtype=float16" in container(server)["command"]

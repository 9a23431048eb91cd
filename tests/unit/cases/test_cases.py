"""Reports of users of this and similar products, as small inputs: `workspace-ctrl plan` gives each the right outcome, or says the way out.

Each row names a file of `inputs/`, what is printed, and the flags of the model server. The other members of its kind follow it.
"""

import functools
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from workspace_ctrl.cli.main import main

INPUTS = Path(__file__).parent / "inputs"
A100 = "1 x NVIDIA A100 80GB"
OLD_IMAGE = "registry.example/vllm/vllm-openai:v0.11.2"


class Outcome(NamedTuple):
    """What comes out of one file."""

    said: tuple[str, ...]
    """Parts of what is printed."""
    flags: tuple[str, ...] = ()
    """Arguments of the model server; one that ends with * must be missing."""
    gpus: str = ""
    """Requested extended resource and its number."""
    code: int = 0
    image: str = ""


def refused(*said, image=""):
    return Outcome(said, code=2, image=image)


CASES = {
    # memory
    "utilization": Outcome((f"9.7 GiB KV cache on {A100}, context 79104 tokens",), ("--gpu-memory-utilization=0.35",)),
    "utilization-as-text": Outcome(("context 79104 tokens",), ("--gpu-memory-utilization=0.35", "--gpu-memory-utilization=0.9*")),
    "utilization-of-zero": refused("vllm.gpu-memory-utilization is 0", "set a number up to 1"),
    "cache-of-8-bits": Outcome(("context 32768 tokens",), ("--kv-cache-dtype=fp8", "--max-model-len=32768")),
    "cache-of-fixed-size": Outcome(
        ("2.0 GiB KV cache", "context 16128"), ("--kv-cache-memory-bytes=2G", "--gpu-memory-utilization*")
    ),
    "cache-too-large": refused("leaves 46.1 GiB of KV cache, but kv-cache-memory-bytes sets 200.0"),
    "lora-without-adapters": Outcome(("60.2 GiB KV cache",), ("--enable-lora", "--max-loras=8")),
    "offload": Outcome(("27.9 GiB weights (14 GiB for each GPU in the node's memory)", "context 16384"), ("--cpu-offload-gb=14",)),
    "batch": Outcome(("2 x Standard_NC24ads_A100_v4",), ("--max-num-batched-tokens=131072", "--nnodes=2")),
    "whole-prompts-by-its-negation": Outcome(("context 10752 tokens",), ("--no-enable-chunked-prefill",)),
    "switch-as-text": Outcome((), ("--trust-remote-code", "--no-enable-prefix-caching", "--trust-remote-code=*")),
    "whole-prompts": Outcome(("context 131072 tokens",), ("--no-enable-chunked-prefill",)),
    "float32": Outcome(("14.6 GiB weights",), ("--dtype=float32", "--dtype=float16*")),
    "bfloat16-on-old-gpu": refused("has NVIDIA T4 with compute capability 7.5, but bfloat16 needs 8.0 or higher"),
    "draft-model": Outcome(("5.4 GiB KV cache", "context 26368 tokens"), ("--max-model-len=26368",)),
    "draft-model-unknown": refused("some-lab/eagle-head, whose size is not known", "kaito.sh/bypass-resource-checks"),
    "ngram": Outcome(("context 131072 tokens",)),
    "blocks-override": refused("vllm.num-gpu-blocks-override cannot be set", "set kv-cache-memory-bytes"),
    "edge": Outcome((f"62.3 GiB weights and 4.3 GiB KV cache on {A100}, context 17664 tokens",), ("--gpu-memory-utilization=0.9",)),
    # numbers of GPUs
    "tensor-parallel-one-of-two": Outcome(
        (f"4.3 GiB KV cache on {A100}", "context 17664"),
        ("--tensor-parallel-size=1", "--tensor-parallel-size=2*"),
        "1 nvidia.com/gpu",
    ),
    "tensor-parallel-too-many": refused("asks for more GPUs (tensor 4) than Standard_NC48ads_A100_v4 has (2)"),
    "tensor-parallel-three": refused("the 40 attention heads of phi-4 cannot be split", "set one of 1, 2, 5, 10"),
    "pipeline-on-one-node": Outcome(
        ("(tensor 1 x pipeline 2)",), ("--tensor-parallel-size=1", "--pipeline-parallel-size=2", "--nnodes*"), "2 nvidia.com/gpu"
    ),
    "pipeline-over-nodes": Outcome(
        ("2 x Standard_NC48ads_A100_v4", "(tensor 1 x pipeline 4)"),
        ("--pipeline-parallel-size=4", "--nnodes=2"),
        "2 nvidia.com/gpu",
    ),
    "data-parallel": Outcome(
        ("2 copies of 7.3 GiB", "x data 2)"), ("--tensor-parallel-size=1", "--data-parallel-size=2"), "2 nvidia.com/gpu"
    ),
    "data-parallel-too-many": refused("asks for more GPUs (data 4) than Standard_NC48ads_A100_v4 has (2)", "run on one node"),
    "data-parallel-rank": refused("vllm.data-parallel-rank cannot be set", "set only data-parallel-size"),
    # context length
    "bypass-keeps-length": Outcome(("context 4096 tokens", "not checked"), ("--max-model-len=4096", "--quantization=fp8")),
    "bypass-of-two-gpus": Outcome(
        ("context 8000 tokens",), ("--max-model-len=8000", "--tensor-parallel-size=2"), "2 nvidia.com/gpu"
    ),
    "rope-scaling": Outcome(("context 131072 tokens",), ("--max-model-len=131072",)),
    "rope-scaling-as-json": Outcome(("context 65536 tokens",), ("--max-model-len=65536",)),
    "rope-scaling-too-short": refused("supports at most 65536 tokens", "rope scaling in hf-overrides raises the limit"),
    "rope-scaling-flag": refused("vllm.rope-scaling is no flag of vLLM any more; use hf-overrides"),
    "length-auto": Outcome(("context chosen by vLLM",), ("--max-model-len=auto",)),
    "length-as-text": Outcome(("context 16000 tokens",), ("--max-model-len=16000",)),
    # flags of other versions and servers
    "kaito-flags": Outcome(
        (
            "max_probe_steps is left out",
            "kv_cache_cpu_memory_utilization is left out",
            "vllm.swap-space is left out: vLLM 0.33.0 has no such flag any more",
            "vllm.max-seq-len-to-capture is left out",
            "vllm.num-scheduler-steps is left out",
            "vllm.kaito-disable-rate-limit is left out",
        ),
        ("--cpu-offload-gb=0", "--swap-space*", "--max-seq-len-to-capture*", "--kaito*", "--num-scheduler-steps*"),
    ),
    "flag-misspelt": refused("vllm.max-num-sequences is not a flag of vLLM 0.33.0; did you mean max-num-seqs?"),
    "config-misspelt": Outcome(("vlm has no effect; flags of vllm serve are under the key vllm",)),
    "flag-of-newer-vllm": refused(
        "vllm.shutdown-timeout needs vLLM 0.19.1 or newer, but the model server image has", image=OLD_IMAGE
    ),
    "key-twice": refused("inference_config.yaml has the key max-model-len twice in the same mapping, again in line 3"),
    "controller-flag": refused("vllm.nnodes cannot be set: the controller sets it"),
    "metrics-off": refused("vllm.disable-log-stats cannot be set: it removes the metrics", "remove it"),
    "metrics-on": Outcome((), ("--disable-log-stats*", "--no-disable-log-stats*")),
    "key-among-flags": Outcome(
        ("vllm.api-key is passed in clear text", "prefer a policy of the Gateway, which keeps keys in a Secret"),
        ("--api-key=sk-secret",),
    ),
    "list-flags": Outcome(
        (),
        (
            '--allowed-origins=["https://a.example"]',
            "--middleware=a.B",
            "--middleware=c.D",
            "--disable-access-log-for-endpoints=/health,/metrics",
            "--ignore-patterns",
        ),
    ),
    "short-form": refused("vllm.tp is the short form of a flag", "did you mean tensor-parallel-size?"),
    "directory-beside-volume": refused("sets vllm.download-dir, but the volume of inference.weightsVolume", "remove one of them"),
    "host-ipv6": Outcome((), ("--host=::",)),
    "host-loopback": refused("vllm.host is '127.0.0.1'", 'set "::"'),
    "two-nodes": Outcome(("3 x Standard_NC24ads_A100_v4",), ("--nnodes=3", "--distributed-executor-backend=mp", "ray*")),
    "five-nodes": Outcome(
        ("5 x Standard_NC80adis_H100_v5",), ("--nnodes=5", "--pipeline-parallel-size=5", "ray*"), "2 nvidia.com/gpu"
    ),
    # annotations
    "annotations": Outcome(("type: LoadBalancer",)),
    "annotation-transformers": refused("is transformers, but only vllm is supported"),
    # nodes
    "own-node-without-labels": refused("Node n1: GPUs not known", "nvidia.com/gpu.product", "set resource.instanceType"),
    "own-node-one-of-two": Outcome(("node with NVIDIA-L40S", "Node n1: GPUs not known, so the model is sized without them")),
    "nodes-differ": Outcome(
        ("on 1 x NVIDIA-L4", "the nodes differ (n1 with 1 x NVIDIA-A100-SXM4-80GB, n2 with 8 x NVIDIA-L4)"), (), "1 nvidia.com/gpu"
    ),
    "gke-partition": Outcome(("on 1 x NVIDIA-A100-SXM4-40GB-MIG-3g.20gb",), (), "1 nvidia.com/gpu"),
    "gb10": refused("Node spark-1: memory of NVIDIA-GB10 is not known; set the label nvidia.com/gpu.memory"),
    "gb10-told": Outcome(("node with NVIDIA-GB10", "context 131072 tokens"), (), "1 nvidia.com/gpu"),
    "no-node-at-all": Outcome(
        ("no node tells its GPUs, so Standard_NC24ads_A100_v4 is assumed", "unless matching nodes have labels of other GPUs")
    ),
    "instance-type-label": Outcome(("1 x g6e.12xlarge",), ("--tensor-parallel-size=2",), "2 nvidia.com/gpu"),
    "amd-node": refused("Node n1: accelerators of this kind are not supported"),
    "shared-gpu": Outcome(("each GPU is shared by up to 4 pods", "set gpu-memory-utilization"), (), "1 nvidia.com/gpu"),
    "mps": Outcome(("10.3 GiB KV cache",), (), "1 nvidia.com/gpu"),
    "mig-mixed": Outcome(("MIG 1g.10gb", "context 123904 tokens"), (), "1 nvidia.com/mig-1g.10gb"),
    "mig-single": Outcome(("MIG 1g.10gb", "context 123904 tokens"), (), "1 nvidia.com/gpu"),
    "mig-two": refused("resource.partition.count is 2, but vLLM cannot split a model over MIG instances"),
    "mig-on-l4": refused("1g.10gb is no MIG profile of NVIDIA L4"),
    "mig-without-profile": refused("resource.partition needs profile for mode mig, and only for it"),
    "some-gpus": Outcome(("on 2 x NVIDIA A100 80GB",), ("--tensor-parallel-size=2",), "2 nvidia.com/gpu"),
    "all-gpus": Outcome(("on 4 x NVIDIA A100 80GB",), ("--tensor-parallel-size=4",), "4 nvidia.com/gpu"),
    "too-many-gpus": refused("resource.partition.count is 8, but Standard_NC96ads_A100_v4 has 4 GPU(s) for a pod; set at most 4"),
    # fields
    "unknown-fields": Outcome(
        (
            "unknown field inference.adapter; did you mean adapters?",
            "unknown field gateway.hostname; did you mean hostnames?",
            "unknown field gateway.parentRefs[0].kind; a parent is always a Gateway",
            "unknown field gateway.parentRefs[0].port; name the listener with sectionName",
        )
    ),
    "under-spec": refused("there is no spec here; move its fields up"),
    "adapter-volume": Outcome((), ("--enable-lora",)),
    "adapter-strength": Outcome(("no adapter has a rank above 16, or inference.config sets max-lora-rank",), ("--enable-lora",)),
    "adapter-half-strength": refused("strength is 0.5, but vLLM applies every adapter with strength 1.0"),
    "adapter-rank": Outcome((), ("--max-lora-rank=64",)),
    # pod templates
    "template-called-vllm": Outcome(("pod template",)),
    "template-sidecar": Outcome(("target ports: 8000",)),
    "template-ports": Outcome(
        (
            "several container ports and none named http, so port 8000 of container server is used; name the right one http",
            "container server of inference.template has no readinessProbe, so its pods count as ready while the model loads",
            "target ports: 8000",
            "GPUs per pod: 8 of amd.com/gpu",
        )
    ),
    "template-quoted-port": refused("inference.template.spec.containers[0].ports[0].containerPort is '8000'; use a number"),
    "template-names": Outcome(
        (
            "header: X-Gateway-Model-Name: qwen3",
            "header: X-Gateway-Model-Name: qwen3-8b",
            "header: X-Gateway-Model-Name: sql",
            "gateway.modelName: the model server does not serve Qwen3, but qwen3, qwen3-8b, sql",
        )
    ),
    "template-shell": Outcome(
        ("has no container port, so the model server is expected on port 5000", "header: X-Gateway-Model-Name: team-chat")
    ),
}


def run(name, *options):
    result = CliRunner().invoke(main, ["plan", "-f", str(INPUTS / f"{name}.yaml"), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


@functools.cache
def pod(name):
    documents = json.loads(run(name, "-o", "json").stdout)["items"]  # YAML takes ten times as long to write and to read
    return next(entry for entry in documents if entry["kind"] in {"Deployment", "StatefulSet"})["spec"]["template"]["spec"]


def test_every_input_has_an_outcome():
    assert {path.stem for path in INPUTS.glob("*.yaml")} == CASES.keys()


@pytest.mark.parametrize(("name", "outcome"), CASES.items(), ids=CASES)
def test_the_outcome(name, outcome):
    options = ["--model-server-image", outcome.image] if outcome.image else []
    result = run(name, *options)
    assert result.exit_code == outcome.code, result.output
    assert [text for text in outcome.said if text not in result.output] == []
    if outcome.code:
        return
    container = pod(name)["containers"][0]
    words = container.get("command", [])
    missing = [flag for flag in outcome.flags if not flag.endswith("*") and flag not in words]
    unwanted = [flag for flag in outcome.flags if flag.endswith("*") and any(word.startswith(flag[:-1]) for word in words)]
    assert (missing, unwanted) == ([], [])
    if outcome.gpus:
        number, resource = outcome.gpus.split()
        assert container["resources"]["limits"] == {resource: number}


@pytest.mark.parametrize("name", [name for name, outcome in CASES.items() if not outcome.code and not name.startswith("template")])
def test_the_pods_have_as_many_gpus_as_vllm_uses(name):
    container = pod(name)["containers"][0]
    sizes = dict(word.removeprefix("--").split("=", 1) for word in container["command"] if word.startswith("--") and "=" in word)
    product = 1
    for size in ("tensor-parallel-size", "pipeline-parallel-size", "data-parallel-size"):
        product *= int(sizes.get(size, 1))
    (number,) = container["resources"]["limits"].values()
    assert product == int(number) * int(sizes.get("nnodes", 1))


def test_a_service_called_vllm_sets_nothing_in_its_pods():
    assert pod("template-called-vllm")["enableServiceLinks"] is False
